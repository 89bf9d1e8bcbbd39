"""Sending again what could not be sent, lane by lane.

A message that Telegram does not take may be at fault itself, or its chat, or Telegram. Telegram is asked first, by a
call that shows nothing. While it is away, or asks to wait, no row is moved: all keep their order. Where it is there,
a message that fails is set aside, and the next one of its lane tried: if that goes through, the fault is its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress

from ..errors import Ambiguous, BotTokenRejected, ParametersUnavailable, TableUnavailable
from ..outbox import states
from ..outbox.row import DAY, Row
from ..outbox.table import NotApplied, Outbox
from .attempt import Attempts
from .courier import Courier, Interrupted
from .lanes import Lane, choose_lane
from .outcome import Claim, Delivered, Undelivered, log_outcome

RUN_SECONDS = 60.0  # until the next run begins
STRAYS_SECONDS = 900.0
MAX_SEARCH_SECONDS = 2.0
MIN_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 5.0, 900.0
MAX_OWN_FAILURE_SECONDS = 3.0 * DAY
MIN_OWN_FAILURES = 100  # of those days most may have been an outage
MAX_ANSWERS_LOST = 5
MAX_SUSPECTS = 5  # messages of a lane that are tried in a run while none goes through
MIN_LONE_FAILURES = 10  # then the fault of one that is alone in its lane is taken for its own

_log = logging.getLogger("botte.relay")


class Redelivery:
    """Sends what is due, each lane at Telegram's pace; safe when two runs do it at once.

    clock: epoch seconds. random: gives so many random bytes.
    """

    def __init__(
        self,
        courier: Courier,
        attempts: Attempts,
        outbox: Outbox,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        random: Callable[[int], bytes],
    ) -> None:
        self._courier = courier
        self._attempts = attempts
        self._outbox = outbox
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._strays: set[str] = set()
        self._search: Iterator[str] | None = None
        self._searched = 0.0

    def redeliver(self, *, deadline: float) -> None:
        """Sends what is due, until the next run begins. deadline: when this one has to be over, in epoch seconds."""
        ends = min(self._clock() + RUN_SECONDS, deadline)
        try:
            chats = self._courier.names() | self._strays
        except ParametersUnavailable as error:
            _log.error("nothing can be sent again", extra={"reason": error.reason})
            return
        lanes = self._due_lanes(chats)
        if lanes and self._courier.is_telegram_there(deadline):
            with suppress(TableUnavailable):  # then Telegram says again which chats have to wait
                self._courier.read_waits()
            self._work(list(lanes), ends, deadline)
        for lane in lanes:
            self._settle(lane)
            if lane.next is not None:
                waited = int(self._clock() - (lane.next.turn_ts or lane.next.due_ts or 0.0))
                log_outcome("pending", lane.next.key, None, f"the chat {lane.chat} waits", waited_seconds=waited)
        self._attempts.catch_up(deadline)
        self._look_for_strays()

    def _due_lanes(self, chats: set[str]) -> list[Lane]:
        """The lanes with something due. In another order each time: where calls hang, a run does not come to all."""
        lanes = []
        for chat in sorted(sorted(chats), key=lambda _: self._random(4)):
            try:
                lanes.append(Lane(chat, self._outbox.due(chat, self._clock())))
            except TableUnavailable as error:  # noqa: PERF203 - each chat by itself
                _log.error("a chat cannot be worked on", extra={"chat": chat, "reason": error.reason})
        return [lane for lane in lanes if lane.next is not None]

    def _look_for_strays(self) -> None:
        """Looks for chats that are configured no more: every 15 minutes, for 2 s in a run, and in the next one on."""
        now = self._clock()
        if self._search is None and now >= self._searched + STRAYS_SECONDS:
            self._search, self._searched = self._outbox.chats(), now
        try:
            for chat in self._search or ():
                self._strays.add(chat)
                if self._clock() > now + MAX_SEARCH_SECONDS:
                    return
        except TableUnavailable as error:
            _log.warning("chats that are configured no more are not looked for", extra={"reason": error.reason})
        self._search = None

    def _work(self, lanes: list[Lane], ends: float, deadline: float) -> None:
        """Sends one message of a lane after the other: while one waits for its pace, the others go."""
        while lanes:
            self._attempts.catch_up(self._clock())
            lane = choose_lane(lanes, self._clock(), self._courier.free_ts)
            wait = max(0.0, self._courier.free_ts(lane.chat) - self._clock())
            if self._clock() + wait >= ends or not self._courier.has_time(deadline - wait):
                self._leave(lanes)
                return
            lanes.remove(lane)
            began = self._clock() + wait
            if not self._take_next(lane, deadline):
                return
            lane.took = self._clock() - began
            lane.spent += lane.took
            if lane.next is not None:
                lanes.append(lane)

    def _take_next(self, lane: Lane, deadline: float) -> bool:
        """Takes what comes next in a lane; whatever it raises, the others go on. False when Telegram is away."""
        entry, is_there = lane.next, True
        try:
            is_there = entry is None or self._take_turn(lane, entry, deadline)
        except TableUnavailable as error:
            _log.error("a message cannot be taken", extra={"id": entry and entry.key.sort, "reason": error.reason})
        except Exception:
            _log.error("internal error", exc_info=True, extra={"id": entry and entry.key.sort})
        try:
            lane.advance()
        except TableUnavailable as error:
            lane.next = None  # the lane is left to the next run
            _log.error("a chat cannot be worked on", extra={"chat": lane.chat, "reason": error.reason})
        return is_there

    def _leave(self, lanes: list[Lane]) -> None:
        """Leaves lanes that have to wait, but has no group wait there whose next message is for another chat."""
        for lane in lanes:
            if lane.next is not None and lane.next.key.is_group:
                with suppress(TableUnavailable):
                    self._find_head(lane, lane.next)

    def _take_turn(self, lane: Lane, entry: Row, deadline: float) -> bool:
        """Sends a message, or the first of a group. False when Telegram is away."""
        claim = self._claim_head(lane, entry) if entry.key.is_group else self._claim(lane, entry)
        if claim is None:
            return True
        if not self._attempts.confirm_id(claim):
            self._go_on(lane, entry)
            return True
        self._sleep(max(0.0, self._courier.free_ts(lane.chat) - self._clock()))
        outcome = self._attempts.send(claim, deadline)
        if isinstance(outcome, Undelivered):
            return self._take_miss(lane, entry, claim, outcome, deadline)
        if isinstance(outcome, Delivered) and not lane.is_alive:
            lane.note_alive()
            self._settle(lane)
        self._go_on(lane, entry)
        return True

    def _claim(self, lane: Lane, entry: Row) -> Claim | None:
        """Takes a message; one of another lane, or with an earlier one of its group before it, is left to that."""
        claim = self._attempts.reclaim(entry)
        if claim is None:
            return None
        head = None if claim.group is None else self._outbox.head(claim.group)
        if claim.message.chat == lane.chat and (head is None or head.key == claim.key):
            return claim
        self._attempts.put_back(claim)
        return None

    def _go_on(self, lane: Lane, entry: Row) -> None:
        """Has the next message of a group come at its turn."""
        if entry.key.is_group:
            head = self._find_head(lane, entry)
            if head is not None:
                lane.push(entry, head.turn_ts)

    def _claim_head(self, lane: Lane, entry: Row) -> Claim | None:
        """Takes the first message of a group."""
        head = self._find_head(lane, entry)
        return None if head is None else self._attempts.reclaim(head)

    def _find_head(self, lane: Lane, entry: Row) -> Row | None:
        """The first message of a group; None where there is none in this lane, and then the group leaves it."""
        head = self._outbox.head(entry.key.partition)
        if head is not None and head.chat == lane.chat:
            return head
        with suppress(NotApplied):  # a message came meanwhile: the group stays
            if head is None:
                self._outbox.apply(entry.key, states.close_group(entry.touched, now=self._clock()))
            else:
                move = states.move_group(head.chat, due=head.turn_ts, nonce=self._random(8).hex())
                self._outbox.apply(entry.key, move)
        return None

    def _take_miss(self, lane: Lane, entry: Row, claim: Claim, left: Undelivered, deadline: float) -> bool:
        """Puts a message back that was not delivered, or sets it aside. False when Telegram is away."""
        error = left.error
        if error.retry_after is not None:
            self._attempts.put_back(claim, left)
            lane.push(entry, entry.due_ts or 0.0)
            return True
        if isinstance(error, Interrupted):
            self._attempts.put_back(claim, left)
            return True
        is_outage = isinstance(error, (BotTokenRejected, ParametersUnavailable))
        if is_outage or not self._courier.is_telegram_there(deadline):
            self._attempts.put_back(claim, left)
            return False
        if isinstance(error, Ambiguous) and claim.row.ambiguous + 1 >= MAX_ANSWERS_LOST:
            self._attempts.fail(claim, f"may have arrived: {MAX_ANSWERS_LOST} times {error.reason}", left.progress)
        elif lane.is_alive:
            self._put_off(claim, left)
        else:
            lane.suspects.append((claim, left))
            if len(lane.suspects) >= MAX_SUSPECTS:
                lane.close()
        return True

    def _settle(self, lane: Lane) -> None:
        """Puts back those that failed: if another went through meanwhile, by their own fault."""
        for claim, left in lane.suspects:
            is_alone = lane.seen == 1 and claim.row.failures >= MIN_LONE_FAILURES
            if lane.is_alive or is_alone:
                self._put_off(claim, left)
            else:
                self._attempts.put_back(claim, left, is_failure=True)
        lane.suspects = []

    def _put_off(self, claim: Claim, left: Undelivered) -> None:
        """Moves a message that fails by its own fault: 5 s to 15 min, doubling, with jitter; for three days."""
        now = self._clock()
        has_lasted = now - (claim.row.failing_since_ts or now) >= MAX_OWN_FAILURE_SECONDS
        if has_lasted and claim.row.failures >= MIN_OWN_FAILURES:
            self._attempts.fail(claim, f"for 3 days: {left.error.reason}", left.progress)
            return
        backoff = min(MAX_BACKOFF_SECONDS, MIN_BACKOFF_SECONDS * 2.0 ** min(claim.row.failures, 16))
        jitter = int.from_bytes(self._random(2), "big") / 65_535
        due = now + max(MIN_BACKOFF_SECONDS, backoff * (0.5 + 0.5 * jitter))
        self._attempts.put_back(claim, left, is_failure=True, due=due)
