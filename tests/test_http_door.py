"""The HTTP door: what a caller on the Internet sends, and what it is told."""

from __future__ import annotations

import base64
import time

import pytest
import requests
from chalice.app import Request

from chalicelib.doors import http
from chalicelib.outbox.table import Outbox
from chalicelib.relay import Relay
from chalicelib.settings import Parameters
from chalicelib.telegram.bot_api import Telegram
from tests.conftest import NewRelay
from tests.doors import Clock, Doors, Table, closed_port, event, texts
from tools.dev.aws import EmbeddedAws
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram

CURL = (
    b"POST /message HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n"
    b"Authorization: local-token\r\nContent-Length: 17\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n"
    b'{"text": "Hello"}'
)


def test_the_request_that_curl_sends_delivers_the_message(doors: Doors, telegram: FakeTelegram) -> None:
    status, answer = doors.raw(CURL)
    assert status == 200
    assert answer["text"] == "Hello"
    assert texts(telegram.messages) == ["Hello"]


def test_a_delivered_message_is_answered_with_telegrams_own_message(doors: Doors, telegram: FakeTelegram) -> None:
    answer = doors.post({"text": "Hello"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    (sent,) = telegram.messages
    assert answer.json() == {
        "message_id": sent["message_id"],
        "from": {"id": 1234567890, "is_bot": True, "first_name": "Botte", "username": "botte_bot"},
        "chat": {"id": TWIN_CHAT_ID, "first_name": "You", "type": "private"},
        "date": sent["date"],
        "text": "Hello",
    }


def test_a_message_that_is_delivered_at_once_makes_no_aws_call(doors: Doors, aws: EmbeddedAws) -> None:
    doors.post({"text": "the parameters are read with the first message"})
    aws.calls.reset()
    assert doors.post({"text": "Hello"}).status_code == 200
    assert aws.calls.by_operation() == {}


def test_a_long_text_is_split_and_all_message_ids_are_told(doors: Doors, telegram: FakeTelegram) -> None:
    answer = doors.post({"text": "x" * 4097})
    assert answer.status_code == 200
    assert answer.json()["message_ids"] == [message["message_id"] for message in telegram.messages]
    assert "".join(texts(telegram.messages)) == "x" * 4097
    assert len(telegram.messages) == 2


def test_every_field_of_the_contract_reaches_the_chat(doors: Doors, telegram: FakeTelegram) -> None:
    keyboard = {"inline_keyboard": [[{"text": "Look", "url": "https://example.com/"}]]}
    fields = {
        "text": "<b>Hello</b>",
        "sender_app": "cron",
        "chat": "ops",
        "parse_mode": "HTML",
        "disable_notification": True,
        "protect_content": True,
        "message_thread_id": 7,
        "link_preview_options": {"is_disabled": True},
        "reply_markup": keyboard,
    }
    assert doors.post(fields).status_code == 200
    (sent,) = telegram.messages
    assert sent["text"] == "Hello"
    assert sent["entities"] == [{"type": "bold", "offset": 0, "length": 5}]
    assert sent["chat_id"] == -1001234567890
    assert sent["disable_notification"] is True
    assert sent["protect_content"] is True
    assert sent["message_thread_id"] == 7
    assert sent["link_preview_options"] == {"is_disabled": True}
    assert sent["reply_markup"] == keyboard


@pytest.mark.parametrize("kind", ["photo", "document"])
def test_a_photo_or_document_goes_out_with_the_text_as_its_caption(
    doors: Doors, telegram: FakeTelegram, kind: str
) -> None:
    assert doors.post({kind: "https://example.com/a.png", "text": "Look"}).status_code == 200
    (sent,) = telegram.messages
    assert sent["method"] == f"send{kind.title()}"
    assert sent["caption"] == "Look"


def test_a_photo_that_telegram_cannot_fetch_is_delivered_as_a_link(doors: Doors, telegram: FakeTelegram) -> None:
    telegram.set_fault({"kind": "bad_url"})
    answer = doors.post({"photo": "https://example.com/a.png", "text": "Look"})
    assert answer.status_code == 200
    assert answer.json()["botte"] == {"mended": ["photo"]}
    (sent,) = telegram.messages
    assert sent["method"] == "sendMessage"
    assert "Look" in sent["text"]
    assert "https://example.com/a.png" in sent["text"]


@pytest.mark.parametrize(
    ("text", "parse_mode"),
    [pytest.param("<b>x", "HTML", id="text_html_unbalanced"), pytest.param("a.b!", "MarkdownV2", id="text_mdv2")],
)
def test_markup_that_telegram_refuses_is_delivered_as_plain_text(
    doors: Doors, telegram: FakeTelegram, text: str, parse_mode: str
) -> None:
    answer = doors.post({"text": text, "parse_mode": parse_mode})
    assert answer.status_code == 200
    assert answer.json()["botte"] == {"mended": ["parse_mode"]}
    assert texts(telegram.messages) == [text]


@pytest.mark.parametrize("id", [None, "one"])
def test_what_was_sent_and_mended_is_logged(
    doors: Doors, telegram: FakeTelegram, caplog: pytest.LogCaptureFixture, id: str | None
) -> None:
    for text in ("<b>x", "<b>x</b>"):
        doors.post({"text": text, "parse_mode": "HTML"} | ({"id": f"{id}{text}"} if id else {}))
    sent = [vars(record) for record in caplog.records if record.getMessage() == "sent"]
    assert [each.get("mended") for each in sent] == [["parse_mode"], None]
    assert [each["message_ids"] for each in sent] == [[message["message_id"]] for message in telegram.messages]


def test_a_message_for_a_thread_that_is_gone_is_delivered_without_it(doors: Doors, telegram: FakeTelegram) -> None:
    telegram.set_fault({"kind": "thread_not_found"})
    answer = doors.post({"text": "Hello", "message_thread_id": 7})
    assert answer.json()["botte"] == {"mended": ["message_thread_id"]}
    (sent,) = telegram.messages
    assert "message_thread_id" not in sent


def test_a_group_that_became_a_supergroup_is_followed(
    relay: Relay, parameters: Parameters, telegram: FakeTelegram
) -> None:
    telegram.set_fault({"kind": "migrate", "migrate_to_chat_id": -1009, "count": 1})
    for text in ("first", "second"):
        assert http.post_message(relay, parameters, _request(text), time.time()).status_code == 200
    assert [(sent["chat_id"], sent["text"]) for sent in telegram.messages] == [(-1009, "first"), (-1009, "second")]


def test_an_unknown_chat_is_refused_with_the_names_of_the_known_ones(doors: Doors, telegram: FakeTelegram) -> None:
    answer = doors.post({"text": "Hello", "chat": "family"})
    assert answer.status_code == 400
    assert answer.json() == {
        "Code": "BadRequestError",
        "Message": "chat: unknown chat 'family'; the chats are default, ops",
    }
    assert telegram.messages == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("chat_not_found", "400 Bad Request: chat not found"),
        ("forbidden", "403 Forbidden: bot was blocked by the user"),
    ],
)
def test_a_message_that_telegram_refuses_for_good_is_answered_with_502(
    doors: Doors, telegram: FakeTelegram, fault: str, words: str
) -> None:
    telegram.set_fault({"kind": fault})
    answer = doors.post({"text": "Hello"})
    assert answer.status_code == 502
    assert answer.json() == {"Code": "BadGatewayError", "Message": f"Telegram refused the message: {words}"}
    assert TWIN_BOT_TOKEN not in answer.text


