"""Forms, and options in the query: what curl, HTML pages and the Bot API's callers send instead of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlencode

import pytest
import requests

from chalicelib.doors import bodies
from tests.doors import TOKEN, Doors, RelayDoors, texts
from tools.dev.fake_telegram import FakeTelegram

OPS_CHAT_ID = -1001234567890
FORM = "application/x-www-form-urlencoded"


def error(answer: object) -> str:
    """The message of an answer of 400."""
    assert answer.status_code == 400  # type: ignore[attr-defined]
    return str(answer.body["Message"])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param("text=50%25+%26+more", "50% & more", id="escaped"),
        pytest.param("text=Hello world", "Hello world", id="blank_as_it_is"),
        pytest.param("text=a%0Ab&sender_app=cron", "a\nb", id="line_break"),
        pytest.param("text=caf%C3%A9 à", "café à", id="utf_8"),
        pytest.param("text=caf%E9", "caf\ufffd", id="latin_1"),
        pytest.param("text=%7B%22a%22%3A1%7D", '{"a":1}', id="json_as_text"),
        pytest.param("text=a=b", "a=b", id="equals_sign"),
        pytest.param("text=5", "5", id="digits"),
        pytest.param("text=a&chat=&disable_notification=", None, id="empty_options"),
    ],
)
def test_a_form_is_a_message(doors: Doors, telegram: FakeTelegram, body: str, text: str | None) -> None:
    """As the Bot API takes it; a text is a text, whatever it looks like."""
    answer = doors.post(body.encode())
    if text is None:
        assert answer.status_code == 400
        assert answer.json()["Message"].startswith("chat: ")
    else:
        assert answer.status_code == 200, answer.text
        assert texts(telegram.messages) == [text]


def test_curl_sends_a_form_of_several_parts(doors: Doors, telegram: FakeTelegram) -> None:
    """``curl -F text=... -F chat=ops``."""
    fields = {"text": "Grüße\n& more", "chat": "ops", "disable_notification": "true"}
    answer = requests.post(
        f"{doors.url}/message",
        files={name: (None, value) for name, value in fields.items()},
        headers={"Authorization": TOKEN},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    (sent,) = telegram.messages
    assert (sent["text"], sent["chat_id"], sent["disable_notification"]) == ("Grüße\n& more", OPS_CHAT_ID, True)


def test_a_file_in_a_form_is_refused_by_its_name(doors: Doors, telegram: FakeTelegram) -> None:
    """Botte takes addresses of files, and no files."""
    files = [("text", (None, b"look", "text/plain")), ("photo", ("a.png", b"\x89PNG", "image/png"))]
    answer = requests.post(f"{doors.url}/message", files=files, headers={"Authorization": TOKEN}, timeout=30)
    assert answer.status_code == 400
    assert answer.json()["Message"].startswith("photo: files are not taken; give the address")
    assert telegram.messages == []


@pytest.mark.outbox("memory")
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"--x\r\n\r\n\r\n--x--"),
        (
            "multipart/form-data; boundary=y",
            b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\na\r\n--x--\r\n',
        ),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"\xff\x00" * 100),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Type: text/plain\r\n\r\na\r\n--x--\r\n"),
        ("multipart/form-data; boundary=", b"--\r\n--"),
    ],
)
def test_a_form_of_parts_that_cannot_be_read_is_refused_with_what_to_send_instead(
    relay_doors: RelayDoors, telegram: FakeTelegram, content_type: str, body: bytes
) -> None:
    """Nothing that a body holds is an error of the server."""
    assert "is no form that can be read: send JSON such as" in error(relay_doors.post(body, Content_Type=content_type))
    assert telegram.messages == []


OPTIONS: Mapping[str, tuple[str, object]] = {
    "chat": ("ops", "ops"),
    "parse_mode": ("html", "HTML"),
    "disable_notification": ("true", True),
    "protect_content": ("1", True),
    "message_thread_id": ("7", 7),
    "link_preview_options": ('{"is_disabled": true}', {"is_disabled": True}),
    "reply_markup": (
        '{"inline_keyboard": [[{"text": "a", "url": "https://a.example/"}]]}',
        {"inline_keyboard": [[{"text": "a", "url": "https://a.example/"}]]},
    ),
}


@pytest.mark.outbox("memory")
@pytest.mark.parametrize("way", ["form", "query of a text", "query of JSON", "query of a form", "parts"])
def test_options_are_texts_in_a_form_and_in_a_query(relay_doors: RelayDoors, telegram: FakeTelegram, way: str) -> None:
    """Booleans, numbers and objects are written as in JSON."""
    options = urlencode({name: text for name, (text, _) in OPTIONS.items()})
    match way:
        case "form":
            answer = relay_doors.post(f"text=Hello&{options}", Content_Type=FORM)
        case "query of a text":
            answer = relay_doors.post("Hello", query=options, Content_Type="text/plain")
        case "query of JSON":
            answer = relay_doors.post('{"text": "Hello"}', query=options, Content_Type="application/json")
        case "query of a form":
            answer = relay_doors.post("text=Hello", query=options, Content_Type=FORM)
        case _:
            parts = {"text": "Hello"} | {name: text for name, (text, _) in OPTIONS.items()}
            prepared = requests.Request("POST", "http://x", files={name: (None, each) for name, each in parts.items()})
            made = prepared.prepare()
            answer = relay_doors.post(made.body or b"", Content_Type=made.headers["Content-Type"])
    assert answer.status_code == 200, answer.body
    (sent,) = telegram.messages
    assert (sent["text"], sent["chat_id"]) == ("Hello", OPS_CHAT_ID)
    for name in set(OPTIONS) - {"chat"}:
        assert sent[name] == OPTIONS[name][1]


def test_texts_stand_for_what_the_fields_of_live_messages_are() -> None:
    """A name that looks like a number stays a text, and what ``every`` says is the contract's to read."""
    texts = {"renotify": "true", "ack": "1", "urgent": "FALSE", "escalate_after": "600"}
    names = {"collapse_key": "5", "heartbeat": "7", "every": "60"}
    values = {"renotify": True, "ack": True, "urgent": False, "escalate_after": 600}
    assert bodies.typed([*texts.items(), *names.items()]) == {**values, **names}


