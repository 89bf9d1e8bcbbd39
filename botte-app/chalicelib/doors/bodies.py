"""The bodies of HTTP requests: JSON, forms and plain text, with options in the query. It knows nothing of Chalice.

A form's values are texts, as the Bot API takes them: https://core.telegram.org/bots/api#making-requests
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from ..contract.message import MAX_BODY_BYTES, InvalidMessage, parse_json

JSON, FORM, MULTIPART, TEXT = (
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/plain",
)
_FLAGS = ("disable_notification", "protect_content", "renotify", "ack", "urgent")
_NUMBERS = ("message_thread_id", "deliver_at", "escalate_after")
_OBJECTS = ("link_preview_options", "reply_markup")
_WORDS = ("text", "photo", "document", "heartbeat")
_NAME = re.compile(rb"content-disposition:[^\r\n]*?[;\s]name=\"?([^\"\r\n;]*)", re.IGNORECASE)
_FILE = re.compile(rb";\s*filename\*?=", re.IGNORECASE)
_MAX_HEAD_BYTES = 1000  # of a part
_INSTEAD = 'send JSON such as {"text": "..."}, a form with text=..., or the text itself with Content-Type: text/plain'


class Unsupported(Exception):
    """A body that is compressed."""


class TooLarge(Exception):
    """A body of more than 256 KiB."""


class Body(NamedTuple):
    """What a request brings. content_type: the header. media_type: the first word of it, in small letters."""

    content: bytes
    content_type: str
    media_type: str

    @property
    def first(self) -> bytes:
        """The first byte that is neither white space nor of a byte order mark; none where there is none."""
        return self.content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]


def read_body(request: Any) -> Body:
    """request: Chalice's, of which the ``headers`` and the ``raw_body`` are read.

    Raises Unsupported, TooLarge, InvalidMessage.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Unsupported("Content-Encoding: compressed bodies are not taken")
    try:
        content: bytes = request.raw_body
    except ValueError:
        raise InvalidMessage("body", "is not base64") from None
    if len(content) > MAX_BODY_BYTES:
        raise TooLarge(f"body: at most {MAX_BODY_BYTES:,} bytes are taken")
    content_type = request.headers.get("content-type", "")
    return Body(content, content_type, content_type.split(";")[0].strip().lower())


def read_fields(body: Body) -> object:
    """The JSON value, or the fields of a form or of a plain text, that a body brings. Raises InvalidMessage.

    What curl calls a form by itself may be JSON.
    """
    if body.media_type == TEXT:
        return {"text": decode(body)}
    if body.media_type == MULTIPART:
        return read_form(body)
    if body.media_type != FORM or body.first in (b"{", b""):
        return parse_json(body.content)
    fields = read_form(body)
    if any(name in fields for name in _WORDS):
        return fields
    try:
        return parse_json(body.content)
    except InvalidMessage as error:
        raise InvalidMessage("body", f"{error.reason}, and no form with text=...: {_INSTEAD}") from None


def read_form(body: Body, errors: str = "strict") -> dict[str, object]:
    """The fields of a form. Raises InvalidMessage.

    errors: as in ``decode``; with ``replace`` files are left out, and a form that cannot be read has no fields.
    """
    if body.media_type == MULTIPART:
        return typed(_parts(body, errors))
    text = decode(body, errors)
    return typed(parse_qsl(text, keep_blank_values=True, errors="replace"))


def typed(pairs: Iterable[tuple[str, str]]) -> dict[str, object]:
    """Fields whose values are texts, with the values that these stand for; of one that comes again, a list."""
    values: dict[str, list[object]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(_typed(name, value))
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}


def query_fields(request: Any) -> dict[str, object]:
    """The fields in the query of a request, whose values are texts as in a form."""
    query = request.query_params or {}
    values = query.getlist if hasattr(query, "getlist") else lambda name: [query[name]]
    return typed((name, value) for name in query for value in values(name))


def decode(body: Body, errors: str = "strict") -> str:
    """The body as text, in the charset that its type names. Raises InvalidMessage.

    errors: with ``replace`` it is never raised: what cannot be read becomes U+FFFD.
    """
    found = re.search(r"charset=\"?([^\s\";]+)", body.content_type, re.IGNORECASE)
    charset = found[1] if found else "utf-8"
    try:
        return body.content.decode(charset, errors)
    except (LookupError, UnicodeError) as error:
        if errors == "replace":
            return body.content.decode(errors=errors)
        if isinstance(error, UnicodeError):
            reason = f"is not {charset.upper()}; Content-Type may name its charset"
            raise InvalidMessage("body", reason) from None
        raise InvalidMessage("Content-Type", f"charset {charset[:40]!r} is not known") from None


def _parts(body: Body, errors: str) -> list[tuple[str, str]]:
    """The names and values of a form's parts. https://www.rfc-editor.org/rfc/rfc7578"""
    boundary = re.search(r"boundary=\"?([^\s\";]{1,70})", body.content_type, re.IGNORECASE)
    pairs = []
    for part in (b"\r\n" + body.content).split(b"\r\n--" + boundary[1].encode())[1:] if boundary else ():
        head, _, content = part.partition(b"\r\n\r\n")
        name = _NAME.search(head[:_MAX_HEAD_BYTES])
        if name is None:
            continue
        if _FILE.search(head[:_MAX_HEAD_BYTES]):
            if errors == "replace":
                continue
            reason = "files are not taken; give the address of a photo or document instead"
            raise InvalidMessage(name[1].decode("utf-8", "replace"), reason)
        value = Body(content, head[:_MAX_HEAD_BYTES].decode("latin-1"), TEXT)
        pairs.append((name[1].decode("utf-8", "replace"), decode(value, "replace")))
    if not pairs and errors == "strict":
        raise InvalidMessage("body", f"is no form that can be read: {_INSTEAD}")
    return pairs


def _typed(name: str, value: str) -> object:
    if name in _FLAGS:
        return {"true": True, "1": True, "false": False, "0": False}.get(value.lower(), value)
    if name in _NUMBERS and re.fullmatch(r"-?[0-9]{1,18}", value):
        return int(value)
    if name in _OBJECTS:
        with suppress(InvalidMessage):
            return parse_json(value)
    return value
