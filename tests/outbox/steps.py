"""What a process is made of that can be told what to do: its clock, its calls, and Telegram."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from botocore.exceptions import EndpointConnectionError

from chalicelib.errors import Ambiguous, Unavailable

Outcome = Literal["ok", "down", "wait", "lost", "cut"]
When = Literal["before", "after"]
CHAT_ID = 2137200685


class Crash(BaseException):
    """The process dies: nothing in it may catch this."""


class Clock:
    """Epoch seconds that pass only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = float(int(time.time()))

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Steps:
    """The calls that one process makes, and what happens at one of them.

    crash_at: the process dies. fail_at: the table fails. pause_at: before this call, ``meanwhile`` happens elsewhere.
    """

    crash_at: tuple[int, When] | None = None
    fail_at: tuple[int, When] | None = None
    pause_at: int | None = None
    meanwhile: Callable[[], None] = lambda: None
    done: list[str] = field(default_factory=list)
    dead: bool = False

    def take(self, name: str, call: Callable[[], Any]) -> Any:
        if self.dead:
            raise Crash
        number = len(self.done)
        self.done.append(name)
        if self.pause_at == number:
            self.meanwhile()
        self._reach(number, "before")
        answer = call()
        self._reach(number, "after")
        return answer

    def _reach(self, number: int, when: When) -> None:
        if self.crash_at == (number, when):
            self.dead = True
            raise Crash
        if self.fail_at == (number, when) and self.done[number] != "sendMessage":
            raise EndpointConnectionError(endpoint_url="http://table")


class SteppedClient:
    """A DynamoDB client whose every call is a step of its process."""

    def __init__(self, client: Any, steps: Steps) -> None:
        self._client = client
        self._steps = steps

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return lambda **arguments: self._steps.take(operation, lambda: getattr(self._client, operation)(**arguments))


class ScriptedTelegram:
    """Takes messages, and answers the next calls as ``script`` says; afterwards all is well.

    down: not delivered. wait: 429. lost: delivered, and the answer is lost. cut: not delivered, and nobody knows.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.script: deque[Outcome] = deque()
        self.otherwise: Outcome = "ok"
        self.arrivals: list[tuple[float, str]] = []
        self.calls = 0
        self.ambiguous = 0

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.arrivals]

    def answer(self, fields: Mapping[str, object]) -> dict[str, Any]:
        self.calls += 1
        outcome = self.script.popleft() if self.script else self.otherwise
        if outcome == "down":
            raise Unavailable("down")
        if outcome == "wait":
            raise Unavailable("too fast", retry_after=30.0)
        self.ambiguous += outcome in ("lost", "cut")
        if outcome == "cut":
            raise Ambiguous("cut")
        self.arrivals.append((self._clock(), str(fields["text"])))
        if outcome == "lost":
            raise Ambiguous("lost")
        return {"message_id": len(self.arrivals), "date": int(self._clock()), "chat": {"id": CHAT_ID}, **fields}


class SteppedTelegram:
    """The one Telegram, as a process reaches it: each call is a step of it."""

    def __init__(self, telegram: ScriptedTelegram, steps: Steps) -> None:
        self._telegram = telegram
        self._steps = steps

    def call(self, method: str, fields: Mapping[str, object], file: tuple[str, bytes] | None = None) -> dict[str, Any]:
        assert file is None
        answer: dict[str, Any] = self._steps.take(method, lambda: self._telegram.answer(fields))
        return answer
