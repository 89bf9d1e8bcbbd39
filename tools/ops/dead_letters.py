"""The messages that were parked or given up: what they are, why, sending them again, and forgetting them."""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timezone

from chalicelib.errors import TableUnavailable, redact
from chalicelib.outbox.row import Key, Row
from chalicelib.outbox.table import Outbox
from chalicelib.relay.parked import find_parked, forget, send_again, why_it_cannot_go
from chalicelib.settings import CHATS
from tools.ops.console import Console
from tools.ops.given_up import GivenUp, visit
from tools.ops.stage import Stage, StageError

_HEADS = ("when", "id", "why", "message")
_SHOWN_CHARACTERS = 60
_WIDEST_COLUMN = 80


def list_failed(stage: Stage) -> int:
    """Prints a line for each message that was parked or given up, and how many there are. Raises StageError."""
    rows = _parked(stage.outbox())
    _print_table((row.parked_ts, row.key.sort, str(row.last_error), row.body or "") for row in rows)
    print(_count(len(rows), "is", "are", f"parked on {stage.name}"))
    queues: defaultdict[str, list[GivenUp]] = defaultdict(list)

    def note(found: GivenUp) -> bool:
        queues[found.queue].append(found)
        return False

    visit(stage, note)
    for queue, given_up in queues.items():
        print(f"\nGiven up by AWS, in {queue}:")
        given_up.sort(key=lambda found: found.sent_ts)
        _print_table((found.sent_ts, found.id, found.reason, found.body) for found in given_up)
        back = f"make redrive STAGE={stage.name} takes {'it' if len(given_up) == 1 else 'them'} back"
        print(_count(len(given_up), "lies", "lie", f"in {queue}; {back}"))
    return 0


def redrive(stage: Stage, id: str | None) -> int:
    """Makes parked messages due, and takes back what AWS gave up, or one of them; tells how many. Raises StageError.

    What cannot be sent stays where it is, and is told; 1 if it was asked for.
    """
    outbox, chats = stage.outbox(), stage.chats()
    rows = [row for row in _parked(outbox) if id in (None, row.key.sort)]
    found, count = len(rows), 0
    stays: list[str] = []  # the reasons
    for row in rows:
        if reason := why_it_cannot_go(row, chats, time.time()):
            stays.append(reason)
            _tell_that_it_stays(row.key.sort, "parked", reason)
        else:
            count += _change(send_again, outbox, row)

    def take_back(given_up: GivenUp) -> bool:
        nonlocal count, found
        if id not in (None, given_up.id):
            return False
        found += 1
        if note := given_up.note or _known(outbox, given_up):
            print(f"{_line(given_up.id)}: nothing is sent, {note}")
            return True
        if given_up.again is None:
            stays.append(given_up.reason)
            _tell_that_it_stays(given_up.id, f"in {given_up.queue}", given_up.reason)
            return False
        service, operation, arguments = given_up.again
        stage.call(service, operation, **arguments)
        count += 1
        return True

    visit(stage, take_back)
    if not _is_found(stage, id, found):
        return 1
    print(_count(count, "is", "are", f"sent again on {stage.name}, within a minute"))
    if stays:
        lacks_chat = any(reason.startswith("chat: unknown") for reason in stays)
        mend = f"put a chat that is missing into the parameter {stage.parameters_path}/{CHATS}; " if lacks_chat else ""
        told = f"{mend}make discard STAGE={stage.name} ID=... forgets one"
        print(_count(len(stays), "stays", "stay", f"on {stage.name}: {told}"), file=sys.stderr)
    return 1 if stays and id is not None else 0