@pytest.mark.outbox("memory")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("text=a&disable_notification=yes", "disable_notification"),
        ("text=a&protect_content=", "protect_content"),
        ("text=a&message_thread_id=x", "message_thread_id"),
        ("text=a&message_thread_id=1.5", "message_thread_id"),
        (f"text=a&deliver_at={'9' * 5000}", "deliver_at"),
        ("text=a&reply_markup=%7B", "reply_markup"),
        ("text=a&reply_markup=[]", "reply_markup"),
        ("text=a&text=b", "text"),
        ("text=", "text"),
        ("text=%20", "text"),
        ("text=a&id=", "id"),
        ("text=a&txet=b", "txet"),
        ("text=a&=b", ""),
        ("text=a&renotify=maybe", "renotify"),
        ("text=a&renotify=true", "renotify"),
        ("text=a&ack=1", "ack"),
        ("text=a&collapse_key=k&ack=true&escalate_after=10m", "escalate_after"),
        ("text=a&urgent=1&disable_notification=1", "urgent"),
        ("heartbeat=nightly", "every"),
        ("heartbeat=nightly&every=soon", "every"),
        ("heartbeat=nightly&every=26h&text=a", "text"),
    ],
)
def test_a_wrong_value_in_a_form_is_refused_by_the_name_of_its_field(
    relay_doors: RelayDoors, telegram: FakeTelegram, body: str, field: str
) -> None:
    """As in JSON, as there is somebody to mend it."""
    assert error(relay_doors.post(body, Content_Type=FORM)).startswith(f"{field}: ")
    assert telegram.messages == []


