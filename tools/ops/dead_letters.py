"""The messages that were parked or given up: what they are, why, and sending them again."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from datetime import datetime, timezone

from chalicelib.errors import TableUnavailable, redact
from chalicelib.outbox import states
from chalicelib.outbox.row import KEPT_FAILED, Key, Row
from chalicelib.outbox.table import NotApplied, Outbox
from tools.ops.given_up import GivenUp, visit
from tools.ops.stage import Stage, StageError

_SHOWN_CHARACTERS = 60


def list_failed(stage: Stage) -> int:
    """Prints a line for each message that was parked or given up, and how many there are. Raises StageError."""
    rows = _parked(stage.outbox())
    for row in rows:
        parked_ts = float(row.item["ExpirationTs"]["N"]) - KEPT_FAILED
        _show(parked_ts, row.key.sort, str(row.last_error), row.body or "")
    print(_count(len(rows), "is", "are", f"parked on {stage.name}"))
    queues: Counter[str] = Counter()

    def show(found: GivenUp) -> bool:
        if not queues[found.queue]:
            print(f"\nGiven up by AWS, in {found.queue}:")
        queues[found.queue] += 1
        _show(found.sent_ts, found.id, found.reason, found.body)
        return False

    visit(stage, show)
    for queue, count in queues.items():
        print(_count(count, "lies", "lie", f"in {queue}; make redrive STAGE={stage.name} takes them back"))
    return 0


def redrive(stage: Stage, id: str | None) -> int:
    """Makes parked messages due, and takes back what AWS gave up, or one of them; tells how many. Raises StageError."""
    outbox = stage.outbox()
    rows = [row for row in _parked(outbox) if id in (None, row.key.sort)]
    count = sum(_make_due(outbox, row) for row in rows)
    found = len(rows)

    def take_back(given_up: GivenUp) -> bool:
        nonlocal count, found
        if id not in (None, given_up.id):
            return False
        found += 1
        if note := given_up.note or _known(outbox, given_up):
            print(f"{_line(given_up.id)}: nothing is sent, {note}")
            return True
        if given_up.again is None:
            print(f"{_line(given_up.id)}: stays in {given_up.queue}, {_line(given_up.reason)}", file=sys.stderr)
            return False
        service, operation, arguments = given_up.again
        stage.call(service, operation, **arguments)
        count += 1
        return True

    visit(stage, take_back)
    if id is not None and not found:
        print(f"ID: no message {id!r} is parked on {stage.name}", file=sys.stderr)
        return 1
    print(_count(count, "is", "are", f"sent again on {stage.name}, within a minute"))
    return 0


def _make_due(outbox: Outbox, row: Row) -> bool:
    try:
        outbox.apply(row.key, states.redrive(row, now=time.time()))
    except NotApplied:
        return False  # somebody else was quicker
    except TableUnavailable as error:
        raise StageError(error.reason) from None
    return True


def _known(outbox: Outbox, given_up: GivenUp) -> str | None:
    """Says so where a function came as far as the outbox: then what becomes of the message is told there."""
    try:
        row = outbox.get(Key.of_id(given_up.id))
    except TableUnavailable as error:
        raise StageError(error.reason) from None
    return f"the outbox has it: {row.status}" if row is not None and row.status else None


def _parked(outbox: Outbox) -> list[Row]:
    try:
        return sorted(outbox.scan("FAILED"), key=lambda row: row.key)
    except TableUnavailable as error:
        raise StageError(error.reason) from None


def _show(ts: float, id: str, reason: str, body: str) -> None:
    at = datetime.fromtimestamp(ts, timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")
    print(f"{at}  {_line(id)}  {_line(redact(reason))}  {_words(body)!r}")


def _line(text: str) -> str:
    """The text in one line, fit for a terminal."""
    return repr(text)[1:-1]


def _words(body: str) -> str:
    """The beginning of what the sender wrote."""
    try:
        text = json.loads(body)["text"]
    except (ValueError, RecursionError, LookupError, TypeError):
        text = None
    text = text if isinstance(text, str) else body
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def _count(count: int, one: str, many: str, what: str) -> str:
    return f"{count} message {one} {what}" if count == 1 else f"{count} messages {many} {what}"
