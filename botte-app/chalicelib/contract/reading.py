"""Reading a message where nobody can mend it: the words go out, whatever its options are. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .escaping import escaped
from .message import (
    FIELDS,
    FORBIDDEN_FIELD,
    MAX_TEXT_BYTES,
    InvalidMessage,
    Message,
    check_ahead,
    check_field,
    clean,
    find_misfit,
    has_words,
)

_MEDIA = ("photo", "document")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?![^/?#]*@)\S{1,2000}")


class Reading(NamedTuple):
    """A message, and the names of the fields that were left out of it, or changed."""

    message: Message
    mended: tuple[str, ...] = ()


def read_leniently(given: Mapping[str, object], *, now: float) -> Reading:
    """The message that an object's fields make. Unknown fields and those that are null are not looked at.

    An option that cannot be read is left out. The addresses of media and of a keyboard that cannot be read stand below
    the words. A text that is a number is its digits. now: epoch seconds.
    Raises InvalidMessage where there are no words, for a raw ``chat_id``, for what can be no chat's name, and for what
    is too large.
    """
    fields: dict[str, Any] = {}
    links: list[str] = []
    mended: list[str] = []
    for name, value in given.items():
        if name not in FIELDS or value is None:
            continue
        if name == "text" and isinstance(value, (int, float)) and not isinstance(value, bool):
            value = str(value)
        try:
            fields[name] = check_field(name, value)
            if name == "deliver_at":
                check_ahead(fields[name], now)
        except InvalidMessage:
            is_blank_caption = name == "text" and isinstance(value, str) and not has_words(value) and _has_media(given)
            if name in ("text", "chat") and not is_blank_caption:
                raise
            fields.pop(name, None)
            mended.append(name)
            links += _addresses(value) if name in (*_MEDIA, "reply_markup") else ()
    while (misfit := find_misfit(fields)) is not None:
        name = "heartbeat" if misfit.field in ("text", *_MEDIA) and "heartbeat" in fields else misfit.field
        links += [fields[name]] if name == "document" else []
        del fields[name]
        mended.append(name)
    if links and "heartbeat" not in fields:
        below = escaped("\n".join(links), fields.get("parse_mode"))
        text = f"{fields['text']}\n\n{below}" if "text" in fields else below
        if "text" not in fields or len(text.encode()) <= MAX_TEXT_BYTES:  # the words go out, if need be without them
            fields["text"] = text
    if FORBIDDEN_FIELD in given:
        fields[FORBIDDEN_FIELD] = given[FORBIDDEN_FIELD]
    return Reading(Message.from_fields(fields, now=now), tuple(mended))


def _has_media(given: Mapping[str, object]) -> bool:
    return any(given.get(name) is not None for name in _MEDIA)


def _addresses(value: object) -> Iterator[str]:
    """The addresses in a medium or a keyboard, as lines of text; not those that may hold a password."""
    if isinstance(value, str):
        if _ADDRESS.fullmatch(value) and value.isprintable():
            yield value
    elif isinstance(value, Mapping) and isinstance(value.get("url"), str):
        label = value.get("text")
        for url in _addresses(value["url"]):
            yield f"{clean(label)}: {url}" if isinstance(label, str) else url
    elif isinstance(value, (Mapping, list)):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _addresses(each)
