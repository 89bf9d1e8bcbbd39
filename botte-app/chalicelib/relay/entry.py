"""What a queue door hands to the relay."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..contract.reading import Reading
from ..outbox.row import Key


class Entry(NamedTuple):
    """What a queue door took from a record.

    record: the row that the record's place and content name, in its group if it belongs to one. name: the id of the
    message if it gives none itself, and belongs to no group. read: reads the message, at a time (epoch seconds); raises
    InvalidMessage or InvalidTask. raw: the body as it came. sequence: its place in its group.
    forget: called once the outbox has the message.
    """

    record: Key
    name: str | None
    read: Callable[[float], Reading]
    raw: str
    sequence: str | None = None
    forget: Callable[[], None] = lambda: None

    @property
    def group(self) -> str | None:
        """The partition of its group, if it belongs to one."""
        return None if self.sequence is None else self.record.partition

    def key(self, id: str | None) -> Key:
        """The row of the message, if it has this id."""
        named = id or self.name
        return self.record if named is None or self.group is not None else Key.of_id(named)
