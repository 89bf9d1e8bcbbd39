"""Whatever sends: what does not speak Botte is recognised by its shape, and becomes the fields of a message. Pure.

Each sender is a module with one function, ``read``: a payload in, the fields of a message out, or None where the
payload is not its own. To add one: copy ``alertmanager.py`` and a file of ``tests/senders/samples``, and name it here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

from ..contract.message import FIELDS, FORBIDDEN_FIELD, InvalidMessage, check_size, has_words, parse_json
from ..contract.reading import Reading, read_leniently
from . import unknown
from .notice import Fields

# The first that knows a payload takes it: those with the surest marks come first.
SENDERS = (
    "sns",
    "alarm",
    "s3",
    "destination",
    "cost_anomaly",
    "eventbridge",
    "sentry",
    "github",
    "gitlab",
    "grafana",
    "alertmanager",
    "uptime_kuma",
    "uptime_robot",
    "apprise",
    "slack",
    "discord",
    "ntfy",
    "pushover",
    "gotify",
    "titled",  # the last: any object with a title and words
)

_log = logging.getLogger("botte.senders")


class Recognised(NamedTuple):
    """The name of a sender's module, and the fields of the message that its payload becomes."""

    sender: str
    fields: Fields

    @property
    def labelled(self) -> Fields:
        """The fields, with the sender's name as the label."""
        return {"sender_app": self.sender, **self.fields}


def recognise(payload: object) -> Recognised | None:
    """What a JSON value is, if a sender knows it. A sender that breaks on a payload does not know it."""
    if not isinstance(payload, Mapping):
        return None
    for sender in SENDERS:
        try:
            fields = read_as(sender, payload)
        except Exception:
            _log.error("a sender's payload cannot be read", exc_info=True, extra={"sender": sender})
            continue
        if fields is not None:
            return Recognised(sender, fields)
    return None


def read(given: object, *, now: float) -> Reading:
    """Reads a JSON value where nobody can mend it. now: epoch seconds. Raises as ``read_leniently`` does."""
    return read_leniently(to_fields(given), now=now)


def read_text(body: str, *, now: float) -> Reading:
    """Reads a text where nobody can mend it: JSON, or words. As ``read`` else; raises for what is too large, too."""
    check_size(body)
    return read(to_value(body), now=now)


def to_value(body: str) -> object:
    """The JSON value of a text; what is no JSON is the words of a message, and so is a text, a number or a boolean."""
    try:
        value = parse_json(body)
    except InvalidMessage:
        return {"text": body}
    if isinstance(value, (int, float)):
        return {"text": body}  # as it is written: 1.10 may be a version
    return {"text": value} if isinstance(value, str) else value


def to_fields(given: object) -> Mapping[str, object]:
    """The fields of a JSON value: a message as it is, what a sender knows, or else what shows the value as it is."""
    recognised = None if _is_botte(given) else recognise(given)  # which imports all senders
    return as_it_is(given) if recognised is None else recognised.labelled


def as_it_is(given: object, title: str = "") -> Mapping[str, object]:
    """The fields of a JSON value that no sender knows: a message as it is, or else what shows the value as it is.

    title: where it comes from, if that is known.
    """
    if not isinstance(given, Mapping) or not (_is_botte(given) or _is_message(given)):
        return unknown.read(given, title) or {}
    if isinstance(given.get("text"), (bool, list, Mapping)):
        return {**given, "text": None, **(unknown.read(given["text"]) or {})}
    return given


def _is_botte(given: object) -> bool:
    """Whether an object has no fields but those of Botte's."""
    return isinstance(given, Mapping) and given.keys() <= {*FIELDS, FORBIDDEN_FIELD}


def _is_message(given: Mapping[str, object]) -> bool:
    """Whether an object has words, media, or a heartbeat, where a message of Botte's has them."""
    text = given.get("text")
    if {"heartbeat", "every"} <= given.keys():
        return True
    has_media = any("://" in str(given.get(name)) for name in ("photo", "document"))
    return has_media or (has_words(text) if isinstance(text, str) else text not in (None, [], {}))


def read_as(sender: str, payload: Mapping[str, Any]) -> Fields | None:
    """The fields that a sender's module makes of a payload; None if it is not its own."""
    fields: Fields | None = import_module(f".{sender}", __package__).read(payload)
    return fields
