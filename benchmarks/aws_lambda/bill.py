"""What invocations cost, with the prices of tools/ops/prices.py."""

from __future__ import annotations

import math
from typing import NamedTuple

from tools.ops.prices import FREE, HOME, PRICES


class Bill(NamedTuple):
    """dollars: without what is free. free: of the GB-seconds that are free each month, the share that is used."""

    dollars: float
    gb_seconds: float
    free: float


def bill(memory: int, ms: float, invocations: int) -> Bill:
    """memory: MB. ms: billed of each invocation; that includes its initialisation, if it has one."""
    gb_seconds = invocations * memory / 1024 * math.ceil(ms) / 1000
    dollars = gb_seconds * PRICES[HOME]["Lambda GB-s"] + invocations * PRICES[HOME]["Lambda requests"]
    return Bill(round(dollars, 4), round(gb_seconds, 1), round(gb_seconds / FREE["Lambda GB-s"], 4))
