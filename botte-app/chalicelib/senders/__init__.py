"""Whatever sends: what does not speak Botte is recognised by its shape, and becomes the fields of a message. Pure.

Each sender is a module with one function, ``read``: a payload in, the fields of a message out, or None where the
payload is not its own. To add one: copy ``alertmanager.py`` and a file of ``tests/senders/samples``, and name it here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

from .notice import Fields

# The first that knows a payload takes it: those with the surest marks come first.
SENDERS = ("alertmanager",)

_log = logging.getLogger("botte.senders")


class Recognised(NamedTuple):
    """The name of a sender's module, and the fields of the message that its payload becomes."""

    sender: str
    fields: Fields


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


def read_as(sender: str, payload: Mapping[str, Any]) -> Fields | None:
    """The fields that a sender's module makes of a payload; None if it is not its own."""
    fields: Fields | None = import_module(f".{sender}", __package__).read(payload)
    return fields
