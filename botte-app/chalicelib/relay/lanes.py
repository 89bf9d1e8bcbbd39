"""A lane: what is due to one chat, in its order, and whose turn it is among the lanes of a run."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from ..errors import TableUnavailable
from ..outbox.row import Row
from ..outbox.table import Outbox
from ..telegram.bot_api import call_seconds
from .outcome import Claim

SHARE = 2  # so much longer than a call that may hang the other lanes go on before it
MAX_FAILURES_IN_FRONT = 10  # of the oldest; then those that never failed are tried before it

_log = logging.getLogger("botte.relay")


class Lane:
    """What is due in a lane, and what a run saw of the lane.

    next: what comes next; None at the end. is_alive: whether a message went through in this run. suspects: those that
    failed while none did. A message that failed in an earlier run is passed over until one goes through, or no other
    is left. has_failed: whether its next call may hang. spent: how many seconds of the run it has had, of its waits and
    its calls, or is held back for; took: how many its last call.
    """

    def __init__(self, chat: str, due: Iterator[Row]) -> None:
        self.chat = chat
        self.is_alive = False
        self.suspects: list[Claim] = []
        self.seen = 0
        self._pushed = 0
        self._due = due
        self._ahead: list[tuple[float, int, Row]] = []
        self._passed_over: list[Row] = []
        self._load()
        self._has_tried_enough = any(row.failures >= MAX_FAILURES_IN_FRONT for _, _, row in self._ahead)
        self.next = self._take()
        self.has_failed = self._has_tried_enough or (self.next is not None and self.next.failures > 0)
        self.spent = self.took = 0.0

    def advance(self) -> None:
        self.next = self._take()

    def leave(self, more: int) -> Iterator[Row]:
        """Gives what comes next, and so many more after it; after that the lane gives nothing more."""
        ahead = [row for _, _, row in self._ahead]
        return (row for row in (self.next, *islice((*ahead, *islice(self._due, more)), more)) if row is not None)

    def push(self, row: Row, turn: float) -> None:
        """Has a row come once more, at its turn (epoch seconds)."""
        self._pushed += 1
        heapq.heappush(self._ahead, (turn, -self._pushed, row))

    def close(self) -> None:
        """Leaves what is left to a later run."""
        self._due, self._ahead, self._passed_over = iter(()), [], []

    def note_alive(self) -> None:
        self.is_alive = True
        for row in self._passed_over:
            self.push(row, row.due_ts or 0.0)
        self._passed_over = []

    def _load(self) -> None:
        """One row of the index is always among those ahead: it gives them in their order."""
        row = next(self._due, None)
        if row is not None:
            self.seen += 1
            heapq.heappush(self._ahead, (row.due_ts or 0.0, self.seen, row))

    def _take(self) -> Row | None:
        while self._ahead:
            _, number, row = heapq.heappop(self._ahead)
            if number > 0:
                self._load()
            if self.is_alive or not row.failures or not (self.suspects or self._has_tried_enough):
                return row
            self._passed_over.append(row)
        return self._passed_over.pop(0) if self._passed_over else None


def due_lanes(outbox: Outbox, chats: Iterable[str], now: float) -> list[Lane]:
    """The lanes in which something is due now (epoch seconds).

    Where messages failed before, the next call may hang as well: those come after the others, and one after the other,
    so that the others have most of the run.
    """
    lanes = []
    for chat in chats:
        try:
            lanes.append(Lane(chat, outbox.due(chat, now)))
        except TableUnavailable as error:  # noqa: PERF203 - each chat by itself
            _log.error("a chat cannot be worked on", extra={"chat": chat, "reason": error.reason})
    lanes = [lane for lane in lanes if lane.next is not None]
    hang = call_seconds("sendMessage")
    for number, lane in enumerate((lane for lane in lanes if lane.has_failed), start=1):
        lane.spent, lane.took = SHARE * number * hang, hang
    return lanes


def choose_lane(lanes: Sequence[Lane], now: float, free_ts: Callable[[str], float]) -> Lane:
    """The lane whose turn it is: of those that are free, the one that has had the least of the run's time.

    It stands back for one that has had less and is free before its call would be over, as it may hang.
    free_ts: when a chat may be written to again, in epoch seconds, as ``now`` is.
    """
    free = {lane.chat: max(now, free_ts(lane.chat)) for lane in lanes}
    first = min(lanes, key=lambda lane: (free[lane.chat], lane.spent))
    return min(
        (lane for lane in lanes if lane.spent < first.spent and free[lane.chat] <= now + first.took),
        key=lambda lane: free[lane.chat],
        default=first,
    )
