"""How fast one chat may be written to (https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """A burst that passes at once, and then a steady rate in messages per second, for private chats and for groups."""

    private_burst: int = 150
    private_per_second: float = 1.0
    group_burst: int = 20
    group_per_second: float = 20 / 60


class PaceKeeper:
    """One token bucket per chat. Not safe for threads: the caller holds a lock."""

    def __init__(self, pace: Pace, clock: Callable[[], float]) -> None:
        self._pace = pace
        self._clock = clock
        self._buckets: dict[int, tuple[float, float]] = {}  # chat id -> (messages left, at that time)

    def wait(self, chat_id: int) -> int:
        """Takes one message's place: 0 when it may pass, else the whole seconds until it may."""
        group = chat_id < 0
        burst = self._pace.group_burst if group else self._pace.private_burst
        rate = self._pace.group_per_second if group else self._pace.private_per_second
        now = self._clock()
        left, since = self._buckets.get(chat_id, (float(burst), now))
        left = min(float(burst), left + (now - since) * rate)
        # A hair less than one is one: the clock is a float.
        passes = left > 1 - 1e-6
        self._buckets[chat_id] = (left - 1 if passes else left, now)
        return 0 if passes else max(1, math.ceil((1 - left) / rate - 1e-6))
