"""The history of a run: what happened in the world, as it could be seen from outside the relay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.simulation.scheduler import EPOCH


class Event(NamedTuple):
    """Something that happened at a time (epoch seconds) in an invocation, or in the world at large (``who`` empty)."""

    at: float
    who: str
    what: str
    facts: Mapping[str, Any]

    def __str__(self) -> str:
        minutes, seconds = divmod(self.at - EPOCH, 60)
        hours, minutes = divmod(int(minutes), 60)
        facts = " ".join(f"{name}={_shown(value)}" for name, value in self.facts.items())
        return f"{hours:02}:{minutes:02}:{seconds:06.3f}  {self.who:16} {self.what:14} {facts}"


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}" if value < EPOCH else f"+{value - EPOCH:.3f}"
    text = str(value)
    return text if len(text) <= 120 else text[:100] + f"... ({len(text):,} characters)"


@dataclass
class History:
    """Everything that happened, in order, and what is left at the end: rows, tasks and queues, as plain attributes."""

    events: list[Event] = field(default_factory=list)
    rows: Sequence[Mapping[str, Any]] = ()
    tasks: Sequence[Mapping[str, Any]] = ()
    queued: Sequence[str] = ()
    chats: Sequence[str] = ()

    def lines(self) -> list[str]:
        """The history to read, event by event, and the rows at its end."""
        ends = [f"row   {_plain(row)}" for row in self.rows] + [f"task  {_plain(task)}" for task in self.tasks]
        return [str(event) for event in self.events] + ends + [f"queue {message}" for message in self.queued]


def _plain(item: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={_shown(next(iter(value.values())))}" for name, value in sorted(item.items()))
