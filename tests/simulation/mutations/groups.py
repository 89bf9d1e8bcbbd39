"""Faults in the order of a group, and in how it waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from chalicelib.outbox import states
from chalicelib.outbox.states import Change
from chalicelib.relay.attempt import Attempts
from chalicelib.relay.groups import Groups
from chalicelib.relay.redelivery import Redelivery
from tests.simulation.mutations.registry import Patched, mutation


@mutation
def no_head_check() -> Patched:
    """A message of a group goes out although an earlier one is still unsent."""
    return patch.object(Groups, "is_next", lambda self, claim: True)


@mutation
def no_head_check_at_redelivery() -> Patched:
    """A message whose process died goes out although an earlier one of its group is still unsent."""

    claim = Redelivery._claim

    def claim_any(self: Redelivery, lane: Any, entry: Any) -> Any:
        return claim(self, lane, entry) if entry.key.is_group else self._attempts.reclaim(entry)

    return patch.object(Redelivery, "_claim", claim_any)


@mutation
def deliver_at_holds_its_group() -> Patched:
    """A message takes its place in its group when it is accepted, although its time has not come."""
    wait = states.wait

    def placed(content: Any, **more: Any) -> Change:
        change = wait(content, **more)
        if content.sequence is None:
            return change
        removes = [name for name in change.removes if name != "Place"]
        return Change(change.when, {**change.sets, "Place": content.sequence}, removes)

    return patch.object(states, "wait", placed)


@mutation
def group_closed_unseen() -> Patched:
    """A group leaves the index without a look at whether a message came meanwhile."""
    close = states.close_group

    def closed(touched: str | None, *, now: float) -> Change:
        change = close(touched, now=now)
        return Change((), change.sets, change.removes)

    return patch.object(states, "close_group", closed)


@mutation
def group_touched_too_late() -> Patched:
    """A message leaves the lane first, and then has its group wait in it."""
    put_back, wait = Attempts.put_back, Groups.wait
    left: dict[Groups, Any] = {}  # others run meanwhile: each relay has its own

    def wait_later(self: Groups, *given: Any, **named: Any) -> None:
        left[self] = lambda: wait(self, *given, **named)

    def put_back_first(self: Attempts, *given: Any, **named: Any) -> None:
        put_back(self, *given, **named)
        left.pop(self._groups)()

    @contextmanager
    def swapped() -> Iterator[None]:
        with patch.object(Groups, "wait", wait_later), patch.object(Attempts, "put_back", put_back_first):
            yield

    return swapped()


@mutation
def group_not_touched() -> Patched:
    """A message leaves the lane to wait in its group, and the group is not in the lane."""
    return patch.object(Groups, "wait", lambda self, *given, **named: None)
