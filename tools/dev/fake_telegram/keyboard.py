"""Inline keyboards: what Telegram takes in `reply_markup` (https://core.telegram.org/bots/api#inlinekeyboardmarkup).

Read off https://github.com/tdlib/telegram-bot-api (Client.cpp) and https://github.com/tdlib/td (ReplyMarkup.cpp).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tools.dev.fake_telegram.answers import ApiError, bad_request
from tools.dev.fake_telegram.links import LinkError, checked_link

CALLBACK_DATA_LIMIT = 64  # bytes
# Not documented; as people met them: https://github.com/tginfo/Telegram-Limits/issues/187 and /228
BUTTON_LIMIT = 100
KEYBOARD_LIMIT = 10 * 1024  # bytes of its JSON


def inline_keyboard(reply_markup: str) -> dict[str, Any] | None:
    """The checked keyboard of a request's `reply_markup`, None where there is none.

    Raises ApiError with Telegram's words.
    """
    if not reply_markup:
        return None
    try:
        markup = json.loads(reply_markup)
    except ValueError:
        raise bad_request("can't parse reply keyboard markup JSON object") from None
    if not isinstance(markup, Mapping):
        raise bad_request("object expected as reply markup")
    rows = markup.get("inline_keyboard", [])
    if not isinstance(rows, list):
        raise bad_request('field "inline_keyboard" must be of type Array')
    if not all(isinstance(row, list) for row in rows):
        raise bad_request('field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays')
    checked = [[shown for button in row if (shown := _button(button))] for row in rows]
    keyboard = {"inline_keyboard": [row for row in checked if row]}
    size = len(json.dumps(keyboard, ensure_ascii=False, separators=(",", ":")).encode())
    if sum(map(len, checked)) > BUTTON_LIMIT or size > KEYBOARD_LIMIT:
        raise bad_request("reply markup is too long")
    return keyboard if keyboard["inline_keyboard"] else None


def _button(button: object) -> dict[str, str] | None:
    """The button as Telegram keeps it; None for one without a text, which it leaves out."""
    if not isinstance(button, Mapping):
        raise _unparsable("InlineKeyboardButton must be an Object")
    text = _string(button, "text")
    if text is None:
        raise _unparsable('Can\'t find field "text"')
    url = _string(button, "url")
    callback_data = None if url else _string(button, "callback_data")
    if not url and not callback_data:
        raise _unparsable("Text buttons are unallowed in the inline keyboard")
    if not text:
        return None
    if not text.strip():
        raise bad_request("inline keyboard button text must be non-empty")
    if url:
        return {"text": text, "url": _button_url(url)}
    assert callback_data is not None, "a button has one of the two"
    if len(callback_data.encode()) > CALLBACK_DATA_LIMIT:
        raise bad_request("BUTTON_DATA_INVALID")
    return {"text": text, "callback_data": callback_data}


def _string(button: Mapping[str, Any], name: str) -> str | None:
    """A field of a button, None where it is not there; a number is its text."""
    if name not in button:
        return None
    value = button[name]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return json.dumps(value)
    if not isinstance(value, str):
        raise _unparsable(f'Field "{name}" must be of type String')
    return value


def _button_url(url: str) -> str:
    try:
        return checked_link(url)
    except LinkError as error:
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: {error}") from None


def _unparsable(reason: str) -> ApiError:
    return bad_request(f"can't parse inline keyboard button: {reason}")
