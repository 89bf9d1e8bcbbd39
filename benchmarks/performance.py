"""Writes the tables of docs/performance.md: `.venv/bin/python -m benchmarks.performance < measured.txt`.

It reads the last lines of `make cold` and `make warm`, which are JSON, and passes over all others.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.aws_lambda.names import BOTTE, CONTENDERS, FLOOR, USUAL_WAY

OTHERS = CONTENDERS[1:]


def tables(lines: Iterable[str]) -> str:
    parts = []
    for line in lines:
        if line.startswith("{"):
            measured = json.loads(line)
            results = measured["results"]
            parts.append("; ".join(f"{name} {value}" for name, value in measured["machine"].items()) + ".")
            if "batch" in results[0]:
                parts.append(_warm(results))
            else:
                parts.append(_costs(results) if "dollars" in results[0][BOTTE] else _cold(results))
    return "\n\n".join(parts)


def _cold(results: Sequence[dict[str, Any]]) -> str:
    rows = []
    for each in results:
        botte = each[BOTTE]
        mine = f"**{botte['first']:,.0f}** = {botte['init']:,.0f} + {botte['invocation']:,.0f}"
        rows.append([each["door"], str(each["memory"]), mine, *_compared(each, "first", OTHERS)])
    return _table(["door", "MB", "Botte = init + invocation", *_compared_titles(OTHERS)], rows)


def _warm(results: Sequence[dict[str, Any]]) -> str:
    others = (USUAL_WAY, FLOOR)
    rows = [
        [each["door"], str(each["batch"]), f"**{each[BOTTE]['ms']:,}**", *_compared(each, "ms", others)]
        for each in results
    ]
    return _table(["door", "records", "Botte", *_compared_titles(others)], rows)


def _compared_titles(others: Sequence[str]) -> list[str]:
    return [*others, *(f"Botte to {name}" for name in others), "the same of the CPU time, in this order"]


def _compared(result: dict[str, Any], measure: str, others: Sequence[str]) -> list[str]:
    """The milliseconds of the others, Botte's ratios to them, and the same ratios of the CPU time."""
    there = [result[name] for name in others if name in result]
    if not there:
        return [""] * (2 * len(others) + 1)
    ratios, cpu_ratios = ([f"{its[kind]:.2f}" for its in there] for kind in ("ratio", "cpu_ratio"))
    return [*(f"{its[measure]:,}" for its in there), *ratios, ", ".join(cpu_ratios)]


def _costs(results: Sequence[dict[str, Any]]) -> str:
    rows = []
    for each in results:
        for name in CONTENDERS:
            if its := each.get(name):
                amounts = [f"{its['first']:,}", f"{its['warm']:,}", f"{its['dollars']:.4f}", f"{its['free']:.2%}"]
                rows.append([each["door"], str(each["memory"]), name, *amounts])
    return _table(["door", "MB", "", "first answer", "warm answer", "USD", "of the free GB-s"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    print(tables(sys.stdin))
