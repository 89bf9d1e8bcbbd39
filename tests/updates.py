"""What Telegram brings to the webhook: what people write to the bot, and the buttons that they press."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from chalicelib.doors.webhook import SECRET_HEADER
from tests.conftest import WEBHOOK_SECRET
from tools.dev.fake_telegram import TWIN_CHAT_ID


def post_update(url: str, update: object, *, secret: str | None = WEBHOOK_SECRET) -> requests.Response:
    headers = {SECRET_HEADER: secret} if secret is not None else {}
    return requests.post(url, json=update, headers=headers, timeout=30)


def update(text: str, *, update_id: int = 1, chat_id: int = TWIN_CHAT_ID, **message: Any) -> dict[str, Any]:
    """Somebody wrote to the bot."""
    return {"update_id": update_id, "message": {"chat": {"id": chat_id}, "text": text, **message}}


def press_update(
    data: str, *, update_id: int = 1, chat_id: int = TWIN_CHAT_ID, message: Mapping[str, Any] = {}, **query: Any
) -> dict[str, Any]:
    """Anna pressed a button below a message, so long ago that Telegram takes no answer to it any more."""
    below = {"message_id": 1, "chat": {"id": chat_id}, "date": 0, **message}
    pressed = {"id": "1", "from": {"id": 7, "first_name": "Anna"}, "message": below, "data": data, **query}
    return {"update_id": update_id, "callback_query": pressed}
