"""Stream, queue and schedule, carried to the handlers as AWS's event source mappings do it."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from tests.twin.conftest import Recorder, StartPump
from tools.dev.aws import EmbeddedAws, Resources

# A fallback poll would hide a wake-up that is missing, so most tests put it far away.
NO_POLL = 3600.0


def put_row(aws: EmbeddedAws, sort_key: str, **attributes: Any) -> None:
    item = {"PK": {"S": "BOTTE_MESSAGE"}, "SK": {"S": sort_key}, **attributes}
    aws.client("dynamodb").put_item(TableName="botte-local-tasks", Item=item)


def sort_keys(event: dict[str, Any]) -> list[str]:
    return [record["dynamodb"]["Keys"]["SK"]["S"] for record in event["Records"]]


def messages_in_flight(aws: EmbeddedAws, url: str) -> tuple[int, int]:
    """How many messages are visible, and how many are hidden."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(found[names[0]]), int(found[names[1]])


def test_a_row_reaches_the_handler_as_a_stream_record(
    aws: EmbeddedAws, resources: Resources, start_pump: StartPump, recorder: Recorder
) -> None:
    put_row(aws, "before the mapping, which starts at LATEST")
    start_pump(poll_interval=NO_POLL)
    put_row(aws, "1", Payload={"M": {"text": {"S": "Hello"}, "raw": {"B": b"\x00\xff"}}})
    [record] = recorder.wait_for_records("dynamodb_message", 1)
    change = record.pop("dynamodb")
    assert record.pop("eventID")
    assert record == {
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "eventSourceARN": resources.stream_arn,
    }
    assert isinstance(change.pop("ApproximateCreationDateTime"), float)
    assert change.pop("SequenceNumber").isdigit()
    assert change.pop("SizeBytes") > 0
    assert change == {
        "Keys": {"PK": {"S": "BOTTE_MESSAGE"}, "SK": {"S": "1"}},
        "NewImage": {
            "PK": {"S": "BOTTE_MESSAGE"},
            "SK": {"S": "1"},
            "Payload": {"M": {"text": {"S": "Hello"}, "raw": {"B": "AP8="}}},
        },
        "StreamViewType": "NEW_IMAGE",
    }


def test_each_change_carries_the_image_of_its_own_time(
    aws: EmbeddedAws, start_pump: StartPump, recorder: Recorder
) -> None:
    gate = threading.Event()
    recorder.respond["dynamodb_message"] = lambda _event, _context: gate.wait(30)
    start_pump(poll_interval=NO_POLL)
    put_row(aws, "1", Payload={"M": {"text": {"S": "as put"}}})
    aws.client("dynamodb").update_item(
        TableName="botte-local-tasks",
        Key={"PK": {"S": "BOTTE_MESSAGE"}, "SK": {"S": "1"}},
        UpdateExpression="SET Payload.#t = :t",
        ExpressionAttributeNames={"#t": "text"},
        ExpressionAttributeValues={":t": {"S": "as changed"}},
    )
    gate.set()
    first, second = recorder.wait_for_records("dynamodb_message", 2)
    assert [first["eventName"], second["eventName"]] == ["INSERT", "MODIFY"]
    assert first["dynamodb"]["NewImage"]["Payload"]["M"]["text"]["S"] == "as put"
    assert second["dynamodb"]["NewImage"]["Payload"]["M"]["text"]["S"] == "as changed"


def test_an_update_that_makes_a_row_is_one_insert_and_a_write_without_change_is_nothing(
    aws: EmbeddedAws, start_pump: StartPump, recorder: Recorder
) -> None:
    start_pump(poll_interval=NO_POLL)
    for _ in range(2):
        aws.client("dynamodb").update_item(
            TableName="botte-local-tasks",
            Key={"PK": {"S": "BOTTE_MESSAGE"}, "SK": {"S": "1"}},
            UpdateExpression="SET Attempts = :n",
            ExpressionAttributeValues={":n": {"N": "1"}},
        )
    put_row(aws, "2")
    put_row(aws, "2")
    put_row(aws, "3")
    records = recorder.wait_for_records("dynamodb_message", 3)
    images = [(record["eventName"], record["dynamodb"]["NewImage"]) for record in records]
    key = {"PK": {"S": "BOTTE_MESSAGE"}}
    assert images == [
        ("INSERT", {**key, "SK": {"S": "1"}, "Attempts": {"N": "1"}}),
        ("INSERT", {**key, "SK": {"S": "2"}}),
        ("INSERT", {**key, "SK": {"S": "3"}}),
    ]
    numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in records]
    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]


