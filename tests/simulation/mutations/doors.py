"""Faults in how messages are taken in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from chalicelib.doors import stream
from chalicelib.doors.stream import Tasks
from chalicelib.outbox.table import Outbox
from chalicelib.relay.intake import Intake
from tests.simulation.mutations.registry import Patched, mutation


@mutation
def delete_before_the_claim() -> Patched:
    """A task is deleted before the outbox has its message."""
    take = Intake.take

    def take_deleted(self: Intake, entries: Any, *, deadline: float) -> None:
        def deleted() -> Iterator[Any]:
            for entry in entries:
                entry.forget()
                yield entry

        take(self, deleted(), deadline=deadline)

    return patch.object(Intake, "take", take_deleted)


@mutation
def parking_swallowed() -> Patched:
    """Bad input is dropped."""
    return patch.object(Intake, "_park", lambda self, *given: None)


@mutation
def ids_not_reserved() -> Patched:
    """A message in a group does not reserve its id."""
    return patch.object(Outbox, "reserve", lambda *given: None)


@mutation
def content_not_looked_at() -> Patched:
    """A task is known by its key: one that is put over it counts as the same."""
    return patch.object(stream, "_content", lambda item: "")


@mutation
def modify_not_read() -> Patched:
    """Only what is inserted is read from the stream."""
    read = Tasks.read_stream

    def inserted(self: Tasks, records: Any) -> Any:
        return read(self, [record for record in records if record["eventName"] == "INSERT"])

    return patch.object(Tasks, "read_stream", inserted)


@mutation
def sweep_off() -> Patched:
    """What no stream brought lies in the task table for ever."""
    return patch.object(Tasks, "sweep", lambda self: iter(()))
