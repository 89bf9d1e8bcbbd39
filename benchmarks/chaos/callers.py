"""Who uses the HTTP and the Lambda door, and what they make of the answer."""

from __future__ import annotations

import json
import random
import threading
import time
import uuid
from collections.abc import Iterable

from benchmarks.chaos.consumers import EXPECTED_ERRORS, LEASE_SECONDS
from benchmarks.chaos.ledger import Ledger
from benchmarks.chaos.plan import Letter
from benchmarks.chaos.pool import FunctionFailedError, Pool, WorkerDiedError

TOKEN = "local-token"
ASYNC_ATTEMPTS = 3
_PAUSE_SECONDS = 0.3
_GIVES_UP_SECONDS = 60 + 10 * LEASE_SECONDS


class Callers:
    """Sends the letters of three doors, several at once."""

    def __init__(self, pool: Pool, ledger: Ledger, letters: Iterable[Letter], seed: int, threads: int = 5) -> None:
        self._pool = pool
        self._ledger = ledger
        self._letters = iter([letter for letter in letters if letter.door in _CALLS])
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self.threads = [
            threading.Thread(target=self._run, args=(random.Random(f"callers {seed} {number}"),), daemon=True)
            for number in range(threads)
        ]
        self.writers = self.threads

    def stop(self) -> None:
        self._stopping.set()

    def _run(self, chance: random.Random) -> None:
        while not self._stopping.is_set():
            with self._lock:
                letter = next(self._letters, None)
            if letter is None:
                return
            _CALLS[letter.door](self, letter)
            self._stopping.wait(chance.uniform(0, 0.05))

    def _call(self, letter: Letter) -> None:
        """A sync caller. With an id it tries until it is answered; without one a lost answer means "not accepted"."""
        ends = time.monotonic() + _GIVES_UP_SECONDS
        while not self._stopping.is_set() and time.monotonic() < ends:
            if self._is_accepted(letter):
                self._ledger.accept(letter)
                return
            if letter.id is None:
                return
            self._stopping.wait(_PAUSE_SECONDS)

    def _is_accepted(self, letter: Letter) -> bool:
        try:
            if letter.door == "http":
                return self._pool.invoke("http", http_event(letter))["statusCode"] in (200, 202)
            answer = self._pool.invoke("message", letter.fields)
            return "message_id" in answer or answer["status"] == "accepted"
        except (WorkerDiedError, FunctionFailedError):
            return False

    def _invoke_async(self, letter: Letter) -> None:
        """What Lambda does with an Event: the caller is gone, and two retries have the same request id."""
        request_id = str(uuid.uuid4())
        self._ledger.accept(letter)
        for attempt in range(ASYNC_ATTEMPTS):
            if attempt:
                self._stopping.wait(_PAUSE_SECONDS)
            try:
                self._pool.invoke("message", letter.fields, request_id)
                return
            except WorkerDiedError:
                pass
            except FunctionFailedError as failed:
                if failed.kind in EXPECTED_ERRORS:
                    return  # parked before it was raised
        self._ledger.drop(letter)


_CALLS = {"http": Callers._call, "lambda": Callers._call, "async": Callers._invoke_async}


def http_event(letter: Letter) -> dict[str, object]:
    """``POST /message`` as API Gateway hands it over."""
    return {
        "resource": "/message",
        "path": "/message",
        "httpMethod": "POST",
        "headers": {"Authorization": TOKEN, "Content-Type": "application/json"},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {"resourcePath": "/message", "httpMethod": "POST", "stage": "api"},
        "body": json.dumps(letter.fields),
        "isBase64Encoded": False,
    }
