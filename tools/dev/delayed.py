"""Calls made later, on a few worker threads."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable


class DelayedCalls:
    """Runs calls on up to `workers` daemon threads, each call when its delay is over, the earliest due first.

    The threads are started with the first call. A call must not raise.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._threads: list[threading.Thread] = []
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._condition = threading.Condition()
        self._stopped = False

    def submit(self, call: Callable[[], None], delay: float = 0.0) -> None:
        """Runs `call` in `delay` seconds; after `stop` nothing is taken any more."""
        with self._condition:
            if self._stopped:
                return
            heapq.heappush(self._waiting, (time.monotonic() + delay, next(self._order), call))
            if not self._threads:
                self._threads = [
                    threading.Thread(target=self._work, name=f"worker {number}", daemon=True)
                    for number in range(self._workers)
                ]
                for thread in self._threads:
                    thread.start()
            self._condition.notify()

    def stop(self) -> int:
        """Starts no further call. Returns how many were still waiting."""
        with self._condition:
            self._stopped = True
            dropped = len(self._waiting)
            self._waiting.clear()
            self._condition.notify_all()
            return dropped

    def _work(self) -> None:
        while (call := self._next()) is not None:
            call()

    def _next(self) -> Callable[[], None] | None:
        with self._condition:
            while not self._stopped:
                if not self._waiting:
                    self._condition.wait()
                    continue
                due = self._waiting[0][0] - time.monotonic()
                if due <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._condition.wait(due)
            return None
