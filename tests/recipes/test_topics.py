"""Topics, rules and buckets of the embedded AWS send to the queue, and the SQS door takes what they send."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.doors import texts
from tests.recipes.conftest import TakeQueue
from tests.recipes.page import ROOT
from tools.dev.aws import EmbeddedAws
from tools.dev.fake_telegram import FakeTelegram

QUEUE = "arn:aws:sqs:us-east-1:123456789012:botte-local-messages"
ALARM = (ROOT / "tests/senders/samples/alarm_sns.json").read_text()


@pytest.fixture(params=["envelope", "raw"])
def topic(request: pytest.FixtureRequest, aws: EmbeddedAws, take_queue: TakeQueue) -> Iterator[str]:
    """A topic to which the queue is subscribed: with SNS's envelope around a message, or with raw message delivery."""
    sns = aws.client("sns")
    arn: str = sns.create_topic(Name="published")["TopicArn"]
    raw = {"RawMessageDelivery": "true"} if request.param == "raw" else {}
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=QUEUE, Attributes=raw)
    yield arn
    sns.delete_topic(TopicArn=arn)


@pytest.mark.parametrize(
    ("published", "first_lines"),
    [
        ("The backup of db1 is done.", ["The backup of db1 is done."]),
        ('{"text": "<b>Done</b>", "parse_mode": "HTML"}', ["Done"]),
        (ALARM, ["🔴 orders-5xx: ALARM"]),
        ('{"order": 4711}', ["order: 4711"]),
    ],
    ids=["words", "message", "alarm", "unknown"],
)
def test_what_is_published_arrives(
    published: str, first_lines: list[str], aws: EmbeddedAws, topic: str, take_queue: TakeQueue, telegram: FakeTelegram
) -> None:
    aws.client("sns").publish(TopicArn=topic, Message=published)
    take_queue()
    [text] = texts(telegram.messages)
    assert text.splitlines()[: len(first_lines)] == first_lines


def test_an_event_that_a_rule_sends_to_the_queue_arrives(
    aws: EmbeddedAws, take_queue: TakeQueue, telegram: FakeTelegram
) -> None:
    events = aws.client("events")
    events.put_rule(Name="orders", EventPattern='{"source": ["com.example.orders"]}')
    events.put_targets(Rule="orders", Targets=[{"Id": "botte", "Arn": QUEUE}])
    detail = json.dumps({"state": "FAILED", "reason": "nothing in stock"})
    events.put_events(Entries=[{"Source": "com.example.orders", "DetailType": "Order", "Detail": detail}])
    take_queue()
    events.remove_targets(Rule="orders", Ids=["botte"])
    events.delete_rule(Name="orders")
    [text] = texts(telegram.messages)
    assert text.splitlines()[0] == "🔴 Order: FAILED"


def test_what_happens_in_a_bucket_arrives(aws: EmbeddedAws, take_queue: TakeQueue, telegram: FakeTelegram) -> None:
    """S3 tries a notification as soon as it is set."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="backups")
    notifications = {"QueueConfigurations": [{"QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket="backups", NotificationConfiguration=notifications)
    take_queue()
    s3.put_object(Bucket="backups", Key="daily/db1.tar.gz", Body=b"12345")
    take_queue()
    s3.delete_object(Bucket="backups", Key="daily/db1.tar.gz")
    s3.delete_bucket(Bucket="backups")
    assert texts(telegram.messages) == [
        "🟢 S3 bucket backups can send",
        "db1.tar.gz: created\nbackups/daily/db1.tar.gz, 5 bytes",
    ]
