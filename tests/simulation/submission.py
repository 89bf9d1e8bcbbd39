"""A message as a sender hands it in, and what is known of it beforehand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Door = Literal["http", "sync", "async", "task", "queue", "fifo"]
Fate = Literal["good", "bad", "foreign"]
MAX_TEXT_UNITS = 64  # Telegram's limit, here: to cut long texts would take longer than all the rest
WORDS = "w"  # begins the name of words that several messages may have
PART_CHARACTERS = 46  # no part fits into a message with the one before, so each begins with its label


@dataclass(frozen=True)
class Submission:
    """What comes through a door at a time. Each part of the text begins with a label: its tag and number.

    Where it has a ``collapse_key``, other messages may have the same words: its label has their name instead, and its
    ``sender_app`` is the tag.

    fields: the message's, as JSON values. body: what comes instead of them; at the task door, instead of ``Payload``.
    fate: bad is input that is to be parked or refused; foreign is not Botte's at all.
    partition, sort, more: key and further attributes of a task. group: its message group, if it belongs to one.
    """

    at: float
    tag: str
    door: Door
    fields: Mapping[str, Any] = field(default_factory=dict)
    fate: Fate = "good"
    body: Any = None
    group: str | None = None
    partition: str = "BOTTE_MESSAGE"
    sort: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str | None:
        """The idempotency key."""
        given: str | None = self.fields.get("id")
        is_named_by_key = self.door == "task" and self.partition.endswith("#" + self.sort)
        return self.sort if given is None and is_named_by_key else given

    @property
    def key(self) -> str | None:
        """The name of its live message, in its chat."""
        given: str | None = self.fields.get("collapse_key")
        return given

    @property
    def words(self) -> str:
        """What names its words: labels begin with it."""
        return self.tag if self.key is None else str(self.fields["text"]).partition(".")[0]

    @property
    def facts(self) -> dict[str, Any]:
        """What the history tells of it."""
        known = {"tag": self.tag, "door": self.door, "fate": self.fate, "chat": self.fields.get("chat", "default")}
        parts = str(self.fields.get("text", "")).count(self.words + ".")
        optional = {"group": self.group, "id": self.id, "deliver_at": self.fields.get("deliver_at")}
        if self.key is not None:
            optional |= {"key": self.key, "words": self.words}
            optional |= {name: self.fields.get(name) for name in ("renotify", "ack", "escalate_after")}
        return {**known, "parts": parts, **{name: value for name, value in optional.items() if value is not None}}

    @property
    def json(self) -> str:
        """The body at a door that takes JSON."""
        return json.dumps(self.fields) if self.body is None else str(self.body)

    @property
    def item(self) -> dict[str, Any]:
        """The item that is put into the task table."""
        payload = {"M": {name: _attribute(value) for name, value in self.fields.items()}}
        return {
            "PK": {"S": self.partition},
            "SK": {"S": self.sort},
            "Payload": payload if self.body is None else self.body,
            **self.more,
        }

    def renamed(self, tag: str, at: float) -> Submission:
        """The same words as a new message."""
        new = {"sender_app": tag} if self.key else {"text": self.fields["text"].replace(self.tag + ".", tag + ".")}
        return replace(self, tag=tag, at=at, fields={**self.fields, **new})


def text_of(words: str, parts: int = 1) -> str:
    """A text that goes out in so many parts; the last one has room for more lines."""
    filler = " " + "x" * PART_CHARACTERS
    return "\n\n".join(f"{words}.{number} word{filler if number < parts else ''}" for number in range(1, parts + 1))


def notice_of(count: int, reason: str | None, stage: str) -> str:
    """What the owner is told of parked messages, within the limit that a text has here."""
    del reason, stage
    return f"notice.{count} parked"


def _attribute(value: object) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"N": str(value)} if isinstance(value, int) else {"S": value}
