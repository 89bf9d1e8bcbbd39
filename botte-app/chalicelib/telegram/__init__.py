"""Telegram: how a message is rendered for it, and the only code that talks to it."""
