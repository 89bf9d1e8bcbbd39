"""How long the first answer of a new process takes, as deployed: `make cold`. docs/performance.md tells how.

Botte's doors against the usual way to do the same, in three kinds, and against the floor.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from benchmarks.aws_lambda.bench import Bench, calls_line, compared_line, median, new_bench, new_parser, ratio, run
from benchmarks.aws_lambda.bill import bill
from benchmarks.aws_lambda.doors import Door
from benchmarks.aws_lambda.environment import Environment, Spent
from benchmarks.aws_lambda.names import BOTTE, CONTENDERS
from tools.ops.costs import MINUTES

ROUNDS = 10
WARM = 5  # further invocations in the same process, where memory is given
COLD_MESSAGES = 10_000


class Cold(NamedTuple):
    """init: until the process asks for its first event. first: the invocation after that. warm: further ones."""

    init: Spent
    first: Spent
    warm: Sequence[Spent]
    calls: dict[str, int]

    @property
    def ms(self) -> float:
        return self.init.ms + self.first.ms

    @property
    def cpu_ms(self) -> float:
        return self.init.cpu_ms + self.first.cpu_ms


def measure(bench: Bench, environment: Environment, door: Door, warm: int = 0) -> Cold:
    """environment: a new one, which this ends. Raises Wrong, Failed."""
    with environment:
        first, came = bench.invoke(environment, door)
        assert environment.init is not None
        return Cold(environment.init, first, [bench.invoke(environment, door)[0] for _ in range(warm)], came.calls)


def measure_rounds(bench: Bench, door: Door, memory: int, rounds: int, warm: int) -> dict[str, list[Cold]]:
    """All contenders in turn, in each round."""
    results: dict[str, list[Cold]] = {}
    for _ in range(rounds):
        for contender, function in bench.functions.of(door, memory).items():
            results.setdefault(contender, []).append(measure(bench, bench.start(function), door, warm))
    return results


def summarize(door: Door, memory: int, results: dict[str, list[Cold]]) -> dict[str, Any]:
    """Medians in milliseconds, and those of Botte's ratio to each of the others, round by round."""
    summary: dict[str, Any] = {"door": door.name, "memory": memory, "calls": results[BOTTE][0].calls}
    for contender, colds in results.items():
        its = summary[contender] = {
            "first": median([cold.ms for cold in colds]),
            "init": median([cold.init.ms for cold in colds]),
            "invocation": median([cold.first.ms for cold in colds]),
            "cpu": median([cold.cpu_ms for cold in colds]),
        }
        if contender != BOTTE:
            its["ratio"] = ratio([cold.ms for cold in results[BOTTE]], [cold.ms for cold in colds])
            its["cpu_ratio"] = ratio([cold.cpu_ms for cold in results[BOTTE]], [cold.cpu_ms for cold in colds])
        if colds[0].warm:
            its["warm"] = median([spent.ms for cold in colds for spent in cold.warm])
            cost = bill(memory, its["first"], COLD_MESSAGES) if door.sends else bill(memory, its["warm"], MINUTES)
            its |= cost._asdict()
    return summary


def print_summary(summary: dict[str, Any]) -> None:
    """A line for each contender, in milliseconds."""
    for contender in filter(summary.get, CONTENDERS):
        its = summary[contender]
        if contender == BOTTE:
            place, rest = f"{summary['door']:14} {summary['memory']:5}", calls_line(summary["calls"])
        else:
            place, rest = " " * 20, compared_line(its)
        times = f"{its['first']:8.1f} = {its['init']:7.1f} + {its['invocation']:8.1f}  {its['cpu']:7.1f}"
        print(f"{place}  {contender:12}  {times}  {rest}", flush=True)


def print_costs(summaries: list[dict[str, Any]]) -> None:
    print(f"\n{COLD_MESSAGES:,} messages of which each starts a process, or the {MINUTES:,} warm runs of the schedule")
    print(f"{'door':14} {'MB':>5}  {'':12}  {'first':>8}  {'warm':>8}  {'USD':>8}  {'GB-s':>8}  of what is free")
    for summary in summaries:
        for contender in filter(summary.get, CONTENDERS):
            its = summary[contender]
            place = f"{summary['door']:14} {summary['memory']:5}  {contender:12}"
            cost = f"{its['dollars']:8.4f}  {its['gb_seconds']:8.1f}  {its['free']:.2%}"
            print(f"{place}  {its['first']:8.1f}  {its['warm']:8.1f}  {cost}")


def main() -> None:
    parser = new_parser("cold", __doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="default: %(default)s")
    parser.add_argument("--memory", help="in MB, such as 128,256,512; default: what .chalice/config.json gives")
    arguments = parser.parse_args()
    sizes = [int(size) for size in arguments.memory.split(",")] if arguments.memory else None
    summaries = []
    with new_bench(arguments.package) as bench:
        machine = bench.machine()
        print("; ".join(f"{name} {value}" for name, value in machine.items()))
        print(f"{'door':14} {'MB':>5}  {'':12}  {'first':>8} = {'init':>7} + {'invoked':>8}  {'CPU':>7}  (ms, medians)")
        for door in arguments.doors:
            for memory in sizes or [bench.functions.memory(door)]:
                results = measure_rounds(bench, door, memory, arguments.rounds, WARM if sizes else 0)
                summaries.append(summarize(door, memory, results))
                print_summary(summaries[-1])
    if sizes:
        print_costs(summaries)
    print(json.dumps({"machine": machine, "results": summaries}))


if __name__ == "__main__":
    run("cold", main)
