"""A place where one thing is at fault: a relay over tables in memory, and a Telegram that is told what to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chalicelib.contract.message import Message
from chalicelib.doors.stream import Tasks
from chalicelib.errors import TableUnavailable, Unavailable
from chalicelib.outbox import states
from chalicelib.outbox.row import Key, Row
from chalicelib.outbox.states import Content
from chalicelib.outbox.table import Outbox
from chalicelib.relay import Relay
from chalicelib.settings import Parameters
from tests import notices
from tests.doors import stream_record
from tests.outbox.memory_table import MemoryTable
from tests.outbox.steps import Clock, TasksInMemory

CHATS = {"default": 1, "other": 2}
MINUTE = 60.0
THROTTLED = TableUnavailable("throttled", retry_after=0.0)


class Telegram:
    """Takes everything but what ``errors`` names by its text or its chat; ``answer`` is what it adds to its answers.

    seconds: how long a call takes; ``hanging`` names chats of which each takes 13.
    """

    def __init__(self, clock: Clock, chats: Mapping[str, int]) -> None:
        self.clock = clock
        self.chats = chats
        self.errors: dict[str, Exception] = {}
        self.answer: dict[str, Any] = {}
        self.is_away = False
        self.seconds = 0.0
        self.hanging: set[str] = set()
        self.came: list[tuple[str, float]] = []

    @property
    def texts(self) -> list[str]:
        return notices.sent(text for text, _ in self.came)

    @property
    def notices(self) -> list[str]:
        return notices.notices(text for text, _ in self.came)

    def call(self, method: str, fields: Mapping[str, Any], file: object = None) -> Any:
        if self.is_away:
            raise Unavailable("away")
        if method == "getMe":
            return {}
        (chat,) = [name for name, id in self.chats.items() if id == fields["chat_id"]]
        self.clock.sleep(13.0 if chat in self.hanging else self.seconds)
        if chat in self.hanging:
            raise Unavailable("no answer")
        for name in (fields["text"], chat):
            if name in self.errors:
                raise self.errors[name]
        self.came.append((fields["text"], self.clock()))
        return {"message_id": len(self.came), **self.answer}


class Place:
    """A relay, warm or not, over a table in memory."""

    def __init__(
        self,
        table: MemoryTable | None = None,
        *,
        tasks: TasksInMemory | None = None,
        chats: Mapping[str, int] = CHATS,
    ) -> None:
        self.clock = Clock()
        self.chats = dict(chats)
        self.table = table or MemoryTable()
        self.telegram = Telegram(self.clock, self.chats)
        self.tasks_table = tasks or TasksInMemory()
        self.tasks_table.clock = self.clock
        self.tasks = Tasks(self.tasks_table, clock=self.clock)  # type: ignore[arg-type]
        self.relay = self.cold_relay()

    def cold_relay(self) -> Relay:
        values = {"/p/telegram-bot-token": "1:a", "/p/telegram-chats": json.dumps(self.chats)}
        parameters = Parameters("/p", lambda _: values, clock=self.clock)
        outbox = Outbox(self.table, clock=self.clock, sleep=self.clock.sleep)
        return Relay(self.telegram, outbox, parameters, clock=self.clock, sleep=self.clock.sleep)

    def owe(self, text: str, chat: str = "default") -> Key:
        key = Key.of_id(text)
        self.table.apply(key, states.wait(Content.of(Message(text=text, chat=chat), self.clock())))
        return key

    def stream(self, *images: Mapping[str, Any]) -> None:
        """Puts items into the task table, and hands their records to the stream door."""
        batch = []
        for image in images:
            self.tasks_table.put(image)
            batch.append(stream_record(image))
        self.relay.take(self.tasks.read_stream(batch), deadline=self.clock() + 60)

    def sweep(self) -> None:
        self.relay.take(self.tasks.sweep(), deadline=self.clock() + 60)

    def redrive(self, id: str) -> None:
        key = Key.of_id(id)
        self.table.apply(key, states.redrive(Row(self.table.items[key]), now=self.clock()))

    def messages(self) -> list[Row]:
        """The rows of the messages that senders sent."""
        return [row for row in self.table.scan() if row.status and not row.key.is_notice]

    def run(self) -> None:
        """A run of the schedule, and the rest of its minute."""
        began = self.clock()
        self.relay.redeliver(deadline=began + 90)
        self.clock.now = max(self.clock.now, began + MINUTE)
