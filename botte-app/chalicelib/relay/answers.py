"""What a sender is told of a message that the outbox knows already."""

from __future__ import annotations

from ..errors import IdReused, MessageInFlight, Refused
from ..outbox.row import Key
from ..outbox.states import Content
from ..outbox.table import NotApplied, Outbox
from .outcome import Accepted, Delivered


def find_status(outbox: Outbox, id: str) -> dict[str, object] | None:
    """What became of the message with an id; None if there is none, or it was delivered without being kept."""
    row = outbox.get(Key.of_id(id))
    if row is not None:
        row = outbox.find_deliverer(row)
    if row is None or row.status is None:
        return None
    return {
        "id": id,
        "status": row.status,
        "attempts": row.attempts,
        "message_ids": list(row.progress.message_ids),
        "last_error": row.last_error,
        "due_at": row.due_ts,
    }


def answer_known(known: NotApplied, key: Key, content: Content, now: float) -> Delivered | Accepted:
    """The answer to a message whose id is known already, at a time (epoch seconds).

    Raises IdReused, Refused, MessageInFlight.
    """
    row = known.row
    if known.body_hash != content.body_hash:
        raise IdReused("names another message already: a new message needs a new id")
    if row.status == "SENT" and row.progress.message_ids:  # superseded ones may have none
        return Delivered(row.progress.result)
    if row.status == "FAILED":
        raise Refused(row.last_error or "it was refused before")
    if row.status == "SENDING" and (row.due_ts or 0.0) > now:
        raise MessageInFlight("a message with this id is being sent right now")
    return Accepted(key.sort)
