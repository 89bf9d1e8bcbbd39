"""A row of the task table: its key, and what the relay adds to it. Pure."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from .delivery import Progress
from .errors import redact
from .task import GROUP_PREFIX, TASK_ID, to_attribute

DAY = 86_400
KEPT_SENT = 14 * DAY
KEPT_FAILED = 30 * DAY
KEPT_OWED = 60 * DAY
MAX_RAW_BYTES = 300_000  # a row may have 400 KB


class Key(NamedTuple):
    """The key of a row."""

    partition: str
    sort: str

    @classmethod
    def of_id(cls, id: str) -> Key:
        """The row of the message that an ``id`` names."""
        return cls(GROUP_PREFIX + id, id)

    @property
    def in_group(self) -> bool:
        """Whether the row has its place in a group. One whose sort key is the group's name is a message of its own."""
        return self.partition != GROUP_PREFIX + self.sort


@dataclass(frozen=True)
class Row:
    """A row as it was read; everything the relay did not add may be missing or malformed."""

    item: Mapping[str, Any]

    @property
    def key(self) -> Key:
        return Key(self.item["PK"]["S"], self.item["SK"]["S"])

    @property
    def status(self) -> str | None:
        """SENDING, SENT, PENDING or FAILED; None for a row that no door has taken yet."""
        return self._string("Status")

    @property
    def due_ts(self) -> float | None:
        return self._number("DueTs")

    @property
    def accepted_ts(self) -> float | None:
        return self._number("AcceptedTs")

    @property
    def may_go_early(self) -> bool:
        """Whether the row may be tried before ``due_ts``, as soon as Telegram is known to take messages again."""
        return self.item.get("MayGoEarly") == {"BOOL": True}

    @property
    def attempts(self) -> int:
        return int(self._number("Attempts") or 0)

    @property
    def lease_id(self) -> str | None:
        return self._string("LeaseId")

    @property
    def last_error(self) -> str | None:
        return self._string("LastError")

    @property
    def body_hash(self) -> str | None:
        return self._string("BodyHash")

    @property
    def raw_body(self) -> str | None:
        deflated = self._string("RawBodyDeflated")
        return zlib.decompress(b64decode(deflated)).decode() if deflated else self._string("RawBody")

    @property
    def owner(self) -> Key | None:
        """The row that delivers the message, where this one only reserves its ``id``."""
        partition, sort = self._string("OwnerPK"), self._string("OwnerSK")
        return Key(partition, sort) if partition and sort else None

    @property
    def progress(self) -> Progress:
        ids = self.item.get("TelegramMessageId", {})
        numbers = [each["N"] for each in (ids, *ids.get("L", [])) if "N" in each]
        plain_from = self._number("PlainFrom")
        return Progress(
            message_ids=tuple(int(number) for number in numbers),
            answer=self._answer,
            mended=tuple(each["S"] for each in self.item.get("Mended", {}).get("L", []) if "S" in each),
            plain_from=None if plain_from is None else int(plain_from),
        )

    @property
    def _answer(self) -> Mapping[str, Any] | None:
        try:
            answer = json.loads(self._string("Answer") or "null")
        except ValueError:
            return None
        return answer if isinstance(answer, dict) else None

    def expired(self, now: float) -> bool:
        """Whether the row is done and its time is over; DynamoDB may take two days to delete it."""
        expiration = self._number("ExpirationTs")
        done = self.status in ("SENT", "FAILED") or self.owner is not None
        return done and expiration is not None and expiration <= now

    def _string(self, name: str) -> str | None:
        value = self.item.get(name, {}).get("S")
        return str(value) if value is not None else None

    def _number(self, name: str) -> float | None:
        value = self.item.get(name, {}).get("N")
        return float(value) if value is not None else None


@dataclass(frozen=True)
class Lease:
    """The right to send a row, until its time is over."""

    id: str
    until: float


def key_attributes(key: Key) -> dict[str, object]:
    return to_attributes({"PK": key.partition, "SK": key.sort})


def to_attributes(values: Mapping[str, object]) -> dict[str, object]:
    return {name: to_attribute(value) for name, value in values.items()}


def content(fields: Mapping[str, object], body_hash: str, now: float) -> dict[str, object]:
    """What a row says of its message."""
    return {"TaskId": TASK_ID, "Payload": fields, "BodyHash": body_hash, "AcceptedTs": now}


def raw(body: str) -> dict[str, object]:
    """The attribute that keeps a body of any size, as far as a row can hold it."""
    encoded = body.encode("utf-8", "replace")
    if len(encoded) <= MAX_RAW_BYTES:
        return {"RawBody": encoded.decode()}
    deflated = b64encode(zlib.compress(encoded)).decode()
    if len(deflated) <= MAX_RAW_BYTES:
        return {"RawBodyDeflated": deflated}
    return {"RawBody": encoded[:MAX_RAW_BYTES].decode("utf-8", "ignore")}


def owed(due: float, *, may_go_early: bool = False) -> dict[str, object]:
    return {
        "Status": "PENDING",
        "DueTs": due,
        "MayGoEarly": may_go_early,
        "ExpirationTs": int(due) + KEPT_OWED,
    }


def failed(now: float, error: str) -> dict[str, object]:
    return {"Status": "FAILED", "LastError": redact(error), "ExpirationTs": int(now) + KEPT_FAILED}


def kept(progress: Progress) -> dict[str, object]:
    """What a row keeps of a delivery's progress."""
    kept: dict[str, object] = {}
    if progress.message_ids:
        ids = progress.message_ids
        kept["TelegramMessageId"] = ids[0] if len(ids) == 1 else list(ids)
        kept["Answer"] = json.dumps(progress.answer, ensure_ascii=False)
    if progress.mended:
        kept["Mended"] = list(progress.mended)
    if progress.plain_from is not None:
        kept["PlainFrom"] = progress.plain_from
    return kept
