"""Runs the proof: the app with three seeds, and two controls. Exit 1 when the promise is broken or a control passes."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace

from benchmarks.chaos.report import Line, as_json, print_line, print_titles
from benchmarks.chaos.run import Storm, run
from benchmarks.chaos.stage import Stage
from benchmarks.chaos.verdict import Verdict


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--messages", type=int, default=1000, help="for each seed (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=60, help="for each seed, at least (default: %(default)s)")
    arguments = parser.parse_args()
    lines: list[Line] = []
    print_titles()

    def note(name: str, verdict: Verdict, holds: bool) -> None:
        lines.append(Line(name, verdict, holds))
        print_line(lines[-1])
        for complaint in () if name.startswith("control") else verdict.complaints[:20]:
            print(f"  {complaint}", file=sys.stderr)

    started = time.monotonic()
    with Stage() as stage:
        total = Verdict()
        for seed in arguments.seeds:
            storm = Storm(seed=seed, letters=arguments.messages, kills=arguments.kills)
            verdict = run(stage, "app", storm)
            total += verdict
            note(f"seed {seed}", verdict, verdict.holds)
        note("total", replace(total, complaints=()), all(line.holds for line in lines))
        control = Storm(seed=1, letters=200, kills=15, kill_interval=0.2, most_seconds=10, deaths=0)
        verdict = run(stage, "acknowledge first", control)
        note("control: acknowledge first", verdict, verdict.lost > 0)
        verdict = run(stage, "whole batch", replace(control, letters=400, kills=5, kill_interval=2))
        note("control: whole batch", verdict, verdict.doubled > verdict.bound)
        verdict = run(stage, "app", replace(control, deaths=8, max_receives=5))
        note("control: five receives", verdict, verdict.dead_letters > 0)
    seconds = time.monotonic() - started
    print(as_json(lines, seconds))
    return 0 if all(line.holds for line in lines) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
