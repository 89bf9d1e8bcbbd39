"""The relay: what becomes of a message, whatever door it came through.

The promise: once accepted, a message is delivered. It arrives twice only if a process died, or the answer of Telegram
or of the table was lost, between Telegram taking it and us noting it. Within a group, messages arrive in order.
Nobody waits for somebody else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial

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
from .outcome import Accepted, Delivered
from .parkings import Parkings
from .redelivery import Redelivery

__all__ = ["Accepted", "Delivered", "Entry", "Relay"]


class Relay:
    """Sends messages through ``sender``, and keeps in ``outbox`` those that cannot be sent now.

    accept, park, status: while a sender waits. take: for queues. redeliver: for the schedule. Each ``deadline`` is a
    time of ``clock`` (epoch seconds): nothing is begun that could not be finished by then. random: gives so many
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
        attempts = Attempts(courier, outbox, notes, groups, parameters, clock=clock, sleep=sleep, random=random)
        parkings = Parkings(attempts, notes, outbox, stage=stage, clock=clock)
        acceptance = Acceptance(courier, attempts, notes, chats, outbox, clock=clock)
        intake = Intake(attempts, groups, notes, chats, outbox, clock=clock)
        redelivery = Redelivery(
            courier, attempts, groups, notes, parkings, chats, outbox, clock=clock, sleep=sleep, random=random
        )
        self.accept = acceptance.accept
        self.park = acceptance.park
        self.status = partial(find_status, outbox)
        self.take = intake.take
        self.redeliver = redelivery.redeliver

    def new_id(self) -> str:
        """An id for a message that came without one."""
        return ksuid(self._clock(), self._random(16))
