"""Heartbeats: what is alive says so now and then, and when it no longer does, its chat is told.

A heartbeat is a row that is due when the next beat should have come, and that each beat pushes on: one call of the
table. The message that says that none came has a key, so the one that says that it is back takes its place.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone
from typing import NamedTuple

from ..contract.message import Message
from ..outbox import states
from ..outbox.row import Key, Row
from ..outbox.states import Content
from ..outbox.table import NotApplied, Outbox
from .attempt import LEASE_SECONDS, Attempts
from .notes import Notes
from .outcome import Claim, Delivered, Joined

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


class Heartbeat(NamedTuple):
    """What is known of one. Times are in epoch seconds; missed_ts: when the next one was due that did not come."""

    name: str
    chat: str
    every: int
    last_ts: float
    missed_ts: float | None

    def line(self, now: float) -> str:
        """What is known of it, for people to read."""
        last = f"the last one came {shown_duration(now - self.last_ts)} ago"
        if self.missed_ts is not None:
            return f"🔴 {self.name}: {last}, the next one was due {shown_duration(now - self.missed_ts)} ago"
        return f"🟢 {self.name}: {last}, the next one is due in {shown_duration(self.last_ts + self.every - now)}"


def list_heartbeats(outbox: Outbox) -> list[Heartbeat]:
    """All that are known, by their names. Raises TableUnavailable."""
    rows = outbox.heartbeats()
    return [Heartbeat(row.key.sort, row.chat, row.every, row.last_ts, row.missed_ts) for row in rows]


class Heartbeats:
    """The heartbeats in ``outbox``. clock: epoch seconds."""

    def __init__(self, attempts: Attempts, notes: Notes, outbox: Outbox, *, clock: Callable[[], float]) -> None:
        self._attempts = attempts
        self._notes = notes
        self._outbox = outbox
        self._clock = clock

    def beat(self, message: Message, deadline: float) -> Delivered:
        """Takes a beat, and tells the chat where it was missed: ``heartbeat`` and ``due_at``, in epoch seconds.

        deadline: epoch seconds. Raises TableUnavailable.
        """
        name, every, now = str(message.heartbeat), message.every or 0, self._clock()
        key = Key.of_heartbeat(name)
        change = states.beat(message.chat, now=now, every=every, sender_app=message.sender_app)
        row = self._outbox.apply(key, change)
        if row.missed_ts is not None:
            text = f"🟢 {name} is back, {shown_duration(now - row.missed_ts)} late"
            self._tell(_message(row, text, f"back-{row.missed_ts:.0f}", is_quiet=True), deadline)
            self._notes.make(key, states.forget_missed(row.missed_ts))
        return Delivered({"heartbeat": name, "due_at": round(now + every)})

    def miss(self, entry: Row) -> Claim | None:
        """Takes the message on a heartbeat that did not come; None if there is none to be sent now.

        entry: the heartbeat's row, which is due. Raises TableUnavailable.
        """
        now = self._clock()
        until = now + LEASE_SECONDS
        try:
            row = self._outbox.apply(entry.key, states.miss_heartbeat(entry.due_ts or now, now=now, until=until))
        except NotApplied:
            return None  # it came meanwhile, or another run has it
        silence, every = shown_duration(now - row.last_ts), shown_duration(row.every)
        text = (
            f"🔴 {row.key.sort} has been silent for {silence}\n"
            f"The last heartbeat came {_clock(row.last_ts)}; one is due every {every}"
        )
        message = _message(row, text, f"missed-{row.missed_ts or now:.0f}")
        claim = None
        with suppress(NotApplied):  # a process that died had come as far as this: its message is on its way
            claim = self._attempts.claim(Key.of_id(str(message.id)), Content.of(message, now), message)
        self._notes.make(entry.key, states.rest_heartbeat(taken_until=until, now=now))
        return claim

    def _tell(self, message: Message, deadline: float) -> None:
        key = Key.of_id(str(message.id))
        try:
            claim = self._attempts.claim(key, Content.of(message, self._clock()), message)
        except NotApplied:
            return  # an earlier beat told it
        sent = self._attempts.send(claim, deadline)
        if isinstance(sent, Joined):
            self._attempts.show(sent, key.sort, deadline)
        elif sent is None:
            self._attempts.put_back(claim)


def shown_duration(seconds: float) -> str:
    """A duration for people, such as ``1 d 2 h``: its largest unit, and the one below."""
    left = max(0, round(seconds))
    first = next((number for number, (size, _) in enumerate(_UNITS) if left >= size), len(_UNITS) - 1)
    shown: list[str] = []
    for size, unit in _UNITS[first : first + 2]:
        if left >= size or not shown:
            shown.append(f"{left // size} {unit}")
        left %= size
    return " ".join(shown)


def _message(row: Row, text: str, event: str, *, is_quiet: bool = False) -> Message:
    name = row.key.sort
    return Message(
        text=text,
        sender_app=row.sender_app,
        id=f"heartbeat-{name}-{event}",
        chat=row.chat,
        collapse_key=f"heartbeat:{name}",
        disable_notification=is_quiet or None,
    )


def _clock(ts: float) -> str:
    return datetime.fromtimestamp(ts, timezone.utc).strftime("on %d %b at %H:%M UTC")
