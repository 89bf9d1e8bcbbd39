"""What was accepted in a run."""

from __future__ import annotations

import threading

from benchmarks.chaos.plan import Letter


class Ledger:
    """Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accepted: dict[str, Letter] = {}
        self._dropped = 0

    def accept(self, letter: Letter) -> None:
        with self._lock:
            self._accepted[letter.uid] = letter

    def drop(self, letter: Letter) -> None:
        """Lambda drops an event after three failed attempts: not the app's to keep, but a destination's."""
        with self._lock:
            del self._accepted[letter.uid]
            self._dropped += 1

    @property
    def accepted(self) -> list[Letter]:
        with self._lock:
            return list(self._accepted.values())

    @property
    def dropped(self) -> int:
        with self._lock:
            return self._dropped
