"""Writes the tables of docs/performance.md: `(make cold; make warm) | .venv/bin/python -m benchmarks.performance`.

It reads the last lines of the benchmarks, which are JSON, and passes over all others.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

OTHERS = ("usual", "usual, env", "floor")


def tables(lines: Iterable[str]) -> str:
    parts = []
    for line in lines:
        if line.startswith("{"):
            measured = json.loads(line)
            results = measured["results"]
            parts.append("; ".join(f"{name} {value}" for name, value in measured["machine"].items()) + ".")
            parts.append(_warm(results) if "batch" in results[0] else _cold(results))
            if "warm" in results[0]["Botte"]:
                parts.append(_costs(results))
    return "\n\n".join(parts)


def _cold(results: Sequence[dict[str, Any]]) -> str:
    head = ["door", "MB", "Botte = init + invocation", *OTHERS, *(f"Botte to {name}" for name in OTHERS), "CPU ratios"]
    rows = []
    for each in results:
        botte = each["Botte"]
        mine = f"**{botte['first']:.0f}** = {botte['init']:.0f} + {botte['invocation']:.0f}"
        rows.append([each["door"], each["memory"], mine, *_compared(each, "first", OTHERS)])
    return _table(head, rows)


def _warm(results: Sequence[dict[str, Any]]) -> str:
    others = ("usual", "floor")
    head = ["door", "records", "Botte", *others, *(f"Botte to {name}" for name in others), "CPU ratios"]
    rows = []
    for each in results:
        mine = f"**{each['Botte']['ms']}**"
        rows.append([each["door"], each["batch"], mine, *_compared(each, "ms", others)])
    return _table(head, rows)


def _compared(result: dict[str, Any], measure: str, others: Sequence[str]) -> list[object]:
    """The milliseconds of the others, Botte's ratios to them, and the same ratios of the CPU time."""
    there = [result.get(name, {}) for name in others]
    ratios = [[each.get(kind, "") for each in there] for kind in ("ratio", "cpu_ratio")]
    return [*(each.get(measure, "") for each in there), *ratios[0], ", ".join(map(str, ratios[1]))]


def _costs(results: Sequence[dict[str, Any]]) -> str:
    names = ("Botte", *OTHERS)
    rows = [
        [each["door"], each["memory"], name, *(its[key] for key in ("first", "warm", "dollars")), f"{its['free']:.2%}"]
        for each in results
        for name in names
        if (its := each.get(name))
    ]
    return _table(["door", "MB", "", "first answer, ms", "warm answer, ms", "USD", "of the free GB-s"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


if __name__ == "__main__":
    print(tables(sys.stdin))