def discard(stage: Stage, console: Console, id: str | None) -> int:
    """Forgets a message that was parked or given up; without an id, after a question, all parked ones that cannot go.

    1 if there is no such message, or the answer is no. Raises StageError.
    """
    outbox = stage.outbox()
    rows = [row for row in _parked(outbox) if id in (None, row.key.sort)]
    if id is None:
        chats = stage.chats()
        hopeless = {row.key: reason for row in rows if (reason := why_it_cannot_go(row, chats, time.time()))}
        rows = [row for row in rows if row.key in hopeless]
        _print_table((row.parked_ts, row.key.sort, hopeless[row.key], row.body or "") for row in rows)
        told = "this message" if len(rows) == 1 else f"these {len(rows)} messages"
        if rows and not console.confirm(f"Forget {told} of {stage.name}, which cannot be sent? [y/n]", "y", "yes"):
            console.say("Nothing was discarded. Without a terminal, YES=1 is the answer.")
            return 1
    wanted = {row.key.sort for row in rows} if id is None else {id}
    discarded = {row.key.sort for row in rows if _change(forget, outbox, row)}

    def drop(given_up: GivenUp) -> bool:
        """What was parked may lie in a queue as well: a Lambda invocation that failed."""
        if given_up.id in wanted:
            discarded.add(given_up.id)
        return given_up.id in wanted

    visit(stage, drop)
    if not _is_found(stage, id, len(discarded)):
        return 1
    print(_count(len(discarded), "is", "are", f"discarded on {stage.name}"))
    return 0


def _tell_that_it_stays(id: str, where: str, reason: str) -> None:
    print(f"{_line(id)}: stays {where}, {_line(redact(reason))}", file=sys.stderr)


def _is_found(stage: Stage, id: str | None, found: int) -> bool:
    if id is not None and not found:
        print(f"ID: no message {id!r} is parked on {stage.name}", file=sys.stderr)
        return False
    return True


def _change(act: Callable[[Outbox, Row, float], bool], outbox: Outbox, row: Row) -> bool:
    try:
        return act(outbox, row, time.time())
    except TableUnavailable as error:
        raise StageError(error.reason) from None


def _known(outbox: Outbox, given_up: GivenUp) -> str | None:
    """Says so where a function came as far as the outbox: then what becomes of the message is told there."""
    try:
        row = outbox.get(Key.of_id(given_up.id))
    except TableUnavailable as error:
        raise StageError(error.reason) from None
    return f"the outbox has it: {row.status}" if row is not None and row.status else None


def _parked(outbox: Outbox) -> list[Row]:
    try:
        return find_parked(outbox)
    except TableUnavailable as error:
        raise StageError(error.reason) from None


def _print_table(messages: Iterable[tuple[float, str, str, str]]) -> None:
    """Prints a line for each message: its time in epoch seconds, its id, a reason, and what its sender sent."""
    lines = [
        (f"{datetime.fromtimestamp(ts, timezone.utc):%Y-%m-%d %H:%M:%SZ}", _line(id), _line(redact(why)), _words(body))
        for ts, id, why, body in messages
    ]
    if not lines:
        return
    widths = [_width(cells) for cells in zip(_HEADS, *lines, strict=True)]
    for line in (_HEADS, *lines):
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _width(cells: Iterable[str]) -> int:
    """How wide a column is; a cell that is longer than any column stands out of it."""
    return max(len(cell) for cell in cells if len(cell) <= _WIDEST_COLUMN)


def _line(text: str) -> str:
    """The text in one line, fit for a terminal."""
    return repr(text)[1:-1]


def _words(body: str) -> str:
    """The beginning of what the sender wrote, in quotes; of a message without words its photo or document."""
    try:
        fields = json.loads(body)
        sent = {name: fields[name] for name in ("text", "photo", "document") if str(fields.get(name) or "").strip()}
    except (ValueError, RecursionError, AttributeError):
        sent = {}
    name, value = next(iter(sent.items()), ("text", body))
    text = str(value)
    shown = repr(text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…")
    return shown if name == "text" else f"{name} {shown}"


def _count(count: int, one: str, many: str, what: str) -> str:
    return f"{count} message {one} {what}" if count == 1 else f"{count} messages {many} {what}"
