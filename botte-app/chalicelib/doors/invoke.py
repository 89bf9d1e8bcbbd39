"""The Lambda door: an event in, the function's answer out. An async invoke looks like a sync one."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

from ..contract.message import Message
from ..contract.reading import Reading, read_leniently
from ..errors import IdReused, InvalidMessage, MessageInFlight, Refused, TableUnavailable, Unavailable, redact
from ..relay import Accepted, Delivered, Relay
from ..senders import recognise


def send_invoked(relay: Relay, event: object, request_id: str, deadline: float) -> dict[str, Any]:
    """Sends the message that ``event`` holds: Telegram's ``Message``, or ``{"status": "accepted", "id": ...}``.

    Raises InvalidMessage and Refused; before that the message is parked under the request's id, for nobody may be
    listening. Raises Unavailable where nothing was accepted. Callers see their names, so none of their kinds is raised.
    """
    try:
        message, mended = _read(event, time.time())
        outcome = _send(relay, message, mended, request_id, deadline)
    except InvalidMessage as error:
        _park(relay, request_id, event, error)
        # Lambda logs what is raised, and the name of a field may be anything.
        raise InvalidMessage(redact(error.field), redact(error.reason)) from None
    except Refused as error:
        if message.id is None:
            _park(relay, request_id, event, error)
        raise Refused(error.reason) from None
    except Unavailable as error:
        raise Unavailable(error.reason, retry_after=error.retry_after) from None
    if isinstance(outcome, Accepted):
        return {"status": "accepted", "id": outcome.id}
    return outcome.result


def _read(event: object, now: float) -> Reading:
    """A message, whose sender may be listening; or else what a service of AWS sends, and then nobody is."""
    try:
        return Reading(Message.from_fields(event, now=now))
    except InvalidMessage:
        known = recognise(event)  # only now, as it imports all senders
        if known is None:
            raise
    return read_leniently(known.labelled, now=now)


def _send(
    relay: Relay, message: Message, mended: tuple[str, ...], request_id: str, deadline: float
) -> Delivered | Accepted:
    try:
        return relay.accept(message, deadline=deadline, spare_id=request_id, mended=mended)
    except MessageInFlight:
        return Accepted(message.id or request_id)
    except IdReused as error:
        raise InvalidMessage("id", error.reason) from None


def _park(relay: Relay, request_id: str, event: object, error: Exception) -> None:
    try:
        raw = json.dumps(event, ensure_ascii=False)
        raw.encode()
    except UnicodeEncodeError:
        raw = json.dumps(event)  # only escaped can a lone surrogate be kept
    except RecursionError:
        raw = None
    with suppress(TableUnavailable):  # the caller is told all the same
        relay.park(request_id, raw, error)