@pytest.mark.parametrize("fault", ["down", "server_error", "cut_before_accept", "cut_after_accept", "unauthorized"])
def test_a_message_that_cannot_be_sent_now_is_accepted_and_sent_later(
    doors: Doors, telegram: FakeTelegram, new_relay: NewRelay, clock: Clock, fault: str
) -> None:
    telegram.set_fault({"kind": fault})
    answer = doors.post({"text": "Hello"})
    assert answer.status_code == 202
    id = answer.json()["id"]
    assert answer.json() == {"status": "accepted", "id": id}
    assert answer.headers["Location"] == f"/message/{id}"
    assert doors.get(f"/message/{id}").json()["status"] == "PENDING"

    telegram.set_fault({"kind": "none"})
    telegram.clear()
    clock.now += 3600
    new_relay().redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == ["Hello"]
    assert doors.get(f"/message/{id}").json()["status"] == "SENT"


def test_an_accepted_message_is_sent_by_the_schedule(doors: Doors, telegram: FakeTelegram, table: Table) -> None:
    telegram.set_fault({"kind": "down", "count": 1})
    id = doors.post({"text": "Hello"}).json()["id"]
    assert doors.redeliver().function_error is None
    assert texts(telegram.messages) == ["Hello"]
    assert table.row(id)["Status"] == "SENT"


@pytest.mark.parametrize("text", ["Hello", "x" * 5000])
def test_a_message_is_delivered_without_the_table_where_it_has_no_id(
    new_relay: NewRelay, unreachable_outbox: Outbox, parameters: Parameters, telegram: FakeTelegram, text: str
) -> None:
    relay = new_relay(outbox=unreachable_outbox)
    answer = http.post_message(relay, parameters, _request(text), time.time())
    assert answer.status_code == 200
    assert "".join(texts(telegram.messages)) == text


