"""Faults in the order of a group, and in how it waits."""

from __future__ import annotations

from functools import partial
from typing import Any
from unittest.mock import patch

from chalicelib.outbox import states
from chalicelib.outbox.states import Change
from chalicelib.relay.attempt import Attempts
from chalicelib.relay.intake import Intake
from chalicelib.relay.redelivery import Redelivery
from tests.simulation.mutations.registry import Patched, mutation


@mutation
def no_head_check() -> Patched:
    """A message of a group goes out although an earlier one is still unsent."""
    return patch.object(Intake, "_is_behind", lambda self, group, key: False)


@mutation
def no_head_check_at_redelivery() -> Patched:
    """A message whose process died goes out although an earlier one of its group is still unsent."""

    def claim(self: Redelivery, lane: Any, entry: Any) -> Any:
        return self._attempts.reclaim(entry)

    return patch.object(Redelivery, "_claim", claim)


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
    original, queue_group = Attempts.put_back, Attempts._queue_group

    def put_back(self: Attempts, *given: Any, **named: Any) -> None:
        waiting: list[tuple[Any, Any]] = []

        def remember(self: Attempts, *given: Any, **named: Any) -> bool:
            waiting.append((given, named))
            return True

        # Others run meanwhile: only this relay's own is replaced.
        object.__setattr__(self, "_queue_group", partial(remember, self))
        original(self, *given, **named)
        object.__delattr__(self, "_queue_group")
        for given, named in waiting:
            queue_group(self, *given, **named)

    return patch.object(Attempts, "put_back", put_back)


@mutation
def group_not_touched() -> Patched:
    """A message leaves the lane to wait in its group, and the group is not in the lane."""
    return patch.object(Attempts, "_queue_group", lambda self, *given, **named: True)
