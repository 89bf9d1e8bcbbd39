"""What was parked, and what its owner can do about it: have it sent again, or forget it."""

from __future__ import annotations

from collections.abc import Collection
from math import inf

from ..contract.message import InvalidMessage
from ..outbox import states
from ..outbox.row import Row
from ..outbox.states import Change
from ..outbox.table import NotApplied, Outbox
from ..telegram.buttons import Button, Rows, sign
from .chats import say_unknown

REDRIVE, DISCARD = "redrive", "discard"  # what the buttons of a notice bring
_WORDS = {REDRIVE: "Send again", DISCARD: "Discard"}


def buttons(secret: str, argument: str, *actions: str) -> Rows:
    """Of a notice on parked messages. secret: the webhook's. argument: up to when they were parked, in epoch seconds.

    What is parked anew after that is no concern of theirs, so that a second press does nothing.
    """
    return [[Button(_WORDS[action], sign(secret, action, argument)) for action in actions]] if actions else []


def find_parked(outbox: Outbox, *, until: float = inf) -> list[Row]:
    """The messages that were parked by a time (epoch seconds), the earliest first. It reads the whole table.

    Raises TableUnavailable.
    """
    rows = (row for row in outbox.scan("FAILED") if row.parked_ts <= until)
    return sorted(rows, key=lambda row: (row.parked_ts, row.key))


def why_it_cannot_go(row: Row, chats: Collection[str], now: float) -> str | None:
    """Why a parked message would be parked again; None where it may well go. chats: the configured ones, by name."""
    try:
        message = row.read_message(now).message
    except InvalidMessage as error:
        return str(error)
    if message.heartbeat is not None:
        return "heartbeat: its time is over"
    chat = message.chat
    return None if chat in chats else f"chat: {say_unknown(chat, chats)}"


def send_again(outbox: Outbox, row: Row, now: float) -> bool:
    """Makes a parked message due; False if somebody else was quicker. Raises TableUnavailable."""
    return _apply(outbox, row, states.redrive(row, now=now))


def forget(outbox: Outbox, row: Row, now: float) -> bool:
    """Forgets a parked message; False if somebody else was quicker. Raises TableUnavailable."""
    return _apply(outbox, row, states.discard(now=now))


def _apply(outbox: Outbox, row: Row, change: Change) -> bool:
    try:
        outbox.apply(row.key, change)
    except NotApplied:
        return False
    return True