def test_without_telegram_and_without_the_table_nothing_is_accepted(
    new_relay: NewRelay, unreachable_outbox: Outbox, parameters: Parameters
) -> None:
    sender = Telegram(f"http://127.0.0.1:{closed_port()}", parameters.bot_token)
    relay = new_relay(sender=sender, outbox=unreachable_outbox)
    answer = http.post_message(relay, parameters, _request("Hello"), time.time())
    assert answer.status_code == 503
    assert answer.headers == {"Retry-After": "30"}
    assert isinstance(answer.body, dict)
    assert answer.body["Code"] == "ServiceUnavailableError"
    assert answer.body["Message"].startswith("nothing was accepted: Telegram cannot be reached")


def test_a_message_with_an_id_needs_the_table(
    new_relay: NewRelay, unreachable_outbox: Outbox, parameters: Parameters, telegram: FakeTelegram
) -> None:
    relay = new_relay(outbox=unreachable_outbox)
    request = Request({**event("apigateway_post"), "body": '{"text": "Hello", "id": "1"}'})
    answer = http.post_message(relay, parameters, request, time.time())
    assert answer.status_code == 503
    assert telegram.messages == []


def test_a_message_for_later_is_accepted_and_not_sent(doors: Doors, telegram: FakeTelegram) -> None:
    due = int(time.time()) + 3600
    answer = doors.post({"text": "Later", "deliver_at": due})
    assert answer.status_code == 202
    status = doors.get(answer.headers["Location"]).json()
    assert (status["status"], status["due_at"]) == ("PENDING", due)
    assert telegram.messages == []


def test_a_message_for_a_time_that_is_over_is_sent_at_once(doors: Doors, telegram: FakeTelegram) -> None:
    assert doors.post({"text": "Now", "deliver_at": 1}).status_code == 200
    assert texts(telegram.messages) == ["Now"]


def test_a_message_may_wait_at_most_30_days(doors: Doors) -> None:
    answer = doors.post({"text": "Later", "deliver_at": int(time.time()) + 31 * 86_400})
    assert answer.status_code == 400
    assert answer.json()["Message"].startswith("deliver_at:")


def test_health_and_version_need_no_token(doors: Doors, aws: EmbeddedAws) -> None:
    assert doors.get("/health", token=None).json() == {"status": "ok"}
    assert doors.get("/version", token=None).json() == {"version": "0.1.0"}
    assert aws.calls.by_operation() == {}


@pytest.mark.parametrize(
    "request_line",
    [
        pytest.param(b"POST /message/../x", id="path_traversal"),
        pytest.param(b"POST /", id="root"),
        pytest.param(b"POST /messages", id="unknown_route"),
        pytest.param(b"PUT /message", id="unknown_method"),
    ],
)
def test_there_is_no_other_route(doors: Doors, telegram: FakeTelegram, request_line: bytes) -> None:
    status, _ = doors.raw(CURL.replace(b"POST /message", request_line, 1))
    assert status in (403, 404, 405)
    assert telegram.messages == []


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "OPTIONS", "PROPFIND"])
def test_a_method_that_a_route_does_not_have_is_answered_as_api_gateway_does(doors: Doors, method: str) -> None:
    answer = requests.request(method, f"{doors.url}/message", timeout=30)
    assert answer.status_code == 403
    assert answer.headers["x-amzn-ErrorType"] == "UnauthorizedException"
    assert method == "HEAD" or answer.json() == {"message": "Missing Authentication Token"}


def test_the_event_of_the_api_gateway_delivers_the_message(doors: Doors, telegram: FakeTelegram) -> None:
    answer = doors.rest(event("apigateway_post"))
    assert answer["statusCode"] == 200
    assert answer["body"]["text"] == "Hello"
    assert texts(telegram.messages) == ["Hello"]


def test_a_base64_body_of_the_api_gateway_is_decoded(doors: Doors, telegram: FakeTelegram) -> None:
    body = base64.b64encode('{"text": "Grüße"}'.encode()).decode()
    answer = doors.rest({**event("apigateway_post"), "body": body, "isBase64Encoded": True})
    assert answer["statusCode"] == 200
    assert texts(telegram.messages) == ["Grüße"]


@pytest.mark.parametrize("body", ["%%%", "A", "eyJ0ZXh0IjogIkhlbGxvIn0", "é"])
def test_a_body_that_is_not_base64_is_refused(doors: Doors, telegram: FakeTelegram, body: str) -> None:
    answer = doors.rest({**event("apigateway_post"), "body": body, "isBase64Encoded": True})
    assert answer["statusCode"] == 400
    assert answer["body"]["Code"] == "BadRequestError"
    assert answer["body"]["Message"].startswith("body:")
    assert telegram.messages == []


def test_an_event_without_a_body_is_refused(doors: Doors) -> None:
    answer = doors.rest({**event("apigateway_post"), "body": None})
    assert answer["statusCode"] == 400
    assert answer["body"] == {"Code": "BadRequestError", "Message": "body: is empty"}


def _request(text: str) -> Request:
    return Request({**event("apigateway_post"), "body": f'{{"text": "{text}"}}'})
