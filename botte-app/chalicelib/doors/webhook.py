"""The webhook: what a person writes to the bot, and the buttons that they press.

Telegram repeats an update until it is answered with a 2xx, for about a day; so whatever is not for Botte is answered
200 and ignored, and a reply is a message like any other, with an ``id`` made of the ``update_id``: it is sent once.
https://core.telegram.org/bots/api#setwebhook
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ..contract.message import Message, clean, parse_json
from ..errors import BotteError, InvalidMessage, Unavailable
from ..outbox.table import Outbox
from ..relay import Relay
from ..relay.presses import Press
from ..settings import Parameters
from .commands import Commands, one_line
from .http import ANSWER_SECONDS, Answer, HttpError, answer, same_secret

SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105 - the name of a header
ALLOWED_UPDATES = ("message", "callback_query")

_MAX_WHO = 32
_NO_PREVIEW = {"is_disabled": True}
_UNREADABLE = (InvalidMessage, LookupError, TypeError, ValueError, AttributeError)

_log = logging.getLogger("botte.webhook")


def post_update(relay: Relay, outbox: Outbox, parameters: Parameters, request: Any, now: float) -> Answer:
    """``POST /telegram-webhook``. request: Chalice's, of which the ``headers`` and the ``raw_body`` are read."""
    return answer(lambda: _post_update(relay, outbox, parameters, request, now))


def _post_update(relay: Relay, outbox: Outbox, parameters: Parameters, request: Any, now: float) -> Answer:
    _authenticate(parameters, request.headers)
    handled = Answer({}, {}, 200)
    try:
        update: Any = parse_json(request.raw_body)
        update_id, press = int(update["update_id"]), None
        if "callback_query" in update:
            press = _read_press(update_id, update["callback_query"])
            chat_id = press.chat_id
        else:
            chat_id, text, thread_id, written_ts = _read_message(update["message"], now)
    except _UNREADABLE:
        return handled
    names = [name for name, id in parameters.chats().items() if id == chat_id]
    if not names:
        _log.warning("an update from a chat that is not configured", extra={"chat_id": chat_id})
        return handled
    deadline = now + ANSWER_SECONDS
    if press is not None:
        relay.press(press, deadline=deadline)
        return handled
    try:
        reply = Message(
            text=Commands(outbox, parameters, now).answer(text, written_ts),
            id=f"telegram-update-{update_id}",
            chat=names[0],
            message_thread_id=thread_id,
            link_preview_options=_NO_PREVIEW,
        )
        relay.accept(reply, deadline=deadline, spare_id=relay.new_id())
    except Unavailable:
        raise
    except (BotteError, InvalidMessage) as error:
        # It was answered before, is being answered right now, or cannot be said, or not in this chat.
        _log.warning("no reply to an update", extra={"update_id": update_id, "reason": error.reason})
    return handled


def _authenticate(parameters: Parameters, headers: Mapping[str, str]) -> None:
    given = headers.get(SECRET_HEADER, "")
    if not given:
        raise HttpError(401, "UnauthorizedError", "the webhook secret is missing")
    secret = parameters.webhook_secret()
    if secret is None or not same_secret(given, secret):
        raise HttpError(403, "ForbiddenError", "the webhook secret is not valid")


def _read_message(message: Any, now: float) -> tuple[int, str, int | None, float]:
    """The chat, text, thread and time of a message.

    Raises LookupError, TypeError, ValueError or AttributeError where it is of another shape.
    """
    thread_id = message.get("message_thread_id") if message.get("is_topic_message") else None
    date = message.get("date")
    written_ts = float(date) if isinstance(date, int) and 0 < date <= now else now
    return int(message["chat"]["id"]), str(message["text"]), thread_id, written_ts


def _read_press(update_id: int, query: Any) -> Press:
    """The press of a button below a message. Raises as ``_read_message`` does."""
    message = query["message"]
    return Press(
        update_id=update_id,
        query_id=str(query["id"]),
        chat_id=int(message["chat"]["id"]),
        message_id=int(message["message_id"]),
        text=clean(str(message.get("text", ""))),  # Telegram does not bring that of an old one
        data=str(query["data"]),
        who=one_line(str(query["from"].get("first_name", "")), _MAX_WHO) or "somebody",
    )
