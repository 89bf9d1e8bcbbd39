"""Many histories, in as many processes as there are processors, and what they come to."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import fields
from functools import partial
from multiprocessing import get_context

from tests.simulation.auditor import Verdict, audit
from tests.simulation.drawing import draw
from tests.simulation.mutations import MUTATIONS
from tests.simulation.world import play

MAX_SHOWN = 10
MAX_SEEDS = 500  # by then each mutation is found
_CHUNK = 20


def judge(seed: int, mutation: str | None = None) -> Verdict:
    """The verdict on the history of a seed, with a faulty relay if one is named."""
    with MUTATIONS[mutation].apply() if mutation else nullcontext():
        history = play(draw(seed))
    return audit(history)


def find(mutation: str) -> tuple[int | None, str]:
    """The first seed whose history shows that the relay is faulty, and what was found; None where there is none."""
    for seed in range(1, MAX_SEEDS + 1):
        verdict = judge(seed, mutation)
        if verdict.faults:
            return seed, verdict.faults[0]
    return None, ""


def judge_all(seeds: Iterable[int], mutation: str | None = None) -> Iterator[tuple[int, Verdict]]:
    """The verdicts on many seeds, in their order."""
    with get_context("spawn").Pool(os.cpu_count()) as pool:
        seeds = list(seeds)
        yield from zip(seeds, pool.imap(partial(judge, mutation=mutation), seeds, chunksize=_CHUNK), strict=True)


def add(total: Verdict, verdict: Verdict) -> Verdict:
    """What two verdicts come to together."""
    sums = {each.name: getattr(total, each.name) + getattr(verdict, each.name) for each in fields(Verdict)}
    return Verdict(**{**sums, "unexplained": max(total.unexplained, verdict.unexplained)})


def simulate(runs: int, say: Callable[[str], None]) -> bool:
    """Plays the histories of the seeds from 1 on, and says what they come to. Whether the promise held in all."""
    began, total = time.monotonic(), Verdict()
    failed: list[tuple[int, Verdict]] = []
    for seed, verdict in judge_all(range(1, runs + 1)):
        total = add(total, verdict)
        if verdict.faults:
            failed.append((seed, verdict))
        if seed % max(1, runs // 10) == 0:
            say(f"{seed:,} of {runs:,} histories, {len(failed)} of them broken, {time.monotonic() - began:.0f} s")
    bound = total.kills + total.lost_answers
    within = "within the bound" if total.duplicates <= bound else "TOO MANY"
    lines = {
        "histories": f"{runs:,}",
        "messages accepted": f"{total.messages:,}",
        "deliveries": f"{total.deliveries:,}",
        "parked with a reason": f"{total.parked:,}",
        "notices of what was parked": f"{total.notices:,}",
        "kills": f"{total.kills:,}",
        "lost answers": f"{total.lost_answers:,}",
        "lost": f"{total.lost:,}",
        "duplicates": f"{total.duplicates:,} ({within}: each by a crash or a lost answer of its own)",
        "order violations": f"{total.out_of_order:,}",
        "longest delay by a neighbour": f"{total.unexplained / 60:.0f} minutes",
        "seconds": f"{time.monotonic() - began:.0f}",
    }
    for name, value in lines.items():
        say(f"{name:30} {value}")
    for seed, verdict in failed[:MAX_SHOWN]:
        say(f"seed {seed}: {verdict.faults[0]}")
        say(f"    replay: make simulate SEED={seed}")
    return not failed
