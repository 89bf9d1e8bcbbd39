"""The outbox's table: one write, and a few reads, none of which grows with what was delivered.

The index ``due`` has what owes a delivery, lane by lane; the local index ``unsent`` the members of each group that do,
in their order. A read of the former may be a moment old, so whoever finds a row there claims it before it sends it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, Protocol, TypeVar

from ..contract.task import to_attribute
from ..dynamodb import ConditionFailed, DynamoTable, pages
from ..errors import TableAnswerLost, TableUnavailable
from . import states
from .row import Key, Row
from .states import Change, Check, Content

PATIENCE_SECONDS = 5.0  # for which a write is tried again
PAGE = 100  # more than a lane can send in a minute
T = TypeVar("T")

MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.1, 2.0


class NotApplied(Exception):
    """The row is not in a state from which the event leads; ``row`` is what is there.

    body_hash: of the message that the key names.
    """

    def __init__(self, row: Row, body_hash: str | None = None) -> None:
        super().__init__(row.status)
        self.row = row
        self.body_hash = body_hash or row.body_hash


class Counts(NamedTuple):
    """What the table holds; ``oldest_pending_ts`` is when the oldest pending message was accepted."""

    accepted: int
    pending: int
    failed: int
    oldest_pending_ts: float | None


class Table(Protocol):
    """The table itself: each method makes one request, ``due``, ``chats`` and ``scan`` one for each page.

    They raise TableUnavailable: TableAnswerLost where what was to be written perhaps is, WriteRefused where it never
    will be.
    """

    def apply(self, key: Key, change: Change) -> Row: ...
    def get(self, key: Key) -> Row | None: ...
    def head(self, partition: str) -> Row | None: ...
    def due(self, chat: str, by: float) -> Iterator[Row]: ...
    def lanes(self) -> Iterator[Row]: ...
    def heartbeats(self) -> Iterator[Row]: ...
    def chats(self) -> Iterator[str]: ...
    def scan(self) -> Iterator[Row]: ...


class Outbox:
    """The rows of one table; what fails is tried again for 5 s, or until the time (epoch seconds) that is given."""

    def __init__(
        self,
        table: Table,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._table = table
        self._clock = clock
        self._sleep = sleep

    def apply(self, key: Key, change: Change, *, until: float | None = None) -> Row:
        """Changes a row, and gives it as it is then.

        Raises NotApplied; TableUnavailable where the change is surely not made, TableAnswerLost where it perhaps is.
        """
        ends = self._clock() + PATIENCE_SECONDS if until is None else until
        pause, lost = MIN_PAUSE_SECONDS, False
        while True:
            try:
                return self._table.apply(key, change)
            except NotApplied as refused:
                if lost and _is_applied(change, refused.row):
                    return refused.row
                raise
            except TableUnavailable as error:
                lost = lost or isinstance(error, TableAnswerLost)
                if error.retry_after is None or self._clock() + pause > ends:
                    raise (TableAnswerLost(error.reason) if lost else error) from None
            self._sleep(pause)
            pause = min(2 * pause, MAX_PAUSE_SECONDS)

    def add(
        self, key: Key, content: Content, change: Callable[[Content], Change], *, until: float | None = None
    ) -> Row:
        """Adds a new message, by the change that its content makes, and gives its row. until: as in ``apply``.

        Raises NotApplied where the key names a message already, with that message's row; TableUnavailable.
        """
        try:
            return self.apply(key, change(content), until=until)
        except NotApplied as known:
            row, gone, body_hash = known.row, known.row.owner, known.body_hash
            if gone is None:
                raise
        # An id that a row only reserves is free again when its message's own row is over.
        owner = self.find_deliverer(row)
        if owner is not None and not owner.is_over(content.accepted):
            raise NotApplied(owner, body_hash)
        return self.apply(key, change(content._replace(gone=gone)), until=until)

    def reserve(self, id: str, owner: Key, content: Content) -> None:
        """Has an id name the message whose row is ``owner``. Raises as ``add`` does."""
        self.add(
            Key.of_id(id),
            content,
            lambda new: states.reserve(owner, body_hash=new.body_hash, now=new.accepted, gone=new.gone),
        )

    def get(self, key: Key) -> Row | None:
        """The row, read consistently; None if there is none."""
        return self._patiently(lambda: self._table.get(key))

    def find_deliverer(self, row: Row) -> Row | None:
        """The row that delivers the message of this one: itself, or the one that owns it, as its message sees it."""
        found, version = row, 0
        while found.owner is not None:
            version = found.version
            owner = self.get(found.owner)
            if owner is None:
                return None
            found = owner
        return found.as_of(version) if found.key.is_live else found

    def head(self, partition: str) -> Row | None:
        """The first of a group that owes a delivery and has its place, read consistently.

        Of it its key, ``status``, ``chat``, ``due_ts``, ``turn_ts`` and ``sequence``.
        """
        return self._patiently(lambda: self._table.head(partition))

    def due(self, chat: str, by: float) -> Iterator[Row]:
        """What is due in a lane by a time, the oldest first: messages and groups, a page at a time.

        Of each its key, ``status``, ``due_ts``, ``turn_ts``, ``sequence``, ``failures`` and ``touched``.
        """
        return self._table.due(chat, by)

    def lanes(self) -> dict[str, float]:
        """Until when (epoch seconds) each chat has to wait that ever had to."""
        return self._patiently(lambda: {row.key.sort: row.not_before_ts for row in self._table.lanes()})

    def heartbeats(self) -> list[Row]:
        """The rows of all heartbeats, by their names."""
        return self._patiently(lambda: list(self._table.heartbeats()))

    def chats(self) -> Iterator[str]:
        """The chats to which a delivery is owed, one many times. It reads all that is owed, but nothing else."""
        return self._table.chats()

    def scan(self, *statuses: str) -> Iterator[Row]:
        """The rows of messages that have one of these statuses, but for those that are shown.

        It reads the whole table: for operators.
        """
        return (row for row in self._table.scan() if row.status in statuses and not row.is_shown)

    def count(self) -> Counts:
        """How many messages are in the table. It reads all of it."""
        rows = [row for row in self._table.scan() if row.status is not None]
        owed = [row for row in rows if row.owes and not row.is_shown]
        return Counts(
            accepted=len(rows),
            pending=len(owed),
            failed=sum(row.status == "FAILED" for row in rows),
            oldest_pending_ts=min((row.accepted_ts for row in owed if row.accepted_ts is not None), default=None),
        )

    def _patiently(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except TableUnavailable as error:
            if error.retry_after is None:
                raise
        self._sleep(MIN_PAUSE_SECONDS)
        return read()


def _is_applied(change: Change, row: Row) -> bool:
    """Whether a row is as the change makes it: then it was this one whose answer was lost."""
    return all(_plain(row.item.get(name)) == _plain(to_attribute(value)) for name, value in change.sets.items())


def _plain(attribute: object) -> object:
    """An attribute value to compare: DynamoDB writes numbers in its own way."""
    if isinstance(attribute, Mapping) and "N" in attribute:
        return float(attribute["N"])
    if isinstance(attribute, Mapping) and "L" in attribute:
        return [_plain(each) for each in attribute["L"]]
    return attribute


class OutboxTable:
    """The table in DynamoDB."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    def apply(self, key: Key, change: Change) -> Row:
        try:
            answer = self._table.call("UpdateItem", Key=_key(key), **_expressions(change))
        except ConditionFailed as failed:
            raise NotApplied(Row(failed.item)) from None
        return Row(answer["Attributes"])

    def get(self, key: Key) -> Row | None:
        item = self._table.call("GetItem", Key=_key(key), ConsistentRead=True).get("Item")
        return Row(item) if item else None

    def head(self, partition: str) -> Row | None:
        found = self._query(
            "PK = :partition", {":partition": partition}, IndexName="unsent", ConsistentRead=True, Limit=1
        )
        return next(found, None)

    def due(self, chat: str, by: float) -> Iterator[Row]:
        return self._query("Chat = :chat AND DueTs <= :by", {":chat": chat, ":by": by}, IndexName="due", Limit=PAGE)

    def lanes(self) -> Iterator[Row]:
        return self._query("PK = :lanes", {":lanes": Key.of_lane("").partition})

    def heartbeats(self) -> Iterator[Row]:
        return self._query("PK = :heartbeats", {":heartbeats": Key.of_heartbeat("").partition})

    def chats(self) -> Iterator[str]:
        return (row.chat for row in self._pages("Scan", IndexName="due", ProjectionExpression="Chat"))

    def scan(self) -> Iterator[Row]:
        return self._pages("Scan", ConsistentRead=True)

    def _query(self, condition: str, values: Mapping[str, object], **options: object) -> Iterator[Row]:
        named = {name: to_attribute(value) for name, value in values.items()}
        return self._pages("Query", KeyConditionExpression=condition, ExpressionAttributeValues=named, **options)

    def _pages(self, operation: str, **arguments: object) -> Iterator[Row]:
        return map(Row, pages(self._table.call, operation, **arguments))


