"""The SQS client: standard and FIFO queues, batches, and what it does where AWS misbehaves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from botte_sqs_client import (
    Accepted,
    AuthenticationError,
    BotteSqsClient,
    InvalidMessage,
    Message,
    NotFound,
    Unavailable,
)
from tests.clients.conftest import RunningTwin, arrived, shared_client, texts_about
from tests.clients.servers import Proxy, Request, Step, answer, cut, forward, swallow
from tools.dev.fake_telegram import FakeTelegram

pytestmark = pytest.mark.slow

THROTTLED = answer(403, {"__type": "com.amazonaws.sqs#RequestThrottled", "message": "Says the test"})


def fail(count: int) -> Step:
    """SendMessageBatch takes all but some entries."""

    def step(request: Request) -> None:
        asked = request.json
        entries = asked["Entries"]
        failed = [{"Id": one["Id"], "SenderFault": False, "Code": "InternalError"} for one in entries[:count]]
        taken: Any = {"Successful": []}
        if entries[count:]:
            _, body = request.pass_on(json.dumps({**asked, "Entries": entries[count:]}).encode())
            taken = json.loads(body)
        request.answer(200, json.dumps({**taken, "Failed": failed}).encode())

    return step


def in_a_hurry() -> BotteSqsClient:
    """A client that knows the queue's URL, so that the next call is the one that a test is about."""
    client: BotteSqsClient = shared_client("sqs", retries=2, backoff=0.01)
    client._queue_url()
    return client


