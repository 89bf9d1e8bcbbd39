"""Showing a live message once a message has joined it: at once, or as soon as its last edit is old enough."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import Refused, TableUnavailable
from ..outbox.table import Outbox
from .attempt import Attempts
from .courier import Courier
from .outcome import Accepted, Claim, Delivered, Joined, Parked

PATIENCE_SECONDS = 5.0
LOOK_SECONDS = 1.0  # while another process shows it


class Display:
    """Shows live messages. clock: epoch seconds."""

    def __init__(
        self,
        courier: Courier,
        attempts: Attempts,
        outbox: Outbox,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._courier = courier
        self._attempts = attempts
        self._outbox = outbox
        self._clock = clock
        self._sleep = sleep

    def show(
        self, joined: Joined, id: str, deadline: float, *, patience: float = PATIENCE_SECONDS
    ) -> Delivered | Accepted:
        """Shows what joined, by this process or another one; ``Accepted`` where that takes longer.

        id: of the message. deadline: epoch seconds. patience: for how many seconds to wait at most, for the last edit
        to be old enough, or for the other process. Raises Refused.
        """
        ends = min(self._clock() + patience, deadline)
        try:
            row = joined.row.as_of(joined.version)
            while row.owes:
                now = self._clock()
                wait = LOOK_SECONDS if row.status == "SENDING" else max(0.0, (row.due_ts or now) - now)
                if now + wait > ends or not self._courier.has_time(deadline - wait):
                    return Accepted(id)
                self._sleep(wait)
                claim = self._attempts.reclaim(row)
                if claim is not None:
                    return self._send(claim, id, deadline)
                row = (self._outbox.get(row.key) or row).as_of(joined.version)
                if row.status == "PENDING" and (row.due_ts or 0.0) <= self._clock():
                    return Accepted(id)  # it waits for this process to note what became of it before
        except TableUnavailable:
            return Accepted(id)
        if row.status == "FAILED":
            raise Refused(row.last_error or "it was refused")
        return Delivered(row.progress.result)

    def _send(self, claim: Claim, id: str, deadline: float) -> Delivered | Accepted:
        outcome = self._attempts.send(claim, deadline)
        if isinstance(outcome, Delivered):
            return outcome
        if isinstance(outcome, Parked):
            raise Refused(outcome.reason)
        self._attempts.put_back(claim)
        return Accepted(id)
