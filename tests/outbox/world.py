"""A world for the relay in which nothing happens by chance: time, Telegram and crashes do as they are told.

The table is a real one, reached through boto3, or one in memory. A process is a relay with nothing in its memory; it
can be made to die before or after any of its calls to the table or to Telegram.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from chalicelib.doors import http
from chalicelib.doors.invoke import send_invoked
from chalicelib.doors.queue import read_queue
from chalicelib.doors.stream import Tasks
from chalicelib.errors import TableUnavailable
from chalicelib.outbox.row import Row
from chalicelib.outbox.table import Outbox
from chalicelib.relay import Relay
from chalicelib.relay.attempt import LEASE_SECONDS
from chalicelib.settings import Parameters
from tests.doors import queue_record, stream_record
from tests.outbox.memory_table import MemoryTable
from tests.outbox.steps import (
    CHAT_ID,
    Clock,
    ScriptedTelegram,
    SteppedTable,
    SteppedTelegram,
    Steps,
    TasksInMemory,
)

LAMBDA_SECONDS = 60.0
REDELIVER_SECONDS = 90.0
_CHATS = json.dumps({"default": CHAT_ID})
_PARAMETERS = {"/p/telegram-bot-token": "1:a", "/p/http-api-token": "t", "/p/telegram-chats": _CHATS}


class Process:
    """The four doors and the schedule, in a process that has just been started."""

    def __init__(self, world: World, steps: Steps, chance: random.Random) -> None:
        self.steps = steps
        self._clock = clock = world.clock
        self.parameters = Parameters("/p", lambda _: _PARAMETERS, clock=clock)
        self.outbox = Outbox(SteppedTable(world.table, steps), clock=clock, sleep=clock.sleep)
        self.tasks = Tasks(SteppedTable(world.tasks, steps, "tasks "), clock=clock)  # type: ignore[arg-type]
        sender = SteppedTelegram(world.telegram, steps)
        self.relay = Relay(
            sender, self.outbox, self.parameters, clock=clock, sleep=clock.sleep, random=chance.randbytes
        )

    @property
    def deadline(self) -> float:
        return self._clock() + LAMBDA_SECONDS

    def post(self, message: Mapping[str, object]) -> int:
        """The status of ``POST /message``."""
        request = SimpleNamespace(
            headers={"authorization": "t"}, raw_body=json.dumps(message).encode(), query_params=None
        )
        return http.post_message(self.relay, self.parameters, request, self._clock()).status_code

    def invoke(self, message: object, request_id: str) -> dict[str, Any]:
        return send_invoked(self.relay, message, request_id, self.deadline)

    def stream(self, *images: Mapping[str, Any]) -> None:
        """A batch of the stream. An item's place in it is that of its sort key among the items of a test."""
        batch = [stream_record(image) for image in images]
        for record, image in zip(batch, images, strict=True):
            record["dynamodb"]["SequenceNumber"] = str(int.from_bytes(image["SK"]["S"].encode(), "big"))
        self.relay.take(self.tasks.read_stream(batch), deadline=self.deadline)

    def queue(self, *batch: Mapping[str, Any]) -> None:
        self.relay.take(read_queue(batch), deadline=self.deadline)

    def redeliver(self) -> None:
        self.relay.redeliver(deadline=self._clock() + REDELIVER_SECONDS)

    def sweep(self) -> None:
        self.relay.take(self.tasks.sweep(), deadline=self.deadline)


class World:
    """Two tables, a clock, a Telegram, and processes that come and go. table: the outbox's, in memory or a real one."""

    def __init__(self, table: Any = None) -> None:
        self.table = MemoryTable() if table is None else table
        self.tasks = TasksInMemory()
        self.clock = Clock()
        self.random = random.Random(1)
        self.telegram = ScriptedTelegram(self.clock)

    def process(self, steps: Steps | None = None, chance: random.Random | None = None) -> Process:
        return Process(self, steps or Steps(), chance or self.random)

    def put(self, *images: Mapping[str, Any]) -> None:
        for image in images:
            self.tasks.put(image)

    def rows(self) -> list[Row]:
        """The rows of messages."""
        return [row for row in self.table.scan() if row.status is not None]

    def owed(self) -> list[Row]:
        return [row for row in self.rows() if row.owes]

    def settle(self, runs: int = 40) -> None:
        """Lets the schedule run, with new processes and far apart, until nothing is owed."""
        for _ in range(runs):
            if not self.owed():
                return
            self.clock.sleep(LEASE_SECONDS + 1)
            self.process().redeliver()
        raise AssertionError(f"still owed: {self.owed()}")


def image(text: str, sort_key: str, group: str | None = None, **fields: object) -> dict[str, Any]:
    """An item as a client puts it: in a group, or by itself."""
    payload = {"text": {"S": text}} | {name: {"S": value} for name, value in fields.items()}
    partition = f"BOTTE_MESSAGE#{group or sort_key}"
    return {
        "PK": {"S": partition},
        "SK": {"S": sort_key},
        "TaskId": {"S": "BOTTE_MESSAGE"},
        "Payload": {"M": payload},
        "ExpirationTs": {"N": "1762002142"},
    }


def queued(text: str, number: int, group: str | None = None) -> dict[str, Any]:
    """A queue's record of a message."""
    more = {} if group is None else {"MessageGroupId": group, "SequenceNumber": str(10**19 + number)}
    return queue_record(json.dumps({"text": text}), f"queued-{number}", **more)


def take(deliver: Callable[[Process], None], process: Process) -> bool:
    """Brings a batch of a queue door. Whether it is acknowledged."""
    try:
        deliver(process)
    except TableUnavailable:
        return False
    return True


def doubled(texts: Iterable[str]) -> int:
    """How many of the texts came again."""
    return sum(count - 1 for count in Counter(texts).values())


def first_arrivals(texts: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(texts))
