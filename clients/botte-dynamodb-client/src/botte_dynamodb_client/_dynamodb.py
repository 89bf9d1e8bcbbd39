"""The client of the DynamoDB door."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from ._contract.message import InvalidMessage, Message
from ._contract.task import GROUP_PREFIX, to_item
from ._ksuid import next_ksuid
from ._shared.aws.batch import OnProgress, Task, check_group, follow
from ._shared.aws.boto import AwsClient, translated
from ._shared.client import Accepted, NotFound, Status, address, check_id, make_heartbeat, make_message, naming

_TASKS, _OUTBOX = "-tasks", "-outbox"
# What get_status reads of the outbox, and all that it needs the right to read.
_READ = ("PK", "SK", "Status", "Attempts", "TelegramMessageId", "LastError", "DueTs", "OwnerPK", "OwnerSK")


class BotteDynamodbClient(AwsClient):
    """Sends by putting items into Botte's task table; for code that reaches nothing but DynamoDB.

    Every message has an id, so that boto3, which puts again when an answer is lost, does not double it. Nobody answers
    to an item: an id that names another message already is Accepted as well. Botte then parks the second message, and
    the status of the id is that of the first.

    table: name or ARN of the task table; else ``BOTTE_TABLE``.
    outbox: name or ARN of the outbox table, for ``get_status`` only; else ``BOTTE_OUTBOX_TABLE``; else that of the task
    table with ``-outbox`` at its end instead of ``-tasks``.
    session: a ``boto3.Session``. client: a boto3 client of yours, whose timeouts and retries are its own.
    connect_timeout, read_timeout: seconds.
    """

    def __init__(
        self,
        table: str | None = None,
        *,
        outbox: str | None = None,
        session: Any = None,
        client: Any = None,
        connect_timeout: float = 5.0,
        read_timeout: float = 10.0,
    ) -> None:
        super().__init__(
            "dynamodb",
            address("table", table, "BOTTE_TABLE"),
            client,
            session=session,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
        )
        self._outbox = outbox or os.environ.get("BOTTE_OUTBOX_TABLE")
        if not self._outbox and self._resource.endswith(_TASKS):
            self._outbox = self._resource.removesuffix(_TASKS) + _OUTBOX

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
        collapse_key: str | None = None,
        renotify: bool | None = None,
        ack: bool | None = None,
        escalate_after: int | None = None,
        urgent: bool | None = None,
        message_group_id: str | None = None,
        expires_in: int | None = None,
    ) -> Accepted:
        """Sends a message; what every client takes is told at ``Client.send_message``.

        message_group_id: messages of a group are delivered in the order in which their items were put.
        expires_in: seconds from now until DynamoDB may delete the item, if Botte has not taken it by then.
        """
        task = self._task(locals(), message_group_id, expires_in)
        with naming(task.message):
            self._put(task)
        return Accepted(str(task.message.id))

    def send_heartbeat(
        self, name: str, *, every: int | str, chat: str | None = None, sender_app: str | None = None
    ) -> None:
        """As ``Client.send_heartbeat`` says; nobody answers here when the next one is due."""
        ksuid = next_ksuid()
        message = make_heartbeat(name, every, chat, sender_app)
        self._put(Task(message, _item(message, GROUP_PREFIX + ksuid, ksuid)))

    def send_messages(
        self,
        messages: Iterable[Message],
        *,
        message_group_id: str | None = None,
        expires_in: int | None = None,
        on_progress: OnProgress | None = None,
    ) -> list[Accepted]:
        """Sends many messages, one after the other.

        on_progress: called with how many are accepted so far, and of how many.
        Raises InvalidMessage before any is sent. Other errors have, as ``unsent``, the messages that are to be sent
        again.
        """
        tasks = [self._task(message.to_fields(), message_group_id, expires_in) for message in messages]
        return follow(tasks, self._put_all(tasks), on_progress)

    def get_status(self, id: str) -> Status:
        """What became of a message, as soon as Botte has taken it: a moment after it was sent.

        Raises NotFound where nothing is kept under the id, InvalidMessage for what cannot be one; other BotteErrors.
        """
        check_id(id)
        row = self._get(GROUP_PREFIX + id, id)
        if "OwnerPK" in row:
            row = self._get(row["OwnerPK"]["S"], row["OwnerSK"]["S"])
        if "Status" not in row:
            raise NotFound(
                f"no message is kept under the id {id!r}: Botte may not have taken it yet; or it was not sent with it, "
                "or it was too long ago"
            )
        ids = row.get("TelegramMessageId", {})
        return Status(
            id=id,
            status=row["Status"]["S"],
            attempts=int(row.get("Attempts", {}).get("N", 0)),
            message_ids=tuple(int(one["N"]) for one in ids.get("L", [ids] if ids else [])),
            last_error=row.get("LastError", {}).get("S"),
            due_at=float(row["DueTs"]["N"]) if "DueTs" in row else None,
        )

    def _task(self, given: Mapping[str, Any], group: str | None, expires_in: int | None) -> Task:
        """A message and its item. Raises InvalidMessage."""
        check_group(group)
        if expires_in is not None and (
            isinstance(expires_in, bool) or not isinstance(expires_in, int) or expires_in < 1
        ):
            raise InvalidMessage("expires_in", "must be a whole number of seconds, 1 or more")
        ksuid = next_ksuid()
        message = make_message(given, ksuid)
        partition, sort = GROUP_PREFIX + (group or str(message.id)), ksuid if group else str(message.id)
        return Task(message, _item(message, partition, sort, expires_in))

    def _put_all(self, tasks: Sequence[Task]) -> Iterator[Sequence[Task]]:
        """Puts the items, and gives each one that is in the table.

        Not with BatchWriteItem: who may call it may delete as well, also what others have put
        (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html).
        """
        for task in tasks:
            self._put(task)
            yield [task]

    def _put(self, task: Task) -> None:
        with translated(f"the table {self._resource}"):
            self._boto3.put_item(TableName=self._resource, Item=task.request)

    def _get(self, partition_key: str, sort_key: str) -> Mapping[str, Any]:
        if not self._outbox:
            raise NotFound(
                f"outbox is missing, and does not follow from the table {self._resource}, whose name does not end with "
                f"{_TASKS}: pass it, or set BOTTE_OUTBOX_TABLE"
            )
        names = {f"#{name}": name for name in _READ}  # Status is one of DynamoDB's reserved words
        with translated(f"the table {self._outbox}"):
            row: Mapping[str, Any] = self._boto3.get_item(
                TableName=self._outbox,
                Key={"PK": {"S": partition_key}, "SK": {"S": sort_key}},
                ConsistentRead=True,
                ProjectionExpression=", ".join(names),
                ExpressionAttributeNames=names,
            ).get("Item", {})
        return row


def _item(message: Message, partition_key: str, sort_key: str, expires_in: int | None = None) -> dict[str, object]:
    fields = message.to_fields()
    sender_app = fields.pop("sender_app", None)
    return to_item(
        fields,
        partition_key=partition_key,
        sort_key=sort_key,
        sender_app=None if sender_app is None else str(sender_app),
        expiration_ts=None if expires_in is None else int(time.time()) + expires_in,
    )
