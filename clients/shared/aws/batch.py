"""Sending many messages at once: groups, progress, and what is left when it fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..._contract.message import InvalidMessage, Message
from ..client import Accepted, BotteError

OnProgress = Callable[[int, int], object]
_GROUP = re.compile(r"[\x21-\x7e]{1,128}")


@dataclass(frozen=True, eq=False)
class Task:
    """A message, and the request that puts it where it goes."""

    message: Message
    request: Mapping[str, Any]


def check_group(message_group_id: str | None) -> None:
    """Raises InvalidMessage."""
    if message_group_id is not None and not (isinstance(message_group_id, str) and _GROUP.fullmatch(message_group_id)):
        raise InvalidMessage("message_group_id", "must be 1 to 128 visible ASCII characters, without spaces")


def follow(tasks: Sequence[Task], accepted: Iterator[Sequence[Task]], on_progress: OnProgress | None) -> list[Accepted]:
    """Tells how many tasks are accepted, as it goes; an error that ends it tells which are not."""
    left = dict.fromkeys(tasks)
    try:
        for some in accepted:
            for task in some:
                del left[task]
            if on_progress is not None:
                on_progress(len(tasks) - len(left), len(tasks))
    except BotteError as error:
        error.unsent = tuple(task.message for task in left)
        raise
    return [Accepted(str(task.message.id)) for task in tasks]
