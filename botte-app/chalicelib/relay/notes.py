"""Noting in the outbox how attempts ended, for as long as it takes: a note that is lost is a message sent twice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from ..errors import TableAnswerLost, TableUnavailable
from ..outbox import states
from ..outbox.row import Key
from ..outbox.states import Change, Content
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
        self._left: dict[Key, Sequence[Change]] = {}
        self._of_earlier: set[Key] = set()
        self._uncounted: list[str] = []

    def __contains__(self, key: Key) -> bool:
        """Whether the note of a row is still to be made."""
        return key in self._left

    def make(self, key: Key, *changes: Change, until: float | None = None) -> None:
        """Makes a note, the first of these that can be made, or leaves it for later. until: as in ``Outbox.apply``."""
        for number, change in enumerate(changes):
            try:
                self._outbox.apply(key, change, until=until)
            except NotApplied:
                continue  # the lease was over: another has taken the row since, and notes how it ends
            except TableUnavailable as error:
                _log.error("what became of a message cannot be noted", extra={"id": key.sort, "reason": error.reason})
                self._left[key] = changes[number:]
            return

    def park(self, key: Key, content: Content, reason: str, raw: str | None = None) -> None:
        """Parks a new message, with the reason, and counts it. raw: bad input, as it came.

        Raises NotApplied where the key names a message already, TableUnavailable.
        """
        lost = None
        try:
            self._outbox.add(key, content, lambda new: states.park(new, error=reason, raw=raw))
        except TableAnswerLost as error:
            lost = error  # perhaps it is parked: then it will be known when it comes again
        _log.warning("parked", extra={"id": key.sort, "reason": reason})
        self.count_parked(reason)
        if lost is not None:
            raise lost

    def count_parked(self, reason: str) -> None:
        """Counts a message that is parked, for the owner to be told of it, if one try is enough; otherwise later."""
        self._uncounted.append(reason)
        self._count()

    def try_again(self) -> None:
        """Makes the notes that were left, if one try is enough for each."""
        self._count()
        left, self._left = self._left, {}
        for key, changes in left.items():
            self.make(key, *changes, until=self._clock())

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

    def _count(self) -> None:
        if not self._uncounted:
            return
        change = states.count_parked(len(self._uncounted), reason=self._uncounted[0], now=self._clock())
        try:
            self._outbox.apply(Key.of_parkings(), change, until=self._clock())
        except TableUnavailable as error:
            extra = {"count": len(self._uncounted), "reason": error.reason}
            _log.warning("what was parked cannot be counted", extra=extra)
        else:
            self._uncounted.clear()
