"""The world: it plays a plan to its end, and keeps the history."""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from typing import Any
from unittest.mock import patch
from zlib import crc32

from chalicelib.relay import parkings
from chalicelib.telegram import rendering
from tests.simulation.callers import Callers
from tests.simulation.chats import Chats
from tests.simulation.history import Event, History
from tests.simulation.internal_errors import InternalErrors
from tests.simulation.plan import Plan
from tests.simulation.processes import HTTP_TOKEN, Functions, Kill, Process
from tests.simulation.scheduler import EPOCH, Scheduler
from tests.simulation.sources import FifoQueue, Queue, Shard
from tests.simulation.submission import MAX_TEXT_UNITS, Submission, notice_of
from tests.simulation.table import SharedTable
from tests.simulation.tasks import TaskTable
from tests.simulation.weather import INDEX, Weather

MINUTE = 60.0
SWEEP_MINUTES = 5  # a task that lies there is looked for every 15 minutes
STALL_SECONDS = (100.0, 260.0)
MAX_EVENTS = 20_000  # only a broken relay makes more
INDEX_LAG_SECONDS = 0.1
SHARDS = 2
BOTTE = {"S": "BOTTE_MESSAGE"}


class World:
    """All there is around the relay. ``random`` is the only chance in it, ``clock`` the only time."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.random = Random(plan.seed)
        self.clock = Scheduler()
        self.weather = Weather(plan.phases)
        self.history = History()
        self.table = SharedTable(self.clock, self._index_lag)
        self.tasks = TaskTable(self._add_record)
        self.functions = Functions(self)
        self.chats = Chats(self.note)
        self._callers = Callers(self)
        self._shards = [Shard(self) for _ in range(SHARDS)]
        self._queue = Queue(self)
        self._fifo = FifoQueue(self)
        self._chats = dict(plan.chats)
        self._puts = Counter((sent.partition, sent.sort) for sent in plan.submissions if sent.door == "task")
        self._names = {id: name for name, id in plan.chats.items()}

    def play(self) -> History:
        """The history, from the first message until nothing is owed any more, or the plan's limit."""
        for start, end, where, kind, rate, seconds in self.plan.phases:
            facts = {"where": where, "kind": kind, "rate": rate, "seconds": seconds, "until": end}
            self.clock.at(start, self.note, "", "weather", **facts)
        for chat, start, end in self.plan.removals:
            self.clock.at(start, self._remove, chat)
            if end < self.plan.limit:
                self.clock.at(end, self._restore, chat)
        for sent in self.plan.submissions:
            self.clock.at(sent.at, self._submit, sent)
        self.clock.at(self.plan.calm, self.note, "", "calm")
        self.clock.at(self.plan.calm + MINUTE, self._callers.redrive)
        self.clock.at(EPOCH + self.random.uniform(0.0, MINUTE), self._run_schedule)
        with (
            InternalErrors(self.note),
            patch.object(rendering, "MAX_TEXT_UNITS", MAX_TEXT_UNITS),
            patch.object(parkings, "words", notice_of),
        ):
            while self.clock.next_time is not None:
                self.clock.run(self.clock.next_time)
                if len(self.history.events) > MAX_EVENTS:
                    self.note("", "endless")
                    break
        self.history.rows = list(self.table.items.values())
        self.history.tasks = list(self.tasks.items.values())
        self.history.queued = [
            *self._queue.messages,
            *(tag for group in self._fifo.groups.values() for _, tag in group),
        ]
        return self.history

    def note(self, who: str, what: str, **facts: Any) -> None:
        self.history.events.append(Event(self.clock.now, who, what, facts))

    # What the rest of the world asks.

    def is_stormy(self) -> bool:
        return self.clock.now < self.plan.calm

    def is_cold(self) -> bool:
        """Whether the next invocation gets a new process."""
        return self.is_stormy() and self.random.random() < self.plan.cold_rate

    def next_kill(self, function: str) -> Kill | None:
        """When the next invocation dies, or stands still for longer than a lease."""
        if not self.is_stormy():
            return None
        chance = self.random.random()
        if chance >= self.plan.kill_rate + self.plan.stall_rate:
            return None
        if self.plan.stall_follows:
            return Kill(
                self.random.randint(1, 4), "before", self.random.uniform(*STALL_SECONDS), self.plan.stall_follows
            )
        number = int(self.random.expovariate(1 / (15 if function == "redeliver" else 5))) + 1
        stall = 0.0 if chance < self.plan.kill_rate else self.random.uniform(*STALL_SECONDS)
        return Kill(number, self.random.choice(("before", "after")), stall)

    def chat_named(self, id: int) -> str:
        return self._names[id]

    def parameters(self) -> dict[str, str]:
        return {
            "telegram-bot-token": "1:a",
            "http-api-token": HTTP_TOKEN,
            "telegram-chats": json.dumps(self._chats),
        }

    def _index_lag(self) -> float:
        phase = self.weather.at(self.clock.now, INDEX)
        return INDEX_LAG_SECONDS if phase is None else phase.seconds

    # What happens in it.

    def _remove(self, chat: str) -> None:
        del self._chats[chat]
        self.note("", "chat removed", chat=chat)

    def _restore(self, chat: str) -> None:
        self._chats[chat] = self.plan.chats[chat]
        self.note("", "chat restored", chat=chat)

    def _submit(self, sent: Submission) -> None:
        self.note("", "submitted", **sent.facts)
        match sent.door:
            case "http" | "sync":
                self._callers.call(sent)
            case "async":
                self._callers.call_async(sent)
            case "task":
                self.tasks.put(sent.item, sent.tag)
            case "queue":
                self._queue.send(sent.tag, sent.json)
            case "fifo":
                self._fifo.send(sent.tag, sent.json, str(sent.group))

    def _add_record(self, record: dict[str, Any], tag: str) -> None:
        key = record["dynamodb"]["Keys"]
        place = key["PK"]["S"], key["SK"]["S"]
        may_lose = tag and self.is_stormy() and self._puts[place] == 1  # a sender may put over it what is not read yet
        if may_lose and self.random.random() < self.plan.record_loss:
            self.note("", "record lost", tag=tag)
            return
        lag = self.random.uniform(0.1, 1.5)
        if self.is_stormy() and self.random.random() < self.plan.lag_rate:
            lag = self.random.uniform(5.0, 120.0)
        if tag:
            self.note("", "record", tag=tag, lag=lag)
        self._shards[crc32(place[0].encode("utf-8", "surrogatepass")) % SHARDS].add(record, tag, lag)

    def _run_schedule(self) -> None:
        """A run of redeliver, sometimes two at once."""
        self.functions.invoke("redeliver", Process.redeliver)
        if self.random.random() < self.plan.twice_rate:
            pause = self.random.choice((0.0, self.random.uniform(0.0, 20.0)))
            self.clock.after(pause, lambda: self.functions.invoke("redeliver", Process.redeliver))
        self.clock.after(MINUTE - 0.1, lambda: self._plan_run(self.clock.now + 0.1))

    def _plan_run(self, next_run: float) -> None:
        """Plans the next run; minutes in which nothing can be due are passed over."""
        if not self._is_busy():
            times = [time for time in (self.table.first_due(), self.clock.next_time) if time is not None]
            times += [next_run + SWEEP_MINUTES * MINUTE] if self._has_tasks() else []
            if not times:
                return
            next_run += -(-max(0.0, min(times) - next_run) // MINUTE) * MINUTE
        if next_run < self.plan.limit:
            self.clock.at(next_run, self._run_schedule)

    def _is_busy(self) -> bool:
        """Whether something can become due at any time."""
        sources = all(shard.is_empty for shard in self._shards) and not self._queue.messages
        return bool(self.is_stormy() or not sources or self.functions.running or any(self._fifo.groups.values()))

    def _has_tasks(self) -> bool:
        return any(item.get("TaskId", BOTTE) == BOTTE for item in self.tasks.items.values())


def play(plan: Plan) -> History:
    """The history of a plan."""
    return World(plan).play()
