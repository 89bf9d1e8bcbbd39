"""How often each AWS operation was called."""

from __future__ import annotations

import threading
from collections import Counter


class Calls:
    """A counter by operation, such as `{"DynamoDB.UpdateItem": 2, "SSM.GetParameters": 1}`, and by table."""

    def __init__(self) -> None:
        self._counter: Counter[tuple[str, str | None]] = Counter()
        self._lock = threading.Lock()

    def count(self, operation: str, table: str | None = None) -> None:
        with self._lock:
            self._counter[operation, table] += 1

    def by_operation(self, table: str | None = None) -> dict[str, int]:
        """All calls, or those on one table."""
        counted: Counter[str] = Counter()
        with self._lock:
            for (operation, of), number in self._counter.items():
                if table in (None, of):
                    counted[operation] += number
        return dict(sorted(counted.items()))

    def of(self, service: str, table: str | None = None) -> int:
        """All calls to one service, or those on one table: `of("DynamoDB")`."""
        return sum(n for operation, n in self.by_operation(table).items() if operation.startswith(service + "."))

    def reset(self) -> None:
        with self._lock:
            self._counter.clear()