@pytest.fixture
def fifo(twin: RunningTwin) -> Iterator[str]:
    sqs = twin.boto3("sqs")
    url: str = sqs.create_queue(QueueName="botte-test.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


def received(twin: RunningTwin, url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = twin.boto3("sqs").receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
    )["Messages"]
    return found


def test_the_body_is_the_message_with_an_id(aws_proxy: Proxy, telegram: FakeTelegram) -> None:
    result = shared_client("sqs").send_message("Grüße", sender_app="test")
    request = aws_proxy.requests[-1]
    assert json.loads(request.json["MessageBody"]) == {"text": "Grüße", "sender_app": "test", "id": result.id}
    arrived(telegram, "Grüße")


@pytest.mark.parametrize("queue", ["botte-local-messages", "botte-test.fifo"])
def test_the_body_of_a_heartbeat_has_no_id(aws_proxy: Proxy, queue: str) -> None:
    """A FIFO queue takes each one all the same."""
    with BotteSqsClient(f"{aws_proxy.url}/123456789012/{queue}") as client:
        aws_proxy.follow(answer(200, {"MessageId": "1"}), answer(200, {"MessageId": "2"}))
        for _ in range(2):
            client.send_heartbeat("nightly", every="26h", chat="ops")
    sent = [request.json for request in aws_proxy.requests]
    for one in sent:
        assert json.loads(one["MessageBody"]) == {"heartbeat": "nightly", "chat": "ops", "every": 93_600}
    names = {one.get("MessageDeduplicationId") for one in sent} - {None}
    assert len(names) == (2 if queue.endswith(".fifo") else 0)


def test_a_queue_by_url_needs_no_look_up(twin: RunningTwin, aws_proxy: Proxy, telegram: FakeTelegram) -> None:
    url = twin.boto3("sqs").get_queue_url(QueueName="botte-local-messages")["QueueUrl"]
    with BotteSqsClient(url) as by_url, BotteSqsClient("botte-local-messages") as by_name:
        by_url.send_message("by URL")
        assert "GetQueueUrl" not in [request.target for request in aws_proxy.requests]
        for _ in range(2):
            by_name.send_message("by name")
    assert [request.target for request in aws_proxy.requests].count("GetQueueUrl") == 1
    assert sorted(texts_about(telegram, "by ", 3)) == ["by URL", "by name", "by name"]


@pytest.mark.parametrize("fault", [THROTTLED, cut, swallow], ids=["throttled", "cut", "swallow"])
def test_what_boto3_sends_again_arrives_once(aws_proxy: Proxy, telegram: FakeTelegram, fault: Step) -> None:
    text = f"queued again, {id(fault)}"
    client = shared_client("sqs")
    client.send_message(f"before {text}")
    aws_proxy.follow(fault)
    client.send_message(text)
    client.send_message(f"after {text}")
    assert sorted(texts_about(telegram, text, 3)) == [f"after {text}", f"before {text}", text]


def test_a_repeated_id_is_delivered_once(telegram: FakeTelegram) -> None:
    for _ in range(3):
        assert shared_client("sqs").send_message("queued once", id="queued-once") == Accepted("queued-once")
    shared_client("sqs").send_message("behind queued once")
    assert texts_about(telegram, "queued once", 2) == ["queued once", "behind queued once"]


@pytest.mark.parametrize(
    ("faults", "sizes"),
    [
        ([], [10, 1]),
        ([fail(4), fail(1)], [10, 4, 1, 1]),
        ([fail(10)], [10, 10, 1]),
        ([cut], [10, 10, 1]),
        ([swallow], [10, 10, 1]),
        ([THROTTLED], [10, 10, 1]),
    ],
    ids=["none", "partial", "all failed", "cut", "answer lost", "throttled"],
)
def test_a_batch_arrives_once_whatever_sqs_does(
    aws_proxy: Proxy, telegram: FakeTelegram, faults: list[Step], sizes: list[int]
) -> None:
    word = f"queued {sizes} {id(faults)}"
    expected = [f"{word} {number:02}" for number in range(11)]
    progress: list[tuple[int, int]] = []
    aws_proxy.follow(*faults)
    results = in_a_hurry().send_messages(
        [Message(text=text) for text in expected], on_progress=lambda done, total: progress.append((done, total))
    )
    assert sorted(texts_about(telegram, word, 11)) == expected
    assert len({result.id for result in results}) == 11
    batches = [request.json["Entries"] for request in aws_proxy.requests if request.target == "SendMessageBatch"]
    assert [len(entries) for entries in batches] == sizes
    assert progress[-1] == (11, 11)


def test_a_batch_is_never_larger_than_sqs_takes(aws_proxy: Proxy, telegram: FakeTelegram) -> None:
    client = in_a_hurry()
    aws_proxy.follow(*[lambda request: request.answer(200, b'{"Successful": []}')] * 20)
    client.send_messages([Message(text="\N{PARTY POPPER}" * 25_000) for _ in range(6)])
    batches = [request.json["Entries"] for request in aws_proxy.requests if request.target == "SendMessageBatch"]
    assert [len(entries) for entries in batches] == [2, 2, 2]
    assert all(sum(len(one["MessageBody"].encode()) for one in entries) <= 262_144 for entries in batches)


def test_a_batch_that_fails_tells_what_to_send_again(aws_proxy: Proxy, telegram: FakeTelegram) -> None:
    expected = [f"queued after all {number:02}" for number in range(15)]
    client = in_a_hurry()
    aws_proxy.follow(forward, fail(3), fail(3), fail(2))
    with pytest.raises(Unavailable, match="InternalError") as caught:
        client.send_messages([Message(text=text) for text in expected])
    assert [message.text for message in caught.value.unsent] == expected[10:12]
    client.send_messages(caught.value.unsent)
    assert sorted(texts_about(telegram, "queued after all", 15)) == expected


def test_an_invalid_message_keeps_the_whole_batch_back(aws_proxy: Proxy) -> None:
    with pytest.raises(InvalidMessage, match="30 days"):
        shared_client("sqs").send_messages([Message(text="fine"), Message(text="x", deliver_at=2**40)])
    assert aws_proxy.requests == []


def test_a_fifo_queue_gets_group_and_deduplication_id(twin: RunningTwin, fifo: str) -> None:
    with BotteSqsClient("botte-test.fifo") as client:
        client.send_message("one", id="one", message_group_id="g")
        client.send_message("one", id="one", message_group_id="g")
        client.send_message("alone", id="alone")
        client.send_message("long", id="x" * 200)
    found = [(json.loads(message["Body"])["id"], message["Attributes"]) for message in received(twin, fifo)]
    long = hashlib.sha256(b"x" * 200).hexdigest()
    assert [(id, each["MessageGroupId"], each["MessageDeduplicationId"]) for id, each in found] == [
        ("one", "g", "one"),
        ("alone", "alone", "alone"),
        ("x" * 200, long, long),
    ]


def test_a_fifo_batch_keeps_its_order_and_goes_through_the_app(
    twin: RunningTwin, fifo: str, aws_proxy: Proxy, telegram: FakeTelegram
) -> None:
    expected = [f"fifo {number}" for number in range(5)]
    with BotteSqsClient(fifo, backoff=0.01) as client:
        aws_proxy.follow(forward, fail(1))
        client.send_messages([Message(text=text) for text in expected], message_group_id="g")
    messages = received(twin, fifo)
    assert [json.loads(message["Body"])["text"] for message in messages] == expected
    records = [
        {
            "messageId": message["MessageId"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:botte-test.fifo",
        }
        for message in messages
    ]
    event = json.dumps({"Records": records}).encode()
    for _ in range(2):
        twin.boto3("lambda").invoke(FunctionName="botte-local-sqs_message", Payload=event)
    assert texts_about(telegram, "fifo", 5) == expected


def test_a_group_needs_a_fifo_queue() -> None:
    with pytest.raises(InvalidMessage, match="fifo") as caught:
        shared_client("sqs").send_message("x", message_group_id="g")
    assert caught.value.field == "message_group_id"


def test_a_missing_queue_and_a_missing_permission_are_told(aws_proxy: Proxy) -> None:
    with pytest.raises(NotFound, match="the queue nothing does not exist"):
        BotteSqsClient("nothing").send_message("x")
    client = in_a_hurry()
    aws_proxy.follow(answer(400, {"__type": "com.amazonaws.sqs#InvalidAddress", "message": "no queue"}))
    with pytest.raises(NotFound, match="takes no message"):
        client.send_message("x")
    aws_proxy.follow(answer(403, {"__type": "com.amazonaws.sqs#AccessDenied", "message": "no"}))
    with pytest.raises(AuthenticationError, match="permissions"):
        client.send_message("x")
    aws_proxy.follow(*[THROTTLED] * 3)
    with pytest.raises(Unavailable) as caught:
        client.send_message("x")
    assert caught.value.id
