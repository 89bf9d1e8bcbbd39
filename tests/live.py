"""What the tests of live messages bring in, and a Telegram whose calls they see."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chalicelib.contract.task import to_attribute
from chalicelib.telegram.bot_api import Telegram
from tests.doors import RelayDoors, event, item, queue_record, stream_record

DOORS = ("HTTP", "Lambda", "DynamoDB", "SQS", "FIFO")


class Watched:
    """A Telegram that remembers which methods were called."""

    def __init__(self, telegram: Telegram) -> None:
        self._telegram = telegram
        self.calls: list[str] = []

    def call(self, method: str, fields: Mapping[str, object], file: tuple[str, bytes] | None = None) -> Any:
        self.calls.append(method)
        return self._telegram.call(method, fields, file)

    def take(self) -> list[str]:
        """Those since it was asked last."""
        calls, self.calls = self.calls, []
        return calls


def bring(doors: RelayDoors, door: str, number: int, fields: Mapping[str, Any]) -> None:
    """Brings a message through a door; number: tells the records of a test apart, and gives their order."""
    body = json.dumps(fields)
    match door:
        case "HTTP":
            assert doors.post(body).status_code in (200, 202)
        case "Lambda":
            doors.invoke(fields, f"request-{number}")
        case "DynamoDB":
            doors.stream(streamed(fields, number))
        case "SQS":
            doors.queue(queue_record(body, f"m{number}"))
        case "FIFO":
            doors.queue(fifo(fields, number))
        case _:
            raise ValueError(door)


def streamed(fields: Mapping[str, Any], number: int) -> dict[str, Any]:
    return stream_record(item(to_attribute(fields)["M"], sort_key=f"s{number}"))  # type: ignore[arg-type]


def fifo(fields: Mapping[str, Any], number: int) -> dict[str, Any]:
    record = event("sqs_fifo")["Records"][0]
    record["attributes"] |= {"MessageGroupId": "g", "SequenceNumber": str(18870000000000000000 + number)}
    return {**record, "body": json.dumps(fields), "messageId": f"f{number}"}
