"""What the records of a DynamoDB stream and of an SQS queue stand for.

Shapes: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html and
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from .message import Message, parse_json
from .relay import Entry, read_item
from .row import Key, Row
from .task import GROUP_PREFIX, is_task

MAX_KEPT_IMAGE = 50_000  # a larger one is kept in its row only


def from_stream(records: Iterable[Mapping[str, Any]], get_row: Callable[[Key], Row | None]) -> Iterator[Entry]:
    """The tasks that were put into the table; the relay's own rows, and other people's, are none.

    get_row: reads a row, for a stream that carries keys only.
    """
    for record in records:
        if record.get("eventName") != "INSERT":
            continue
        change = record["dynamodb"]
        keys = change["Keys"]
        key = Key(keys["PK"]["S"], keys["SK"]["S"])
        image = change.get("NewImage")
        if image is None:
            row = get_row(key)
            image = row.item if row else keys
        if is_task({**keys, **image}) and "Status" not in image:
            raw = json.dumps(image)
            yield Entry(key, partial(read_item, image), raw if len(raw) <= MAX_KEPT_IMAGE else None)


def from_queue(records: Iterable[Mapping[str, Any]]) -> Iterator[Entry]:
    """The messages that a queue brings. Those of one message group make a group of rows, in the queue's order."""
    for record in records:
        body, attributes = record["body"], record.get("attributes", {})
        read = partial(_read_body, body)
        group, number = attributes.get("MessageGroupId"), attributes.get("SequenceNumber")
        if group is not None and number is not None:
            queue = record["eventSourceARN"].rpartition(":")[2]
            yield Entry(Key(f"{GROUP_PREFIX}sqs:{queue}:{group}", number.zfill(39)), read, body)
        else:
            yield Entry(Key.of_id(record["messageId"]), read, body, keyed_by_id=True)


def _read_body(body: str, now: float) -> Message:
    return Message.from_fields(parse_json(body), now=now, ignore_unknown=True)
