"""Ids at the HTTP door: one id is one message, and its state can be asked for."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from tests.doors import Clock, Doors, Table, event, texts
from tools.dev.aws import EmbeddedAws
from tools.dev.fake_telegram import FakeTelegram


def test_the_same_message_twice_is_delivered_once_and_answered_alike(doors: Doors, telegram: FakeTelegram) -> None:
    first = doors.post({"text": "Hello", "id": "k1"})
    second = doors.post({"text": "Hello", "id": "k1"})
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()
    assert texts(telegram.messages) == ["Hello"]


def test_a_split_message_twice_is_answered_with_the_same_message_ids(doors: Doors, telegram: FakeTelegram) -> None:
    answers = [doors.post({"text": "x" * 5000, "id": "k1"}).json() for _ in range(2)]
    assert answers[0]["message_ids"] == answers[1]["message_ids"]
    assert len(telegram.messages) == 2


def test_the_idempotency_key_header_is_the_id(doors: Doors, telegram: FakeTelegram) -> None:
    assert doors.post({"text": "Hello"}, Idempotency_Key="k1").status_code == 200
    assert doors.post({"text": "Hello"}, Idempotency_Key="k1").status_code == 200
    assert doors.post({"text": "Hello", "id": "k1"}).status_code == 200
    assert doors.post({"text": "Hello", "id": "k1"}, Idempotency_Key="k1").status_code == 200
    assert texts(telegram.messages) == ["Hello"]
    assert doors.get("/message/k1").json()["status"] == "SENT"


def test_a_plain_text_body_takes_its_id_from_the_header(doors: Doors, telegram: FakeTelegram) -> None:
    for _ in range(2):
        assert doors.post("Hello", Content_Type="text/plain", Idempotency_Key="k1").status_code == 200
    assert texts(telegram.messages) == ["Hello"]


def test_without_an_id_each_message_is_a_new_one(doors: Doors, telegram: FakeTelegram) -> None:
    assert [doors.post({"text": "Hello"}).status_code for _ in range(2)] == [200, 200]
    assert texts(telegram.messages) == ["Hello", "Hello"]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"text": "Other"}, id="id_reused_other_body"),
        pytest.param({"text": "Hello", "chat": "ops"}, id="id_reused_other_chat"),
        pytest.param({"text": "Hello", "disable_notification": False}, id="id_reused_other_field"),
    ],
)
def test_an_id_with_another_body_is_refused(doors: Doors, telegram: FakeTelegram, other: dict[str, object]) -> None:
    assert doors.post({"text": "Hello", "id": "k1"}).status_code == 200
    answer = doors.post({**other, "id": "k1"})
    assert answer.status_code == 422
    assert answer.json()["Code"] == "UnprocessableEntityError"
    assert answer.json()["Message"].startswith("id: ")
    assert texts(telegram.messages) == ["Hello"]


def test_a_body_and_a_header_with_different_ids_are_refused(doors: Doors, telegram: FakeTelegram) -> None:
    answer = doors.post({"text": "Hello", "id": "k1"}, Idempotency_Key="k2")
    assert answer.status_code == 400
    assert answer.json()["Message"].startswith("id: ")
    assert telegram.messages == []


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("\x00", id="idem_key_control"),
        pytest.param("", id="idem_key_empty"),
        pytest.param("a b", id="idem_key_with_space"),
        pytest.param("é", id="idem_key_not_ascii"),
        pytest.param("k" * 256, id="idem_key_256_chars"),
        pytest.param("k1\n", id="idem_key_trailing_newline"),
    ],
)
def test_a_malformed_idempotency_key_is_refused(doors: Doors, telegram: FakeTelegram, key: str) -> None:
    request = event("apigateway_post")
    request["headers"]["Idempotency-Key"] = key
    answer = doors.rest(request)
    assert answer["statusCode"] == 400
    assert answer["body"]["Message"].startswith("Idempotency-Key: ")
    assert telegram.messages == []


def test_a_control_character_in_the_header_on_the_wire_is_refused(doors: Doors, telegram: FakeTelegram) -> None:
    head = b"POST /message HTTP/1.1\r\nHost: x\r\nAuthorization: local-token\r\nIdempotency-Key: \x00\r\n"
    assert doors.raw(head + b'Content-Length: 17\r\n\r\n{"text": "Hello"}')[0] == 400
    assert telegram.messages == []


def test_while_a_message_is_being_sent_its_id_is_in_flight(doors: Doors, telegram: FakeTelegram) -> None:
    telegram.set_fault({"kind": "slow", "seconds": 60})
    with ThreadPoolExecutor() as threads:
        first = threads.submit(doors.post, {"text": "Hello", "id": "k1"})
        assert telegram.wait_for(lambda messages: len(messages) == 1)
        second = doors.post({"text": "Hello", "id": "k1"})
        state = doors.get("/message/k1").json()
        telegram.set_fault({"kind": "none"})
        assert first.result().status_code == 200
    assert second.status_code == 409
    assert second.json()["Code"] == "ConflictError"
    assert second.headers["Retry-After"] == "1"
    assert state["status"] == "SENDING"
    assert doors.post({"text": "Hello", "id": "k1"}).json() == first.result().json()
    assert texts(telegram.messages) == ["Hello"]


def test_two_at_once_with_one_id_are_delivered_once(doors: Doors, telegram: FakeTelegram) -> None:
    for number in range(10):
        start = threading.Barrier(2)

        def post(start: threading.Barrier = start, number: int = number) -> int:
            start.wait()
            return doors.post({"text": f"{number}", "id": f"k{number}"}).status_code

        with ThreadPoolExecutor() as threads:
            both = [threads.submit(post), threads.submit(post)]
        answers = [each.result() for each in both]
        assert sorted(answers) in ([200, 200], [200, 409])
    assert texts(telegram.messages) == [f"{number}" for number in range(10)]


def test_an_accepted_message_stays_accepted_when_it_comes_again(doors: Doors, telegram: FakeTelegram) -> None:
    telegram.set_fault({"kind": "down"})
    for _ in range(2):
        answer = doors.post({"text": "Hello", "id": "k1"})
        assert answer.status_code == 202
        assert answer.json() == {"status": "accepted", "id": "k1"}
        assert answer.headers["Location"] == "/message/k1"
    assert telegram.messages == []


def test_a_refused_message_stays_refused_when_it_comes_again(doors: Doors, telegram: FakeTelegram) -> None:
    telegram.set_fault({"kind": "forbidden", "count": 1})
    answers = [doors.post({"text": "Hello", "id": "k1"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [502, 502]
    assert answers[0].json() == answers[1].json()
    assert telegram.messages == []


@pytest.mark.parametrize("body", [{"text": "Hello"}, {"text": "Another body"}, {"text": "Later", "deliver_at": 4e9}])
def test_an_id_is_free_again_14_days_after_the_delivery(
    doors: Doors, telegram: FakeTelegram, table: Table, clock: Clock, body: dict[str, object]
) -> None:
    if "deliver_at" in body:
        body["deliver_at"] = int(clock()) + 3600
    doors.post({"text": "Hello", "id": "k1"})
    assert float(table.row("k1")["ExpirationTs"]) == pytest.approx(clock() + 14 * 86_400, abs=60)
    table.client.update_item(
        TableName=table.name,
        Key={"PK": {"S": "BOTTE_MESSAGE#k1"}, "SK": {"S": "k1"}},
        UpdateExpression="SET ExpirationTs = :past",
        ExpressionAttributeValues={":past": {"N": str(int(clock()) - 60)}},
    )
    telegram.clear()
    answer = doors.post({**body, "id": "k1"})
    if "deliver_at" in body:
        assert answer.status_code == 202
        assert table.row("k1")["Status"] == "PENDING"
    else:
        assert answer.status_code == 200
        assert texts(telegram.messages) == [body["text"]]


def test_the_state_of_a_delivered_message_is_told(doors: Doors, telegram: FakeTelegram) -> None:
    doors.post({"text": "x" * 5000, "id": "k1"})
    assert doors.get("/message/k1").json() == {
        "id": "k1",
        "status": "SENT",
        "attempts": 1,
        "message_ids": [message["message_id"] for message in telegram.messages],
        "last_error": None,
        "due_at": None,
    }


def test_the_state_of_a_message_that_is_owed_tells_why_and_since_when(
    doors: Doors, telegram: FakeTelegram, clock: Clock
) -> None:
    telegram.set_fault({"kind": "server_error", "status": 500})
    doors.post({"text": "Hello", "id": "k1"})
    state = doors.get("/message/k1").json()
    assert state["status"] == "PENDING"
    assert state["attempts"] == 1
    assert state["last_error"] == "Telegram says 500 Internal Server Error"
    assert clock() - 5 <= state["due_at"] <= clock() + 60


def test_the_state_of_a_refused_message_tells_why(doors: Doors, telegram: FakeTelegram) -> None:
    telegram.set_fault({"kind": "chat_not_found"})
    doors.post({"text": "Hello", "id": "k1"})
    state = doors.get("/message/k1").json()
    assert (state["status"], state["due_at"]) == ("FAILED", None)
    assert state["last_error"] == "400 Bad Request: chat not found"


def test_an_unknown_id_is_not_found(doors: Doors) -> None:
    answer = doors.get("/message/nothing")
    assert answer.status_code == 404
    assert answer.json()["Code"] == "NotFoundError"


def test_for_an_id_that_no_message_can_have_the_table_is_not_asked(doors: Doors, aws: EmbeddedAws) -> None:
    # DynamoDB would refuse a key of this length, as if the table could not be used.
    assert doors.get("/message/" + "k" * 3000).status_code == 404
    assert aws.calls.of("DynamoDB") == 0


@pytest.mark.parametrize("id", ["a/b?c%20#d", "a%2Fb", "50%", "a+b", "a;b=c&d", '"\\<>^`{|}~', "k" * 255, "!" * 255])
def test_every_id_can_be_asked_for_at_the_location_it_was_given(doors: Doors, telegram: FakeTelegram, id: str) -> None:
    telegram.set_fault({"kind": "down", "count": 1})
    answer = doors.post({"text": "Hello", "id": id})
    assert answer.status_code == 202
    assert answer.headers["Location"] == "/message/" + quote(id, safe="")
    status = doors.get(answer.headers["Location"])
    assert status.status_code == 200
    assert status.json()["id"] == id


def test_the_table_holds_nothing_but_the_message_and_its_delivery(doors: Doors, table: Table) -> None:
    doors.post({"text": "Hello", "id": "k1", "sender_app": "cron"})
    (row,) = table.items()
    assert row["PK"] == {"S": "BOTTE_MESSAGE#k1"}
    assert json.loads(row["Message"]["S"]) == {"text": "Hello", "id": "k1", "sender_app": "cron"}
    assert json.loads(row["Answer"]["S"])["text"] == "Hello"
    assert set(row) == {
        *("PK", "SK", "Status", "Chat", "Message", "BodyHash", "AcceptedTs", "TurnTs", "Attempts"),
        *("TelegramMessageId", "Answer", "ExpirationTs"),
    }
