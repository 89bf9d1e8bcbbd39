"""Noting in the outbox how attempts ended, for as long as it takes: a note that is lost is a message sent twice."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..errors import TableUnavailable
from ..outbox.row import Key
from ..outbox.states import Change
from ..outbox.table import MAX_PAUSE_SECONDS, MIN_PAUSE_SECONDS, PATIENCE_SECONDS, NotApplied, Outbox

_log = logging.getLogger("botte.relay")


class Notes:
    """Writes to ``outbox`` what became of claimed messages.

    A note that the table does not take is left for ``catch_up``. It is fenced by the lease, so it may come late: until
    it is made, or another process has the row, this one does not send the message again. clock: epoch seconds.
    """

    def __init__(self, outbox: Outbox, *, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._outbox = outbox
        self._clock = clock
        self._sleep = sleep
        self._left: dict[Key, Change] = {}
        self._of_earlier: set[Key] = set()

    def __contains__(self, key: Key) -> bool:
        """Whether the note of a row is still to be made."""
        return key in self._left

    def make(self, key: Key, change: Change, *, until: float | None = None) -> None:
        """Makes a note, or leaves it for later. until: as in ``Outbox.apply``."""
        try:
            self._outbox.apply(key, change, until=until)
        except NotApplied:
            pass  # the lease was over: another has taken the row since, and notes how it ends
        except TableUnavailable as error:
            _log.error("what became of a message cannot be noted", extra={"id": key.sort, "reason": error.reason})
            self._left[key] = change

    def try_again(self) -> None:
        """Makes the notes that were left, if one try is enough for each."""
        left, self._left = self._left, {}
        for key, change in left.items():
            self.make(key, change, until=self._clock())

    def catch_up(self, deadline: float) -> None:
        """Makes the notes that were left: those of this invocation until the deadline, those of earlier ones once.

        deadline: epoch seconds.
        """
        pause = MIN_PAUSE_SECONDS
        self.try_again()
        while self._left.keys() - self._of_earlier and self._clock() + pause + PATIENCE_SECONDS <= deadline:
            self._sleep(pause)
            self.try_again()
            pause = min(2 * pause, MAX_PAUSE_SECONDS)
        self._of_earlier = set(self._left)
