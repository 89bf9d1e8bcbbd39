"""Items that a sender may put into the task table, and what has to become of them: nobody else may notice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Item = dict[str, Any]
Ends = Literal["sent", "parked", "ignored"]

NO_WORDS, AGAIN, OTHER_WORDS, UNSTREAMED = "no words", "put again", "other words", "unstreamed"
_UID, _TEXT, _CHAT = "<uid>", "<text>", "<chat>"  # of the letter
_FAT = {"S": "x" * 390_000}
_TOO_LONG = {"S": "x" * 300_000}


@dataclass(frozen=True)
class Shape:
    """How an item differs from a tidy one.

    ends: what becomes of it. puts: attributes in the place of a tidy item's; None for one that is not there.
    alone: it belongs to no group.
    """

    ends: Ends
    puts: Mapping[str, Any]
    alone: bool = False

    def attributes(self, *, uid: str, text: str, chat: str) -> Item:
        """What it puts, for a letter."""
        filled: Item = _fill(self.puts, {_UID: uid, _TEXT: text, _CHAT: chat})
        return filled


def _fill(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _fill(each, words) for name, each in value.items()}
    if isinstance(value, list):
        return [_fill(each, words) for each in value]
    if isinstance(value, str):
        for place, word in words.items():
            value = value.replace(place, word)
    return value


def _odd(payload: Item) -> Shape:
    """Nobody mends it, and it has words."""
    return Shape("sent", {"Payload": payload})


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
    "text of a wrong type": _odd({"M": {"text": {"L": [{"S": _TEXT}]}, "chat": {"S": _CHAT}}}),
    "JSON in a string": _odd({"S": f'{{"text": "{_TEXT}", "chat": "{_CHAT}"}}'}),
    "options of wrong types": _odd(
        {
            "M": {
                **{"text": {"S": _TEXT}, "chat": {"S": _CHAT}, "id": {"N": "5"}, "parse_mode": {"NULL": True}},
                **{"photo": {"B": b"\x00\xff"}, "disable_notification": {"S": "true"}, "x": {"SS": ["a", "b"]}},
            }
        }
    ),
    NO_WORDS: _parked({"M": {"sender_app": {"S": _UID}}}),
    "blank": _parked({"M": {"text": {"S": " " * 390_000}}}),
    "too long": _parked({"M": {"text": _TOO_LONG}}),
    "null": _parked({"M": {"text": {"NULL": True}}}),
    "set": _parked({"SS": [_UID, "another"]}),
    "binary": _parked({"M": {"text": {"B": b"\x00\xff"}}}),
    "raw chat id": _parked({"M": {"text": {"S": _UID}, "chat_id": {"N": "5"}}}),
    "another's task": Shape("ignored", {**_FORGED, "SK": {"S": "!" + _UID}, "TaskId": {"S": "OTHER"}}),
    "task id of a wrong type": Shape("ignored", {"SK": {"S": "!" + _UID}, "TaskId": {"N": "1"}}),
}
