"""The plan of a history: who sends what, when, through which door, and in which weather."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.simulation.scheduler import EPOCH
from tests.simulation.submission import Submission
from tests.simulation.weather import Phase

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
CHATS = {"default": 101, "ops": -1001, "family": -1002, "alarms": 102}
FOREVER = EPOCH + 1000 * DAY


@dataclass(frozen=True)
class Plan:
    """What a history is made of. Times are in epoch seconds; from ``calm`` on nothing fails any more, but poison.

    stall_follows: after which call processes stand still; any, where it is empty.
    removals: chat, and from when to when it is not configured. The rates are shares of what they name.
    """

    seed: int
    submissions: Sequence[Submission]
    phases: Sequence[Phase] = ()
    removals: Sequence[tuple[str, float, float]] = ()
    chats: Mapping[str, int] = field(default_factory=lambda: dict(CHATS))
    calm: float = EPOCH
    limit: float = EPOCH + 5 * DAY
    kill_rate: float = 0.0
    stall_rate: float = 0.0
    stall_follows: str = ""
    cold_rate: float = 0.0
    twice_rate: float = 0.0
    record_loss: float = 0.0
    lag_rate: float = 0.0
    deletion_rate: float = 0.0
    batch: int = 10
    page: int = 100
