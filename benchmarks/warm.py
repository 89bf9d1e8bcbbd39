"""How long an answer of a process takes that is warm: `make warm`. docs/performance.md tells how.

Each door, and batches of records, against the usual way (which keeps no record of what it sent) and the floor.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any

from benchmarks.aws_lambda.bench import Bench, calls_line, compared_line, median, new_bench, new_parser, ratio, run
from benchmarks.aws_lambda.doors import Door
from benchmarks.aws_lambda.environment import Spent
from benchmarks.aws_lambda.names import BOTTE, FLOOR, USUAL_WAY
from benchmarks.aws_lambda.peering import Came

MESSAGES = 500
BLOCKS = 10
BATCHES = (1, 10, 100)
MEASURED = (BOTTE, USUAL_WAY, FLOOR)  # once it is warm, the usual way is the same in all its kinds


def measure(bench: Bench, door: Door, batch: int, messages: int) -> dict[str, Any]:
    """Medians in milliseconds, and those of Botte's ratio to each of the others, block by block.

    sent: how many of a batch Botte sends at once; the rest it leaves to the schedule.
    """
    memory = bench.functions.memory(door)
    functions = bench.functions.of(door, memory)
    blocks: dict[str, list[list[Spent]]] = {}
    last: Came | None = None
    with ExitStack() as stack:
        environments = {
            name: stack.enter_context(bench.start(functions[name])) for name in MEASURED if name in functions
        }
        for environment in environments.values():
            bench.invoke(environment, door)  # the cold one
        invocations = max(1, messages // batch)
        blocks_of_each = min(BLOCKS, invocations)
        for _ in range(blocks_of_each):
            for name, environment in environments.items():
                block = [bench.invoke(environment, door, batch) for _ in range(invocations // blocks_of_each)]
                blocks.setdefault(name, []).append([spent for spent, _ in block])
                if name == BOTTE:
                    last = block[-1][1]
    assert last is not None
    what = {"door": door.name, "batch": batch, "memory": memory, "sent": len(last.texts), "calls": last.calls}
    return what | summarize(blocks)


def summarize(blocks: dict[str, list[list[Spent]]]) -> dict[str, Any]:
    """Of each contender the medians, and those of Botte's ratio to it; Botte comes first."""
    summary: dict[str, Any] = {}
    mine: list[float] = []
    mine_cpu: list[float] = []
    for name, its in blocks.items():
        ms = [median([spent.ms for spent in block]) for block in its]
        cpu = [median([spent.cpu_ms for spent in block]) for block in its]
        summary[name] = {"ms": median(ms), "cpu": median(cpu)}
        if name == BOTTE:
            mine, mine_cpu = ms, cpu
        else:
            summary[name] |= {"ratio": ratio(mine, ms), "cpu_ratio": ratio(mine_cpu, cpu)}
    return summary


def print_summary(summary: dict[str, Any]) -> None:
    for name in filter(summary.get, MEASURED):
        its = summary[name]
        if name == BOTTE:
            place = f"{summary['door']:14} {summary['batch']:5} {summary['memory']:5}"
            waiting = summary["batch"] - summary["sent"] if summary["sent"] else 0
            left = f", {waiting} messages left to the schedule" if waiting else ""
            rest = calls_line(summary["calls"]) + left
        else:
            place, rest = " " * 26, compared_line(its)
        print(f"{place}  {name:10}  {its['ms']:8.1f}  {its['cpu']:7.1f}  {rest}", flush=True)


def main() -> None:
    parser = new_parser("warm", __doc__)
    parser.add_argument("--messages", type=int, default=MESSAGES, help="for each line (default: %(default)s)")
    arguments = parser.parse_args()
    summaries = []
    with new_bench(arguments.package) as bench:
        machine = bench.machine()
        print("; ".join(f"{name} {value}" for name, value in machine.items()))
        print(f"{'door':14} {'batch':>5} {'MB':>5}  {'':10}  {'answer':>8}  {'CPU':>7}  (ms, medians)")
        for door in arguments.doors:
            for batch in BATCHES if door.shape in ("stream", "queue") else [1]:
                summaries.append(measure(bench, door, batch, arguments.messages))
                print_summary(summaries[-1])
    print(json.dumps({"machine": machine, "results": summaries}))


if __name__ == "__main__":
    run("warm", main)
