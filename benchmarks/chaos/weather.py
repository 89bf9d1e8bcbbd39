"""The storm: Telegram fails in every way it can, and processes die."""

from __future__ import annotations

import random
import threading
from typing import Any

from benchmarks.chaos.consumers import RETRY_AFTER_PARKED, RETRY_AFTER_SLEPT, TIMEOUT_SECONDS
from benchmarks.chaos.plan import CHATS
from benchmarks.chaos.pool import Pool
from tools.dev.fake_telegram import FakeTelegram

# In one chat, or in both and for whatever else is asked.
_CHAT_IDS = (None, *CHATS.values())
_REFUSED = {"kind": "refused"}
_FAULTS: list[dict[str, Any]] = [
    {"kind": "none"},
    {"kind": "rate_limit", "retry_after": RETRY_AFTER_SLEPT, "probability": 0.1},
    {"kind": "rate_limit", "retry_after": RETRY_AFTER_PARKED, "count": 2},
    {"kind": "server_error", "status": 500, "probability": 0.3},
    {"kind": "down"},
    {"kind": "slow", "seconds": 0.05},
    # A lost answer to anything else doubles nothing, and is not counted.
    {"kind": "cut_before_accept", "probability": 0.2, "method": "sendMessage"},
    {"kind": "cut_after_accept", "probability": 0.3, "method": "sendMessage"},
    {"kind": "hang_after_accept", "seconds": 2 * TIMEOUT_SECONDS, "probability": 0.1, "method": "sendMessage"},
    _REFUSED,
]


class Weather:
    """Faults and kills, each from a thread of its own, drawn from a seed, until it is told to be calm.

    Attributes:
        kills: how many workers it has killed.
    """

    def __init__(self, telegram: FakeTelegram, pool: Pool, seed: int, kill_interval: float) -> None:
        self._telegram = telegram
        self._pool = pool
        self._kill_interval = kill_interval
        self.kills = 0
        self._calm = threading.Event()
        self._threads = [
            threading.Thread(target=self._fail, args=(random.Random(f"faults {seed}"),), daemon=True),
            threading.Thread(target=self._kill, args=(random.Random(f"kills {seed}"),), daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def calm(self) -> None:
        """Ends the storm: afterwards Telegram answers, and nobody is killed."""
        self._calm.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def _fail(self, chance: random.Random) -> None:
        while not self._calm.is_set():
            # A shuffled round has each of them; chance alone would leave one out.
            for fault in chance.sample(_FAULTS, len(_FAULTS)):
                if fault is _REFUSED:
                    self._refuse_connections(chance.uniform(0.1, 0.5))
                else:
                    where = {"chat_id": chance.choice(_CHAT_IDS), "seed": chance.randrange(2**32)}
                    self._telegram.set_fault({**fault, **where})
                if self._calm.wait(chance.uniform(0.2, 1.0)):
                    break
        self._telegram.set_fault({"kind": "none"})

    def _refuse_connections(self, seconds: float) -> None:
        # First nothing is taken any more: an answer that the closing port cut off would be ambiguous and not counted.
        self._telegram.set_fault({"kind": "down"})
        self._calm.wait(0.1)
        self._telegram.stop()
        self._calm.wait(seconds)
        self._telegram.start()

    def _kill(self, chance: random.Random) -> None:
        while not self._calm.wait(chance.uniform(0.2, 1.8) * self._kill_interval):
            self._pool.kill_one(chance)
            self.kills += 1
