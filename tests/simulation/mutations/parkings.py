"""Faults in how the owner is told of what was parked."""

from __future__ import annotations

from unittest.mock import patch

from chalicelib.outbox.row import Key
from chalicelib.relay import parkings
from chalicelib.relay.accept import Acceptance
from chalicelib.relay.notes import Notes
from tests.simulation.mutations.registry import Patched, mutation


@mutation
def parking_not_counted() -> Patched:
    """What cannot be sent is parked, and nobody is told."""
    count = Notes.count_parked

    def count_bad_input(self: Notes, reason: str) -> None:
        if not reason.startswith(("403", "unknown chat")):
            count(self, reason)

    return patch.object(Notes, "count_parked", count_bad_input)


@mutation
def retries_counted() -> Patched:
    """An asynchronous invocation counts each time that Lambda tries it."""
    park = Acceptance.park

    def park_counted(self: Acceptance, request_id: str, raw: str | None, error: Exception) -> None:
        park(self, request_id, raw, error)
        self._notes.count_parked(str(error))

    return patch.object(Acceptance, "park", park_counted)


@mutation
def told_each_minute() -> Patched:
    """The owner is told in each run."""
    return patch.object(parkings, "PAUSE_SECONDS", 0.0)


@mutation
def notices_counted() -> Patched:
    """A message for the owner that is parked counts as one that was parked."""
    return patch.object(Key, "is_notice", False)
