"""Plans that bring together what seldom meets: what they look for is a matter of milliseconds, or of hours."""

from __future__ import annotations

from random import Random

from tests.simulation.plan import MINUTE, Plan
from tests.simulation.scheduler import EPOCH
from tests.simulation.submission import Submission, text_of
from tests.simulation.weather import SLOW_TABLE, TABLE, Phase


def draw_crowded(seed: int, random: Random) -> Plan:
    """Small groups in a chat that often fails, while processes stand still: each empties, and fills once more."""
    length = random.uniform(6, 12) * MINUTE
    begins = [random.uniform(0.0, length - 2 * MINUTE) for _ in range(10)]
    times = sorted((begin + pause, f"g{number}") for number, begin in enumerate(begins) for pause in _pauses(random))
    submissions = [
        Submission(EPOCH + time, f"m{number}", "fifo", {"text": text_of(f"m{number}")}, group=group)
        for number, (time, group) in enumerate(times, start=1)
    ]
    return Plan(
        seed=seed,
        submissions=submissions,
        phases=[
            Phase(EPOCH, EPOCH + length, "chat default", random.choice(("error", "down")), 0.6),
            Phase(EPOCH, EPOCH + length, SLOW_TABLE, "slow", 0.15, 4.0),
        ],
        calm=EPOCH + length,
        stall_rate=0.5,
        stall_follows="head",
        cold_rate=0.1,
        twice_rate=0.5,
        batch=random.choice((2, 10)),
    )


def draw_lossy(seed: int, random: Random) -> Plan:
    """An hour in which the stream loses half of its records, and the table many answers: the sweep has to find them."""
    length = 65 * MINUTE
    times = sorted(random.uniform(0.0, length) for _ in range(20))
    submissions = [
        Submission(
            EPOCH + time,
            f"m{number}",
            "task",
            {"text": text_of(f"m{number}")},
            group="tasks x" if number % 2 else None,
            partition="BOTTE_MESSAGE#x" if number % 2 else "BOTTE_MESSAGE",
            sort=f"m{number}",
        )
        for number, time in enumerate(times, start=1)
    ]
    starts = [EPOCH + random.uniform(15.0, 60.0) * MINUTE for _ in range(6)]
    return Plan(
        seed=seed,
        submissions=submissions,
        phases=[Phase(start, start + 4 * MINUTE, TABLE, "lost", random.choice((0.7, 1.0))) for start in starts],
        calm=EPOCH + length,
        twice_rate=0.2,
        record_loss=0.5,
    )


def _pauses(random: Random) -> tuple[float, float, float]:
    """After its first message, when those of a group come: the second soon, the third when all seems to be over."""
    return 0.0, random.uniform(0.0, 5.0), random.uniform(60.0, 120.0)
