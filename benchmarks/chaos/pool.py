"""The worker processes: who is free, who is killed, and who takes the place of the dead."""

from __future__ import annotations

import multiprocessing
import queue
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any

from benchmarks.chaos.consumers import FUNCTION_SECONDS
from benchmarks.chaos.worker import serve

# A server that has imported everything, and has done nothing else yet, forks the workers: a new one costs little.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["benchmarks.chaos.preload"])


class WorkerDiedError(Exception):
    """The worker was killed before it answered."""


class FunctionFailedError(Exception):
    """The handler raised; ``kind`` is the class of the error."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"{kind}: {reason}")
        self.kind = kind


class _Worker:
    def __init__(self, consumer: str, environment: Mapping[str, str]) -> None:
        self.lock = threading.Lock()
        self.busy = False
        self._stopped = False
        self._arguments = (consumer, environment)
        self._start()

    def _start(self) -> None:
        self.connection: Connection
        self.connection, other_end = PROCESSES.Pipe()
        self.process: BaseProcess = PROCESSES.Process(target=serve, args=(other_end, *self._arguments), daemon=True)
        self.process.start()
        other_end.close()

    def restart(self) -> None:
        with self.lock:
            self.process.kill()
            self.process.join()
            self.connection.close()
            if not self._stopped:
                self._start()

    def stop(self) -> None:
        with self.lock:
            self._stopped = True
            self.process.kill()
            self.process.join()

    def set_busy(self, busy: bool) -> None:
        with self.lock:
            self.busy = busy

    def kill(self, *, only_if_busy: bool) -> bool:
        with self.lock:
            if not self.process.is_alive() or (only_if_busy and not self.busy):
                return False
            self.process.kill()
            self.busy = False
            return True


class Pool:
    """A number of workers of one consumer. A context manager; at its end no process is left.

    Attributes:
        kills: how many processes were killed while they handled an event.
        errors: how often a handler raised, by the class of the error.
    """

    def __init__(self, consumer: str, environment: Mapping[str, str], size: int) -> None:
        self.kills = 0
        self._lock = threading.Lock()
        self.errors: Counter[str] = Counter()
        self._workers: list[_Worker] = []
        self._free: queue.LifoQueue[_Worker] = queue.LifoQueue()
        try:
            for _ in range(size):
                self._workers.append(_Worker(consumer, environment))
        except BaseException:
            self.stop()
            raise
        for worker in self._workers:
            self._free.put(worker)

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        for worker in self._workers:
            worker.stop()

    def invoke(
        self, function: str, event: object, request_id: str | None = None, *, killed_after: float | None = None
    ) -> Any:
        """What the handler returns. Raises WorkerDiedError or FunctionFailedError.

        killed_after: seconds after which it is killed, even if it was done by then: nobody hears its answer.
        """
        worker = self._free.get()
        worker.set_busy(True)
        try:
            worker.connection.send((function, event, request_id or str(uuid.uuid4())))
            if killed_after is not None or not worker.connection.poll(FUNCTION_SECONDS):
                time.sleep(killed_after or 0.0)
                self._kill(worker)
                raise EOFError
            answer = worker.connection.recv()
        except (EOFError, OSError):
            worker.restart()
            raise WorkerDiedError from None
        finally:
            worker.set_busy(False)
            self._free.put(worker)
        if answer[0] == "error":
            self.errors[answer[1]] += 1
            raise FunctionFailedError(*answer[1:])
        return answer[1]

    def acknowledges(self, function: str, event: object, *, killed_after: float | None = None) -> bool:
        """Whether the handler returned: neither raised, nor was killed."""
        try:
            self.invoke(function, event, killed_after=killed_after)
        except (WorkerDiedError, FunctionFailedError):
            return False
        return True

    def kill_one(self, chance: random.Random) -> None:
        """Kills one of those that are at work, or any if none is."""
        workers = chance.sample(self._workers, len(self._workers))
        if not any(self._kill(worker) for worker in workers):
            any(worker.kill(only_if_busy=False) for worker in workers)

    def _kill(self, worker: _Worker) -> bool:
        killed = worker.kill(only_if_busy=True)
        with self._lock:
            self.kills += killed
        return killed
