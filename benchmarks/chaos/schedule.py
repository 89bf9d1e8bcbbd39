"""The clock: ``redeliver``, which runs twice at once here, as it may on AWS."""

from __future__ import annotations

import threading

from benchmarks.chaos.pool import Pool
from benchmarks.chaos.stream import Stream

RUNS_AT_ONCE = 2
INTERVAL_SECONDS = 0.5


class Schedule:
    """Two threads that call it at an interval."""

    def __init__(self, pool: Pool, stream: Stream) -> None:
        self._pool = pool
        self._stream = stream
        self._stopping = threading.Event()
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(RUNS_AT_ONCE)]

    def stop(self) -> None:
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.wait(INTERVAL_SECONDS):
            detail = {"stream_is_over": self._stream.is_over}
            self._pool.acknowledges("redeliver", {**_EVENT, "detail": detail})


_EVENT = {
    "version": "0",
    "account": "123456789012",
    "region": "us-east-1",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "time": "2026-01-01T00:00:00Z",
    "id": "00000000-0000-0000-0000-000000000000",
    "resources": ["arn:aws:events:us-east-1:123456789012:rule/chaos"],
}
