"""Items that a sender may put into the task table, and what has to become of them: nobody else may notice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Item = dict[str, Any]
Ends = Literal["sent", "parked", "ignored"]

NO_WORDS, AGAIN, OTHER_WORDS, UNSTREAMED = "no words", "put again", "other words", "unstreamed"
_UID = "<uid>"
_FAT = {"S": "x" * 390_000}


@dataclass(frozen=True)
class Shape:
    """How an item differs from a tidy one.

    ends: what becomes of it. puts: attributes in the place of a tidy item's; None for one that is not there.
    alone: it belongs to no group.
    """

    ends: Ends
    puts: Mapping[str, Any]
    alone: bool = False

    def attributes(self, uid: str) -> Item:
        """What it puts, for a letter."""
        filled: Item = _fill(self.puts, uid)
        return filled


def _fill(value: Any, uid: str) -> Any:
    if isinstance(value, Mapping):
        return {name: _fill(each, uid) for name, each in value.items()}
    if isinstance(value, list):
        return [_fill(each, uid) for each in value]
    return value.replace(_UID, uid) if isinstance(value, str) else value


def _nested(depth: int) -> Item:
    return {"L": [_nested(depth - 1)]} if depth else {"NULL": True}


def _parked(payload: Item) -> Shape:
    return Shape("parked", {"SenderApp": {"S": _UID}, "Payload": payload})


# States that the outbox knows, and others.
_FORGED: Item = {
    "Status": {"S": "SENT"},
    "DueTs": {"N": "0"},
    "LeaseId": {"S": "mine"},
    "UnsentSK": {"S": "!"},
    "Place": {"S": "!"},
    "Attempts": {"S": "x"},
    "TelegramMessageId": {"N": "1.5"},
    "Answer": {"S": "[" * 10_000},
    "OwnerPK": {"S": "BOTTE_MESSAGE#another"},
    "OwnerSK": {"S": "another"},
}
SHAPES: Mapping[str, Shape] = {
    # The same item comes a second time.
    AGAIN: Shape("sent", {}),
    # It takes the key of an earlier item, in a group or in no group.
    OTHER_WORDS: Shape("sent", {}),
    # No record of the stream tells of it.
    UNSTREAMED: Shape("sent", {}, alone=True),
    "forged state": Shape("sent", _FORGED),
    "no task id": Shape("sent", {"TaskId": None}),
    "padded": Shape("sent", {"Padding": _FAT}),
    "key of a group's row": Shape("sent", {"SK": {"S": " group"}}),
    "key of a lane": Shape("sent", {"PK": {"S": "LANE"}, "SK": {"S": "default"}}, alone=True),
    NO_WORDS: _parked({"M": {"words": {"S": _UID}}}),
    "fat": _parked({"M": {"words": {"S": _UID}, "x": _FAT}}),
    "text of a wrong type": _parked({"M": {"text": {"L": [{"S": _UID}]}}}),
    "no map": _parked({"S": _UID}),
    "null": _parked({"M": {"text": {"NULL": True}}}),
    "set": _parked({"SS": [_UID, "another"]}),
    "binary": _parked({"M": {"text": {"B": b"\x00\xff"}}}),
    "nested": _parked({"M": {"text": _nested(30)}}),
    "another's task": Shape("ignored", {**_FORGED, "SK": {"S": "!" + _UID}, "TaskId": {"S": "OTHER"}}),
    "task id of a wrong type": Shape("ignored", {"SK": {"S": "!" + _UID}, "TaskId": {"N": "1"}}),
}
