"""The webhook: what a person writes to the bot, and what the bot says to it.

Telegram repeats an update until it is answered with a 2xx, for about a day; so whatever is not for Botte is answered
200 and ignored, and a reply is a message like any other, with an ``id`` made of the ``update_id``: it is sent once.
https://core.telegram.org/bots/api#setwebhook
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ..contract.message import Message, parse_json
from ..errors import BotteError, InvalidMessage, Unavailable
from ..outbox.table import Outbox
from ..relay import Relay
from ..settings import VERSION, Parameters
from .http import ANSWER_SECONDS, Answer, HttpError, answer, same_secret

SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105 - the name of a header

_HELP = """Botte brings you messages from your own AWS account.

/echo <text> says it back
/status tells what was accepted, and what is pending or failed
/help shows this"""

_log = logging.getLogger("botte.webhook")


def post_update(relay: Relay, outbox: Outbox, parameters: Parameters, request: Any, now: float) -> Answer:
    """``POST /telegram-webhook``. request: Chalice's, of which the ``headers`` and the ``raw_body`` are read."""
    return answer(lambda: _post_update(relay, outbox, parameters, request, now))


def _post_update(relay: Relay, outbox: Outbox, parameters: Parameters, request: Any, now: float) -> Answer:
    _authenticate(parameters, request.headers)
    handled = Answer({}, {}, 200)
    try:
        update = parse_json(request.raw_body)
        update_id, chat_id, text, thread_id = _read(update)
    except (InvalidMessage, LookupError, TypeError, ValueError, AttributeError):
        return handled
    names = [name for name, id in parameters.chats().items() if id == chat_id]
    if not names:
        _log.warning("an update from a chat that is not configured", extra={"chat_id": chat_id})
        return handled
    try:
        reply = Message(
            text=_reply(outbox, text, now),
            id=f"telegram-update-{update_id}",
            chat=names[0],
            message_thread_id=thread_id,
        )
        relay.accept(reply, deadline=now + ANSWER_SECONDS, spare_id=relay.new_id())
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


def _read(update: Any) -> tuple[int, int, str, int | None]:
    """The update's id, and the chat, text and thread of its message.

    Raises LookupError, TypeError, ValueError or AttributeError where it is of another shape.
    """
    message = update["message"]
    thread_id = message.get("message_thread_id") if message.get("is_topic_message") else None
    return int(update["update_id"]), int(message["chat"]["id"]), str(message["text"]), thread_id


def _reply(outbox: Outbox, text: str, now: float) -> str:
    command, rest, *_ = (*text.strip().split(maxsplit=1), "", "")
    match command.partition("@")[0]:
        case "/echo" if rest:
            return rest
        case "/status":
            return _status(outbox, now)
        case "/start" | "/help":
            return _HELP
        case _:
            return "I know /echo <text>, /status and /help."


def _status(outbox: Outbox, now: float) -> str:
    counts = outbox.count()
    lines = [
        f"Botte {VERSION}",
        f"accepted: {counts.accepted} in the table",
        f"pending: {counts.pending}",
        f"failed: {counts.failed}",
    ]
    if counts.oldest_pending_ts is not None:
        minutes = round((now - counts.oldest_pending_ts) / 60)
        lines.append(f"oldest pending: accepted {minutes} minutes ago")
    return "\n".join(lines)
