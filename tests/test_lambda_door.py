"""The Lambda door: what the function answers to code of the same account, sync and async."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.doors.invoke import send_invoked
from chalicelib.errors import (
    Ambiguous,
    BotTokenRejected,
    ChatMigrated,
    KeyboardRefused,
    MarkupRefused,
    MediaNotFetched,
    Refused,
    ThreadNotFound,
    Unavailable,
)
from chalicelib.outbox.table import Outbox
from chalicelib.settings import Parameters
from chalicelib.telegram.bot_api import Telegram
from tests.conftest import NewRelay
from tests.doors import Clock, Doors, Script, Table, closed_port, texts
from tools.dev.aws import EmbeddedAws
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, FakeTelegram
from tools.dev.functions import Answer


def error(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200
    assert answer.function_error == "Unhandled"
    parsed: dict[str, Any] = json.loads(answer.body)
    return parsed


def result(answer: Answer) -> dict[str, Any]:
    assert answer.function_error is None, answer.body
    parsed: dict[str, Any] = json.loads(answer.body)
    return parsed


def test_a_delivered_message_is_answered_with_telegrams_own_message(doors: Doors, telegram: FakeTelegram) -> None:
    answer = result(doors.invoke({"text": "Hello"}))
    (sent,) = telegram.messages
    assert set(answer) == {"message_id", "from", "chat", "date", "text"}
    assert (answer["message_id"], answer["text"]) == (sent["message_id"], "Hello")


def test_a_message_that_is_delivered_at_once_makes_no_aws_call(doors: Doors, aws: EmbeddedAws) -> None:
    doors.invoke({"text": "the parameters are read with the first message"})
    aws.calls.reset()
    result(doors.invoke({"text": "Hello"}))
    assert aws.calls.by_operation() == {}


@pytest.mark.parametrize(
    ("event", "field"),
    [
        pytest.param(None, "body", id="event_none"),
        pytest.param([], "body", id="event_list"),
        pytest.param("x", "body", id="event_string"),
        pytest.param(5, "body", id="event_number"),
        pytest.param({}, "text", id="text_missing"),
        pytest.param({"text": None}, "text", id="text_null"),
        pytest.param({"text": ""}, "text", id="text_empty"),
        pytest.param({"text": "\u200b\u200d\ufeff"}, "text", id="text_zero_width_only"),
        pytest.param({"text": 5}, "text", id="text_int"),
        pytest.param({"text": True}, "text", id="text_true"),
        pytest.param({"text": float("nan")}, "text", id="text_float_nan"),
        pytest.param({"text": ["a"]}, "text", id="text_list"),
        pytest.param({"text": {"a": 1}}, "text", id="text_dict"),
        pytest.param({"text": "\ud800"}, "text", id="text_lone_high_surrogate"),
        pytest.param({"text": "a", "parse_mode": "<script>"}, "parse_mode", id="parse_mode_bogus"),
        pytest.param({"text": "a", "chat_id": 9223372036854775808}, "chat_id", id="chat_id_2e63"),
        pytest.param({"text": "a", "chat_id": True}, "chat_id", id="chat_id_bool"),
        pytest.param({"text": "a", "chat": "nobody"}, "chat", id="chat_unknown"),
        pytest.param({"text": "a", "photo": "file:///etc/passwd"}, "photo", id="photo_file_scheme"),
        pytest.param({"text": "a", "photo": "http://127.1/"}, "photo", id="photo_localhost"),
        pytest.param({"text": "a", "photo": "https://a@b/"}, "photo", id="photo_userinfo"),
        pytest.param({"text": "a", "id": ""}, "id", id="id_empty"),
        pytest.param({"text": "a", "x": 1}, "x", id="unknown_field"),
        pytest.param({"message": "a"}, "message", id="nobodys_event"),
    ],
)
def test_bad_input_is_a_function_error_and_is_parked_as_it_came(
    doors: Doors, telegram: FakeTelegram, table: Table, event: object, field: str
) -> None:
    answer = doors.invoke(event)
    failure = error(answer)
    assert failure["errorType"] == "InvalidMessage"
    assert failure["errorMessage"].startswith(f"{field}: ")
    assert telegram.messages == []
    row = table.row(answer.headers["X-Amz-Request-Id"])
    assert row["Status"] == "FAILED"
    assert row["LastError"] == failure["errorMessage"]
    assert json.dumps(json.loads(row["RawBody"])) == json.dumps(event)
    assert "DueTs" not in row


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        pytest.param({"text": "\x01\x07\x1b[31m"}, "[31m", id="text_c0_controls"),
        pytest.param({"text": "\x1b[31mERROR\x1b[0m\rdisk"}, "ERROR\ndisk", id="text_colours"),
        pytest.param({"text": "\u202egnp.exe"}, "gnp.exe", id="text_rtl_override"),
        pytest.param({"text": "a\r\nX-Evil: 1"}, "a\nX-Evil: 1", id="text_crlf_header"),
        pytest.param({"text": "<b>x", "parse_mode": "HTML"}, "<b>x", id="text_html_unbalanced"),
        pytest.param({"text": "a.b!", "parse_mode": "MarkdownV2"}, "a.b!", id="text_mdv2_unescaped"),
    ],
)
def test_any_visible_text_is_delivered_clean(
    doors: Doors, telegram: FakeTelegram, event: dict[str, object], shown: str
) -> None:
    result(doors.invoke(event))
    assert texts(telegram.messages) == [shown]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x" * 4097, id="text_4097"),
        pytest.param("\U0001f600" * 4096, id="text_4096_emoji_utf16_8192"),
    ],
)
def test_a_long_text_is_split_and_all_message_ids_are_told(doors: Doors, telegram: FakeTelegram, text: str) -> None:
    answer = result(doors.invoke({"text": text}))
    assert "".join(texts(telegram.messages)) == text
    assert answer["message_ids"] == [message["message_id"] for message in telegram.messages]


@pytest.mark.parametrize("id", [None, "k1"])
def test_a_message_that_telegram_refuses_is_a_function_error_and_is_parked_once(
    doors: Doors, telegram: FakeTelegram, table: Table, id: str | None
) -> None:
    telegram.set_fault({"kind": "forbidden"})
    message = {"text": "Hello"} | ({"id": id} if id else {})
    answer = doors.invoke(message)
    failure = error(answer)
    assert failure["errorType"] == "Refused"
    assert failure["errorMessage"] == "403 Forbidden: bot was blocked by the user"
    assert TWIN_BOT_TOKEN not in answer.body.decode()
    assert table.statuses() == {id or answer.headers["X-Amz-Request-Id"]: "FAILED"}


def test_a_message_that_cannot_be_sent_now_is_accepted_under_the_request_id(
    doors: Doors, telegram: FakeTelegram, table: Table, new_relay: NewRelay, clock: Clock
) -> None:
    telegram.set_fault({"kind": "down"})
    answer = doors.invoke({"text": "Hello"})
    request_id = answer.headers["X-Amz-Request-Id"]
    assert result(answer) == {"status": "accepted", "id": request_id}
    assert table.row(request_id)["Status"] == "PENDING"
    assert doors.get(f"/message/{request_id}").json()["status"] == "PENDING"

    telegram.set_fault({"kind": "none"})
    clock.now += 3600
    new_relay().redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == ["Hello"]
    assert table.row(request_id)["Status"] == "SENT"


def test_a_message_that_cannot_be_sent_now_is_accepted_under_its_own_id(doors: Doors, telegram: FakeTelegram) -> None:
    telegram.set_fault({"kind": "down"})
    assert result(doors.invoke({"text": "Hello", "id": "k1"})) == {"status": "accepted", "id": "k1"}


def test_the_same_message_twice_is_delivered_once_and_answered_alike(doors: Doors, telegram: FakeTelegram) -> None:
    first, second = (result(doors.invoke({"text": "Hello", "id": "k1"})) for _ in range(2))
    assert first == second
    assert texts(telegram.messages) == ["Hello"]


def test_an_id_with_another_body_is_refused_and_parked(doors: Doors, telegram: FakeTelegram, table: Table) -> None:
    result(doors.invoke({"text": "Hello", "id": "k1"}))
    answer = doors.invoke({"text": "Other", "id": "k1"})
    assert error(answer)["errorType"] == "InvalidMessage"
    assert error(answer)["errorMessage"].startswith("id: ")
    assert texts(telegram.messages) == ["Hello"]
    assert table.statuses() == {"k1": "SENT", answer.headers["X-Amz-Request-Id"]: "FAILED"}


REFUSALS = [
    MarkupRefused("400 can't parse entities"),
    ThreadNotFound("400 message thread not found"),
    MediaNotFetched("400 wrong file identifier/HTTP URL specified"),
    KeyboardRefused("400 BUTTON_URL_INVALID"),
    ChatMigrated("400 group chat was upgraded", -1009),
    Refused("403 bot was blocked"),
]


@pytest.mark.outbox("memory")
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: type(refusal).__name__)
def test_a_caller_sees_refused_whatever_kind_of_refusal_it_is(
    new_relay: NewRelay, clock: Clock, refusal: Refused
) -> None:
    """Callers look at errorType, which is the name of the class; the kinds are for what mends a message."""
    relay = new_relay(sender=Script(clock, *[refusal] * 9))
    with pytest.raises(Refused) as caught:
        send_invoked(relay, {"text": "Hello"}, "request-1", clock() + 60)
    assert type(caught.value) is Refused
    assert str(caught.value) == refusal.reason


@pytest.mark.parametrize("fault", [Unavailable("away"), Ambiguous("lost"), BotTokenRejected("401")], ids=repr)
@pytest.mark.parametrize("id", [None, "k1"])
def test_a_caller_sees_unavailable_whatever_is_not_there(
    new_relay: NewRelay, unreachable_outbox: Outbox, clock: Clock, id: str | None, fault: Unavailable
) -> None:
    """Nothing was accepted: neither by Telegram nor by the table."""
    relay = new_relay(sender=Script(clock, *[fault] * 9), outbox=unreachable_outbox)
    with pytest.raises(Unavailable) as caught:
        send_invoked(relay, {"text": "Hello", "id": id}, "request-1", clock() + 60)
    assert type(caught.value) is Unavailable


SNS = {"Records": [{"EventSource": "aws:sns", "Sns": {"Subject": "Backup", "Message": "It is done."}}]}


def test_what_aws_itself_sends_is_recognised_and_shown(doors: Doors, telegram: FakeTelegram) -> None:
    """Nobody listens then, so it is read as at a queue door; the answer is that of a message."""
    answer = result(doors.invoke(SNS))
    assert texts(telegram.messages) == ["Backup\nIt is done."]
    assert (answer["message_id"], answer["text"]) == (telegram.messages[0]["message_id"], "Backup\nIt is done.")


def test_what_aws_sends_to_no_chat_is_parked(doors: Doors, telegram: FakeTelegram, table: Table) -> None:
    """Also where it is known who sends it."""
    event = {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": '{"text": "a", "chat": "nobody"}'}}]}
    answer = doors.invoke(event)
    assert error(answer)["errorMessage"] == "chat: unknown chat 'nobody'; the chats are default, ops"
    row = table.row(answer.headers["X-Amz-Request-Id"])
    assert (row["Status"], json.loads(row["RawBody"])) == ("FAILED", event)


def test_while_a_message_is_being_sent_the_same_one_is_accepted(doors: Doors, telegram: FakeTelegram) -> None:
    telegram.set_fault({"kind": "slow", "seconds": 60})
    with ThreadPoolExecutor() as threads:
        first = threads.submit(doors.invoke, {"text": "Hello", "id": "k1"})
        assert telegram.wait_for(lambda messages: len(messages) == 1)
        second = result(doors.invoke({"text": "Hello", "id": "k1"}))
        telegram.set_fault({"kind": "none"})
    assert second == {"status": "accepted", "id": "k1"}
    assert result(first.result())["text"] == "Hello"
    assert texts(telegram.messages) == ["Hello"]


def test_an_async_message_is_delivered(doors: Doors, telegram: FakeTelegram) -> None:
    assert invoke_async(doors, {"text": "Hello"}).status == 202
    assert telegram.wait_for(lambda messages: texts(messages) == ["Hello"])


def test_an_async_message_that_is_bad_is_parked(doors: Doors, table: Table, aws: EmbeddedAws) -> None:
    answer = invoke_async(doors, {"text": 5})
    wait_for_write(aws, table, 1)
    row = table.row(answer.headers["X-Amz-Request-Id"])
    assert row["Status"] == "FAILED"
    assert json.loads(row["RawBody"]) == {"text": 5}


def test_the_retries_of_an_async_message_that_was_parked_change_nothing(
    new_relay: NewRelay, telegram: FakeTelegram, table: Table, clock: Clock
) -> None:
    telegram.set_fault({"kind": "forbidden"})
    for _ in range(3):
        with pytest.raises(Exception, match="Forbidden"):
            send_invoked(new_relay(), {"text": "Hello"}, "request-1", clock() + 60)
    (row,) = table.messages()
    assert row["Status"] == {"S": "FAILED"}


def test_a_retry_finds_the_message_that_was_accepted(
    new_relay: NewRelay, telegram: FakeTelegram, table: Table, clock: Clock
) -> None:
    telegram.set_fault({"kind": "down"})
    for _ in range(2):
        assert send_invoked(new_relay(), {"text": "Hello"}, "request-1", clock() + 60)["id"] == "request-1"
    assert table.statuses() == {"request-1": "PENDING"}


def test_without_telegram_and_without_the_table_the_function_fails(
    new_relay: NewRelay, unreachable_outbox: Outbox, parameters: Parameters, clock: Clock
) -> None:
    sender = Telegram(f"http://127.0.0.1:{closed_port()}", parameters.bot_token)
    relay = new_relay(sender=sender, outbox=unreachable_outbox)
    with pytest.raises(Unavailable, match="Telegram cannot be reached: NewConnectionError; the table"):
        send_invoked(relay, {"text": "Hello"}, "request-1", clock() + 60)


def test_a_caller_is_told_what_is_wrong_also_where_it_cannot_be_parked(
    new_relay: NewRelay, unreachable_outbox: Outbox, clock: Clock
) -> None:
    relay = new_relay(outbox=unreachable_outbox)
    with pytest.raises(ValueError, match="text: must be a string, not a number"):
        send_invoked(relay, {"text": 5}, "request-1", clock() + 60)


def test_a_message_for_later_is_accepted(doors: Doors, telegram: FakeTelegram, table: Table, clock: Clock) -> None:
    due = int(clock()) + 3600
    id = result(doors.invoke({"text": "Later", "deliver_at": due}))["id"]
    assert (table.row(id)["Status"], float(table.row(id)["DueTs"])) == ("PENDING", due)
    assert telegram.messages == []


def invoke_async(doors: Doors, event: object) -> Answer:
    payload = json.dumps(event).encode()
    return doors.functions.invoke("botte-local-message", payload, invocation_type="Event")


def wait_for_write(aws: EmbeddedAws, table: Table, rows: int) -> None:
    """Waits until the table has so many rows."""
    while True:
        seen = aws.changes.seen("DynamoDB")
        if len(table.items()) >= rows:
            return
        assert aws.changes.wait("DynamoDB", seen, timeout=10.0) != seen
