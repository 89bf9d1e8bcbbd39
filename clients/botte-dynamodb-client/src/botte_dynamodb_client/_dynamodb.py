"""The client of the DynamoDB door."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from ._aws import AwsClient, make_client, translated
from ._batch import OnProgress, Task, check_group, follow
from ._client import Accepted, NotFound, Refused, Status, address, check_id, make_message, naming, pause
from ._ksuid import next_ksuid
from ._message import InvalidMessage, Message
from ._task import GROUP_PREFIX, to_item

_BATCH = 25  # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html


class BotteDynamodbClient(AwsClient):
    """Sends by putting items into Botte's table; for code that reaches nothing but DynamoDB.

    An item is put on condition that it is not there: neither a repeated id nor a request that boto3 repeats is a second
    message.

    table: name or ARN; else ``BOTTE_TABLE``.
    session: a ``boto3.Session``. client: a boto3 client of yours, whose timeouts and retries are its own.
    connect_timeout, read_timeout: seconds.
    retries: how often a batch's unprocessed items are tried again. backoff: seconds before the first, then doubling.
    """

    def __init__(
        self,
        table: str | None = None,
        *,
        session: Any = None,
        client: Any = None,
        connect_timeout: float = 5.0,
        read_timeout: float = 10.0,
        retries: int = 6,
        backoff: float = 0.1,
    ) -> None:
        options = {"session": session, "connect_timeout": connect_timeout, "read_timeout": read_timeout}
        super().__init__("dynamodb", address("table", table, "BOTTE_TABLE"), client, **options)
        self._options = options
        self._batches: Any = None
        self._lock = threading.Lock()
        self._retries, self._backoff = retries, backoff

    def send_message(
        self,
        text: str | None = None,
        *,
        sender_app: str | None = None,
        id: str | None = None,
        chat: str | None = None,
        parse_mode: Literal["HTML", "MarkdownV2"] | None = None,
        disable_notification: bool | None = None,
        protect_content: bool | None = None,
        message_thread_id: int | None = None,
        link_preview_options: Mapping[str, object] | None = None,
        reply_markup: Mapping[str, object] | None = None,
        photo: str | None = None,
        document: str | None = None,
        deliver_at: int | None = None,
        message_group_id: str | None = None,
        expires_in: int | None = None,
    ) -> Accepted:
        """Sends a message; what every client takes is told at ``Client.send_message``.

        message_group_id: messages of a group are delivered in the order in which this process sent them.
        expires_in: seconds from now until DynamoDB may delete the item; not before it is delivered.
        """
        task = self._task(locals(), message_group_id, expires_in)
        with naming(task.message):
            self._put(task)
        return Accepted(str(task.message.id))

    def send_messages(
        self,
        messages: Iterable[Message],
        *,
        message_group_id: str | None = None,
        expires_in: int | None = None,
        on_progress: OnProgress | None = None,
    ) -> list[Accepted]:
        """Sends many messages, 25 in one call where they have neither an id nor a group.

        on_progress: called with how many are accepted so far, and of how many.
        Raises InvalidMessage before any is sent. An id that names another message, or one that failed, is told when
        all the others are sent. Other errors have, as ``unsent``, the messages that are to be sent again.
        """
        given = list(messages)
        tasks = [self._task(message.to_fields(), message_group_id, expires_in) for message in given]
        batched = self._is_own and message_group_id is None
        together = [task for task, message in zip(tasks, given, strict=True) if batched and message.id is None]
        return follow(tasks, self._send(tasks, together), on_progress)

    def get_status(self, id: str) -> Status:
        """What became of a message. One of a group is known by its id when Botte has taken it.

        Raises NotFound where nothing is kept under the id, InvalidMessage for what cannot be one; other BotteErrors.
        """
        check_id(id)
        row = self._get(GROUP_PREFIX + id, id)
        if "OwnerPK" in row:
            row = self._get(row["OwnerPK"]["S"], row["OwnerSK"]["S"])
        if not row:
            raise NotFound(f"no message is kept under the id {id!r}: it was not sent with it, or it was too long ago")
        ids = row.get("TelegramMessageId", {})
        return Status(
            id=id,
            status=row.get("Status", {}).get("S", "PENDING"),
            attempts=int(row.get("Attempts", {}).get("N", 0)),
            message_ids=tuple(int(one["N"]) for one in ids.get("L", [ids] if ids else [])),
            last_error=row.get("LastError", {}).get("S"),
            due_at=float(row["DueTs"]["N"]) if "DueTs" in row else None,
        )

    def close(self) -> None:
        super().close()
        if self._batches is not None:
            self._batches.close()

    def _task(self, given: Mapping[str, Any], group: str | None, expires_in: int | None) -> Task:
        """A message and its item. Raises InvalidMessage."""
        check_group(group)
        if expires_in is not None and (
            isinstance(expires_in, bool) or not isinstance(expires_in, int) or expires_in < 1
        ):
            raise InvalidMessage("expires_in", "must be a whole number of seconds, 1 or more")
        ksuid = next_ksuid()
        message = make_message(given, ksuid)
        fields = message.to_fields()
        sender_app = fields.pop("sender_app", None)
        item = to_item(
            fields,
            partition_key=GROUP_PREFIX + (group or str(message.id)),
            sort_key=ksuid if group else str(message.id),
            sender_app=None if sender_app is None else str(sender_app),
            expiration_ts=None if expires_in is None else int(time.time()) + expires_in,
        )
        return Task(message, item)

    def _send(self, tasks: Sequence[Task], together: Sequence[Task]) -> Iterator[Sequence[Task]]:
        """Puts the items, some of them together, and gives those that are in the table."""
        done: set[Task] = set()
        for start in range(0, len(together), _BATCH):
            for some in self._write(together[start : start + _BATCH]):
                done.update(some)
                yield some
        wrong: Exception | None = None
        for task in [task for task in tasks if task not in done]:
            try:
                self._put(task)
            except (InvalidMessage, Refused) as error:
                wrong = wrong or error
            yield [task]
        if wrong is not None:
            raise wrong

    def _write(self, tasks: Sequence[Task]) -> Iterator[Sequence[Task]]:
        """Puts up to 25 items in one call, and again what it leaves unprocessed; gives those that are in the table.

        A call that fails may have put some of them: it is not repeated, and they are to be put on condition.
        """
        left = {task.request["SK"]["S"]: task for task in tasks}
        for attempt in range(self._retries + 1):
            if attempt:
                time.sleep(pause(attempt - 1, self._backoff, 5.0))
            requests = [{"PutRequest": {"Item": task.request}} for task in left.values()]
            try:
                answer = self._batch_client().batch_write_item(RequestItems={self._resource: requests})
            except (BotoCoreError, ClientError):
                return
            unprocessed = [one for many in answer.get("UnprocessedItems", {}).values() for one in many]
            keys = {one["PutRequest"]["Item"]["SK"]["S"] for one in unprocessed}
            yield [left.pop(key) for key in list(left) if key not in keys]
            if not left:
                return

    def _batch_client(self) -> Any:
        """A boto3 client that repeats nothing.

        BatchWriteItem knows no condition. Repeated after an answer was lost, it would put an item back to what it was
        before Botte took it, and nobody would look at it again.
        """
        with self._lock:
            if self._batches is None:
                self._batches = make_client("dynamodb", **self._options, attempts=1)
            return self._batches

    def _put(self, task: Task) -> None:
        """Puts an item; one that is there already is taken for a repetition, if it has the same message."""
        with translated(f"the table {self._resource}"):
            try:
                self._boto3.put_item(
                    TableName=self._resource,
                    Item=task.request,
                    ConditionExpression="attribute_not_exists(PK)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
                _check_repetition(error.response.get("Item", {}), task.request)

    def _get(self, partition_key: str, sort_key: str) -> Mapping[str, Any]:
        key = {"PK": {"S": partition_key}, "SK": {"S": sort_key}}
        with translated(f"the table {self._resource}"):
            row: Mapping[str, Any] = self._boto3.get_item(TableName=self._resource, Key=key, ConsistentRead=True).get(
                "Item", {}
            )
        return row


def _check_repetition(row: Mapping[str, Any], item: Mapping[str, Any]) -> None:
    """Raises InvalidMessage or Refused where the row, which has the id of the item, will not deliver its message."""
    if "Payload" in row and _content(row) != _content(item):
        raise InvalidMessage("id", "names another message already: a new message needs a new id")
    status = row.get("Status", {}).get("S")
    if status == "FAILED":
        raise Refused(row.get("LastError", {}).get("S", "it was refused before"))
    if (status == "SENT" or "OwnerPK" in row) and float(row.get("ExpirationTs", {}).get("N", "inf")) <= time.time():
        raise InvalidMessage("id", "names a message of long ago: a new message needs a new id")


def _content(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields of an item's message as attribute values, without its id, which the key has."""
    fields = {**item["Payload"].get("M", {})}
    if "SenderApp" in item:
        fields.setdefault("sender_app", item["SenderApp"])
    fields.pop("id", None)
    return fields