@pytest.mark.outbox("memory")
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("text=b", "text"),
        ("chat=ops&chat=default", "chat"),
        ("disable_notification=maybe", "disable_notification"),
        ("x=1", "x"),
        ("renotify=true", "renotify"),
        ("heartbeat=nightly&every=26h", "text"),
        ("token=local-token", "token"),
    ],
)
@pytest.mark.parametrize(("content_type", "body"), [("text/plain", "a"), ("application/json", '{"text": "a"}')])
def test_a_wrong_value_in_the_query_is_refused_by_the_name_of_its_field(
    relay_doors: RelayDoors, telegram: FakeTelegram, content_type: str, body: str, query: str, field: str
) -> None:
    """What stands in both, too: nobody can tell which is meant."""
    assert error(relay_doors.post(body, query=query, Content_Type=content_type)).startswith(f"{field}: ")
    assert telegram.messages == []


def test_a_raw_chat_id_is_forbidden_in_a_form_and_a_query_too(doors: Doors, telegram: FakeTelegram) -> None:
    """The body of a call of the Bot API has one."""
    assert doors.post("chat_id=2137200685&text=a").status_code == 403
    url = f"{doors.url}/message?chat_id=2137200685"
    headers = {"Authorization": TOKEN, "Content-Type": "text/plain"}
    assert requests.post(url, data="a", headers=headers, timeout=30).status_code == 403
    assert telegram.messages == []


def test_the_query_of_an_address_reaches_the_message(doors: Doors, telegram: FakeTelegram) -> None:
    """What a shell has is sent as it is, and its options with the address."""
    url = f"{doors.url}/message?chat=ops&disable_notification=true&sender_app=caf%C3%A9"
    headers = {"Authorization": TOKEN, "Content-Type": "text/plain"}
    assert requests.post(url, data=b"Used 42%\n", headers=headers, timeout=30).status_code == 200
    (sent,) = telegram.messages
    assert (sent["text"], sent["chat_id"], sent["disable_notification"]) == ("Used 42%", OPS_CHAT_ID, True)


@pytest.mark.outbox("memory")
def test_an_id_in_a_form_is_the_idempotency_key(relay_doors: RelayDoors, telegram: FakeTelegram) -> None:
    """And the header is, for all bodies."""
    assert relay_doors.post("text=a&id=k1", Content_Type=FORM).status_code == 200
    assert relay_doors.post("a", query="id=k1", Content_Type="text/plain").status_code == 200
    assert relay_doors.post("a", Content_Type="text/plain", Idempotency_Key="k1").status_code == 200
    assert relay_doors.post(json.dumps({"text": "b"}), query="id=k1").status_code == 422
    assert error(relay_doors.post("a", query="id=k2", Content_Type="text/plain", Idempotency_Key="k1")).startswith(
        "id: "
    )
    assert texts(telegram.messages) == ["a"]


@pytest.mark.parametrize("content_type", [None, FORM, "text/plain", "application/json"])
def test_a_message_may_stand_in_the_address_alone(
    doors: Doors, telegram: FakeTelegram, content_type: str | None
) -> None:
    """``curl -X POST '.../message?text=...'``, as the Bot API takes it; curl -d '' names a type."""
    headers = {"Authorization": TOKEN, **({"Content-Type": content_type} if content_type else {})}
    url = f"{doors.url}/message?text=50%25+%26+more&chat=ops&disable_notification=true"
    answer = requests.post(url, headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text
    (sent,) = telegram.messages
    assert (sent["text"], sent["chat_id"], sent["disable_notification"]) == ("50% & more", OPS_CHAT_ID, True)


def test_options_without_words_are_no_message(doors: Doors, telegram: FakeTelegram) -> None:
    answer = requests.post(f"{doors.url}/message?chat=ops", headers={"Authorization": TOKEN}, timeout=30)
    assert (answer.status_code, answer.json()["Message"].partition(":")[0]) == (400, "text")
    assert telegram.messages == []
