"""Carries stream records and queue messages to deployed functions, as the mappings that were deployed say.

Unlike the local twin's pump it reads the mappings from AWS, not from the app: state, batch size, filter, retries and
on-failure destination. It reads streams and queues with the key of the function's role, so that a right which the
role lacks shows.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.awslambda.models import EventSourceMapping, lambda_backends

from tools.dev.aws import EmbeddedAws
from tools.dev.events import queue_record, stream_record
from tools.dev.functions import ACCOUNT_ID, REGION
from tools.rehearsal.filters import passes
from tools.rehearsal.functions import ROLE_KEY, DeployedFunctions

_POLL_SECONDS = 0.1
_MOST_ATTEMPTS = 20  # of a batch, where the mapping would go on for hours

_log = logging.getLogger("rehearsal.event_sources")


class EventSources(threading.Thread):
    """One thread for all mappings of the embedded AWS. `stop` ends it."""

    def __init__(self, aws: EmbeddedAws, functions: DeployedFunctions) -> None:
        super().__init__(name="event sources", daemon=True)
        self._aws = aws
        self._functions = functions
        self._iterators: dict[str, str] = {}
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()
        self.join()

    def run(self) -> None:
        while not self._stopping.wait(_POLL_SECONDS):
            for mapping in list(lambda_backends[ACCOUNT_ID][REGION].list_event_source_mappings("", "")):
                if not mapping.enabled:
                    continue
                try:
                    self._carry(mapping)
                except (BotoCoreError, ClientError) as error:
                    # The stream or the queue is gone, or the role may not read it.
                    _log.debug("mapping %s: %s", mapping.uuid, error)
                except Exception:
                    _log.exception("mapping %s", mapping.uuid)

    def _carry(self, mapping: EventSourceMapping) -> None:
        function = mapping.function_arn.rpartition(":")[2]
        deployed = next(
            (each for each in lambda_backends[ACCOUNT_ID][REGION].list_functions() if each.function_name == function),
            None,
        )
        if deployed is None:
            return
        role = deployed.role.rpartition("/")[2]
        if ":dynamodb:" in mapping.event_source_arn:
            self._carry_stream(mapping, function, role)
        else:
            self._carry_queue(mapping, function, role)

    def _carry_stream(self, mapping: EventSourceMapping, function: str, role: str) -> None:
        streams = self._client("dynamodbstreams", role)
        arn = mapping.event_source_arn
        if mapping.uuid not in self._iterators:
            shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
            self._iterators[mapping.uuid] = streams.get_shard_iterator(
                StreamArn=arn, ShardId=shard, ShardIteratorType=mapping.starting_position
            )["ShardIterator"]
        answer = streams.get_records(ShardIterator=self._iterators[mapping.uuid], Limit=mapping.batch_size)
        self._iterators[mapping.uuid] = answer["NextShardIterator"]
        records = [stream_record(record, arn) for record in answer["Records"]]
        wanted = [record for record in records if passes(record, mapping.filter_criteria)]
        if wanted and not self._deliver(mapping, function, wanted):
            self._give_up(mapping, role, wanted)

    def _deliver(self, mapping: EventSourceMapping, function: str, records: list[Any]) -> bool:
        retries = mapping.max_retry_attempts
        most = _MOST_ATTEMPTS if retries is None or retries < 0 else min(retries + 1, _MOST_ATTEMPTS)
        for _ in range(most):
            answer = self._functions.invoke(function, json.dumps({"Records": records}).encode())
            if answer.function_error is None:
                return True
            if self._stopping.wait(_POLL_SECONDS):
                break
        return False

    def _give_up(self, mapping: EventSourceMapping, role: str, records: list[Any]) -> None:
        """Tells the on-failure destination: where the records were, not what they hold, as AWS does."""
        destination = ((mapping.destination_config or {}).get("OnFailure") or {}).get("Destination")
        if destination is None:
            return
        numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
        batch = {
            "streamArn": mapping.event_source_arn,
            "batchSize": len(records),
            "startSequenceNumber": numbers[0],
            "endSequenceNumber": numbers[-1],
        }
        told = {"requestContext": {"condition": "RetryAttemptsExhausted"}, "DDBStreamBatchInfo": batch}
        sqs = self._client("sqs", role)
        url = f"{self._aws.url}/{ACCOUNT_ID}/{destination.rpartition(':')[2]}"
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({**told, "timestamp": time.time()}))

    def _carry_queue(self, mapping: EventSourceMapping, function: str, role: str) -> None:
        sqs = self._client("sqs", role)
        arn = mapping.event_source_arn
        url = f"{self._aws.url}/{ACCOUNT_ID}/{arn.rpartition(':')[2]}"
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])  # as Lambda's pollers do
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=min(mapping.batch_size, 10), MessageSystemAttributeNames=["All"]
        )
        messages = answer.get("Messages", [])
        if not messages:
            return
        records = [queue_record(message, arn) for message in messages]
        if self._functions.invoke(function, json.dumps({"Records": records}).encode()).function_error is None:
            for message in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def _client(self, service: str, role: str) -> Any:
        return self._aws.client_as(service, ROLE_KEY + role)  # type: ignore[attr-defined]
