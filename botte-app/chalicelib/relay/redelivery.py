"""Sending again what could not be sent, lane by lane: while one lane waits for its pace, the others go."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress

from ..errors import ParametersUnavailable, TableUnavailable
from ..outbox.row import Key, Row
from ..outbox.table import PAGE, Outbox
from .attempt import Attempts
from .blame import Blame
from .chats import Chats
from .courier import Courier
from .groups import Groups
from .lanes import Lane, choose_lane, due_lanes
from .notes import Notes
from .outcome import Claim, Delivered, Joined, log_outcome
from .parkings import Parkings
from .strays import Strays

RUN_SECONDS = 60.0  # until the next run begins
MAX_PACE_SECONDS = 5.0  # a lane that has to wait for longer is held, as Telegram asked for it
MAX_LEAVE_SECONDS = 5.0
MAX_STUCK = 3  # partitions for which a run is patient, five seconds each

_log = logging.getLogger("botte.relay")


class Redelivery:
    """Sends what is due, each lane at Telegram's pace; safe when two runs do it at once.

    miss: makes a message of a heartbeat that did not come. clock: epoch seconds. random: gives so many random bytes.
    """

    def __init__(
        self,
        courier: Courier,
        attempts: Attempts,
        groups: Groups,
        notes: Notes,
        parkings: Parkings,
        chats: Chats,
        outbox: Outbox,
        miss: Callable[[Row], Claim | None],
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        random: Callable[[int], bytes],
    ) -> None:
        self._courier = courier
        self._attempts = attempts
        self._groups = groups
        self._notes = notes
        self._parkings = parkings
        self._chats = chats
        self._outbox = outbox
        self._miss = miss
        self._blame = Blame(courier, attempts, clock=clock, random=random)
        self._strays = Strays(outbox, clock=clock)
        self._stuck: set[str] = set()  # partitions of which a row could not be taken in this run
        self._clock = clock
        self._sleep = sleep
        self._random = random

    def redeliver(self, *, deadline: float) -> None:
        """Sends what is due, until the next run begins. deadline: when this one has to be over, in epoch seconds."""
        ends = min(self._clock() + RUN_SECONDS, deadline)
        try:
            names = self._chats.names()
        except ParametersUnavailable as error:
            _log.error("nothing can be sent again", extra={"reason": error.reason})
            return
        # In another order each time: where calls hang, a run does not come to all.
        chats = [*sorted(sorted(names), key=lambda _: self._random(4)), *self._strays.some(names)]
        lanes = due_lanes(self._outbox, chats, self._clock())
        self._stuck.clear()
        if lanes:
            with suppress(TableUnavailable):  # then Telegram says again which chats have to wait
                self._courier.read_waits()
            if self._courier.is_telegram_there(deadline):
                self._work(list(lanes), ends, deadline)
        for lane in lanes:
            self._blame.settle(lane)
            if lane.next is not None:
                turn_ts = None if lane.next.key.is_live else lane.next.turn_ts  # it may be due long after its message
                waited = int(self._clock() - (turn_ts or lane.next.due_ts or 0.0))
                log_outcome("pending", lane.next.key, None, f"the chat {lane.chat} waits", waited_seconds=waited)
        self._notes.catch_up(deadline)
        self._strays.look()

    def _work(self, lanes: list[Lane], ends: float, deadline: float) -> None:
        """Sends one message of a lane after the other, until ``ends``, or Telegram is away."""
        while lanes:
            self._notes.try_again()
            lane = choose_lane(lanes, self._clock(), self._courier.free_ts)
            wait = max(0.0, self._courier.free_ts(lane.chat) - self._clock())
            if self._clock() + wait >= ends or not self._courier.has_time(deadline - wait):
                self._leave(lanes)
                return
            lanes.remove(lane)
            began = self._clock()
            if not self._work_on(lane, deadline):
                return
            lane.spent += self._clock() - began
            lane.took = max(0.0, self._clock() - began - wait)
            if lane.next is not None:
                lanes.append(lane)

    def _work_on(self, lane: Lane, deadline: float) -> bool:
        """Sends what comes next in a lane; whatever it raises, the others go on. False when Telegram is away."""
        if lane.next is None:
            return True
        entry, is_there = lane.next, True
        try:
            if entry.key.partition not in self._stuck:
                is_there = self._deliver(lane, entry, deadline)
        except TableUnavailable as error:
            _log.error("a message cannot be taken", extra={"id": entry.key.sort, "reason": error.reason})
            self._stuck.add(entry.key.partition)
        except Exception:
            _log.error("internal error", exc_info=True, extra={"id": entry.key.sort})
        try:
            lane.advance()
        except TableUnavailable as error:
            lane.next = None  # the lane is left to the next run
            _log.error("a chat cannot be worked on", extra={"chat": lane.chat, "reason": error.reason})
        return is_there

    def _leave(self, lanes: list[Lane]) -> None:
        """Leaves lanes that have to wait, but has no group wait there whose next message is for another chat."""
        ends = self._clock() + MAX_LEAVE_SECONDS
        for lane in lanes:
            is_held = self._courier.free_ts(lane.chat) > self._clock() + MAX_PACE_SECONDS
            with suppress(TableUnavailable):  # the rest of the lane
                for entry in lane.leave(PAGE if is_held else 0):
                    if self._clock() >= ends:
                        return
                    if entry.key.is_group and entry.key.partition not in self._stuck:
                        with suppress(TableUnavailable):  # this group
                            self._groups.find_head(entry, lane.chat)

    def _deliver(self, lane: Lane, entry: Row, deadline: float) -> bool:
        """Sends a message, or the next of a group. False when Telegram is away."""
        claim = self._claim(lane, entry)
        if claim is None:
            return True
        if self._attempts.reserve_id(claim):
            self._sleep(max(0.0, self._courier.free_ts(lane.chat) - self._clock()))
            outcome = self._attempts.send(claim, deadline, may_sleep=False)  # where a chat waits, the others go on
            if outcome is None:
                return self._blame.judge(lane, entry, claim, deadline)
            if isinstance(outcome, Delivered) and not lane.is_alive:
                lane.note_alive()
                self._blame.settle(lane)
            if isinstance(outcome, Joined) and outcome.row.owes:
                lane.push(outcome.row, outcome.row.due_ts or 0.0)
            if isinstance(outcome, (Delivered, Joined)) and entry.key.is_group:
                entry = self._groups.forgive(entry)
        if entry.key.is_group:
            head = self._groups.find_head(entry, lane.chat)
            if head is not None:
                lane.push(entry, head.turn_ts)
        return True

    def _claim(self, lane: Lane, entry: Row) -> Claim | None:
        """Takes a message, or the next of a group; one of another lane, or that is not next, is left to its turn."""
        if entry.key == Key.of_parkings():
            return self._parkings.tell()
        if entry.key.is_heartbeat:
            return self._miss(entry)
        row = self._groups.find_head(entry, lane.chat) if entry.key.is_group else entry
        until = None if len(self._stuck) < MAX_STUCK else self._clock()
        claim = None if row is None else self._attempts.reclaim(row, until=until)
        if claim is None or entry.key.is_group or (claim.message.chat == lane.chat and self._groups.is_next(claim)):
            return claim
        self._attempts.put_back(claim)
        return None
