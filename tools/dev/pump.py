"""The event source mappings: what carries stream records, queue messages and schedules to the app's handlers.

Which there are, and with which stream, queue, batch size and starting position, is read from the app itself. They
behave as AWS's do where Chalice cannot configure anything else:

- a stream is read in order; a batch whose function fails comes again, unchanged, until it succeeds, and nothing behind
  it passes;
- a queue message is deleted when its function has succeeded, else it stays hidden for the visibility timeout and comes
  again, until the queue's redrive policy moves it to the dead-letter queue; `batchItemFailures` in a function's
  result are ignored;
- a schedule calls its function at an interval.
"""

from __future__ import annotations

import datetime
import json
import logging
import threading
import time
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError
from chalice.app import Chalice, DynamoDBEventConfig, ScheduledEventConfig, SQSEventConfig

from tools.dev.aws import EmbeddedAws
from tools.dev.events import Event, batches, queue_record, scheduled_event, stream_record
from tools.dev.functions import ACCOUNT_ID, MAX_SYNC_PAYLOAD, REGION, Functions

_logger = logging.getLogger("twin.pump")

# Leaves room in the payload for what stands around the records.
_MAX_BATCH_BYTES = MAX_SYNC_PAYLOAD - 1024


class Pump:
    """Runs every mapping of `app` on a thread of its own.

    Args:
        schedule_interval: seconds between two runs of each schedule, whatever rate the app declares.
        poll_interval: seconds after which a stream or a queue is looked at though nothing was written.
        retry_delays: the first and the longest pause, in seconds, before a stream batch is tried again.
    """

    def __init__(
        self,
        app: Chalice,
        functions: Functions,
        aws: EmbeddedAws,
        *,
        schedule_interval: float = 60.0,
        poll_interval: float = 1.0,
        retry_delays: tuple[float, float] = (0.5, 10.0),
    ) -> None:
        self._app = app
        self._functions = functions
        self._aws = aws
        self._schedule_interval = schedule_interval
        self._poll_interval = poll_interval
        self._retry_delays = retry_delays
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Starts the mappings. What is written after this returns is seen, also by one that starts at LATEST."""
        for source in self._app.event_sources:
            function = f"{self._functions.prefix}-{source.name}"
            if isinstance(source, DynamoDBEventConfig):
                run = self._stream_mapping(source, function)
            elif isinstance(source, SQSEventConfig):
                run = self._queue_mapping(source, function)
            elif isinstance(source, ScheduledEventConfig):
                run = self._schedule(function)
            else:
                raise TypeError(f"The pump cannot carry the events of {source.name}: {type(source).__name__}")
            self._threads.append(threading.Thread(target=run, name=f"pump {source.name}", daemon=True))
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 1.0) -> None:
        """Starts no further invocation and waits up to `timeout` seconds for those that run."""
        self._stopping.set()
        for service in ("DynamoDB", "SQS"):
            self._aws.changes.mark(service)
        ends = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))

    def _stream_mapping(self, source: DynamoDBEventConfig, function: str) -> Callable[[], None]:
        streams = self._aws.client("dynamodbstreams", counted=False)
        # moto has one shard to a stream, and never closes it.
        shard = streams.describe_stream(StreamArn=source.stream_arn)["StreamDescription"]["Shards"][0]
        iterator: str = streams.get_shard_iterator(
            StreamArn=source.stream_arn, ShardId=shard["ShardId"], ShardIteratorType=source.starting_position
        )["ShardIterator"]

        def poll() -> bool:
            nonlocal iterator
            answer = streams.get_records(ShardIterator=iterator, Limit=source.batch_size)
            records = [stream_record(record, source.stream_arn) for record in answer["Records"]]
            for batch in batches(records, max_records=source.batch_size, max_bytes=_MAX_BATCH_BYTES):
                self._invoke_until_success(function, batch)
            iterator = answer["NextShardIterator"]
            return bool(records)

        return lambda: self._poll_forever("DynamoDB", poll)

    def _queue_mapping(self, source: SQSEventConfig, function: str) -> Callable[[], None]:
        sqs = self._aws.client("sqs", counted=False)
        url = sqs.get_queue_url(QueueName=source.queue or str(source.queue_arn).rpartition(":")[2])["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

        def poll() -> bool:
            answer = sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=min(source.batch_size, 10),
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            records = [queue_record(message, arn) for message in answer.get("Messages", [])]
            for batch in batches(records, max_records=source.batch_size, max_bytes=_MAX_BATCH_BYTES):
                if self._invoke(function, {"Records": batch}):
                    entries = [
                        {"Id": str(number), "ReceiptHandle": record["receiptHandle"]}
                        for number, record in enumerate(batch)
                    ]
                    sqs.delete_message_batch(QueueUrl=url, Entries=entries)
            return bool(records)

        return lambda: self._poll_forever("SQS", poll)

    def _schedule(self, function: str) -> Callable[[], None]:
        rule_arn = f"arn:aws:events:{REGION}:{ACCOUNT_ID}:rule/{function}-event"

        def run() -> None:
            # One run at a time, though AWS lets slow ones overlap: the interval here may be much shorter.
            while not self._stopping.wait(self._schedule_interval):
                self._invoke(function, scheduled_event(rule_arn, datetime.datetime.now(datetime.timezone.utc)))

        return run

    def _poll_forever(self, service: str, poll: Callable[[], bool]) -> None:
        """Calls `poll` as long as it finds something, then when `service` was written to, or the interval is over."""
        while not self._stopping.is_set():
            seen = self._aws.changes.seen(service)
            try:
                found = poll()
            except (BotoCoreError, ClientError) as exc:
                if self._aws.changes.closed:
                    return
                _logger.error("%s cannot be read: %s", service, exc)
                found = False
            if not found:
                self._aws.changes.wait(service, seen, self._poll_interval)

    def _invoke(self, function: str, event: Event) -> bool:
        """True when the function succeeded; the reason of a failure is in its log."""
        answer = self._functions.invoke(function, json.dumps(event).encode())
        return answer.status == 200 and answer.function_error is None

    def _invoke_until_success(self, function: str, batch: list[Event]) -> None:
        delay, longest = self._retry_delays
        while not self._stopping.is_set() and not self._invoke(function, {"Records": batch}):
            self._stopping.wait(delay)
            delay = min(2 * delay, longest)
