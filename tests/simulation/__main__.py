"""The simulator: ``python -m tests.simulation``. Exit 1 when the promise is broken, or a mutation is not found."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext

from tests.simulation.auditor import audit
from tests.simulation.drawing import draw
from tests.simulation.mutations import MUTATIONS, note_found
from tests.simulation.runs import find, simulate
from tests.simulation.world import play
from tests.simulation.worlds import WORLDS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("histories", "worlds", "mutations"), default="histories")
    parser.add_argument("--seed", type=int, help="print the whole history of this seed, event by event")
    parser.add_argument("--runs", type=int, default=1000, help="how many histories (default: %(default)s)")
    parser.add_argument("--mutation", choices=list(MUTATIONS), help="with --seed: of this faulty relay")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        return _replay(arguments.seed, arguments.mutation)
    if arguments.what == "worlds":
        return _show_worlds()
    if arguments.what == "mutations":
        return _show_mutations()
    return 0 if simulate(arguments.runs, _say) else 1


def _replay(seed: int, mutation: str | None) -> int:
    with MUTATIONS[mutation].apply() if mutation else nullcontext():
        history = play(draw(seed))
    verdict = audit(history)
    for line in history.lines():
        _say(line)
    _say(f"\nseed {seed}: " + ("the promise holds" if not verdict.faults else "the promise is broken"))
    for fault in verdict.faults:
        _say(f"  {fault}")
    return 1 if verdict.faults else 0


def _show_worlds() -> int:
    is_well = True
    for world in WORLDS:
        minutes = world.measure()
        is_well = is_well and minutes <= world.most_minutes
        _say(f"{world.name}\n    before: {world.before}; now: {minutes:.1f} minutes (at most {world.most_minutes})")
    return 0 if is_well else 1


def _show_mutations() -> int:
    found: dict[str, int] = {}
    for name, mutation in MUTATIONS.items():
        seed, fault = find(name)
        if seed is not None:
            found[name] = seed
        _say(f"{name:30} {seed if seed is not None else 'NOT FOUND':>9}  {mutation.what}\n{'':42}found: {fault[:150]}")
    note_found(found)
    return 0 if len(found) == len(MUTATIONS) else 1


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
