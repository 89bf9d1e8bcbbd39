"""The DynamoDB door: the records of the task table's stream, and what no record ever brought.

Shape: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from .. import senders
from ..contract.message import FIELDS, is_id
from ..contract.reading import Reading, read_leniently
from ..contract.task import GROUP_PREFIX, InvalidTask, is_task, to_fields
from ..dynamodb import ConditionFailed, DynamoTable, pages
from ..errors import TableUnavailable
from ..outbox.row import Key
from ..relay import Entry

SWEEP_SECONDS = 900.0
MAX_SWEEP_SECONDS = 10.0  # of a run
_SEQUENCE_DIGITS = 40
_MAX_SWEPT_CHARACTERS = 255  # the sort key of an index may have 1,024 bytes
_CONTENT = ("SenderApp", "Payload")

_log = logging.getLogger("botte.stream")

Item = Mapping[str, Any]


class Tasks:
    """The task table, as far as the relay touches it: a task leaves it once the outbox has its message.

    clock: epoch seconds.
    """

    def __init__(self, table: DynamoTable, *, clock: Callable[[], float] = time.time) -> None:
        self._table = table
        self._clock = clock
        self._swept_ts = 0.0
        self._scan: Iterator[Item] | None = None
        self._seen: set[Key] = set()
        self._lay_there: set[Key] = set()
        self._untaken: set[str] = set()  # groups of which a task was given, and not taken: those behind it wait

    def read_stream(self, records: Iterable[Item]) -> Iterator[Entry]:
        """The tasks that were put into the table. One that was put over another is read like any other."""
        for record in records:
            if record.get("eventName") not in ("INSERT", "MODIFY"):
                continue
            change = record["dynamodb"]
            image = change.get("NewImage") or change["Keys"]
            if is_task(image):
                yield self._entry(image, change["SequenceNumber"].zfill(_SEQUENCE_DIGITS))

    def sweep(self) -> Iterator[Entry]:
        """The tasks that lay there already at the sweep before: no stream brings them any more.

        Every 15 minutes; one that takes longer than 10 s goes on at the next call. In their groups they come first.
        """
        now = self._clock()
        if self._scan is None:
            if now < self._swept_ts + SWEEP_SECONDS:
                return
            self._scan = pages(self._table.call, "Scan", ConsistentRead=True)
            self._lay_there, self._seen = self._seen, set()
            self._untaken.clear()
        try:
            for item in self._scan:  # in each partition by their sort keys
                if is_task(item):
                    entry = self._entry(item, " " + item["SK"]["S"][:_MAX_SWEPT_CHARACTERS])
                    self._seen.add(entry.record)
                    if entry.record in self._lay_there and entry.group not in self._untaken:
                        _log.warning("a task that no stream brought", extra={"id": item["SK"]["S"]})
                        self._untaken.update([] if entry.group is None else [entry.group])
                        yield entry
                if self._clock() > now + MAX_SWEEP_SECONDS:
                    return
        except TableUnavailable:
            self._seen |= self._lay_there  # those that were not reached
            self._scan, self._swept_ts = None, self._clock()
            raise
        self._scan, self._swept_ts = None, self._clock()

    def _entry(self, item: Item, sequence: str) -> Entry:
        partition, sort = item["PK"]["S"], item["SK"]["S"]
        is_alone = partition == GROUP_PREFIX + sort
        group = partition if partition.startswith(GROUP_PREFIX) and not is_alone else None
        record = Key.of_record(partition, sort, _content(item), group=group)
        return Entry(
            record,
            sort if is_alone and is_id(sort) else None,
            partial(_read_item, item),
            _raw(item),
            sequence=None if group is None else sequence,
            forget=partial(self._forget, item, record.partition),
        )

    def _forget(self, item: Item, group: str) -> None:
        """Deletes a task, unless another was put over it. If that fails, a sweep finds it, and the outbox knows it."""
        self._untaken.discard(group)
        tests = [f"{name} = :{name}" if name in item else f"attribute_not_exists({name})" for name in _CONTENT]
        values = {f":{name}": item[name] for name in _CONTENT if name in item}
        try:
            self._table.call(
                "DeleteItem",
                Key={"PK": item["PK"], "SK": item["SK"]},
                ConditionExpression=" AND ".join(tests),
                **({"ExpressionAttributeValues": values} if values else {}),
            )
        except ConditionFailed:
            pass
        except TableUnavailable as error:
            _log.warning("a task stays in its table", extra={"id": item["SK"]["S"], "reason": error.reason})


def _read_item(item: Item, now: float) -> Reading:
    given, unreadable = to_fields(item)
    if isinstance(given, str):
        return senders.read_text(given, now=now)
    if "text" in unreadable:
        raise InvalidTask("Payload.text", "has a type that a message does not have")
    sent, label = given, {}
    if isinstance(given, Mapping) and "SenderApp" in item:  # a label beside what was sent
        sent = {name: given[name] for name in given if name != "sender_app"}
        label = {"sender_app": given.get("sender_app")}
    message, mended = read_leniently({**senders.to_fields(sent), **label}, now=now)
    return Reading(message, (*mended, *(name for name in unreadable if name in FIELDS)))


def _content(item: Item) -> str:
    """What makes one task another, under the same key. Whatever else an item holds is not looked at."""
    return _json({name: item[name] for name in _CONTENT if name in item})


def _raw(item: Item) -> str:
    """The fields as JSON, as another door would bring them; or else the attributes."""
    try:
        fields, unreadable = to_fields(item)
    except InvalidTask:
        return _content(item)
    if isinstance(fields, str):
        return fields
    return _content(item) if unreadable else _json(fields)


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