def test_a_stream_is_read_in_order_and_in_batches_of_the_declared_size(
    aws: EmbeddedAws, start_pump: StartPump, recorder: Recorder
) -> None:
    start_pump(batch_size=4, poll_interval=NO_POLL)
    keys = [f"{number:02}" for number in range(10)]
    for key in keys:
        put_row(aws, key)
    records = recorder.wait_for_records("dynamodb_message", 10)
    assert [record["dynamodb"]["Keys"]["SK"]["S"] for record in records] == keys
    assert max(len(event["Records"]) for event, _ in recorder.calls("dynamodb_message")) <= 4


def test_a_stream_batch_that_fails_comes_again_and_nothing_passes_it(
    aws: EmbeddedAws, start_pump: StartPump, recorder: Recorder
) -> None:
    failures = iter([True, True, True, False])
    put_behind = threading.Event()

    def fail_three_times(_event: Any, _context: Any) -> None:
        put_behind.wait(30)
        if next(failures, False):
            raise RuntimeError("not now")

    recorder.respond["dynamodb_message"] = fail_three_times
    start_pump(poll_interval=NO_POLL)
    put_row(aws, "first")
    recorder.wait_for("dynamodb_message", lambda calls: len(calls) == 1)
    put_row(aws, "second")
    put_behind.set()
    calls = recorder.wait_for("dynamodb_message", lambda calls: sort_keys(calls[-1][0]) == ["second"])
    assert [sort_keys(event) for event, _ in calls] == [["first"]] * 4 + [["second"]]
    assert all(event == calls[0][0] for event, _ in calls[:4])


def test_a_batch_stays_under_lambdas_payload_limit(aws: EmbeddedAws, start_pump: StartPump, recorder: Recorder) -> None:
    gate = threading.Event()
    recorder.respond["dynamodb_message"] = lambda _event, _context: gate.wait(30)
    start_pump(poll_interval=NO_POLL)
    for number in range(20):
        put_row(aws, f"{number:02}", Text={"S": "x" * 390_000})
    gate.set()
    records = recorder.wait_for_records("dynamodb_message", 20)
    assert [record["dynamodb"]["Keys"]["SK"]["S"] for record in records] == [f"{number:02}" for number in range(20)]
    assert len(recorder.calls("dynamodb_message")) >= 2


