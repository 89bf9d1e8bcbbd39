"""The client of the SQS door."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from ._contract.message import InvalidMessage, Message
from ._shared.aws.batch import OnProgress, Task, check_group, follow
from ._shared.aws.boto import AwsClient, translated
from ._shared.client import Accepted, Unavailable, address, make_heartbeat, make_message, naming, pause, to_json

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
_BATCH = 10
_BATCH_BYTES = 256 * 1024
_ID_CHARACTERS = 128


class BotteSqsClient(AwsClient):
    """Sends through Botte's queue; for what speaks SQS already.

    Every message has an id, so that boto3, which sends again when an answer is lost, does not double it.

    queue: name or URL, of a FIFO queue where it ends with ``.fifo``; else ``BOTTE_QUEUE``.
    session: a ``boto3.Session``. client: a boto3 client of yours, whose timeouts and retries are its own.
    connect_timeout, read_timeout: seconds.
    retries: how often what fails of a batch is sent again. backoff: seconds before the first, then doubling.
    """

    def __init__(
        self,
        queue: str | None = None,
        *,
        session: Any = None,
        client: Any = None,
        connect_timeout: float = 5.0,
        read_timeout: float = 10.0,
        retries: int = 6,
        backoff: float = 0.1,
    ) -> None:
        resource = address("queue", queue, "BOTTE_QUEUE")
        options = {"session": session, "connect_timeout": connect_timeout, "read_timeout": read_timeout}
        super().__init__("sqs", resource, client, **options)
        self._url = resource if resource.startswith(("https://", "http://")) else None
        self._is_fifo = resource.endswith(".fifo")
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
        collapse_key: str | None = None,
        renotify: bool | None = None,
        ack: bool | None = None,
        escalate_after: int | None = None,
        urgent: bool | None = None,
        message_group_id: str | None = None,
    ) -> Accepted:
        """Sends a message; what every client takes is told at ``Client.send_message``.

        message_group_id: messages of a group are delivered in the order in which they are sent; FIFO queues only.
        """
        task = self._task(locals(), message_group_id)
        with naming(task.message):
            self._send_one(task)
        return Accepted(str(task.message.id))

    def send_heartbeat(
        self, name: str, *, every: int | str, chat: str | None = None, sender_app: str | None = None
    ) -> None:
        """As ``Client.send_heartbeat`` says; nobody answers here when the next one is due."""
        message = make_heartbeat(name, every, chat, sender_app)
        self._send_one(self._put_in(message, str(uuid.uuid4())))

    def send_messages(
        self,
        messages: Iterable[Message],
        *,
        message_group_id: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> list[Accepted]:
        """Sends many messages, up to 10 in one call; one by one with a ``message_group_id``, to keep their order.

        on_progress: called with how many are accepted so far, and of how many.
        Raises InvalidMessage before any is sent. Other errors have, as ``unsent``, the messages that are to be sent
        again.
        """
        tasks = [self._task(message.to_fields(), message_group_id) for message in messages]
        # Of ten messages the first may fail and the second not.
        return follow(tasks, self._send(tasks, 1 if message_group_id else _BATCH), on_progress)

    def _task(self, given: Mapping[str, Any], group: str | None) -> Task:
        """A message and what SQS is to be told of it. Raises InvalidMessage."""
        check_group(group)
        if group is not None and not self._is_fifo:
            raise InvalidMessage("message_group_id", "needs a queue whose name ends with .fifo: others keep no order")
        message = make_message(given)
        return self._put_in(message, _short(str(message.id)), group)

    def _put_in(self, message: Message, name: str, group: str | None = None) -> Task:
        """name: tells it from others, for a FIFO queue, which takes each once."""
        request = {"MessageBody": to_json(message)}
        if self._is_fifo:
            request |= {"MessageGroupId": group or name, "MessageDeduplicationId": name}
        return Task(message, request)

    def _send_one(self, task: Task) -> None:
        with translated(f"the queue {self._resource}"):
            self._boto3.send_message(QueueUrl=self._queue_url(), **task.request)

    def _queue_url(self) -> str:
        if self._url is None:
            url: str = self._boto3.get_queue_url(QueueName=self._resource)["QueueUrl"]
            self._url = url
        return self._url

    def _send(self, tasks: Sequence[Task], most: int) -> Iterator[Sequence[Task]]:
        """Sends the messages, and gives those that are in the queue."""
        with translated(f"the queue {self._resource}"):
            for batch in _batches(tasks, most):
                yield from self._send_batch(batch)

    def _send_batch(self, tasks: Sequence[Task]) -> Iterator[Sequence[Task]]:
        left = {str(number): task for number, task in enumerate(tasks)}
        for attempt in range(self._retries + 1):
            if attempt:
                time.sleep(pause(attempt - 1, self._backoff, 5.0))
            entries = [{"Id": number, **task.request} for number, task in left.items()]
            answer = self._boto3.send_message_batch(QueueUrl=self._queue_url(), Entries=entries)
            failed = {one["Id"]: one.get("Code") for one in answer.get("Failed", [])}
            yield [left.pop(number) for number in list(left) if number not in failed]
            if not left:
                return
        raise Unavailable(f"the queue {self._resource} does not take all of a batch: {', '.join(set(failed.values()))}")


def _short(id: str) -> str:
    """An id as SQS takes it for deduplication: it has half the characters."""
    return id if len(id) <= _ID_CHARACTERS else hashlib.sha256(id.encode()).hexdigest()


def _batches(tasks: Sequence[Task], most: int) -> Iterator[list[Task]]:
    """Cuts the messages into batches, none with more than SQS takes at once."""
    batch: list[Task] = []
    size = 0
    for task in tasks:
        length = len(task.request["MessageBody"].encode())
        if batch and (len(batch) == most or size + length > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(task)
        size += length
    if batch:
        yield batch
