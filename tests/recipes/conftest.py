"""The queue of the embedded AWS, brought to the SQS door."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.doors import Doors
from tools.dev.aws import EmbeddedAws, Resources
from tools.dev.events import queue_record

TakeQueue = Callable[[], None]


def _batches(sqs: Any, url: str) -> Iterator[list[dict[str, Any]]]:
    """What is in a queue, each batch deleted when the next is asked for."""
    batch: list[dict[str, Any]]
    while batch := sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["All"]).get("Messages", []):
        yield batch
        for message in batch:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


@pytest.fixture
def take_queue(doors: Doors, aws: EmbeddedAws, resources: Resources) -> TakeQueue:
    """Brings what is in the queue, empty at first, to the SQS door, as AWS's event source mapping does."""
    sqs, url = aws.client("sqs"), resources.queue_url
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    for _ in _batches(sqs, url):  # of another test
        pass

    def take() -> None:
        for batch in _batches(sqs, url):
            assert doors.queue(*(queue_record(message, arn) for message in batch)).function_error is None

    return take