def test_a_queue_message_reaches_the_handler_and_is_deleted(
    aws: EmbeddedAws, resources: Resources, start_pump: StartPump, recorder: Recorder
) -> None:
    pump = start_pump(poll_interval=NO_POLL)
    sent = aws.client("sqs").send_message(
        QueueUrl=resources.queue_url,
        MessageBody='{"text": "Hello"}',
        MessageAttributes={
            "kind": {"DataType": "String", "StringValue": "test"},
            "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    )
    [record] = recorder.wait_for_records("sqs_message", 1)
    pump.stop(timeout=30)
    attributes = record.pop("attributes")
    assert attributes["ApproximateReceiveCount"] == "1"
    assert attributes["SentTimestamp"].isdigit()
    assert attributes["ApproximateFirstReceiveTimestamp"].isdigit()
    assert attributes["SenderId"]
    assert record.pop("receiptHandle")
    assert record.pop("md5OfMessageAttributes") == sent["MD5OfMessageAttributes"]
    assert record == {
        "messageId": sent["MessageId"],
        "body": '{"text": "Hello"}',
        "messageAttributes": {
            "kind": {"dataType": "String", "stringValue": "test", "stringListValues": [], "binaryListValues": []},
            "raw": {"dataType": "Binary", "binaryValue": "AP8=", "stringListValues": [], "binaryListValues": []},
        },
        "md5OfBody": sent["MD5OfMessageBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:botte-local-messages",
        "awsRegion": "us-east-1",
    }
    assert messages_in_flight(aws, resources.queue_url) == (0, 0)


def test_a_queue_batch_that_fails_stays_hidden_for_the_visibility_timeout(
    aws: EmbeddedAws, resources: Resources, start_pump: StartPump, recorder: Recorder
) -> None:
    recorder.respond["sqs_message"] = lambda _event, _context: 1 / 0
    pump = start_pump(poll_interval=NO_POLL)
    aws.client("sqs").send_message(QueueUrl=resources.queue_url, MessageBody="{}")
    recorder.wait_for_records("sqs_message", 1)
    pump.stop(timeout=30)
    assert messages_in_flight(aws, resources.queue_url) == (0, 1)


def test_partial_batch_answers_are_taken_as_success(
    aws: EmbeddedAws, resources: Resources, start_pump: StartPump, recorder: Recorder
) -> None:
    recorder.respond["sqs_message"] = lambda event, _context: {
        "batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in event["Records"]]
    }
    pump = start_pump(poll_interval=NO_POLL)
    aws.client("sqs").send_message(QueueUrl=resources.queue_url, MessageBody="{}")
    recorder.wait_for_records("sqs_message", 1)
    pump.stop(timeout=30)
    assert messages_in_flight(aws, resources.queue_url) == (0, 0)


def test_a_queue_message_that_always_fails_ends_in_the_dead_letter_queue(
    aws: EmbeddedAws, resources: Resources, start_pump: StartPump, recorder: Recorder
) -> None:
    sqs = aws.client("sqs")
    dead = sqs.get_queue_url(QueueName="botte-local-messages-dead-letter")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5})
    attributes = {"VisibilityTimeout": "0", "RedrivePolicy": redrive}
    sqs.set_queue_attributes(QueueUrl=resources.queue_url, Attributes=attributes)
    recorder.respond["sqs_message"] = lambda _event, _context: 1 / 0
    start_pump(poll_interval=0.05)
    sqs.send_message(QueueUrl=resources.queue_url, MessageBody="poison")
    recorder.wait_for_records("sqs_message", 5)
    [message] = sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=20)["Messages"]
    assert message["Body"] == "poison"
    counts = [record["attributes"]["ApproximateReceiveCount"] for record in recorder.records("sqs_message")]
    assert counts == ["1", "2", "3", "4", "5"]


def test_a_schedule_calls_its_handler_at_the_interval(start_pump: StartPump, recorder: Recorder) -> None:
    start_pump(schedule_interval=0.01)
    calls = recorder.wait_for("redeliver", lambda calls: len(calls) == 3)
    event = calls[0][0]
    assert event["detail-type"] == "Scheduled Event"
    assert event["source"] == "aws.events"
    assert event["resources"] == ["arn:aws:events:us-east-1:123456789012:rule/botte-local-redeliver-event"]
    assert {"version", "id", "account", "time", "region", "detail"} <= set(event)
    assert len({event["id"] for event, _ in calls}) == 3


def test_a_schedule_that_fails_is_called_again(start_pump: StartPump, recorder: Recorder) -> None:
    recorder.respond["redeliver"] = lambda _event, _context: 1 / 0
    start_pump(schedule_interval=0.01)
    recorder.wait_for("redeliver", lambda calls: len(calls) == 2)


@pytest.mark.parametrize("mapping", ["dynamodb_message", "sqs_message"])
def test_after_stop_nothing_is_carried_any_more(
    aws: EmbeddedAws, resources: Resources, start_pump: StartPump, recorder: Recorder, mapping: str
) -> None:
    start_pump(poll_interval=NO_POLL).stop(timeout=30)
    put_row(aws, "1")
    aws.client("sqs").send_message(QueueUrl=resources.queue_url, MessageBody="{}")
    assert recorder.calls(mapping) == []
