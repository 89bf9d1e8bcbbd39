"""Noting in the outbox how attempts ended, for as long as it takes: a note that is lost is a message sent twice."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..errors import TableUnavailable
from ..outbox.row import Key
from ..outbox.states import Change
from ..outbox.table import NotApplied, Outbox

TABLE_SECONDS = 5.0  # a call of a table, at its worst
MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.1, 2.0

_log = logging.getLogger("botte.relay")


class Notes:
    """Writes to ``outbox`` what became of claimed messages.

    A note that cannot be made in five seconds is left for ``catch_up``, which is tried until the deadline. After that
    the row is taken up again when its lease is over. clock: epoch seconds.
    """

    def __init__(self, outbox: Outbox, *, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._outbox = outbox
        self._clock = clock
        self._sleep = sleep
        self._left: list[tuple[Key, Change]] = []

    def make(self, key: Key, change: Change, *, until: float | None = None) -> None:
        """Makes a note, or leaves it for later. until: how long it is tried (epoch seconds), 5 s by default."""
        try:
            self._outbox.apply(key, change, until=until)
        except NotApplied:
            pass  # the lease was over: another has taken the row since, and notes how it ends
        except TableUnavailable as error:
            _log.error("what became of a message cannot be noted", extra={"id": key.sort, "reason": error.reason})
            self._left.append((key, change))

    def catch_up(self, deadline: float) -> None:
        """Makes the notes that were left, each once, and then until the deadline (epoch seconds)."""
        pause = MIN_PAUSE_SECONDS
        while self._left:
            left, self._left = self._left, []
            for key, change in left:
                self.make(key, change, until=self._clock())
            if not self._left or self._clock() + pause + TABLE_SECONDS > deadline:
                return
            self._sleep(pause)
            pause = min(2 * pause, MAX_PAUSE_SECONDS)
