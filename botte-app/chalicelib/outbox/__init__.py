"""The outbox: what is kept of each message, and the only code that talks to its table."""
