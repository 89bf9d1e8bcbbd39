"""Botte behind its doors: what a message is, how it is kept, how it reaches Telegram.

``message <- task, errors <- telegram <- relay <- app.py``: the arrows point at what is imported.
"""
