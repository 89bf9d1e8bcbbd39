"""The weather of a history: what fails, where, how, and from when to when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

TELEGRAM, PARAMETERS = "telegram", "parameters"
TABLE, SLOW_TABLE, INDEX = "table", "slow table", "index"


class Phase(NamedTuple):
    """Weather between two times (epoch seconds).

    where: ``telegram`` as a whole, ``chat NAME``, ``message TAG``; ``table``, ``slow table``, ``index`` or
    ``parameters``.
    kind: for Telegram down, error, lost, busy, hang, refuse, token; for a table throttle or lost; else empty.
    rate: the share of calls that it hits. seconds: what busy asks to wait, how long a
    call of a slow table takes at most, or how old an index is.
    """

    start: float
    end: float
    where: str
    kind: str
    rate: float = 1.0
    seconds: float = 0.0


class Weather:
    """Tells which phase there is."""

    def __init__(self, phases: Iterable[Phase]) -> None:
        self.phases = sorted(phases)
        self._by_place: defaultdict[str, list[Phase]] = defaultdict(list)
        for phase in self.phases:
            self._by_place[phase.where].append(phase)

    def at(self, now: float, *places: str) -> Phase | None:
        """The phase of the first of these places that has one."""
        for place in places:
            for phase in self._by_place.get(place, ()):
                if phase.start <= now < phase.end:
                    return phase
        return None