def _expressions(change: Change) -> dict[str, object]:
    """The arguments of UpdateItem that make a change."""
    values: dict[str, object] = {}

    def value(plain: object) -> str:
        name = f":{len(values)}"
        values[name] = to_attribute(plain)
        return name

    sets = [f"#{name} = {value(plain)}" for name, plain in change.sets.items()]
    sets += [f"#{name} = if_not_exists(#{name}, {value(plain)})" for name, plain in change.defaults.items()]
    clauses = {
        "SET": sets,
        "REMOVE": [f"#{name}" for name in change.removes],
        "ADD": [f"#{name} {value(count)}" for name, count in change.adds.items()],
    }
    condition = " OR ".join(" AND ".join(_test(check, value) for check in line) for line in change.when)
    tested = [check.attribute for line in change.when for check in line]
    names = dict.fromkeys((*change.sets, *change.defaults, *change.removes, *change.adds, *tested))
    arguments: dict[str, object] = {
        "UpdateExpression": " ".join(f"{verb} {', '.join(parts)}" for verb, parts in clauses.items() if parts),
        "ExpressionAttributeNames": {f"#{name}": name for name in names},
        "ExpressionAttributeValues": values,
        "ReturnValues": "ALL_NEW",
    }
    if condition:
        arguments |= {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    return arguments


def _test(check: Check, value: Callable[[object], str]) -> str:
    if check.operator == "is absent":
        return f"attribute_not_exists(#{check.attribute})"
    return f"#{check.attribute} {check.operator} {value(check.value)}"


def _key(key: Key) -> dict[str, object]:
    return {"PK": to_attribute(key.partition), "SK": to_attribute(key.sort)}
