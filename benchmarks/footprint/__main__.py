"""Counts what Botte is: sizes, modules, calls of AWS, dollars. With --imports: how long each module takes to import."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import zipfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

from benchmarks.footprint.doors import DOORS, GROUPS, Door, Lambda, UndeliveredError, Usage, group
from benchmarks.footprint.package import Size, sizes
from tools.ops.costs import cost, usage
from tools.ops.package import chalice_package
from tools.ops.stage import Stage

RUNS = 5
SHOWN_MODULES = 25
MONTH = 10_000  # messages


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.footprint", description=__doc__)
    parser.add_argument("--imports", action="store_true", help=f"the modules by their own time, median of {RUNS} runs")
    with tempfile.TemporaryDirectory(prefix="botte-footprint-") as made:
        folder = Path(made)
        package = chalice_package(Stage("prod"), folder / "out")
        with zipfile.ZipFile(package) as archive:
            archive.extractall(folder / "package")
        with Lambda(folder / "package") as function:
            if parser.parse_args().imports:
                _print_imports({door.name: _import_times(function, door) for door in DOORS})
            else:
                used = {door.name: function.measure(door) for door in DOORS}
                _print_counts(package.stat().st_size, sizes(package), used)
    return 0


def _print_counts(zipped: int, parts: Sequence[Size], used: Mapping[str, Usage]) -> None:
    print("package            files  unzipped    zipped, bytes")
    for part in parts:
        print(f"{part.part:10} {part.kind:8}{part.files:5}{part.unzipped:10,}{part.zipped:10,}")
    unzipped = sum(part.unzipped for part in parts)
    print(f"all of it          {sum(part.files for part in parts):5}{unzipped:10,}{zipped:10,}")
    print(f"\nmodules       imported  after a message: {'  '.join(GROUPS)}")
    for name, each in used.items():
        counts = "  ".join(f"{each.handled[of]:{len(of)}}" for of in GROUPS)
        print(f"{name:12}{sum(each.imported.values()):10}{sum(each.handled.values()):17}: {counts}")
    print("\ncalls of AWS for the first message of a process; for each one after")
    for name, each in used.items():
        print(f"{name:10}  {_calls(each.first)}; {_calls(each.further)}")
    prices = {door.name: _prices(door.price) for door in DOORS if door.price}
    print(f"\ndollars     a million messages  a month with {MONTH:,} (with what AWS gives for free)")
    for name, price in prices.items():
        print("{:10}{million:20.2f}{month:26.2f} ({month_free:.2f})".format(name, **price))
    results = {
        "package": {"zipped": zipped, "unzipped": unzipped, "parts": [asdict(part) for part in parts]},
        "doors": {name: asdict(each) for name, each in used.items()},
        "dollars": prices,
        "python": platform.python_version(),
        "machine": platform.platform(),
    }
    print(json.dumps(results))


def _calls(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {operation}" for operation, number in counted.items()) or "none"


def _prices(door: str) -> dict[str, float]:
    """million: what so many messages add, without what is free. month: with what Botte takes anyway."""
    idle, million, month = (usage(door, messages) for messages in (0, 1_000_000, MONTH))
    return {
        "million": round(cost(million, free_tier=False) - cost(idle, free_tier=False), 4),
        "month": round(cost(month, free_tier=False), 4),
        "month_free": round(cost(month, free_tier=True), 4),
    }


def _import_times(function: Lambda, door: Door) -> dict[str, float]:
    """Milliseconds of each module."""
    runs = [function.import_times(door) for _ in range(RUNS)]
    return {name: median(run.get(name, 0) for run in runs) / 1000 for name in runs[0]}


def _print_imports(times: Mapping[str, Mapping[str, float]]) -> None:
    results = {}
    for door, modules in times.items():
        of_groups: defaultdict[str, float] = defaultdict(float)
        counts = Counter(map(group, modules))
        for name, milliseconds in modules.items():
            of_groups[group(name)] += milliseconds
        print(f"{door}: {len(modules)} modules in {sum(modules.values()):.1f} ms")
        for of in GROUPS:
            print(f"{of_groups[of]:9.2f}  {counts[of]} of {of}")
        slowest = sorted(modules.items(), key=lambda each: -each[1])
        for name, milliseconds in slowest[:SHOWN_MODULES]:
            print(f"{milliseconds:9.2f}    {name}")
        results[door] = {of: round(of_groups[of], 2) for of in GROUPS}
    print(json.dumps({"milliseconds": results, "runs": RUNS, "python": platform.python_version()}))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UndeliveredError as error:
        print(f"nothing is counted: {error}", file=sys.stderr)
        sys.exit(1)
