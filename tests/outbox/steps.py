"""What a process is made of that can be told what to do: its clock, its calls, and Telegram."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from chalicelib.dynamodb import ConditionFailed
from chalicelib.errors import Ambiguous, TableAnswerLost, TableUnavailable, Unavailable
from tests import notices

Outcome = Literal["ok", "down", "wait", "lost", "cut"]
When = Literal["before", "after"]
CHAT_ID = 2137200685
TELEGRAMS = ("sendMessage", "editMessageText", "deleteMessage", "getMe")


class Crash(BaseException):
    """The process dies: nothing in it may catch this."""


class Clock:
    """Epoch seconds that pass only when somebody sleeps, or not even then."""

    def __init__(self) -> None:
        self.now = float(int(time.time()))
        self.stands_still = False

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += 0.0 if self.stands_still else seconds


@dataclass
class Steps:
    """The calls that one process makes, and what happens at one of them.

    crash_at: the process dies. fail_at: from then on the table fails; where that is after the call, the call itself was
    made. pause_at: before this call, ``meanwhile`` happens elsewhere.
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
        if self.fail_at is None or self.done[number] in TELEGRAMS:
            return
        if (number, when) == self.fail_at and when == "after":
            raise TableAnswerLost("the answer was lost", retry_after=0.0)
        if number > self.fail_at[0] or (number, when) == self.fail_at:
            raise TableUnavailable("away", retry_after=0.0)


class SteppedTable:
    """A table whose every call is a step of its process. A read of several pages is one."""

    def __init__(self, table: Any, steps: Steps, prefix: str = "") -> None:
        self._table = table
        self._steps = steps
        self._prefix = prefix

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            answer = getattr(self._table, method)(*given, **named)
            return iter(list(answer)) if isinstance(answer, Iterator) else answer

        def step(*given: Any, **named: Any) -> Any:
            name = f"{self._prefix}{given[0]}" if method == "call" else method
            return self._steps.take(name, lambda: call(*given, **named))

        return step


class TasksInMemory:
    """The task table: what senders put, and how the relay takes it away."""

    clock: Clock

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], dict[str, Any]] = {}

    def put(self, item: Mapping[str, Any]) -> None:
        self.items[item["PK"]["S"], item["SK"]["S"]] = dict(item)

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        if operation == "Scan":
            return {"Items": list(self.items.values())}
        assert operation == "DeleteItem"
        key = (arguments["Key"]["PK"]["S"], arguments["Key"]["SK"]["S"])
        item = self.items.get(key, {})
        values = arguments.get("ExpressionAttributeValues", {})
        for test in arguments["ConditionExpression"].split(" AND "):
            name, _, value = test.partition(" = ")
            absent = test.removeprefix("attribute_not_exists(").removesuffix(")")
            if (item.get(name) != values[value]) if value else (absent in item):
                raise ConditionFailed(item)
        del self.items[key]
        return {}


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
        return notices.sent(text for _, text in self.arrivals)

    @property
    def notices(self) -> list[str]:
        return notices.notices(text for _, text in self.arrivals)

    def answer(self, method: str, fields: Mapping[str, object]) -> dict[str, Any]:
        if method == "getMe":
            if self.otherwise in ("down", "wait"):
                raise Unavailable("down")
            return {}
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
        answer: dict[str, Any] = self._steps.take(method, lambda: self._telegram.answer(method, fields))
        return answer
