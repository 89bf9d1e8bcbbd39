"""Faults in how a row is claimed, fenced, noted and kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from unittest.mock import patch

from chalicelib.errors import TableAnswerLost, TableUnavailable
from chalicelib.outbox import states
from chalicelib.outbox.states import EVENTS, SOURCES, Change, Check
from chalicelib.outbox.table import NotApplied
from chalicelib.relay import attempt
from chalicelib.relay.attempt import Attempts
from chalicelib.relay.notes import Notes
from tests.simulation.mutations.registry import Patched, mutation


def _states(events: Mapping[str, Any] = {}, sources: Mapping[str, Any] = {}) -> Patched:
    @contextmanager
    def swapped() -> Iterator[None]:
        with (
            patch.object(states, "EVENTS", {**EVENTS, **events}),
            patch.object(states, "SOURCES", {**SOURCES, **sources}),
        ):
            yield

    return swapped()


@mutation
def acknowledge_first() -> Patched:
    """A message is noted as sent before it is sent."""
    send = Attempts.send

    def send_noted(self: Attempts, claim: Any, *given: Any) -> Any:
        self._outbox.apply(claim.key, states.sent(claim.lease, claim.row.progress, now=self._clock()))
        return send(self, claim, *given)

    return patch.object(Attempts, "send", send_noted)


@mutation
def no_fence() -> Patched:
    """Whoever lost the lease of a row still writes to it."""
    return _states(sources={"SENDING, our lease": (Check("Status", "=", "SENDING"),)})


@mutation
def claim_ignores_the_lease() -> Patched:
    """A row that another process is sending is taken from it."""
    return _states(sources={"SENDING, lease over": (Check("Status", "=", "SENDING"),)})


@mutation
def short_lease() -> Patched:
    """A lease lasts for five seconds, and a send may take longer."""
    return patch.object(attempt, "LEASE_SECONDS", 5.0)


@mutation
def mark_not_retried() -> Patched:
    """What became of a message is noted once, or not at all."""

    def make_once(self: Notes, key: Any, change: Change, *given: Any, **named: Any) -> None:
        with suppress(NotApplied, TableUnavailable):
            self._outbox.apply(key, change, until=0.0)

    return patch.object(Notes, "make", make_once)


@mutation
def lost_claim_is_sent() -> Patched:
    """When the answer to a claim is lost, the message is sent as if there were no row."""
    claim = Attempts.claim

    def claim_or_not(self: Attempts, *arguments: Any) -> Any:
        try:
            return claim(self, *arguments)
        except TableAnswerLost as error:
            raise TableUnavailable(error.reason) from None

    return patch.object(Attempts, "claim", claim_or_not)


@mutation
def sent_row_keeps_owing() -> Patched:
    """A row that is sent stays SENDING."""
    return _states(events={"sent": EVENTS["sent"]._replace(target="SENDING")})


@mutation
def sent_row_stays_in_the_index() -> Patched:
    """A row that is sent keeps its DueTs."""
    return _states(events={"sent": EVENTS["sent"]._replace(removes=("LeaseId", "Place", "LastError"))})
