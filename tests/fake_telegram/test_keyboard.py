"""Inline keyboards: what is taken and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

Post = Callable[..., requests.Response]
UNPARSABLE = "Bad Request: can't parse inline keyboard button: "


@pytest.mark.parametrize(
    "button",
    [
        {"text": "a", "url": "https://example.com/x"},
        {"text": "a", "url": "http://example.com/"},
        {"text": "a", "url": "tg://resolve?domain=botte_bot"},
        {"text": "a", "callback_data": "x" * 64},
        {"text": "a", "callback_data": "é" * 32},
    ],
)
def test_a_button_with_one_action_is_kept(send: Post, button: dict[str, str]) -> None:
    message = send(reply_markup={"inline_keyboard": [[button]]}).json()["result"]
    assert message["reply_markup"]["inline_keyboard"] == [[button]]


@pytest.mark.parametrize(
    ("button", "description"),
    [
        ({"text": "a"}, UNPARSABLE + "Text buttons are unallowed in the inline keyboard"),
        ({"text": "a", "callback_data": ""}, UNPARSABLE + "Text buttons are unallowed in the inline keyboard"),
        ({"url": "https://example.com"}, UNPARSABLE + 'Can\'t find field "text"'),
        ({"text": 5, "url": "https://example.com"}, UNPARSABLE + 'Field "text" must be of type String'),
        ({"text": "a", "url": 5}, UNPARSABLE + 'Field "url" must be of type String'),
        ("a", UNPARSABLE + "InlineKeyboardButton must be an Object"),
        ({"text": " ", "url": "https://example.com"}, "Bad Request: inline keyboard button text must be non-empty"),
        ({"text": "a", "url": "https://example.com/a b"}, "Bad Request: BUTTON_URL_INVALID"),
        ({"text": "a", "callback_data": "x" * 65}, "Bad Request: BUTTON_DATA_INVALID"),
        ({"text": "a", "callback_data": "é" * 33}, "Bad Request: BUTTON_DATA_INVALID"),
        ({"text": "a", "url": "https://example.com", "callback_data": "x"}, "Bad Request: BUTTON_TYPE_INVALID"),
        (
            {"text": "a", "url": "ftp://example.com"},
            "Bad Request: inline keyboard button URL 'ftp://example.com' is invalid: Unsupported URL protocol",
        ),
        (
            {"text": "a", "url": "http://localhost/x"},
            "Bad Request: inline keyboard button URL 'http://localhost/x' is invalid: Wrong HTTP URL",
        ),
        (
            {"text": "a", "url": "https://example.com:99999"},
            "Bad Request: inline keyboard button URL 'https://example.com:99999' is invalid: "
            "Wrong port number specified in the URL",
        ),
        (
            {"text": "a", "url": "https:///x"},
            "Bad Request: inline keyboard button URL 'https:///x' is invalid: URL host is empty",
        ),
    ],
)
def test_a_wrong_button_is_refused_in_telegrams_words(send: Post, button: object, description: str) -> None:
    answer = send(reply_markup={"inline_keyboard": [[button]]})
    assert (answer.status_code, answer.json()["description"]) == (400, description)


@pytest.mark.parametrize(
    ("markup", "description"),
    [
        ("{", "Bad Request: can't parse reply keyboard markup JSON object"),
        ([], "Bad Request: object expected as reply markup"),
        (None, "Bad Request: object expected as reply markup"),
        ({"inline_keyboard": {}}, 'Bad Request: field "inline_keyboard" must be of type Array'),
        (
            {"inline_keyboard": [{}]},
            'Bad Request: field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays',
        ),
    ],
)
def test_a_keyboard_must_be_rows_of_buttons(send: Post, markup: object, description: str) -> None:
    answer = send(reply_markup=markup)
    assert (answer.status_code, answer.json()["description"]) == (400, description)


def test_an_empty_keyboard_is_none(send: Post) -> None:
    assert "reply_markup" not in send(reply_markup={"inline_keyboard": [[]]}).json()["result"]
