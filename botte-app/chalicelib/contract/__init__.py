"""The contract: what a message and a task are. Pure.

Every client ships this package as its own ``_contract``: it imports nothing of the app, and itself by relative imports.
"""
