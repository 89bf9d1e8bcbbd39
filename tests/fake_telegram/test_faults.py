"""Faults on demand: what a client sees, and what was accepted all the same."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.fake_telegram.conftest import GROUP_ID, eventually
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram, FaultError

Post = Callable[..., requests.Response]


def in_background(action: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Runs an action in a thread; its result, or the error, ends up in the list."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(action())
        except requests.RequestException as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, outcome


def test_down_answers_as_telegrams_edge_does(fake: FakeTelegram, send: Post) -> None:
    fake.set_fault({"kind": "down"})
    answer = send()
    assert answer.status_code == 502
    assert answer.headers["Content-Type"] == "text/html"
    assert "502 Bad Gateway" in answer.text
    assert fake.messages == []


def test_rate_limit_asks_for_a_wait_twice(fake: FakeTelegram, send: Post) -> None:
    fake.set_fault({"kind": "rate_limit", "retry_after": 7})
    answer = send()
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "7"
    assert answer.json() == {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 7",
        "parameters": {"retry_after": 7},
    }


@pytest.mark.parametrize(
    ("options", "status", "description"),
    [
        ({"kind": "server_error"}, 502, "Bad Gateway"),
        ({"kind": "server_error", "status": 500}, 500, "Internal Server Error"),
        ({"kind": "server_error", "status": 599}, 599, "Internal Server Error"),
        ({"kind": "chat_not_found"}, 400, "Bad Request: chat not found"),
        ({"kind": "forbidden"}, 403, "Forbidden: bot was blocked by the user"),
        ({"kind": "unauthorized"}, 401, "Unauthorized"),
        ({"kind": "refuse", "description": "Bad Request: TOPIC_CLOSED"}, 400, "Bad Request: TOPIC_CLOSED"),
    ],
)
def test_an_error_is_json_with_its_code_and_description(
    fake: FakeTelegram, send: Post, options: dict[str, Any], status: int, description: str
) -> None:
    fake.set_fault(options)
    answer = send()
    assert answer.status_code == status
    assert answer.json() == {"ok": False, "error_code": status, "description": description}
    assert fake.messages == []


def test_cut_before_accept_keeps_nothing(fake: FakeTelegram, send: Post) -> None:
    fake.set_fault({"kind": "cut_before_accept"})
    with pytest.raises(requests.ConnectionError):
        send()
    assert fake.messages == []
    assert fake.stats["ambiguous"] == 1


def test_cut_after_accept_keeps_the_message_and_cuts_the_answer(fake: FakeTelegram, send: Post) -> None:
    fake.set_fault({"kind": "cut_after_accept"})
    with pytest.raises(requests.RequestException, match="IncompleteRead"):
        send("kept")
    assert [message["text"] for message in fake.messages] == ["kept"]
    assert fake.stats["ambiguous"] == 1


def test_hang_after_accept_keeps_the_message_and_never_answers(fake: FakeTelegram, send: Post) -> None:
    fake.set_fault({"kind": "hang_after_accept"})
    thread, outcome = in_background(lambda: send("kept"))
    assert fake.wait_for(lambda messages: len(messages) == 1)
    assert thread.is_alive()
    fake.set_fault({"kind": "none"})
    thread.join(5)
    assert isinstance(outcome[0], requests.ConnectionError)
    assert fake.stats["ambiguous"] == 1


def test_slow_answers_when_its_time_is_over(fake: FakeTelegram, send: Post) -> None:
    fake.set_fault({"kind": "slow", "seconds": 0.01})
    assert send().status_code == 200


def test_slow_answers_at_once_when_the_fault_is_lifted(fake: FakeTelegram, send: Post) -> None:
    fake.set_fault({"kind": "slow", "seconds": 60})
    thread, outcome = in_background(send)
    assert fake.wait_for(lambda messages: len(messages) == 1)
    fake.set_fault({"kind": "none"})
    thread.join(5)
    assert outcome[0].status_code == 200
    assert fake.stats["ambiguous"] == 0


def test_a_client_that_gives_up_waiting_makes_the_answer_ambiguous(fake: FakeTelegram) -> None:
    fake.set_fault({"kind": "slow", "seconds": 60})
    with pytest.raises(requests.ReadTimeout), requests.Session() as session:
        session.post(
            f"{fake.url}/bot{TWIN_BOT_TOKEN}/sendMessage", json={"chat_id": TWIN_CHAT_ID, "text": "x"}, timeout=0.05
        )
    fake.set_fault({"kind": "none"})
    assert eventually(lambda: fake.stats["ambiguous"] == 1)
    assert len(fake.messages) == 1


def test_a_stop_ends_all_waiting(fake: FakeTelegram, send: Post) -> None:
    fake.set_fault({"kind": "hang_after_accept"})
    thread, outcome = in_background(send)
    assert fake.wait_for(lambda messages: len(messages) == 1)
    fake.stop()
    thread.join(5)
    assert isinstance(outcome[0], requests.RequestException)


def test_migrate_names_the_new_chat_and_the_new_chat_works(fake: FakeTelegram, send: Post) -> None:
    fake.set_fault({"kind": "migrate", "migrate_to_chat_id": -1005})
    answer = send(chat_id=GROUP_ID)
    assert answer.status_code == 400
    assert answer.json()["description"] == "Bad Request: group chat was upgraded to a supergroup chat"
    assert answer.json()["parameters"] == {"migrate_to_chat_id": -1005}
    assert send(chat_id=-1005).json()["result"]["chat"]["id"] == -1005


def test_thread_not_found_lets_a_message_without_thread_pass(fake: FakeTelegram, send: Post) -> None:
    fake.set_fault({"kind": "thread_not_found"})
    answer = send(message_thread_id=9)
    assert (answer.status_code, answer.json()["description"]) == (400, "Bad Request: message thread not found")
    assert send().status_code == 200


def test_bad_url_concerns_files_by_url_only(fake: FakeTelegram, send: Post, call: Post) -> None:
    fake.set_fault({"kind": "bad_url"})
    answer = call("sendPhoto", chat_id=TWIN_CHAT_ID, photo="https://example.com/a.png")
    assert answer.status_code == 400
    assert answer.json()["description"] == "Bad Request: wrong file identifier/HTTP URL specified"
    assert send().status_code == 200


def test_a_counted_fault_ends_by_itself(fake: FakeTelegram, send: Post, http: requests.Session) -> None:
    fake.set_fault({"kind": "server_error", "count": 2})
    assert send().status_code == 502
    assert http.get(f"{fake.url}/inbox/fault", timeout=5).json()["count"] == 1
    assert [send().status_code for _ in range(2)] == [502, 200]
    assert http.get(f"{fake.url}/inbox/fault", timeout=5).json()["kind"] == "none"


def test_a_fault_of_one_method_leaves_the_others_and_its_count(fake: FakeTelegram, send: Post, call: Post) -> None:
    fake.set_fault({"kind": "server_error", "method": "sendMessage", "count": 1})
    assert call("getMe").status_code == 200
    assert [send().status_code for _ in range(2)] == [502, 200]


def test_a_fault_of_one_chat_leaves_the_others_and_its_count(fake: FakeTelegram, send: Post, call: Post) -> None:
    fake.set_fault({"kind": "server_error", "chat_id": GROUP_ID, "count": 1})
    assert call("getMe").status_code == 200
    assert send().status_code == 200
    assert [send(chat_id=GROUP_ID).status_code for _ in range(2)] == [502, 200]


def test_the_answers_of_one_chat_are_lost(fake: FakeTelegram, send: Post) -> None:
    fake.set_fault({"kind": "cut_after_accept", "chat_id": GROUP_ID})
    with pytest.raises(requests.RequestException):
        send("kept", chat_id=str(GROUP_ID))
    assert send("told").status_code == 200
    assert [(message["chat_id"], message["text"]) for message in fake.messages] == [
        (GROUP_ID, "kept"),
        (TWIN_CHAT_ID, "told"),
    ]
    assert fake.stats["ambiguous"] == 1


def test_a_share_of_the_calls_fails_the_same_way_for_the_same_seed(fake: FakeTelegram, call: Post) -> None:
    def statuses() -> list[int]:
        fake.set_fault({"kind": "server_error", "probability": 0.5, "seed": 3})
        return [call("getMe").status_code for _ in range(12)]

    first = statuses()
    assert set(first) == {200, 502}
    assert statuses() == first


def test_a_probability_of_zero_is_never_and_one_is_always(fake: FakeTelegram, call: Post) -> None:
    fake.set_fault({"kind": "server_error", "probability": 0})
    assert {call("getMe").status_code for _ in range(5)} == {200}
    fake.set_fault({"kind": "server_error", "probability": 1})
    assert {call("getMe").status_code for _ in range(5)} == {502}


def test_a_fault_is_set_and_read_over_http(fake: FakeTelegram, http: requests.Session, send: Post) -> None:
    answer = http.put(f"{fake.url}/inbox/fault", json={"kind": "rate_limit"}, timeout=5)
    assert (answer.status_code, answer.json()["kind"], answer.json()["retry_after"]) == (200, "rate_limit", 5)
    assert send().status_code == 429


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"kind": "meteor"}, "kind"),
        ({"count": 3}, "kind"),
        ([], "kind"),
        ({"kind": ["down"]}, "kind"),
        ({"kind": "down", "colour": "red"}, "colour"),
        ({"kind": "down", "count": 0}, "count"),
        ({"kind": "down", "count": True}, "count"),
        ({"kind": "rate_limit", "retry_after": 0}, "retry_after"),
        ({"kind": "server_error", "status": 404}, "status"),
        ({"kind": "refuse", "description": 400}, "description"),
        ({"kind": "slow", "seconds": -1}, "seconds"),
        ({"kind": "slow", "seconds": "2"}, "seconds"),
        ({"kind": "down", "probability": 1.5}, "probability"),
        ({"kind": "down", "seed": "x"}, "seed"),
        ({"kind": "down", "method": 5}, "method"),
        ({"kind": "down", "chat_id": "ops"}, "chat_id"),
        ({"kind": "down", "chat_id": True}, "chat_id"),
        ({"kind": "migrate", "migrate_to_chat_id": "x"}, "migrate_to_chat_id"),
    ],
)
def test_a_fault_that_cannot_be_names_its_field_and_the_kinds(
    fake: FakeTelegram, http: requests.Session, options: object, field: str
) -> None:
    answer = http.put(f"{fake.url}/inbox/fault", json=options, timeout=5)
    assert answer.status_code == 400
    assert answer.json()["field"] == field
    assert field in answer.json()["error"]
    assert "hang_after_accept" in answer.json()["kinds"]


def test_a_fault_that_cannot_be_raises_in_process(fake: FakeTelegram) -> None:
    with pytest.raises(FaultError, match="kind: must be one of none, down"):
        fake.set_fault({"kind": "meteor"})
