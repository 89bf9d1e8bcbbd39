"""Faults in how lanes, outages and own failures are told apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from chalicelib.outbox.table import Outbox
from chalicelib.relay import blame
from chalicelib.relay.blame import Blame
from chalicelib.relay.courier import Courier
from tests.simulation.mutations.registry import Patched, mutation


@mutation
def one_lane_for_all() -> Patched:
    """When one chat has to wait, all wait."""

    class Shared(dict[str, float]):
        def get(self, name: str, default: Any = None) -> Any:
            return max(self.values(), default=default)

    init = Courier.__init__

    def shared(self: Courier, *given: Any, **named: Any) -> None:
        init(self, *given, **named)
        self._not_before = Shared()

    return patch.object(Courier, "__init__", shared)


@mutation
def every_failure_is_an_outage() -> Patched:
    """Telegram is not asked whether it is there: a message that fails ends the run."""
    judge = Blame.judge

    def ended(self: Blame, *given: Any) -> bool:
        judge(self, *given)
        return False

    return patch.object(Blame, "judge", ended)


@mutation
def outage_moves_rows() -> Patched:
    """Telegram is not asked whether it is there: in an outage each message is put off, as if it were at fault."""

    def put_off(self: Blame, lane: Any, entry: Any, claim: Any, deadline: float) -> bool:
        self._put_off(claim)
        return True

    @contextmanager
    def swapped() -> Iterator[None]:
        with patch.object(Blame, "judge", put_off), patch.object(Courier, "is_telegram_there", lambda *_: True):
            yield

    return swapped()


@mutation
def strays_forgotten() -> Patched:
    """A chat that is configured no more is not looked at."""
    return patch.object(Outbox, "chats", lambda self: set())


@mutation
def retry_after_ignored() -> Patched:
    """A chat is written to although Telegram asked to wait."""
    return patch.object(Courier, "_hold", lambda self, name, seconds: None)


@mutation
def poison_for_ever() -> Patched:
    """A message is never given up."""
    return patch.object(blame, "MAX_OWN_FAILURE_SECONDS", 1e9)
