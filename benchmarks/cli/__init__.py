"""How long one message takes from a shell: `botte send` beside others, each a whole process.

``python -m benchmarks.cli`` runs it. Every program speaks TLS, as all of them do outside, to servers on this machine:
nothing of a network is in the figures. A run counts only if its message has arrived, once.
"""
