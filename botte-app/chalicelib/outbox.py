"""The task table: outbox, ledger and dead-letter store in one. The only code that talks to it.

A row names one message. It owes a delivery while it is PENDING or SENDING: then it has a ``DueTs``, which the sparse
index ``due`` finds. For a row that is being sent, ``DueTs`` is the end of its lease: after a crash nothing else is
needed to find it again. Rows that share a partition key are a group, delivered in the order of their sort keys; one
that owes a delivery also has an ``UnsentSK``, so that the local index ``unsent`` gives the head of the group in one
consistent read, whatever the group's history. A row that was put by somebody else has no ``Status`` until a door
takes it.

Each method but ``previous``, ``due``, ``scan`` and ``count`` makes exactly one call; each raises TableUnavailable.
Times are epoch seconds, and passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from . import aws
from .delivery import NO_PROGRESS, Progress
from .errors import Ambiguous, RowUnfit, TableUnavailable, Unavailable
from .row import KEPT_OWED, KEPT_SENT, Key, Lease, Row, content, failed, kept, key_attributes, owed, raw, to_attributes
from .task import TASK_ID, is_task

# A row that holds an id for another row (it has an OwnerPK) is never sent itself.
_UNKNOWN = "attribute_not_exists(#Status) AND attribute_not_exists(OwnerPK)"
# Unless the message comes from the row itself, a payload that is there is somebody else's.
_NEW = f"{_UNKNOWN} AND attribute_not_exists(Payload)"
_OWED = "#Status IN (:pending, :sending) AND DueTs <= :now"
_EARLY = "#Status = :pending AND MayGoEarly = :true"
_HELD = "#Status = :sending AND LeaseId = :lease"
# What only a row has that owes a delivery.
_OWES = ("DueTs", "UnsentSK", "MayGoEarly")
# What DynamoDB says of a row that is too large, and of a counter that is not a number.
_UNFIT = ("size", "incorrect data type")


class NotClaimed(Exception):
    """The row is not to be sent now; ``row`` says why: done, waiting, or with somebody else."""

    def __init__(self, row: Row) -> None:
        super().__init__(row.status)
        self.row = row


class Counts(NamedTuple):
    """What the table holds; ``oldest_pending_ts`` is when the oldest pending message was accepted."""

    accepted: int
    pending: int
    failed: int
    oldest_pending_ts: float | None


class Outbox:
    """The rows of one task table. client: gives the DynamoDB client, when it is first needed."""

    def __init__(self, table_name: str, client: Callable[[], Any] = lambda: aws.client("dynamodb")) -> None:
        self._table_name = table_name
        self._client = client

    def claim(
        self,
        key: Key,
        lease: Lease,
        *,
        now: float,
        fields: Mapping[str, object] | None = None,
        body_hash: str = "",
        is_put: bool = False,
        early: bool = False,
    ) -> Row:
        """Takes a row to send it: one that is due, or whose lease is over; early: or one that may go before it is due.

        fields, body_hash: the message, where the row may not be there yet, or no door has taken it; a row that is
        there must have the same hash. is_put: the row was put there with this message. Raises NotClaimed.
        """
        sets = {"Status": "SENDING", "LeaseId": lease.id, "DueTs": lease.until, "ExpirationTs": int(now) + KEPT_OWED}
        values: dict[str, object] = {":pending": "PENDING", ":sending": "SENDING", ":now": now}
        condition, once = _OWED, {}
        if early:
            condition = f"({_OWED}) OR ({_EARLY})"
            values[":true"] = True
        if fields is not None:
            condition = f"({_UNKNOWN if is_put else _NEW}) OR ({_OWED} AND BodyHash = :BodyHash)"
            once = content(fields, body_hash, now)
        try:
            return self._update(key, sets, condition, values, once=once, count="Attempts")
        except NotClaimed as refused:
            # boto3 repeats a request whose answer was lost: then the lease on the row is ours already.
            if refused.row.lease_id == lease.id and refused.row.status == "SENDING":
                return refused.row
            raise

    def note(self, key: Key, lease: Lease, progress: Progress, *, until: float) -> Lease:
        """Keeps the progress of a row that is being sent, and extends its lease. Raises NotClaimed if it was lost."""
        self._update(key, {**kept(progress), "DueTs": until}, _HELD, _held(lease))
        return Lease(lease.id, until)

    def mark_sent(self, key: Key, lease: Lease, progress: Progress, *, now: float) -> None:
        """Notes that a row was delivered."""
        sets = {**kept(progress), "Status": "SENT", "ExpirationTs": int(now) + KEPT_SENT}
        self._finish(key, lease, sets, remove=(*_OWES, "LastError"))

    def mark_pending(self, key: Key, lease: Lease, progress: Progress, *, due: float, error: Unavailable) -> None:
        """Notes that a row is to be tried again; answers that were lost are counted in ``Ambiguous``."""
        sets = {**kept(progress), **owed(due, may_go_early=_is_outage(error)), "LastError": error.reason}
        self._finish(key, lease, sets, count="Ambiguous" if isinstance(error, Ambiguous) else None)

    def mark_failed(self, key: Key, lease: Lease, progress: Progress, *, now: float, error: str) -> None:
        """Parks a row: it is kept 30 days, with the reason."""
        self._finish(key, lease, {**kept(progress), **failed(now, error)}, remove=_OWES)

    def add_pending(
        self,
        key: Key,
        fields: Mapping[str, object],
        *,
        now: float,
        due: float,
        body_hash: str,
        error: Unavailable | None = None,
        progress: Progress = NO_PROGRESS,
        attempts: int = 0,
        is_put: bool = False,
        may_go_early: bool = False,
    ) -> None:
        """Adds a message that is to be sent later, after a failed attempt (``error``) or in its turn.

        is_put: its row was put there with this message. may_go_early: it only waits for those before it in its group.
        Raises NotClaimed if it is known.
        """
        sets = {**kept(progress), **owed(due, may_go_early=may_go_early), "Attempts": attempts}
        if error is not None:
            sets |= {"MayGoEarly": _is_outage(error), "LastError": error.reason}
        count = "Ambiguous" if isinstance(error, Ambiguous) else None
        condition = _UNKNOWN if is_put else _NEW
        self._update(key, sets, condition, once=content(fields, body_hash, now), count=count)

    def add_duplicate(self, key: Key, *, of: Key, now: float) -> None:
        """Notes that a row repeats the message of another one, and is done. Raises NotClaimed if it is known."""
        sets = {"Status": "SENT", "DuplicateOf": of.sort, "ExpirationTs": int(now) + KEPT_SENT}
        self._update(key, sets, _UNKNOWN, once={"TaskId": TASK_ID})

    def add_failed(self, key: Key, *, now: float, error: str, raw_body: str | None = None) -> None:
        """Parks bad input, with the body as it came if the row does not hold it. Raises NotClaimed if it is known."""
        once = {"TaskId": TASK_ID} | (raw(raw_body) if raw_body is not None else {})
        self._update(key, failed(now, error), _UNKNOWN, once=once)

    def adopt(self, key: Key, *, now: float, raw_body: str | None = None) -> None:
        """Makes a row that no door has taken one that is due now. Raises NotClaimed if a door was quicker."""
        once = {"TaskId": TASK_ID, "AcceptedTs": now} | (raw(raw_body) if raw_body is not None else {})
        self._update(key, {**owed(now), "Attempts": 0}, _UNKNOWN, once=once)

    def redrive(self, key: Key, *, now: float) -> None:
        """Makes a parked row due now. Raises NotClaimed if it is not parked."""
        self._update(key, owed(now), "#Status = :failed", {":failed": "FAILED"})

    def reserve_id(self, id: str, owner: Key, *, body_hash: str, until: float) -> None:
        """Makes an ``id`` name the message in another row. Raises NotClaimed, with the row that has the id already.

        until: when the id is free again. Each attempt to send the message sets it anew.
        """
        item = {
            "TaskId": "BOTTE_ID",
            "OwnerPK": owner.partition,
            "OwnerSK": owner.sort,
            "BodyHash": body_hash,
            "ExpirationTs": int(until),
        }
        self._call(
            "update_item",
            Key=key_attributes(Key.of_id(id)),
            UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in item),
            ConditionExpression="attribute_not_exists(PK) OR (OwnerPK = :OwnerPK AND OwnerSK = :OwnerSK)",
            ExpressionAttributeValues=to_attributes({f":{name}": value for name, value in item.items()}),
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    def delete(self, row: Row) -> None:
        """Deletes a row whose time is over, unless it has changed since it was read."""
        with suppress(NotClaimed):
            self._call(
                "delete_item",
                Key=key_attributes(row.key),
                ConditionExpression="ExpirationTs = :expires",
                ExpressionAttributeValues={":expires": row.item["ExpirationTs"]},
            )

    def get(self, key: Key) -> Row | None:
        """The row, read consistently; None if there is none."""
        item = self._call("get_item", Key=key_attributes(key), ConsistentRead=True).get("Item")
        return Row(item) if item else None

    def head(self, partition: str) -> Row | None:
        """The first row of a group that owes a delivery and that a door has taken: its keys, Status and DueTs."""
        return self._first("PK = :pk", {":pk": partition}, IndexName="unsent")

    def previous(self, key: Key) -> Row | None:
        """The row just before this one in its group.

        That of a message whose ``id`` is the group's name lies among them, and is passed over, with a second call.
        """
        values = {":pk": key.partition, ":sk": key.sort}
        row = self._first("PK = :pk AND SK < :sk", values, ScanIndexForward=False)
        return row if row is None or row.key.in_group else self.previous(row.key)

    def due(self, by: float) -> Iterator[Row]:
        """The rows that are due by a time, the longest overdue first; one call for each page of them.

        Of each its key, ``due_ts``, ``accepted_ts`` and ``may_go_early``.
        """
        arguments = {
            "IndexName": "due",
            "KeyConditionExpression": "TaskId = :task AND DueTs <= :by",
            "ExpressionAttributeValues": to_attributes({":task": TASK_ID, ":by": by}),
        }
        return self._pages("query", arguments)

    def scan(self, *statuses: str | None) -> Iterator[Row]:
        """All rows of messages that have one of these statuses. It reads the whole table: for operators."""
        rows = self._pages("scan", {"ConsistentRead": True})
        return (row for row in rows if row.status in statuses and is_task(row.item) and not row.owner)

    def count(self) -> Counts:
        """How many messages are in the table. It reads all of it."""
        rows = [row for row in self._pages("scan", {}) if is_task(row.item) and not row.owner]
        owed = [row for row in rows if row.status not in ("SENT", "FAILED")]
        return Counts(
            accepted=len(rows),
            pending=len(owed),
            failed=sum(row.status == "FAILED" for row in rows),
            oldest_pending_ts=min((row.accepted_ts for row in owed if row.accepted_ts is not None), default=None),
        )

    def _finish(
        self,
        key: Key,
        lease: Lease,
        sets: Mapping[str, object],
        remove: Sequence[str] = (),
        count: str | None = None,
    ) -> None:
        # If the lease was lost, another has taken the row since, and notes how it ends.
        with suppress(NotClaimed):
            self._update(key, sets, _HELD, _held(lease), remove=remove, count=count)

    def _update(
        self,
        key: Key,
        sets: Mapping[str, object],
        condition: str,
        values: Mapping[str, object] = {},
        *,
        once: Mapping[str, object] = {},
        remove: Sequence[str] = (),
        count: str | None = None,
    ) -> Row:
        """One conditional UpdateItem: ``once`` sets only what is not there, ``count`` adds one."""
        if "DueTs" in sets and key.in_group:
            sets = {**sets, "UnsentSK": key.sort}
        assignments = [f"#{name} = :{name}" for name in sets]
        assignments += [f"#{name} = if_not_exists(#{name}, :{name})" for name in once]
        expression = f"SET {', '.join(assignments)}"
        expression += f" REMOVE {', '.join(remove)}" if remove else ""
        expression += f" ADD {count} :one" if count else ""
        named = {f":{name}": value for name, value in {**sets, **once}.items()}
        try:
            answer = self._call(
                "update_item",
                Key=key_attributes(key),
                UpdateExpression=expression,
                ConditionExpression=condition,
                ExpressionAttributeNames={f"#{name}": name for name in ("Status", *sets, *once)},
                ExpressionAttributeValues=to_attributes({**named, **values, **({":one": 1} if count else {})}),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except RowUnfit:
            if "Answer" in sets:
                sets = {name: value for name, value in sets.items() if name != "Answer"}
                return self._update(key, sets, condition, values, once=once, remove=remove, count=count)
            if "Payload" not in once:
                raise
            return self._replace(key, {**once, **sets, **({count: 1} if count else {})})
        return Row(answer["Attributes"])

    def _replace(self, key: Key, attributes: Mapping[str, object]) -> Row:
        """Puts a row in the place of one that no door has taken: of what its writer put there, the message stays."""
        item = {**key_attributes(key), **to_attributes(attributes)}
        self._call(
            "put_item",
            Item=item,
            ConditionExpression=_UNKNOWN,
            ExpressionAttributeNames={"#Status": "Status"},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
        return Row(item)

    def _first(self, condition: str, values: Mapping[str, object], **options: object) -> Row | None:
        answer = self._call(
            "query",
            KeyConditionExpression=condition,
            ExpressionAttributeValues=to_attributes(values),
            ConsistentRead=True,
            Limit=1,
            **options,
        )
        return Row(answer["Items"][0]) if answer["Items"] else None

    def _pages(self, operation: str, arguments: Mapping[str, Any]) -> Iterator[Row]:
        start: dict[str, Any] = {}
        while True:
            answer = self._call(operation, **arguments, **start)
            yield from map(Row, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _call(self, operation: str, **arguments: object) -> dict[str, Any]:
        exceptions = aws.botocore("exceptions")
        try:
            answer: dict[str, Any] = getattr(self._client(), operation)(TableName=self._table_name, **arguments)
        except (exceptions.ClientError, exceptions.BotoCoreError) as error:
            reason = aws.explain(error)
            if reason == "ConditionalCheckFailedException":
                raise NotClaimed(Row(error.response.get("Item", {}))) from None
            if reason == "ValidationException" and any(words in str(error) for words in _UNFIT):
                raise RowUnfit(f"a row of the table {self._table_name} cannot be changed") from None
            raise TableUnavailable(f"the table {self._table_name} cannot be used: {reason}") from None
        return answer


def _is_outage(error: Unavailable) -> bool:
    """Whether the message was surely not delivered, and nobody knows when it can be: then it goes once others do."""
    return error.retry_after is None and not isinstance(error, Ambiguous)


def _held(lease: Lease) -> dict[str, object]:
    return {":sending": "SENDING", ":lease": lease.id}
