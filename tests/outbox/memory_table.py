"""The outbox's table in memory: it makes changes as ``states`` gives them, a thousand times as fast as a real one.

``test_memory_table.py`` holds it to DynamoDB's own, on the embedded AWS.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.contract.task import to_attribute
from chalicelib.errors import TableAnswerLost
from chalicelib.outbox.row import Key, Row
from chalicelib.outbox.states import Change, Check
from chalicelib.outbox.table import PAGE, NotApplied

Item = Mapping[str, Any]

IN_DUE = ("PK", "SK", "Chat", "DueTs", "Status", "Sequence", "TurnTs", "Failures", "Touched")
IN_UNSENT = ("PK", "SK", "Place", "Status", "Chat", "DueTs", "TurnTs", "Sequence")


class MemoryTable:
    """A table of the outbox. An item is never changed but replaced, so none is copied."""

    def __init__(self) -> None:
        self.items: dict[Key, Item] = {}
        self._due: defaultdict[str, list[tuple[float, Key]]] = defaultdict(list)
        self._unsent: defaultdict[str, list[tuple[str, Key]]] = defaultdict(list)

    def apply(self, key: Key, change: Change) -> Row:
        old = self.items.get(key, {})
        if change.when and not any(all(_holds(check, old) for check in line) for line in change.when):
            raise NotApplied(Row(old))
        new = {"PK": {"S": key.partition}, "SK": {"S": key.sort}, **old}
        new |= {name: to_attribute(value) for name, value in change.defaults.items() if name not in old}
        new |= {name: to_attribute(value) for name, value in change.sets.items()}
        new |= {name: to_attribute(Row(old)._count(name) + count) for name, count in change.adds.items()}
        self.replace(key, {name: value for name, value in new.items() if name not in change.removes})
        return Row(self.items[key])

    def get(self, key: Key) -> Row | None:
        return Row(self.items[key]) if key in self.items else None

    def head(self, partition: str) -> Row | None:
        members = self._unsent[partition]
        return _projected(self.items[members[0][1]], IN_UNSENT) if members else None

    def due(self, chat: str, by: float) -> Iterator[Row]:
        """Page by page, each as the lane is when it is read."""
        last: tuple[Any, ...] = ()
        while True:
            lane = self._due[chat]
            start = bisect_right(lane, last)
            page = [entry for entry in lane[start : start + PAGE] if entry[0] <= by]
            rows = [_projected(self.items[key], IN_DUE) for _, key in page]
            yield from rows
            if len(page) < PAGE:
                return
            last = page[-1]

    def heartbeats(self) -> Iterator[Row]:
        return self._rows(Key.of_heartbeat("").partition)

    def lanes(self) -> Iterator[Row]:
        return self._rows(Key.of_lane("").partition)

    def _rows(self, partition: str) -> Iterator[Row]:
        return iter([Row(item) for key, item in self.items.items() if key.partition == partition])

    def chats(self) -> Iterator[str]:
        return iter([chat for chat, lane in self._due.items() if lane])

    def scan(self) -> Iterator[Row]:
        return iter([Row(item) for item in self.items.values()])

    def replace(self, key: Key, new: Item | None) -> None:
        """Puts an item in the place of the one that is there; None deletes it, as the time to live does."""
        old = self.items.pop(key, None)
        for item, is_new in ((old, False), (new, True)):
            if item is None:
                continue
            row = Row(item)
            if row.due_ts is not None and "Chat" in item:
                _index(self._due[row.chat], (row.due_ts, key), is_new=is_new)
            if "Place" in item:
                _index(self._unsent[key.partition], (item["Place"]["S"], key), is_new=is_new)
        if new is not None:
            self.items[key] = new


class FlakyTable:
    """A table whose writes go as the script says: with None, and at its end, they do their work.

    TableAnswerLost does its work and loses the answer; any other error is raised instead.
    """

    def __init__(self, table: MemoryTable, *script: Exception | None) -> None:
        self._table = table
        self.script = list(script)

    def apply(self, key: Key, change: Change) -> Row:
        error = self.script.pop(0) if self.script else None
        if error is not None and not isinstance(error, TableAnswerLost):
            raise error
        row = self._table.apply(key, change)
        if error is not None:
            raise error
        return row

    def __getattr__(self, read: str) -> Any:
        return getattr(self._table, read)


def _index(entries: list[Any], entry: tuple[Any, Key], *, is_new: bool) -> None:
    if is_new:
        insort(entries, entry)
    else:
        entries.remove(entry)


def _projected(item: Item, names: tuple[str, ...]) -> Row:
    return Row({name: item[name] for name in names if name in item})


def _holds(check: Check, item: Item) -> bool:
    if check.operator == "is absent":
        return check.attribute not in item
    value = item.get(check.attribute)
    if value is None:
        return False
    if check.operator == "<=":
        return float(value.get("N", "nan")) <= float(check.value)  # type: ignore[arg-type]
    return bool(value == to_attribute(check.value))
