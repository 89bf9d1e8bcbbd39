"""Which message an id names: a row of the outbox holds it, its message's own or one that only reserves it."""

from __future__ import annotations

from collections.abc import Callable

from ..outbox import states
from ..outbox.row import Key, Row
from ..outbox.states import Change, Content
from ..outbox.table import NotApplied, Outbox


def add(
    outbox: Outbox, key: Key, content: Content, change: Callable[[Content], Change], *, until: float | None = None
) -> Row:
    """Adds a new message to the outbox, by the change that the content makes. until: see ``Outbox.apply``.

    Raises NotApplied where the key names a message already, TableUnavailable.
    """
    try:
        return outbox.apply(key, change(content), until=until)
    except NotApplied as known:
        gone = known.row.owner
        if gone is None:
            raise
    # The id of a message in a group is free again when that message's own row is over.
    owner = outbox.get(gone)
    if owner is not None and not owner.is_over(content.accepted):
        raise NotApplied(owner)
    return outbox.apply(key, change(content._replace(gone=gone)), until=until)


def reserve(outbox: Outbox, id: str, owner: Key, content: Content) -> None:
    """Has an id name a message in a group, which has its own row there.

    Raises NotApplied where it names another message already, TableUnavailable.
    """
    add(
        outbox,
        Key.of_id(id),
        content,
        lambda new: states.reserve(owner, body_hash=new.body_hash, now=new.accepted, gone=new.gone),
    )
