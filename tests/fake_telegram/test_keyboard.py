"""Inline keyboards: what is taken and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
    ("button", "kept"),
    [
        pytest.param(
            {"text": "a", "url": "https://example.com", "callback_data": "x"}, "https://example.com/", id="url"
        ),
        pytest.param({"text": "a", "url": "example.com/a b"}, "http://example.com/a%20b", id="space"),
        pytest.param(
            {"text": "a", "url": "HTTPS://u:P@Example.com:0080?Q"}, "https://u:P@example.com:80/?Q", id="case"
        ),
        pytest.param({"text": "a", "url": "http://10.0.0.1:3000/d"}, "http://10.0.0.1:3000/d", id="private_address"),
        pytest.param({"text": "a", "url": "http://[::1]:3000"}, "http://[::1]:3000/", id="ipv6"),
        pytest.param({"text": 5, "url": "example.com"}, "http://example.com/", id="text_is_a_number"),
    ],
)
def test_the_url_of_a_button_is_kept_as_telegram_writes_it(send: Post, button: dict[str, Any], kept: str) -> None:
    message = send(reply_markup={"inline_keyboard": [[button]]}).json()["result"]
    assert message["reply_markup"]["inline_keyboard"] == [[{"text": str(button["text"]), "url": kept}]]


@pytest.mark.parametrize(
    ("button", "description"),
    [
        ({"text": "a"}, UNPARSABLE + "Text buttons are unallowed in the inline keyboard"),
        ({"text": "a", "callback_data": ""}, UNPARSABLE + "Text buttons are unallowed in the inline keyboard"),
        ({"url": "https://example.com"}, UNPARSABLE + 'Can\'t find field "text"'),
        ({"text": True, "url": "https://example.com"}, UNPARSABLE + 'Field "text" must be of type String'),
        ({"text": "a", "url": None}, UNPARSABLE + 'Field "url" must be of type String'),
        ("a", UNPARSABLE + "InlineKeyboardButton must be an Object"),
        ({"text": " ", "url": "https://example.com"}, "Bad Request: inline keyboard button text must be non-empty"),
        ({"text": "a", "callback_data": "x" * 65}, "Bad Request: BUTTON_DATA_INVALID"),
        ({"text": "a", "callback_data": "é" * 33}, "Bad Request: BUTTON_DATA_INVALID"),
    ],
)
def test_a_wrong_button_is_refused_in_telegrams_words(send: Post, button: object, description: str) -> None:
    answer = send(reply_markup={"inline_keyboard": [[button]]})
    assert (answer.status_code, answer.json()["description"]) == (400, description)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://example.com", "Unsupported URL protocol"),
        ("mailto://a@example.com", "Unsupported URL protocol"),
        ("http://localhost/x", "Wrong HTTP URL"),
        ("http://grafana:3000/d/x", "Wrong HTTP URL"),
        ("mailto:ops", "Wrong port number specified in the URL"),
        ("https://example.com:99999", "Wrong port number specified in the URL"),
        ("https://example.com:0", "Wrong port number specified in the URL"),
        ("https://example.com:", "Wrong port number specified in the URL"),
        ("https://[::g]/", "Wrong IPv6 address specified in the URL"),
        ("https:///x", "URL host is empty"),
        ("https://user@", "URL host is empty"),
        ("http://./", "Host is invalid"),
        ("https://exa mple.com/", "Disallowed character in URL host"),
        ("https://:80/", "Disallowed character in URL host"),
        ("https://{{ host }}.example.com/", "Disallowed character in URL host"),
        ("https://example.com%zz/", "Wrong percent-encoded symbol in URL host"),
        ("https://a b@example.com/", "Disallowed character in URL userinfo"),
        ("tg://a.b/", "Unallowed characters in URL host"),
    ],
)
def test_a_url_that_is_none_is_named_with_what_is_wrong(send: Post, url: str, reason: str) -> None:
    answer = send(reply_markup={"inline_keyboard": [[{"text": "a", "url": url}]]})
    assert answer.status_code == 400
    assert answer.json()["description"] == f"Bad Request: inline keyboard button URL '{url}' is invalid: {reason}"


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([[{"text": "a", "callback_data": "b"}]] * 101, id="buttons"),
        pytest.param([[{"text": "a", "url": "https://example.com/" + "x" * 1000}]] * 11, id="bytes"),
    ],
)
def test_a_keyboard_that_is_too_large_is_refused(send: Post, rows: list[object]) -> None:
    answer = send(reply_markup={"inline_keyboard": rows})
    assert (answer.status_code, answer.json()["description"]) == (400, "Bad Request: reply markup is too long")
    assert send(reply_markup={"inline_keyboard": rows[:9]}).status_code == 200


def test_a_keyboard_may_have_a_hundred_buttons(send: Post) -> None:
    rows = [[{"text": str(number), "callback_data": "x"}] for number in range(100)]
    message = send(reply_markup={"inline_keyboard": rows}).json()["result"]
    assert message["reply_markup"]["inline_keyboard"] == rows


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


@pytest.mark.parametrize("row", [[], [{"text": "", "url": "https://example.com"}]])
def test_a_keyboard_without_a_button_that_can_be_read_is_none(send: Post, row: list[object]) -> None:
    assert "reply_markup" not in send(reply_markup={"inline_keyboard": [row]}).json()["result"]
