"""One run: a consumer, a plan, a storm, and the calm after it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from benchmarks.chaos.callers import Callers
from benchmarks.chaos.consumers import EXPECTED_ERRORS
from benchmarks.chaos.ledger import Ledger
from benchmarks.chaos.plan import make_plan
from benchmarks.chaos.pool import Pool
from benchmarks.chaos.queues import Queues
from benchmarks.chaos.schedule import Schedule
from benchmarks.chaos.stage import Stage
from benchmarks.chaos.stream import Stream
from benchmarks.chaos.verdict import Verdict, is_task, judge
from benchmarks.chaos.weather import Weather

_POLL_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class Storm:
    """How long, and how hard. Times are in seconds.

    It lasts until every letter is handed in and ``kills`` workers were killed, or until ``most_seconds`` are over;
    ``calm_seconds`` is the longest that the delivery of what is left may take. max_receives: what the queue's redrive
    policy says, or something else. deaths: as in Queue.
    """

    seed: int
    letters: int
    kills: int
    kill_interval: float = 0.6
    most_seconds: float = 60.0
    calm_seconds: float = 240.0
    workers: int = 6
    deaths: int = 8
    max_receives: int | None = None


def run(stage: Stage, consumer: str, storm: Storm) -> Verdict:
    """Sends a plan's letters through a consumer in a storm, waits until nothing is owed, and compares."""
    letters = make_plan(f"{consumer.replace(' ', '-')}-{storm.seed}", storm.seed, storm.letters)
    stage.reset()
    ambiguous_before = stage.telegram.stats["ambiguous"]
    ledger = Ledger()
    keeps = consumer == "app"  # the controls keep nothing, and leave the task table as it is
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(Pool(consumer, stage.environment, storm.workers))
        max_receives = storm.max_receives or stage.max_receives
        queues = Queues(pool, ledger, letters, storm.seed, max_receives=max_receives, deaths=storm.deaths)
        stream = Stream(stage, pool, ledger, letters, storm.seed)
        sources = (Callers(pool, ledger, letters, storm.seed), stream, queues)
        schedule = Schedule(pool, stream)
        weather = Weather(stage.telegram, pool, storm.seed, storm.kill_interval)
        stack.callback(weather.calm)
        for source in (*sources, schedule):
            stack.callback(source.stop)
            _start(source.threads)
        weather.start()
        senders = [thread for source in sources for thread in source.threads]
        writers = [thread for source in sources for thread in source.writers]
        _wait(storm.most_seconds, lambda: weather.kills >= storm.kills and not _alive(writers))
        weather.calm()
        _wait(storm.calm_seconds, lambda: not _alive(senders) and (not keeps or not _owes(stage)) and _is_quiet(stage))
        counts = {"kills": pool.kills, "table_calls": stage.table_calls()}
        arrivals = stage.telegram.messages
    counts["ambiguous"] = stage.telegram.stats["ambiguous"] - ambiguous_before
    return judge(
        letters,
        ledger,
        arrivals=arrivals,
        outbox=stage.outbox(),
        tasks=stage.tasks(),
        queued=queues.left,
        dead_letters=queues.dead_letters,
        errors={kind: count for kind, count in pool.errors.items() if kind not in EXPECTED_ERRORS},
        **counts,
    )


def _start(threads: Iterable[threading.Thread]) -> None:
    for thread in threads:
        thread.start()


def _alive(threads: Iterable[threading.Thread]) -> bool:
    return any(thread.is_alive() for thread in threads)


def _owes(stage: Stage) -> bool:
    return stage.owes() or any(map(is_task, stage.tasks()))


def _is_quiet(stage: Stage) -> bool:
    """Whether nothing arrives any more, also from those who keep no rows."""
    before = len(stage.telegram.messages)
    time.sleep(2 * _POLL_SECONDS)
    return len(stage.telegram.messages) == before


def _wait(seconds: float, condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if condition():
            return
        time.sleep(_POLL_SECONDS)
