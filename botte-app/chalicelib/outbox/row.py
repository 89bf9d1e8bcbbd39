"""A row of the outbox: its key, and what it tells. Pure; reading a row never raises, whatever it holds."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from .. import senders
from ..contract.message import MAX_MESSAGE_BYTES, InvalidMessage, Message, parse_json
from ..contract.reading import Reading
from ..contract.task import GROUP_PREFIX
from ..telegram.delivery import Progress

if TYPE_CHECKING:
    from .live import Showing, Wanted

DAY = 86_400
KEPT_SENT = 14 * DAY
KEPT_FAILED = 30 * DAY
KEPT_RESERVED = 400 * DAY  # far longer than its message can owe a delivery; its message's row tells when the id is free
MAX_RAW_BYTES = 256 * 1024  # a row may have 400 KB
MAX_ANSWER_BYTES = 32 * 1024
MAX_ERROR_CHARACTERS = 1000
MAX_GROUP_BYTES = 1024

_GROUP = " group"  # an id has no space, so no message has this sort key
_LANES = "LANE"
_PARKINGS = "PARKINGS"
_LIVE = "LIVE"
_HEARTBEATS = "HEARTBEATS"
_DIGEST_BYTES = 16  # of a live message's key: it has to find room in the data of a button
T = TypeVar("T")


class Key(NamedTuple):
    """The key of a row."""

    partition: str
    sort: str

    @classmethod
    def of_id(cls, id: str) -> Key:
        """The row of the message that an ``id`` names."""
        return cls(GROUP_PREFIX + id, id)

    @classmethod
    def of_record(cls, *parts: str, group: str | None = None) -> Key:
        """The row of a message that its place and its content name. group: the message group that it belongs to."""
        digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
        return cls(f"RECORD#{digest}" if group is None else _partition(group), f"record {digest}")

    @classmethod
    def of_group(cls, partition: str) -> Key:
        """The row that says when a group goes on."""
        return cls(partition, _GROUP)

    @classmethod
    def of_lane(cls, chat: str) -> Key:
        """The row that says how long a chat has to wait."""
        return cls(_LANES, chat)

    @classmethod
    def of_parkings(cls) -> Key:
        """The row that counts what is parked."""
        return cls(_PARKINGS, "count")

    @classmethod
    def of_notice(cls, first: int, last: int) -> Key:
        """The row of the message that tells the owner of so many parked ones, counted from the very first."""
        return cls(_PARKINGS, f"notice {first}-{last}")

    @classmethod
    def of_topic(cls, chat_id: int, sender_app: str) -> Key:
        """The row that remembers the topic of a sender. By the chat's id, as another chat has other topics."""
        return cls(f"TOPICS#{chat_id}", sender_app)

    @classmethod
    def of_live(cls, chat: str, collapse_key: str) -> Key:
        """The row of a live message."""
        digest = hashlib.sha256(f"{chat}\0{collapse_key}".encode()).digest()[:_DIGEST_BYTES]
        return cls.of_digest(urlsafe_b64encode(digest).decode().rstrip("="))

    @classmethod
    def of_digest(cls, digest: str) -> Key:
        """The row of the live message that has this digest: its ``sort``, and its name in a button."""
        return cls(_LIVE, digest)

    @classmethod
    def of_heartbeat(cls, name: str) -> Key:
        """The row of a heartbeat."""
        return cls(_HEARTBEATS, name)

    @property
    def is_heartbeat(self) -> bool:
        return self.partition == _HEARTBEATS

    @property
    def is_live(self) -> bool:
        """Whether it is that of a live message."""
        return self.partition == _LIVE

    @property
    def alone(self) -> Key:
        """The row of the same record outside its group: for what will not be delivered, and needs no place."""
        return Key(f"RECORD#{self.sort.removeprefix('record ')}", self.sort)

    @property
    def is_group(self) -> bool:
        return self.sort == _GROUP

    @property
    def is_notice(self) -> bool:
        """Whether it is that of a message on what was parked."""
        return self.partition == _PARKINGS


