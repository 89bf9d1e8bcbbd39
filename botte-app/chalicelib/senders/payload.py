"""Looking into a payload of which nothing is sure: what is missing, null or of another type is empty."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..contract.message import FIELDS, FORBIDDEN_FIELD

Payload = Mapping[str, Any]

# Not the words that others have for what is theirs.
_OPTIONS = {*FIELDS, FORBIDDEN_FIELD} - {"text", "ack", "urgent", "heartbeat", "every"}


def text(payload: object, *path: str) -> str:
    """The text at a path of keys, without the white space around it; a number is its digits, all else is empty."""
    found = _at(payload, path)
    if isinstance(found, str):
        return found.strip()
    return str(found) if isinstance(found, (int, float)) and not isinstance(found, bool) else ""


def number(payload: object, *path: str) -> int | None:
    """The whole number at a path of keys, even if it is written as text."""
    found = text(payload, *path)
    return int(found) if re.fullmatch("-?[0-9]{1,18}", found) else None


def part(payload: object, *path: str) -> Payload:
    """The object at a path of keys, or an empty one."""
    found = _at(payload, path)
    return found if isinstance(found, Mapping) else {}


def parts(payload: object, *path: str) -> list[Payload]:
    """The objects in the list at a path of keys."""
    found = _at(payload, path)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def texts(payload: object, *path: str) -> list[str]:
    """The texts in the list at a path of keys, without the empty ones."""
    found = _at(payload, path)
    return [each.strip() for each in found if isinstance(each, str) and each.strip()] if isinstance(found, list) else []


def is_message(payload: Payload) -> bool:
    """Whether it has an option of a message of Botte's own, beside the words."""
    return not _OPTIONS.isdisjoint(payload)


def _at(payload: object, path: tuple[str, ...]) -> object:
    for key in path:
        payload = payload.get(key) if isinstance(payload, Mapping) else None
    return payload
