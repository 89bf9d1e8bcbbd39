"""Botte behind its doors: what a message is, how it is kept, how it reaches Telegram.

``doors -> relay -> outbox -> telegram -> contract``: the arrows point at what is imported, and may pass a storey.
"""
