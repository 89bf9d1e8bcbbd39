"""The relay: what becomes of a message, whatever door it came through.

The promise: once accepted, a message is delivered. It arrives twice only if a process died, or the answer of Telegram
or of the table was lost, between Telegram taking it and us noting it. Within a group, messages arrive in order.
Nobody waits for somebody else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING

from ..contract.message import Message
from ..outbox.row import Row
from ..outbox.table import Outbox
from ..settings import Parameters
from ..telegram.bot_api import Sender
from .accept import Acceptance
from .answers import find_status
from .attempt import Attempts
from .chats import Chats
from .courier import Courier
from .entry import Entry
from .groups import Groups
from .intake import Intake
from .ksuid import ksuid
from .notes import Notes
from .outcome import Accepted, Claim, Delivered
from .parkings import Parkings, notice_buttons
from .redelivery import Redelivery

if TYPE_CHECKING:
    from .heartbeats import Heartbeats
    from .presses import Act, Press, Show

__all__ = ["Accepted", "Delivered", "Entry", "Relay"]


class Relay:
    """Sends messages through ``sender``, and keeps in ``outbox`` those that cannot be sent now.

    accept, park, status, press: while somebody waits. take: for queues. redeliver: for the schedule. Each ``deadline``
    is a time of ``clock`` (epoch seconds): nothing is begun that could not be finished by then. random: gives so many
    random bytes. stage: its name, for who is told of parked messages.
    """

    def __init__(
        self,
        sender: Sender,
        outbox: Outbox,
        parameters: Parameters,
        *,
        stage: str = "local",
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._clock = clock
        self._random = random
        chats = Chats(parameters, clock=clock)
        courier = Courier(sender, outbox, chats, clock=clock, sleep=sleep)
        notes = Notes(outbox, clock=clock, sleep=sleep)
        groups = Groups(outbox, clock=clock, random=random)
        attempts = Attempts(
            *(courier, outbox, notes, groups, parameters),
            buttons=partial(notice_buttons, parameters),
            clock=clock,
            sleep=sleep,
            random=random,
        )
        parkings = Parkings(attempts, notes, outbox, stage=stage, clock=clock)
        self._attempts, self._notes, self._outbox = attempts, notes, outbox
        acceptance = Acceptance(courier, attempts, notes, chats, outbox, self._beat, clock=clock)
        intake = Intake(attempts, groups, notes, chats, outbox, self._beat, clock=clock)
        redelivery = Redelivery(
            *(courier, attempts, groups, notes, parkings, chats, outbox, self._miss),
            clock=clock,
            sleep=sleep,
            random=random,
        )
        self.accept = acceptance.accept
        self.park = acceptance.park
        self.status = partial(find_status, outbox)
        self.take = intake.take
        self.redeliver = redelivery.redeliver
        self._of_presses = courier, chats, outbox, parameters

    def press(self, press: Press, *, deadline: float) -> None:
        """Does what a button says that somebody pressed. Raises ParametersUnavailable."""
        from .live import ACKNOWLEDGE, SNOOZE  # these stay out of the cold start
        from .presses import Presses

        acts: dict[str, Act] = {ACKNOWLEDGE: self._acknowledge, SNOOZE: self._snooze}
        Presses(*self._of_presses, acts, clock=self._clock).press(press, deadline=deadline)

    @cached_property
    def _heartbeats(self) -> Heartbeats:
        from .heartbeats import Heartbeats  # few messages are beats: it stays out of the cold start

        return Heartbeats(self._attempts, self._notes, self._outbox, clock=self._clock)

    def _acknowledge(self, digest: str, *, update_id: int, who: str, deadline: float) -> tuple[str, Show] | None:
        """Notes who acknowledged a live message: the words for him, and what shows it. Raises TableUnavailable."""
        joined = self._attempts.live.acknowledge(digest, who, update_id)
        if joined is None or joined.row.wanted.acknowledged is None:
            return None
        by = joined.row.wanted.acknowledged.who
        return f"Acknowledged by {by}", partial(self._attempts.show, joined, digest, deadline)

    def _snooze(self, digest: str, *, update_id: int, who: str, deadline: float) -> tuple[str, Show] | None:
        """Has a live message make no sound for an hour. Else as ``_acknowledge``."""
        joined = self._attempts.live.snooze(digest, who, update_id)
        if joined is None:
            return None
        said = "It was acknowledged already" if joined.row.wanted.acknowledged else "No sound for an hour"
        return said, partial(self._attempts.show, joined, digest, deadline)

    def _beat(self, message: Message, deadline: float) -> Delivered:
        return self._heartbeats.beat(message, deadline)

    def _miss(self, entry: Row) -> Claim | None:
        return self._heartbeats.miss(entry)

    def new_id(self) -> str:
        """An id for a message that came without one."""
        return ksuid(self._clock(), self._random(16))
