"""How long the first answer of a new process takes, as deployed: `make cold`. docs/performance.md tells how.

Botte's doors against the usual way to do the same, with and without the Parameter Store, and against the floor.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.aws_lambda.bench import Bench, Wrong, invoke, new_bench, new_share
from benchmarks.aws_lambda.contenders import BOTTE, CONTENDERS
from benchmarks.aws_lambda.cpu import Share
from benchmarks.aws_lambda.doors import DOORS, Door
from benchmarks.aws_lambda.environment import Environment, Failed, Function
from benchmarks.aws_lambda.peering import Peers

ROUNDS = 10
WARM = 5  # further invocations, where memory is given


class Cold(NamedTuple):
    """Milliseconds of a new process, and its calls to the peers until the first answer.

    init: until it asks for its first event. invocation: from then on, until the answer. warm: of further invocations.
    """

    init: float
    invocation: float
    warm: Sequence[float]
    calls: dict[str, int]

    @property
    def first(self) -> float:
        return self.init + self.invocation


def measure(function: Function, door: Door, peers: Peers, share: Share | None, warm: int = 0) -> Cold:
    """Raises Wrong, Failed."""
    with Environment(function, share) as environment:
        invocation, calls = invoke(environment, door, peers)
        assert environment.ready is not None
        init = (environment.ready - environment.started) * 1000
        return Cold(init, invocation, [invoke(environment, door, peers)[0] for _ in range(warm)], calls)


def measure_rounds(bench: Bench, door: Door, memory: int, rounds: int, warm: int) -> dict[str, list[Cold]]:
    """All contenders in turn, in each round."""
    results: dict[str, list[Cold]] = {}
    for _ in range(rounds):
        for contender in CONTENDERS:
            function = bench.functions.get(contender, door, memory)
            if function is not None:
                results.setdefault(contender, []).append(measure(function, door, bench.peers, new_share(), warm))
    return results


def summarize(door: Door, memory: int, results: dict[str, list[Cold]]) -> dict[str, Any]:
    """Medians in milliseconds, and the medians of Botte's ratio to each of the others, round by round."""
    summary: dict[str, Any] = {"door": door.name, "memory": memory, "calls": results[BOTTE][0].calls}
    for contender, colds in results.items():
        summary[contender] = {
            "first": _median([cold.first for cold in colds]),
            "init": _median([cold.init for cold in colds]),
            "invocation": _median([cold.invocation for cold in colds]),
        }
        warm = [each for cold in colds for each in cold.warm]
        if warm:
            summary[contender]["warm"] = _median(warm)
        if contender != BOTTE:
            pairs = zip(results[BOTTE], colds, strict=True)
            summary[contender]["ratio"] = round(statistics.median(mine.first / its.first for mine, its in pairs), 2)
    return summary


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 1)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="default: %(default)s")
    parser.add_argument("--doors", help="some of them: " + ", ".join(door.name for door in DOORS))
    parser.add_argument("--memory", help="in MB, such as 128,256,512; default: what .chalice/config.json gives")
    parser.add_argument("--package", type=Path, help="an unpacked deployment zip, to measure in the place of this one")
    arguments = parser.parse_args()
    wanted = arguments.doors.split(",") if arguments.doors else [door.name for door in DOORS]
    doors = [next(door for door in DOORS if door.name == name.strip()) for name in wanted]
    summaries = []
    sizes = [int(size) for size in arguments.memory.split(",")] if arguments.memory else None
    with new_bench(arguments.package) as bench:
        for door in doors:
            for memory in sizes or [bench.functions.memory(door)]:
                results = measure_rounds(bench, door, memory, arguments.rounds, WARM if sizes else 0)
                summaries.append(summarize(door, memory, results))
                print_summary(summaries[-1])
    print(json.dumps(summaries))
    return 0


def print_summary(summary: dict[str, Any]) -> None:
    """A line for each contender, in milliseconds."""
    for contender in CONTENDERS:
        if contender not in summary:
            continue
        its = summary[contender]
        if contender == BOTTE:
            place = f"{summary['door']:14} {summary['memory']:4}"
            rest = ", ".join(f"{count} {operation}" for operation, count in summary["calls"].items())
        else:
            place, rest = " " * 19, f"Botte takes {its['ratio']:.2f} of it"
        warm = f", warm {its['warm']:7.1f}" if "warm" in its else ""
        times = f"{its['first']:8.1f} = init {its['init']:7.1f} + invocation {its['invocation']:8.1f}{warm}"
        print(f"{place}  {contender:10}  {times}  {rest}", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failed, Wrong) as error:
        sys.exit(f"cold: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
