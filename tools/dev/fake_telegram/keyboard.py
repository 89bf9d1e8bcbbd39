"""Inline keyboards: what Telegram takes in `reply_markup` (https://core.telegram.org/bots/api#inlinekeyboardmarkup)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tools.dev.fake_telegram.answers import ApiError, bad_request
from tools.dev.fake_telegram.links import LinkError, checked_link

CALLBACK_DATA_LIMIT = 64  # bytes
_ACTIONS = ("url", "callback_data")


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
    checked = [[_button(button) for button in row] for row in rows]
    checked = [row for row in checked if row]
    return {"inline_keyboard": checked} if checked else None


def _button(button: object) -> dict[str, str]:
    if not isinstance(button, Mapping):
        raise _unparsable("InlineKeyboardButton must be an Object")
    text = button.get("text")
    if text is None:
        raise _unparsable('Can\'t find field "text"')
    if not isinstance(text, str):
        raise _unparsable('Field "text" must be of type String')
    actions = {name: button[name] for name in _ACTIONS if button.get(name)}
    for name, value in actions.items():
        if not isinstance(value, str):
            raise _unparsable(f'Field "{name}" must be of type String')
    if not actions:
        raise _unparsable("Text buttons are unallowed in the inline keyboard")
    if not text.strip():
        raise bad_request("inline keyboard button text must be non-empty")
    if len(actions) > 1:
        raise bad_request("BUTTON_TYPE_INVALID")
    if "url" in actions:
        return {"text": text, "url": _button_url(actions["url"])}
    if len(actions["callback_data"].encode()) > CALLBACK_DATA_LIMIT:
        raise bad_request("BUTTON_DATA_INVALID")
    return {"text": text, "callback_data": actions["callback_data"]}


def _button_url(url: str) -> str:
    try:
        checked = checked_link(url)
    except LinkError as error:
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: {error}") from None
    if any(character.isspace() for character in url):
        raise bad_request("BUTTON_URL_INVALID")
    return checked


def _unparsable(reason: str) -> ApiError:
    return bad_request(f"can't parse inline keyboard button: {reason}")
