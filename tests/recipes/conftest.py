"""The queue of the embedded AWS, brought to the SQS door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.doors import Doors
from tools.dev.aws import EmbeddedAws, Resources
from tools.dev.events import queue_record

TakeQueue = Callable[[], None]


@pytest.fixture
def take_queue(doors: Doors, aws: EmbeddedAws, resources: Resources) -> TakeQueue:
    """Brings what is in the queue to the SQS door, as AWS's event source mapping does."""
    sqs, url = aws.client("sqs"), resources.queue_url
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def take() -> None:
        messages: list[dict[str, Any]]
        while messages := sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["All"]).get("Messages", []):
            assert doors.queue(*(queue_record(message, arn) for message in messages)).function_error is None
            for message in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    return take
