"""The doors: each translates an event into messages, and what became of them into its answer."""
