"""Compares `botte send` with other programs that send a message. Exit 1 when a message of one of them does not arrive.

The programs take turns; a ratio is the median of the ratios within a round, so that what else the machine does counts
for both.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from statistics import median

from benchmarks.cli.measuring import Run, UndeliveredError, run
from benchmarks.cli.programs import install, programs, versions
from benchmarks.cli.servers import Servers


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cli", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="(default: %(default)s)")
    rounds = parser.parse_args().rounds
    runs: dict[str, list[Run]] = {}
    with Servers(install()) as servers:
        compared = programs(servers)
        for number in range(rounds + 1):
            for program in compared:
                measured = run(program, f"message {number} of {program.name}", servers.count)
                if number:  # the first round fills the caches
                    runs.setdefault(program.name, []).append(measured)
    own = next(iter(runs))
    results = {name: _result(runs[own], theirs) for name, theirs in runs.items()}
    print(f"{'':20}  wall ms  CPU ms  {own}, of its wall  of its CPU")
    for name, result in results.items():
        print("{name:20}  {wall_ms:7}  {cpu_ms:6}  {of_its_wall:23.2f}  {of_its_cpu:10.2f}".format(name=name, **result))
    machine = {"python": platform.python_version(), "machine": platform.platform(), "cpus": os.cpu_count()}
    print(json.dumps({"rounds": rounds, "programs": results, "versions": versions(), **machine}))
    return 0


def _result(own: Sequence[Run], theirs: Sequence[Run]) -> dict[str, float]:
    return {
        "wall_ms": round(median(each.wall for each in theirs), 1),
        "cpu_ms": round(median(each.cpu for each in theirs), 1),
        "of_its_wall": round(median(a.wall / b.wall for a, b in zip(own, theirs, strict=True)), 3),
        "of_its_cpu": round(median(a.cpu / b.cpu for a, b in zip(own, theirs, strict=True)), 3),
    }


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UndeliveredError as error:
        print(f"nothing is measured: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
