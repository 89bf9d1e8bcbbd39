"""Virtual time, and invocations that take turns in it: exactly one runs, until it waits for something.

An invocation is a greenlet, as the relay is plain synchronous code. Whatever it waits for (its own sleep, the answer of
a table or of Telegram) hands over to the others, and it goes on when its time has come. So every interleaving at calls
is possible, chance chooses one, and a seed chooses it again.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from functools import partial

from greenlet import getcurrent, greenlet

EPOCH = 1_700_000_000.0


class Scheduler:
    """A clock, and what is to happen at its times."""

    def __init__(self) -> None:
        self.now = EPOCH
        self._number = 0
        self._due: list[tuple[float, int, Callable[[], object]]] = []

    def __call__(self) -> float:
        return self.now

    def at(self, time: float, act: Callable[..., object], *given: object, **named: object) -> None:
        """Has something happen at a time, after what was planned for the same time before."""
        self._number += 1
        planned = partial(act, *given, **named) if given or named else act
        heapq.heappush(self._due, (max(time, self.now), self._number, planned))

    def after(self, seconds: float, act: Callable[..., object], *given: object) -> None:
        self.at(self.now + seconds, act, *given)

    def start(self, work: Callable[[], None]) -> None:
        """Begins an invocation; it runs until it first waits."""
        greenlet(work).switch()

    def sleep_until(self, time: float) -> None:
        """Lets an invocation wait, while others run."""
        this = getcurrent()
        self.at(time, this.switch)
        assert this.parent is not None, "only invocations can wait"
        this.parent.switch()

    def run(self, until: float) -> bool:
        """Lets time pass. Whether something is planned for later."""
        while self._due and self._due[0][0] <= until:
            self.now, _, act = heapq.heappop(self._due)
            act()
        return bool(self._due)

    @property
    def next_time(self) -> float | None:
        """When something happens next."""
        return self._due[0][0] if self._due else None
