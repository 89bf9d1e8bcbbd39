"""The events that AWS hands to a Lambda function, made from what boto3 returns. Pure functions.

Shapes: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-example.html,
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html,
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html
"""

from __future__ import annotations

import base64
import datetime
import json
import uuid
from collections.abc import Iterator
from typing import Any

Event = dict[str, Any]


def stream_record(record: Event, stream_arn: str) -> Event:
    """One record of GetRecords as the function gets it."""
    change = _json_ready(record["dynamodb"])
    change["ApproximateCreationDateTime"] = record["dynamodb"]["ApproximateCreationDateTime"].timestamp()
    event = {
        "eventID": record["eventID"],
        "eventName": record["eventName"],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": stream_arn.split(":")[3],
        "dynamodb": change,
        "eventSourceARN": stream_arn,
    }
    if identity := record.get("userIdentity"):  # of rows that the time to live has removed
        event["userIdentity"] = {"principalId": identity["PrincipalId"], "type": identity["Type"]}
    return event


def queue_record(message: Event, queue_arn: str) -> Event:
    """One message of ReceiveMessage as the function gets it."""
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: _message_attribute(value) for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": queue_arn.split(":")[3],
    }
    if checksum := message.get("MD5OfMessageAttributes"):
        record["md5OfMessageAttributes"] = checksum
    return record


def scheduled_event(rule_arn: str, now: datetime.datetime) -> Event:
    """What EventBridge sends for a schedule at `now` (UTC)."""
    _, _, _, region, account, _ = rule_arn.split(":", 5)
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [rule_arn],
        "detail": {},
    }


def batches(records: list[Event], *, max_records: int, max_bytes: int) -> Iterator[list[Event]]:
    """Cuts records into batches, in order, none over `max_records` or, as JSON, over `max_bytes`.

    A single record that is larger makes a batch of its own.
    """
    batch: list[Event] = []
    size = 0
    for record in records:
        length = len(json.dumps(record)) + 2
        if batch and (len(batch) == max_records or size + length > max_bytes):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += length
    if batch:
        yield batch


def _message_attribute(value: Event) -> Event:
    attribute: Event = {"dataType": value["DataType"], "stringListValues": [], "binaryListValues": []}
    if "StringValue" in value:
        attribute["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        attribute["binaryValue"] = _json_ready(value["BinaryValue"])
    return attribute


def _json_ready(value: Any) -> Any:
    """A copy in which binary values are base64, as they are on the wire; boto3 has decoded them."""
    if isinstance(value, dict):
        return {key: _json_ready(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json_ready(item) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value
