"""Telling the owner what was parked: by one message in the default chat, once an hour at most.

What is parked is counted in a row of its own (``Notes.count_parked``), which lies in the lane of that chat: a run of
the schedule finds it there among what is due, and makes a message of it, which goes the way of any other.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from ..contract.message import Message
from ..outbox import states
from ..outbox.row import Key, Row
from ..outbox.states import Content
from ..outbox.table import NotApplied, Outbox
from ..settings import Parameters
from .attempt import LEASE_SECONDS, Attempts
from .notes import Notes
from .outcome import Claim

if TYPE_CHECKING:
    from ..telegram.buttons import Rows

PAUSE_SECONDS = 3600.0  # between two such messages
MAX_REASON_CHARACTERS = 300


class Parkings:
    """Makes a message of what ``outbox`` has counted. stage: where the owner finds it. clock: epoch seconds."""

    def __init__(
        self, attempts: Attempts, notes: Notes, outbox: Outbox, *, stage: str, clock: Callable[[], float]
    ) -> None:
        self._attempts = attempts
        self._notes = notes
        self._outbox = outbox
        self._stage = stage
        self._clock = clock

    def tell(self) -> Claim | None:
        """Takes the message on what was parked since the one before; None if there is none to be sent now.

        Who has the count has it alone, for as long as a lease. Raises TableUnavailable.
        """
        key, now = Key.of_parkings(), self._clock()
        until = now + LEASE_SECONDS
        try:
            row = self._outbox.apply(key, states.take_parkings(now=now, until=until))
        except NotApplied:
            return None  # another run has it, or has told: the index was behind
        if row.parked <= row.told:
            with suppress(NotApplied):  # one was parked just now: it is told when the lease is over
                self._outbox.apply(key, states.close_parkings(row.parked))
            return None
        message = Message(text=words(row.parked - row.told, row.last_error, self._stage), sender_app="botte")
        claim = None
        with suppress(NotApplied):  # a process that died had come as far as this: its message is on its way
            claim = self._attempts.claim(Key.of_notice(row.told + 1, row.parked), Content.of(message, now), message)
        self._notes.make(key, states.note_told(row.parked, taken_until=until, due=now + PAUSE_SECONDS))
        return claim


def notice_buttons(parameters: Parameters, row: Row) -> Rows:
    """The buttons below a message to the owner, where there is a webhook that learns of a press; no other has any."""
    if not row.key.is_notice:
        return ()
    secret = parameters.signing_secret()
    if secret is None:
        return ()
    from .parked import DISCARD, REDRIVE, buttons  # it stays out of the cold start

    return buttons(secret, str(int(row.accepted_ts or 0)), REDRIVE, DISCARD)


def words(count: int, reason: str | None, stage: str) -> str:
    """What the owner is told. reason: why the first of them was parked."""
    told, them = ("1 message was parked", "it") if count == 1 else (f"{count} messages were parked", "them")
    if reason is not None:
        cut = reason if len(reason) <= MAX_REASON_CHARACTERS else reason[: MAX_REASON_CHARACTERS - 1] + "…"
        told += f", because: {cut}" if count == 1 else f", the first because: {cut}"
    return f"{told}\nmake failed STAGE={stage} lists {them}, make redrive STAGE={stage} sends {them} again."
