"""The messages that were parked: what they are, why they were refused, and sending them again."""

from __future__ import annotations

import sys
import time
from datetime import datetime, timezone

from chalicelib.errors import InvalidTask, TableUnavailable
from chalicelib.outbox import NotClaimed, Outbox
from chalicelib.row import KEPT_FAILED, Row
from chalicelib.task import from_attribute
from tools.ops.stage import StageError

_SHOWN_CHARACTERS = 60


def list_failed(outbox: Outbox, stage: str) -> int:
    """Prints a line for each parked message, and how many there are."""
    rows = _read(outbox, "FAILED")
    for row in rows:
        print(f"{_parked_at(row)}  {_line(row.key.sort)}  {_line(str(row.last_error))}  {_text(row)!r}")
    print(_count(len(rows), "is", "are", f"parked on {stage}"))
    return 0


def redrive(outbox: Outbox, stage: str, id: str | None) -> int:
    """Makes parked messages due, or one of them, and those that no event ever brought; tells how many."""
    rows = [row for row in _read(outbox, "FAILED", None) if id in (None, row.key.sort)]
    count = sum(_make_due(outbox, row) for row in rows)
    if id is not None and not rows:
        print(f"ID: no message {id!r} is parked on {stage}", file=sys.stderr)
        return 1
    print(_count(count, "is", "are", f"sent again on {stage}, within a minute"))
    return 0


def _make_due(outbox: Outbox, row: Row) -> bool:
    try:
        if row.status is None:
            outbox.adopt(row.key, now=time.time())
        else:
            outbox.redrive(row.key, now=time.time())
    except NotClaimed:
        return False  # a door or the schedule was quicker
    return True


def _read(outbox: Outbox, *statuses: str | None) -> list[Row]:
    try:
        return sorted(outbox.scan(*statuses), key=lambda row: row.key)
    except TableUnavailable as error:
        raise StageError(error.reason) from None


def _parked_at(row: Row) -> str:
    at = float(row.item["ExpirationTs"]["N"]) - KEPT_FAILED
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")


def _line(text: str) -> str:
    """The text in one line, fit for a terminal."""
    return repr(text)[1:-1]


def _text(row: Row) -> str:
    """The beginning of what the sender wrote."""
    payload: object = row.raw_body
    if "Payload" in row.item:
        try:
            payload = from_attribute(row.item["Payload"], "Payload")
        except InvalidTask:
            payload = row.item["Payload"]
    text = str(payload.get("text") if isinstance(payload, dict) else payload)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def _count(count: int, one: str, many: str, what: str) -> str:
    return f"{count} message {one} {what}" if count == 1 else f"{count} messages {many} {what}"
