"""The SQS door: the records of a queue.

Shape: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from .. import senders
from ..contract.reading import Reading
from ..outbox.row import Key
from ..relay import Entry

_SEQUENCE_DIGITS = 39


def read_queue(records: Iterable[Mapping[str, Any]]) -> Iterator[Entry]:
    """The messages that a queue brings, named by their message ids. A FIFO queue's message groups are groups."""
    for record in records:
        body, id, attributes = record["body"], record["messageId"], record.get("attributes", {})
        group, number = attributes.get("MessageGroupId"), attributes.get("SequenceNumber")
        read = partial(_read_body, body)
        if group is None or number is None:
            yield Entry(Key.of_record("queue", id), id, read, body)
        else:
            queue = record["eventSourceARN"].rpartition(":")[2]
            key = Key.of_record("queue", id, group=f"queue {queue} {group}")
            yield Entry(key, None, read, body, sequence=number.zfill(_SEQUENCE_DIGITS))


def _read_body(body: str, now: float) -> Reading:
    return senders.read_text(body, now=now)
