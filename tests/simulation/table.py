"""The outbox's table as processes reach it: each call takes time, and may fail; the index ``due`` may be behind."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from chalicelib.errors import TableAnswerLost, TableUnavailable
from chalicelib.outbox.row import Key, Row
from chalicelib.outbox.states import Change
from chalicelib.outbox.table import NotApplied
from tests.outbox.memory_table import IN_DUE, Item, MemoryTable
from tests.simulation.weather import SLOW_TABLE, TABLE

if TYPE_CHECKING:
    from tests.simulation.processes import Process
    from tests.simulation.world import World

LOST_SECONDS = 3.0  # the client's timeout
T = TypeVar("T")


class SharedTable(MemoryTable):
    """The one table. Its index ``due`` shows a change ``lag`` seconds later, changes in their order."""

    def __init__(self, clock: Callable[[], float], lag: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._lag = lag
        self._shown: defaultdict[str, dict[Key, tuple[float, Item]]] = defaultdict(dict)
        self._places: dict[Key, str] = {}
        self._coming: deque[tuple[float, Key, Item]] = deque()

    def replace(self, key: Key, new: Item | None) -> None:
        super().replace(key, new)
        at = self._clock() + self._lag()
        self._coming.append((max(at, self._coming[-1][0]) if self._coming else at, key, new or {}))

    def due_page(self, chat: str, by: float, after: Row | None, size: int) -> list[Row]:
        self._show()
        lane = self._shown[chat]
        found = sorted((due, key) for key, (due, _) in lane.items() if due <= by)
        if after is not None:
            found = [place for place in found if place > (after.due_ts, after.key)]
        items = [lane[key][1] for _, key in found[:size]]
        return [Row({name: item[name] for name in IN_DUE if name in item}) for item in items]

    def shown_chats(self) -> list[str]:
        self._show()
        return [chat for chat, lane in self._shown.items() for _ in lane]

    def first_due(self) -> float | None:
        """When the first row is due, as the table itself has it."""
        return min((entries[0][0] for entries in self._due.values() if entries), default=None)

    def _show(self) -> None:
        while self._coming and self._coming[0][0] <= self._clock():
            _, key, item = self._coming.popleft()
            if key in self._places:
                del self._shown[self._places.pop(key)][key]
            row = Row(item)
            if row.due_ts is not None and "Chat" in item:
                self._places[key] = row.chat
                self._shown[row.chat][key] = (row.due_ts, item)


def call_table(world: World, process: Process, name: str, key: str, effect: Callable[[], T]) -> T:
    """One request to a table, with the weather there is."""
    slow = world.weather.at(world.clock(), SLOW_TABLE)
    most = slow.seconds if slow is not None and world.random.random() < slow.rate else 0.03
    process.wait(name, world.random.uniform(0.003, most))
    phase = world.weather.at(world.clock(), TABLE)
    if phase is not None and world.random.random() < phase.rate:
        is_done = phase.kind == "lost" and world.random.random() < 0.5
        if is_done:
            try:
                effect()
            except NotApplied:
                is_done = False
        world.note(process.name, "table fails", call=name, key=key, kind=phase.kind, done=is_done)
        if phase.kind == "throttle":
            raise TableUnavailable("ThrottlingException", retry_after=0.0)
        process.wait(name, LOST_SECONDS)
        raise TableAnswerLost("ReadTimeoutError", retry_after=0.0)
    answer = effect()
    process.done(name)
    return answer


class OutboxTable:
    """The table, as one process reaches it."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process
        self._table = world.table

    def apply(self, key: Key, change: Change) -> Row:
        return self._call("write", key, lambda: self._apply(key, change))

    def get(self, key: Key) -> Row | None:
        return self._call("get", key, lambda: self._table.get(key))

    def head(self, partition: str) -> Row | None:
        return self._call("head", Key(partition, ""), lambda: self._table.head(partition))

    def due(self, chat: str, by: float) -> Iterator[Row]:
        rows: list[Row] = []
        while True:
            after, size = rows[-1] if rows else None, self._world.plan.page
            rows = self._call("due", Key(chat, ""), partial(self._table.due_page, chat, by, after, size))
            yield from rows
            if len(rows) < size:
                return

    def lanes(self) -> Iterator[Row]:
        return self._call("lanes", Key("LANE", ""), self._table.lanes)

    def heartbeats(self) -> Iterator[Row]:
        raise NotImplementedError("for operators")

    def chats(self) -> Iterator[str]:
        yield from self._call("chats", Key("", ""), self._table.shown_chats)

    def scan(self) -> Iterator[Row]:
        raise NotImplementedError("for operators")

    def _call(self, name: str, key: Key, effect: Callable[[], T]) -> T:
        return call_table(self._world, self._process, name, "|".join(key), effect)

    def _apply(self, key: Key, change: Change) -> Row:
        try:
            row = self._table.apply(key, change)
        except NotApplied as known:
            self._note("not written", key, known.row.item)
            raise
        self._note("row", key, row.item)
        return row

    def _note(self, what: str, key: Key, item: Any) -> None:
        facts: dict[str, Any] = {"status": item["Status"]["S"]} if "Status" in item else {}
        for name, fact in (("DueTs", "due"), ("Attempts", "attempts")):
            if name in item:
                facts[fact] = float(item[name]["N"])
        if key.partition == "LIVE":
            facts["version"] = float(item.get("Version", {"N": 0})["N"])
            facts |= {"error": item["LastError"]["S"]} if "LastError" in item else {}
        if "collapse_key" in item.get("Message", {}).get("S", ""):
            facts["tag"] = json.loads(item["Message"]["S"]).get("sender_app")
        self._world.note(self._process.name, what, key="|".join(key), **facts)
