"""sendMessage: what is taken, what comes back, what is refused and in which words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.fake_telegram.conftest import GROUP_ID
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram

Post = Callable[..., requests.Response]


def refusal(answer: requests.Response) -> tuple[int, str]:
    body = answer.json()
    assert body["ok"] is False
    assert body["error_code"] == answer.status_code
    return answer.status_code, body["description"]


def test_the_answer_is_telegrams_message_object(send: Post) -> None:
    answer = send("hello")
    assert answer.status_code == 200
    assert answer.json() == {
        "ok": True,
        "result": {
            "message_id": 1,
            "from": {"id": 1234567890, "is_bot": True, "first_name": "Botte", "username": "botte_bot"},
            "chat": {"id": TWIN_CHAT_ID, "first_name": "Ada", "type": "private"},
            "date": 1_700_000_000,
            "text": "hello",
        },
    }


def test_message_ids_increase_over_all_chats(send: Post) -> None:
    ids = [send(chat_id=chat).json()["result"]["message_id"] for chat in (TWIN_CHAT_ID, GROUP_ID, TWIN_CHAT_ID)]
    assert ids == [1, 2, 3]


def test_a_group_is_a_supergroup_with_a_title(send: Post) -> None:
    chat = send(chat_id=GROUP_ID).json()["result"]["chat"]
    assert chat == {"id": GROUP_ID, "title": "Family", "type": "supergroup"}


@pytest.mark.parametrize("style", ["json", "form", "query", "multipart"])
def test_parameters_come_in_every_form_the_real_one_takes(
    fake: FakeTelegram, http: requests.Session, style: str
) -> None:
    url = f"{fake.url}/bot{TWIN_BOT_TOKEN}/sendMessage"
    fields = {"chat_id": str(TWIN_CHAT_ID), "text": "grüße 😀 & more"}
    answer = {
        "json": lambda: http.post(url, json=fields, timeout=5),
        "form": lambda: http.post(url, data=fields, timeout=5),
        "query": lambda: http.get(url, params=fields, timeout=5),
        "multipart": lambda: http.post(url, files={name: (None, value) for name, value in fields.items()}, timeout=5),
    }[style]()
    assert answer.json()["result"]["text"] == "grüße 😀 & more"


def test_a_body_in_chunks_is_read(fake: FakeTelegram, http: requests.Session) -> None:
    pieces = (piece for piece in (b'{"chat_id": 2137200685, ', b'"text": "in chunks"}'))
    answer = http.post(
        f"{fake.url}/bot{TWIN_BOT_TOKEN}/sendMessage",
        data=pieces,
        headers={"Content-Type": "application/json"},
        timeout=5,
    )
    assert answer.json()["result"]["text"] == "in chunks"


def test_method_names_know_no_case(call: Post) -> None:
    assert call("SENDmessage", chat_id=TWIN_CHAT_ID, text="x").status_code == 200


def test_markup_comes_back_as_plain_words_and_entities(send: Post) -> None:
    message = send("<b>bold</b> <a href='https://example.com'>link</a>", parse_mode="HTML").json()["result"]
    assert message["text"] == "bold link"
    assert message["entities"] == [
        {"type": "bold", "offset": 0, "length": 4},
        {"type": "text_link", "offset": 5, "length": 4, "url": "https://example.com/"},
    ]


@pytest.mark.parametrize(
    ("text", "parse_mode"), [("*a*", "markdownV2"), ("*a*", "MARKDOWNV2"), ("<b>a</b>", "html"), ("<b>a</b>", "Html")]
)
def test_parse_modes_know_no_case(send: Post, text: str, parse_mode: str) -> None:
    assert send(text, parse_mode=parse_mode).json()["result"]["text"] == "a"


def test_a_known_user_is_mentioned_and_a_stranger_is_not(send: Post) -> None:
    link = "<a href='tg://user?id={}'>x</a>"
    known = send(link.format(TWIN_CHAT_ID), parse_mode="HTML").json()["result"]
    assert known["entities"][0]["user"] == {"id": TWIN_CHAT_ID, "is_bot": False, "first_name": "Ada"}
    assert "entities" not in send(link.format(5), parse_mode="HTML").json()["result"]


@pytest.mark.parametrize(
    ("markup", "entities"),
    [
        ("<b>a</b><b>b</b>", [("bold", 0, 2)]),
        ("<b>a<b>b</b></b>", [("bold", 0, 2)]),
        ("<b>a<code>b</code>c</b>", [("bold", 0, 1), ("code", 1, 1), ("bold", 2, 1)]),
        ("<code>a<b>b</b></code>", [("code", 0, 2)]),
        ("<blockquote>a<code>b</code></blockquote>", [("blockquote", 0, 2), ("code", 1, 1)]),
        ("<code>a<blockquote>b</blockquote></code>", [("blockquote", 1, 1)]),
    ],
)
def test_entities_that_cannot_overlap_are_made_to_fit(
    send: Post, markup: str, entities: list[tuple[str, int, int]]
) -> None:
    found = send(markup, parse_mode="HTML").json()["result"]["entities"]
    assert [(entity["type"], entity["offset"], entity["length"]) for entity in found] == entities


def test_entities_can_be_given_instead_of_a_parse_mode(send: Post) -> None:
    message = send("a b", entities=[{"type": "bold", "offset": 2, "length": 1}]).json()["result"]
    assert message["entities"] == [{"type": "bold", "offset": 2, "length": 1}]


def test_more_than_a_hundred_entities_are_ignored(send: Post) -> None:
    message = send("<b>a</b> " * 120, parse_mode="HTML").json()["result"]
    assert len(message["entities"]) == 100


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("  \n a \n ", "a"),
        ("a\r\nb", "a\nb"),
        ("a\tb\x00c\x1fd", "a b c d"),
        ("a\u2028b", "ab"),
        ("<b> a </b>", " a"),
    ],
)
def test_text_is_cleaned_and_trimmed(send: Post, text: str, kept: str) -> None:
    assert send(text, parse_mode="HTML").json()["result"]["text"] == kept


def test_entities_move_with_the_text_that_is_trimmed_and_cleaned(send: Post) -> None:
    message = send(" \r\n\u2028x <i>y \n</i>", parse_mode="HTML").json()["result"]
    assert message["text"] == "x y"
    assert message["entities"] == [{"type": "italic", "offset": 2, "length": 1}]


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u200b\u200d", "\u2800\ufeff", "<b> </b>"])
def test_text_without_anything_visible_is_refused(send: Post, text: str) -> None:
    assert refusal(send(text, parse_mode="HTML")) == (400, "Bad Request: message text is empty")


def test_a_text_may_have_4096_utf16_units_after_parsing(send: Post) -> None:
    assert send("<b>" + "😀" * 2048 + "</b>", parse_mode="HTML").status_code == 200
    assert refusal(send("😀" * 2048 + "x")) == (400, "Bad Request: message is too long")


def test_markup_may_have_32768_bytes(send: Post) -> None:
    assert refusal(send("x" * 32769)) == (400, "Bad Request: text is too long")


@pytest.mark.parametrize(
    ("parameters", "description"),
    [
        ({"chat_id": None}, "Bad Request: chat not found"),
        ({"chat_id": 7}, "Bad Request: chat not found"),
        ({"chat_id": "@somebody"}, "Bad Request: chat not found"),
        ({"chat_id": ""}, "Bad Request: chat_id is empty"),
        ({"parse_mode": "BBCode"}, "Bad Request: unsupported parse_mode"),
        (
            {"text": "<b>x", "parse_mode": "HTML"},
            "Bad Request: can't parse entities: Can't find end tag corresponding to start tag \"b\"",
        ),
        (
            {"text": "<foo>x</foo>", "parse_mode": "HTML"},
            'Bad Request: can\'t parse entities: Unsupported start tag "foo" at byte offset 0',
        ),
        (
            {"text": "Done.", "parse_mode": "MarkdownV2"},
            "Bad Request: can't parse entities: Character '.' is reserved and must be escaped with the preceding '\\'",
        ),
        ({"message_thread_id": 1}, "Bad Request: message thread not found"),
        ({"link_preview_options": "x"}, "Bad Request: can't parse link preview options JSON object"),
        ({"link_preview_options": []}, "Bad Request: object expected as link preview options"),
        (
            {"entities": [{"type": "bold", "offset": -1, "length": 2}]},
            "Bad Request: receive an entity with incorrect offset -1",
        ),
        ({"entities": [5]}, "Bad Request: can't parse MessageEntity: expected an Object"),
        (
            {"entities": [{"type": "bold", "offset": 1}]},
            "Bad Request: can't parse MessageEntity: can't find field \"length\"",
        ),
        (
            {"entities": [{"type": "bold", "offset": 3, "length": 9}]},
            "Bad Request: entity beginning at UTF-16 offset 3 ends after the end of the text at UTF-16 offset 12",
        ),
    ],
)
def test_a_wrong_parameter_is_refused_in_telegrams_words(
    send: Post, fake: FakeTelegram, parameters: dict[str, Any], description: str
) -> None:
    assert refusal(send(**parameters)) == (400, description)
    assert fake.messages == []


def test_a_missing_chat_id_is_refused(call: Post) -> None:
    assert refusal(call("sendMessage", text="x")) == (400, "Bad Request: chat_id is empty")


def test_a_topic_below_zero_is_none(send: Post) -> None:
    assert "message_thread_id" not in send(message_thread_id=-5).json()["result"]


def test_options_come_back_with_the_message(send: Post) -> None:
    message = send(
        message_thread_id=7,
        protect_content=True,
        link_preview_options={"is_disabled": True},
        reply_markup={"inline_keyboard": [[{"text": "Open", "url": "https://example.com/x"}]]},
    ).json()["result"]
    assert message["message_thread_id"] == 7
    assert message["has_protected_content"] is True
    assert message["link_preview_options"] == {"is_disabled": True}
    assert message["reply_markup"] == {"inline_keyboard": [[{"text": "Open", "url": "https://example.com/x"}]]}


@pytest.mark.parametrize(
    ("body", "description"),
    [
        (b"\xff", "Bad Request: strings must be encoded in UTF-8"),
        (b'{"chat_id": 2137200685, "text": "\\ud800"}', "Bad Request: strings must be encoded in UTF-8"),
        (b'{"chat_id": 2137200685, "text": ', "Bad Request: can't parse JSON object"),
        (b'{"chat_id": NaN, "text": "x"}', "Bad Request: can't parse JSON object"),
        (b"[]", "Bad Request: JSON object expected"),
    ],
)
def test_a_body_must_be_a_json_object_in_utf8(
    fake: FakeTelegram, http: requests.Session, body: bytes, description: str
) -> None:
    answer = http.post(
        f"{fake.url}/bot{TWIN_BOT_TOKEN}/sendMessage",
        data=body,
        headers={"Content-Type": "application/json"},
        timeout=5,
    )
    assert refusal(answer) == (400, description)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/bot9999999999:AA-some-other-bot-token-of-somebody/getMe", (401, "Unauthorized")),
        ("/botnonsense/getMe", (404, "Not Found")),
        (f"/bot{TWIN_BOT_TOKEN}", (404, "Not Found")),
        (f"/bot{TWIN_BOT_TOKEN}/sendPigeon", (404, "Not Found: method not found")),
    ],
)
def test_a_wrong_token_or_method_is_refused(
    fake: FakeTelegram, http: requests.Session, path: str, expected: tuple[int, str]
) -> None:
    assert refusal(http.get(fake.url + path, timeout=5)) == expected


def test_get_me_tells_the_bot_of_the_token(call: Post) -> None:
    me = call("getMe").json()["result"]
    assert (me["id"], me["is_bot"], me["username"]) == (1234567890, True, "botte_bot")


def test_get_chat_knows_only_its_chats(call: Post) -> None:
    assert call("getChat", chat_id=TWIN_CHAT_ID).json()["result"]["first_name"] == "Ada"
    assert refusal(call("getChat", chat_id=5)) == (400, "Bad Request: chat not found")
