"""Tells the pump, and long polls, that something was written, so that none of them polls in a hurry."""

from __future__ import annotations

import threading
from collections import Counter


class Changes:
    """One counter of writes per AWS service ("DynamoDB", "SQS"), and a way to wait until it moves.

    A waiter hands in the number that it saw before it looked at the table or the queue. What is written between
    looking and waiting then ends the wait at once; with a plain event that wake-up could be lost.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._condition = threading.Condition()
        self._closed = False

    def seen(self, service: str) -> int:
        with self._condition:
            return self._counts[service]

    def mark(self, service: str) -> None:
        with self._condition:
            self._counts[service] += 1
            self._condition.notify_all()

    def wait(self, service: str, seen: int, timeout: float) -> int:
        """Waits until the count is not `seen` any more, `timeout` seconds are over, or `close` is called."""
        with self._condition:
            self._condition.wait_for(lambda: self._closed or self._counts[service] != seen, timeout)
            return self._counts[service]

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Ends every wait, now and later."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