def _partition(group: str) -> str:
    encoded = group.encode("utf-8", "surrogatepass")
    short = group if len(encoded) <= MAX_GROUP_BYTES else hashlib.sha256(encoded).hexdigest()
    return f"GROUP#{short}"


class Row(NamedTuple):
    """A row as it was read. What is missing in it, or is not of its type, counts as not there."""

    item: Mapping[str, Any]

    @property
    def key(self) -> Key:
        return Key(self._string("PK") or "", self._string("SK") or "")

    @property
    def status(self) -> str | None:
        """SENDING, SENT, PENDING or FAILED; None for a row that is no message's."""
        return self._string("Status")

    @property
    def chat(self) -> str:
        """The name of the chat; its lane."""
        return self._string("Chat") or "default"

    @property
    def due_ts(self) -> float | None:
        """When it is due; for SENDING, when its lease is over; for a group, when it goes on."""
        return self._number("DueTs")

    @property
    def turn_ts(self) -> float:
        """When the message might go at first: its acceptance, or its ``deliver_at``. It gives the order of a lane."""
        return self._number("TurnTs") or 0.0

    @property
    def accepted_ts(self) -> float | None:
        return self._number("AcceptedTs")

    @property
    def not_before_ts(self) -> float:
        """Of a lane's row: until when it has to wait."""
        return self._number("NotBefore") or 0.0

    @property
    def attempts(self) -> int:
        return self._count("Attempts")

    @property
    def ambiguous(self) -> int:
        """How many answers of Telegram were lost."""
        return self._count("Ambiguous")

    @property
    def failures(self) -> int:
        """How many attempts failed though Telegram was there; of a group's row, since a message of it went through."""
        return self._count("Failures")

    @property
    def failing_since_ts(self) -> float | None:
        """When its first own failure was."""
        return self._number("FailingSince")

    @property
    def last_error(self) -> str | None:
        return self._string("LastError")

    @property
    def body_hash(self) -> str | None:
        return self._string("BodyHash")

    @property
    def body(self) -> str | None:
        """The message's fields, as JSON; bad input as it came, or its beginning, where it was very long."""
        return self._string("Message") or self._string("RawBody")

    def read_message(self, now: float) -> Reading:
        """The message, at a time (epoch seconds), as a queue door reads it. Raises InvalidMessage."""
        fields, mended = self._string("Message"), self.progress.mended
        if fields is None:
            raw = self._string("RawBody") or ""
            if len(raw.encode("utf-8", "replace")) > MAX_RAW_BYTES - 4:  # the bytes of a character
                raise InvalidMessage("body", "was too large, and only its beginning is kept")
            message, left_out = senders.read_text(raw, now=now)
            return Reading(message, tuple(dict.fromkeys((*left_out, *mended))))
        given = parse_json(fields, max_bytes=MAX_MESSAGE_BYTES)
        return Reading(Message.from_fields(given, now=now, ignore_unknown=True), mended)

    @property
    def sequence(self) -> str | None:
        """The message's place in its group; None where it belongs to none."""
        return self._string("Sequence")

    @property
    def touched(self) -> str | None:
        """Of a group's row: changes with each message that has to wait in the group."""
        return self._string("Touched")

    @property
    def parked(self) -> int:
        """Of the row that counts them: how many messages were parked, ever."""
        return self._count("Parked")

    @property
    def told(self) -> int:
        """Of the same: of how many of them the owner was told."""
        return self._count("Told")

    @property
    def every(self) -> int:
        """Of a heartbeat: in how many seconds the next one has to come."""
        return self._count("Every")

    @property
    def last_ts(self) -> float:
        """Of a heartbeat: when the last one came."""
        return self._number("LastTs") or 0.0

    @property
    def missed_ts(self) -> float | None:
        """Of a heartbeat that did not come: when it was due, until it is told that it is back."""
        return self._number("MissedTs")

    @property
    def sender_app(self) -> str | None:
        """Of a heartbeat: who sends it."""
        return self._string("SenderApp")

    @property
    def thread_id(self) -> int | None:
        """Of a topic's row: the ``message_thread_id``."""
        return self._count("ThreadId") or None

    @property
    def version(self) -> int:
        """Of a live message: grows with each change of what is wanted. Of one that joined it: with which it did."""
        return self._count("Version")

    @property
    def unnoted(self) -> int:
        """Of a live message: how often it was claimed since what is shown was noted; more than once after a crash."""
        return self._count("Unnoted")

    @property
    def wanted(self) -> Wanted:
        """What the chat is to show of a live message."""
        from .live import Wanted  # most rows are of others: it stays out of the cold start

        return self._kept("Wanted", Wanted.read) or Wanted("")

    @property
    def showing(self) -> Showing:
        """What the chat shows of a live message."""
        from .live import Showing

        return self._kept("Shown", Showing.read) or Showing()

    @property
    def is_shown(self) -> bool:
        """Whether a live message waits only to be sent again, as nobody has acknowledged it."""
        return self.key.is_live and self.status == "PENDING" and self.showing.version >= self.version

    def as_of(self, version: int) -> Row:
        """The row of a live message, as a message sees it that joined with this version; 0 if it came too late to.

        It is sent once it was shown, or another took its place.
        """
        if self.showing.version < version and self.version <= version:
            return self
        ends = {"Status": {"S": "SENT"}}
        if self.showing.version < version or not version:
            ends["LastError"] = {"S": "superseded by a later message with its collapse_key"}
        kept = {name: value for name, value in self.item.items() if name not in ("DueTs", "LastError")}
        return Row({**kept, **ends})

    @property
    def owner(self) -> Key | None:
        """The row that delivers the message, where this one only reserves its ``id``, or joined a live one."""
        partition, sort = self._string("OwnerPK"), self._string("OwnerSK")
        return Key(partition, sort) if partition and sort else None

    @property
    def progress(self) -> Progress:
        ids = self._attribute("TelegramMessageId")
        numbers = [_number(each) for each in (ids, *_list(ids))]
        plain_from = self._number("PlainFrom")
        mended = [each.get("S") for each in _list(self._attribute("Mended"))]
        return Progress(
            message_ids=tuple(int(number) for number in numbers if number is not None),
            answer=self._answer,
            mended=tuple(name for name in mended if isinstance(name, str)),
            plain_from=None if plain_from is None else int(plain_from),
        )

    @property
    def expiration_ts(self) -> float | None:
        """When DynamoDB may delete it; None while it owes a delivery."""
        return self._number("ExpirationTs")

    @property
    def parked_ts(self) -> float:
        """Of a FAILED row: when the message was parked."""
        return (self.expiration_ts or 0.0) - KEPT_FAILED

    @property
    def owes(self) -> bool:
        """Whether the message is still to be delivered."""
        return self.status in ("PENDING", "SENDING")

    def is_over(self, now: float) -> bool:
        """Whether the row is done and its time is over; DynamoDB may take two days to delete it."""
        return not self.owes and self.expiration_ts is not None and self.expiration_ts <= now

    @property
    def _answer(self) -> Mapping[str, Any] | None:
        return self._kept("Answer", dict)

    def _kept(self, name: str, read: Callable[[dict[str, Any]], T]) -> T | None:
        """What an attribute holds as JSON."""
        try:
            kept = json.loads(self._string(name) or "null")
            return read(kept) if isinstance(kept, dict) else None
        except (LookupError, OverflowError, RecursionError, TypeError, ValueError):
            return None

    def _attribute(self, name: str) -> Mapping[str, Any]:
        value = self.item.get(name)
        return value if isinstance(value, Mapping) else {}

    def _string(self, name: str) -> str | None:
        value = self._attribute(name).get("S")
        return value if isinstance(value, str) else None

    def _number(self, name: str) -> float | None:
        return _number(self._attribute(name))

    def _count(self, name: str) -> int:
        return max(0, int(self._number(name) or 0))


def _number(attribute: Mapping[str, Any]) -> float | None:
    try:
        number = float(attribute.get("N", "nan"))
    except (OverflowError, TypeError, ValueError):
        return None
    return number if isfinite(number) else None


def _list(attribute: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    values = attribute.get("L")
    return [each for each in values if isinstance(each, Mapping)] if isinstance(values, list) else []
