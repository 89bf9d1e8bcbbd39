"""What AWS gave up: messages in the dead-letter queue, async invocations and stream batches in the failures queue.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from tools.ops.stage import Stage
from tools.ops.unsent import queue_url

_HIDDEN_SECONDS = 300  # from others, while a message is looked at


@dataclass(frozen=True)
class GivenUp:
    """A message of one of these queues.

    id: what the outbox knows it by, if a function came as far as that. body: what the sender sent. again: the call that
    sends it again, service, operation and arguments. note: why nothing is sent again; with neither it can only be read.
    """

    queue: str
    sent_ts: float
    id: str
    reason: str
    body: str
    again: tuple[str, str, Mapping[str, Any]] | None = None
    note: str | None = None


def visit(stage: Stage, visitor: Callable[[GivenUp], bool]) -> None:
    """Shows each message to the visitor, which says whether it is to be deleted. Raises StageError.

    The others can be received again when all have been seen, or five minutes after a visit that was stopped.
    """
    readers: dict[str, Callable[[Stage, str, Any], GivenUp]] = {stage.failures_queue: _read_failure}
    if source := queue_url(stage, stage.messages_queue):  # also where the stage names it no more, until it is gone
        readers[stage.dead_letter_queue] = partial(_read_dead_letter, source)
    for queue, read in readers.items():
        url, kept = queue_url(stage, queue), dict[str, str]()
        if url is None:
            continue
        try:
            while new := [each for each in _receive(stage, url) if each["MessageId"] not in kept]:
                for message in new:
                    receipt = message["ReceiptHandle"]
                    kept[message["MessageId"]] = receipt
                    if visitor(read(stage, queue, message)):
                        stage.call("sqs", "delete_message", QueueUrl=url, ReceiptHandle=receipt)
                        del kept[message["MessageId"]]
        finally:
            for receipt in kept.values():
                arguments = {"QueueUrl": url, "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                stage.call("sqs", "change_message_visibility", **arguments)


def _receive(stage: Stage, url: str) -> list[Any]:
    answer = stage.call(
        "sqs",
        "receive_message",
        QueueUrl=url,
        MaxNumberOfMessages=10,
        WaitTimeSeconds=1,  # else SQS asks only some of its servers
        VisibilityTimeout=_HIDDEN_SECONDS,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
    )
    return list(answer.get("Messages", []))


def _read_dead_letter(source: str, stage: Stage, queue: str, message: Mapping[str, Any]) -> GivenUp:
    """source: the URL of the queue that it came from."""
    system = message["Attributes"]
    arguments = {"QueueUrl": source, "MessageBody": message["Body"]}
    if "MessageAttributes" in message:
        arguments["MessageAttributes"] = message["MessageAttributes"]
    if "MessageGroupId" in system:
        arguments["MessageGroupId"] = system["MessageGroupId"]
    if "MessageDeduplicationId" in system:
        # Not the one it had: within five minutes SQS would drop the message as one that it knows.
        arguments["MessageDeduplicationId"] = str(uuid.uuid4())
    reason = f"its function failed, however often it came from {stage.messages_queue}"
    again = ("sqs", "send_message", arguments)
    return GivenUp(queue, _sent_ts(message), message["MessageId"], reason, message["Body"], again)


def _read_failure(stage: Stage, queue: str, message: Mapping[str, Any]) -> GivenUp:
    try:
        told: Any = json.loads(message["Body"])
        context = told["requestContext"]
        id, reason = str(context["requestId"]), _reason(context["condition"], told.get("responsePayload"))
        if "DDBStreamBatchInfo" in told:
            body = f"{told['DDBStreamBatchInfo']['batchSize']} records of the stream"
            note = "the sweep of the task table finds the items"
            return GivenUp(queue, _sent_ts(message), id, reason, body, note=note)
        body = json.dumps(told["requestPayload"], ensure_ascii=False)
        function = str(context["functionArn"]).partition(":function:")[2].partition(":")[0]
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return GivenUp(queue, _sent_ts(message), message["MessageId"], "it is not of Lambda", message["Body"])
    again = None
    if function == stage.handlers["message"]:
        again = ("lambda", "invoke", _invocation(function, told["requestPayload"], id))
    return GivenUp(queue, _sent_ts(message), id, reason, body, again)


def _invocation(function: str, payload: object, request_id: str) -> dict[str, Any]:
    """An async invoke; a message without an id gets that of its first invocation, so that it is not sent twice."""
    if isinstance(payload, dict) and payload.get("id") is None:
        payload = {**payload, "id": request_id}
    return {"FunctionName": function, "InvocationType": "Event", "Payload": json.dumps(payload).encode()}


def _reason(condition: str, answer: object) -> str:
    """What the function said last, or else what Lambda says."""
    if isinstance(answer, dict) and "errorMessage" in answer:
        kind = f"{answer['errorType']}: " if "errorType" in answer else ""
        return f"{kind}{answer['errorMessage']}"
    return condition


def _sent_ts(message: Mapping[str, Any]) -> float:
    return int(message["Attributes"]["SentTimestamp"]) / 1000
