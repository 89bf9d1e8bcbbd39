"""The inbox for people and tests: lists, events, counts, the page, and who is kept out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram

Post = Callable[..., requests.Response]


def server_sent_events(answer: requests.Response) -> Iterator[tuple[str, str, Any]]:
    """The (id, name, body) of each event as it comes."""
    fields: dict[str, str] = {}
    for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
        name, separator, value = line.partition(": ")
        if separator and name:
            fields[name] = value
        elif not line and "event" in fields:
            yield fields["id"], fields["event"], json.loads(fields["data"])
            fields = {}


def test_messages_are_listed_oldest_first_with_all_that_was_sent(
    fake: FakeTelegram, http: requests.Session, send: Post
) -> None:
    keyboard = {"inline_keyboard": [[{"text": "Open", "url": "https://example.com/x"}]]}
    send("plain")
    send("<b>bold</b>", parse_mode="HTML", message_thread_id=3, disable_notification=True, reply_markup=keyboard)
    listed = http.get(f"{fake.url}/inbox/messages", timeout=5).json()
    assert listed == fake.messages
    assert {key: listed[0][key] for key in ("message_id", "chat_id", "text", "method", "date")} == {
        "message_id": 1,
        "chat_id": TWIN_CHAT_ID,
        "text": "plain",
        "method": "sendMessage",
        "date": 1_700_000_000,
    }
    assert listed[0]["disable_notification"] is False
    assert "parse_mode" not in listed[0]
    second = listed[1]
    assert (second["text"], second["parse_mode"], second["message_thread_id"]) == ("bold", "HTML", 3)
    assert second["disable_notification"] is True
    assert second["entities"] == [{"type": "bold", "offset": 0, "length": 4}]
    assert second["reply_markup"] == keyboard


def test_clearing_forgets_messages_but_not_the_numbers(fake: FakeTelegram, http: requests.Session, send: Post) -> None:
    send("one")
    fake.receive("two")
    answer = http.delete(f"{fake.url}/inbox/messages", timeout=5)
    assert (answer.status_code, answer.content) == (204, b"")
    assert fake.messages == []
    assert http.get(f"{fake.url}/inbox/updates", timeout=5).json() == []
    assert send("three").json()["result"]["message_id"] == 3


def test_the_numbers_count_connections_requests_and_outcomes(
    fake: FakeTelegram, http: requests.Session, send: Post
) -> None:
    for text in ("a", "b", " "):
        send(text)
    with requests.Session() as other:
        other.get(f"{fake.url}/bot{TWIN_BOT_TOKEN}/getMe", timeout=5)
        other.get(f"{fake.url}/inbox/messages", timeout=5)
    requests.get(f"{fake.url}/inbox/messages", timeout=5)
    assert http.get(f"{fake.url}/inbox/stats", timeout=5).json() == {
        "connections": 2,
        "requests": 4,
        "accepted": 2,
        "ambiguous": 0,
        "refused": 1,
    }
    assert (fake.connections, fake.requests) == (2, 4)


def test_a_connection_stays_open_after_a_refusal(fake: FakeTelegram, send: Post) -> None:
    fake.set_fault({"kind": "down", "count": 1})
    assert [send(text).status_code for text in ("a", " ", "b")] == [502, 400, 200]
    assert fake.connections == 1


def test_events_tell_of_messages_updates_faults_and_clearing(fake: FakeTelegram, send: Post) -> None:
    with requests.get(f"{fake.url}/inbox/events", stream=True, timeout=5) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        events = server_sent_events(answer)
        send("hello")
        assert next(events)[1:] == ("message", fake.messages[0])
        update = fake.receive("hi")
        assert next(events)[1:] == ("update", update)
        fake.set_fault({"kind": "down"})
        _, name, body = next(events)
        assert (name, body["kind"]) == ("fault", "down")
        fake.clear()
        assert next(events)[1:] == ("cleared", {})


@pytest.mark.parametrize("kind", ["cut_after_accept", "hang_after_accept"])
def test_a_call_that_comes_again_after_its_answer_was_lost_doubles_its_message(
    fake: FakeTelegram, send: Post, kind: str
) -> None:
    fake.set_fault({"kind": kind, "count": 2, "seconds": 0})
    for text in ("one", "two"):
        with pytest.raises(requests.RequestException):
            send(text)
    for text in ("two", "three", "two", "one"):
        send(text)
    doubled = [(message["text"], message.get("doubles")) for message in fake.messages]
    assert doubled == [("one", None), ("two", None), ("two", 2), ("three", None), ("two", None), ("one", 1)]


def test_a_call_that_was_answered_doubles_nothing(fake: FakeTelegram, send: Post) -> None:
    send("one")
    send("one")
    fake.set_fault({"kind": "cut_before_accept", "count": 1})
    with pytest.raises(requests.RequestException):
        send("two")
    send("two")
    assert ["doubles" in message for message in fake.messages] == [False] * 3


def test_what_was_mended_is_listed_and_told(fake: FakeTelegram, http: requests.Session, send: Post) -> None:
    for text in ("one", "two", "three"):
        send(text)
    with requests.get(f"{fake.url}/inbox/events", stream=True, timeout=5) as answer:
        fake.mark_mended([1, 2], ["parse_mode"])
        events = server_sent_events(answer)
        assert [next(events)[1:] for _ in range(2)] == [("mended", message) for message in fake.messages[:2]]
    listed = http.get(f"{fake.url}/inbox/messages", timeout=5).json()
    assert [message.get("mended") for message in listed] == [["parse_mode"], ["parse_mode"], None]


def test_the_end_of_a_counted_fault_is_an_event(fake: FakeTelegram, send: Post) -> None:
    with requests.get(f"{fake.url}/inbox/events", stream=True, timeout=5) as answer:
        events = server_sent_events(answer)
        fake.set_fault({"kind": "down", "count": 1})
        send()
        assert [next(events)[2]["kind"] for _ in range(2)] == ["down", "none"]


def test_events_missed_are_replayed(fake: FakeTelegram, send: Post) -> None:
    for text in ("a", "b", "c"):
        send(text)
    with requests.get(f"{fake.url}/inbox/events", stream=True, headers={"Last-Event-ID": "1"}, timeout=5) as answer:
        events = server_sent_events(answer)
        assert [next(events)[2]["text"] for _ in range(2)] == ["b", "c"]


def test_a_new_reader_is_told_only_what_is_new(fake: FakeTelegram, send: Post) -> None:
    send("before")
    with requests.get(f"{fake.url}/inbox/events", stream=True, timeout=5) as answer:
        send("after")
        assert next(server_sent_events(answer))[2]["text"] == "after"


def test_the_page_is_safe_and_shows_the_command(http: requests.Session) -> None:
    with FakeTelegram(http_door_url="http://127.0.0.1:9999/<x>") as fake:
        pages = [http.get(fake.url + path, timeout=5) for path in ("/", "/inbox")]
    for page in pages:
        assert page.status_code == 200
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert 'content="http://127.0.0.1:9999/&lt;x&gt;"' in page.text
        assert "innerHTML" not in page.text
        assert "{{" not in page.text
        policy = page.headers["Content-Security-Policy"]
        nonce = policy.partition("'nonce-")[2].partition("'")[0]
        assert "default-src 'none'" in policy
        assert page.text.count(f'nonce="{nonce}"') == 2
    assert pages[0].headers["Content-Security-Policy"] != pages[1].headers["Content-Security-Policy"]


def test_the_page_needs_nothing_from_elsewhere(fake: FakeTelegram, http: requests.Session) -> None:
    page = http.get(fake.url, timeout=5).text
    assert " src=" not in page
    assert "@import" not in page


def test_the_status_is_there_only_with_a_source(fake: FakeTelegram, http: requests.Session) -> None:
    assert http.get(f"{fake.url}/inbox/status", timeout=5).status_code == 404
    with FakeTelegram(status_source=lambda: {"sent": 3, "pending": 2, "failed": 1}) as other:
        answer = http.get(f"{other.url}/inbox/status", timeout=5)
        assert answer.json() == {"sent": 3, "pending": 2, "failed": 1}
        assert 'name="has-status" content="yes"' in http.get(other.url, timeout=5).text


@pytest.mark.parametrize("path", ["/nowhere", "/inbox/nothing", "/favicon.ico"])
def test_an_unknown_path_is_404_in_json(fake: FakeTelegram, http: requests.Session, path: str) -> None:
    answer = http.get(fake.url + path, timeout=5)
    assert (answer.status_code, answer.json()) == (404, {"error": "not found"})


def test_a_wrong_method_names_the_right_ones(fake: FakeTelegram, http: requests.Session) -> None:
    answer = http.put(f"{fake.url}/inbox/messages", timeout=5)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, DELETE")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "[", ""])
def test_a_foreign_host_is_kept_out(fake: FakeTelegram, http: requests.Session, host: str) -> None:
    answer = http.get(f"{fake.url}/inbox/messages", headers={"Host": host}, timeout=5)
    assert answer.status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/inbox/fault"), ("DELETE", "/inbox/messages"), ("POST", "/inbox/updates")]
)
def test_another_site_may_not_change_anything(
    fake: FakeTelegram, http: requests.Session, send: Post, origin: str, method: str, path: str
) -> None:
    send("kept")
    body = {"kind": "down", "text": "x"}
    answer = http.request(method, fake.url + path, json=body, headers={"Origin": origin}, timeout=5)
    assert answer.status_code == 403
    assert len(fake.messages) == 1
    assert send().status_code == 200


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_the_page_itself_may(fake: FakeTelegram, http: requests.Session, name: str) -> None:
    host = f"{name}:{fake.port}"
    answer = http.put(
        f"{fake.url}/inbox/fault",
        json={"kind": "none"},
        headers={"Host": host, "Origin": f"http://{host}"},
        timeout=5,
    )
    assert answer.status_code == 200
