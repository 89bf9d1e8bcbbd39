"""How often each AWS operation was called."""

from __future__ import annotations

import threading
from collections import Counter


class Calls:
    """A counter by operation, such as `{"DynamoDB.UpdateItem": 2, "SSM.GetParameters": 1}`."""

    def __init__(self) -> None:
        self._counter: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count(self, operation: str) -> None:
        with self._lock:
            self._counter[operation] += 1

    def by_operation(self) -> dict[str, int]:
        with self._lock:
            return dict(sorted(self._counter.items()))

    def of(self, service: str) -> int:
        """All calls to one service: `of("DynamoDB")`."""
        return sum(n for operation, n in self.by_operation().items() if operation.startswith(service + "."))

    def reset(self) -> None:
        with self._lock:
            self._counter.clear()
