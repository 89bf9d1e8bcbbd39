"""Buttons that act stand below the last part of a message, and what they bring back cannot be made up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from chalicelib.contract.message import Message
from chalicelib.errors import KeyboardRefused
from chalicelib.telegram.buttons import MAX_DATA_BYTES, Button, read, sign
from chalicelib.telegram.delivery import Delivery

SECRET = "webhook-secret-of-the-tests"
DATA = sign(SECRET, "redrive", "1732800000")
URLS = [[{"text": "Open", "url": "https://example.com/"}]]
MADE = [[{"text": "Send again", "callback_data": DATA}, {"text": "Discard", "callback_data": "x"}]]


@pytest.mark.parametrize("argument", ["1732800000", "", "a:b", "f" * 39])
def test_what_is_signed_is_read(argument: str) -> None:
    data = sign(SECRET, "redrive", argument)
    assert len(data.encode()) <= MAX_DATA_BYTES
    assert read(SECRET, data) == ("redrive", argument)


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(DATA.replace("redrive", "discard"), id="another action"),
        pytest.param(DATA.replace("1732800000", "1932800000"), id="another argument"),
        pytest.param(DATA[:-1] + "#", id="another signature"),
        pytest.param(DATA[:-16], id="no signature"),
        pytest.param(sign("another-secret", "redrive", "1732800000"), id="another secret"),
        pytest.param("redrive:1732800000:ünïcode \ud800", id="no ASCII"),
        pytest.param("", id="nothing"),
        pytest.param("::", id="only colons"),
    ],
)
def test_what_is_forged_is_not_read(forged: str) -> None:
    assert read(SECRET, forged) is None


def test_what_telegram_would_not_take_is_not_made() -> None:
    with pytest.raises(ValueError, match="64 bytes"):
        sign(SECRET, "redrive", "f" * 40)


class Keyboards:
    """A Telegram that notes the keyboard of each part, and refuses those with an address where it is told to."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.refuses = refuses
        self.seen: list[tuple[str, object]] = []

    def call(self, method: str, fields: Mapping[str, Any], file: tuple[str, bytes] | None = None) -> dict[str, Any]:
        keyboard = fields.get("reply_markup", {}).get("inline_keyboard")
        if self.refuses and keyboard and any("url" in button for row in keyboard for button in row):
            raise KeyboardRefused("400 Bad Request: BUTTON_URL_INVALID")
        self.seen.append((fields["text"][:9], keyboard))
        return {"message_id": len(self.seen)}


def deliver(telegram: Keyboards, **fields: Any) -> list[tuple[str, object]]:
    buttons = [[Button("Send again", DATA), Button("Discard", "x")]]
    Delivery(Message(**fields), buttons=buttons).run(telegram, 1)
    return telegram.seen


def test_buttons_stand_below_the_last_part() -> None:
    first, last = deliver(Keyboards(), text="a " * 3000)
    assert (first[1], last[1]) == (None, MADE)


def test_buttons_stand_below_the_keyboard_of_the_message() -> None:
    assert deliver(Keyboards(), text="a", reply_markup={"inline_keyboard": URLS}) == [("a", [*URLS, *MADE])]


def test_buttons_stay_where_the_keyboard_becomes_links() -> None:
    markup = {"inline_keyboard": URLS}
    assert deliver(Keyboards(refuses=True), text="a", reply_markup=markup) == [("a\n\nOpen: ", MADE)]
