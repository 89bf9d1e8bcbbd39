"""No secret leaves: not in an answer, a function error, a log line at any level, a traceback, or a row of the table."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from chalice.app import Request

from chalicelib.contract.message import InvalidMessage
from chalicelib.doors import http
from chalicelib.doors.invoke import send_invoked
from chalicelib.doors.queue import read_queue
from chalicelib.doors.stream import Tasks
from chalicelib.errors import redact
from chalicelib.outbox.table import Outbox
from chalicelib.relay import Relay
from chalicelib.settings import Parameters
from chalicelib.telegram.bot_api import Telegram
from tests.conftest import WEBHOOK_SECRET, NewRelay, in_memory_but
from tests.doors import (
    Clock,
    Doors,
    RawServer,
    Table,
    closed_port,
    event,
    http_answer,
    item,
    queue_record,
    stream_record,
)
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, FakeTelegram

BOT_SECRET = TWIN_BOT_TOKEN.partition(":")[2]
CANARIES = (
    *(BOT_SECRET, BOT_SECRET[:16], "local-token", "second-token", WEBHOOK_SECRET),
    *("local-hook-token", "second-hook-token"),
)


class Seen:
    """Everything that can be seen from outside, as text."""

    def __init__(self, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], table: Table) -> None:
        self._caplog = caplog
        self._capfd = capfd
        self._table = table
        self._answers: list[str] = []

    def add(self, answer: object) -> None:
        self._answers.append(answer if isinstance(answer, str) else repr(answer))

    def everything(self) -> str:
        formatter = logging.Formatter()
        assert self._caplog.get_records("call")
        log = [f"{formatter.format(record)} {vars(record)}" for record in self._caplog.get_records("call")]
        printed = self._capfd.readouterr()
        rows = json.dumps(self._table.items())
        return "\n".join([*self._answers, *log, printed.out, printed.err, rows])


@pytest.fixture
def seen(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], table: Table) -> Iterator[Seen]:
    caplog.set_level(logging.DEBUG)
    seen = Seen(caplog, capfd, table)
    yield seen
    everything = seen.everything()
    assert len(everything) > 500
    for canary in CANARIES:
        at = everything.lower().find(canary.lower())
        assert at < 0, f"…{everything[max(0, at - 200) : at]}[here]"


FAULTS: list[dict[str, Any]] = [
    {"kind": "none"},
    {"kind": "down"},
    {"kind": "server_error"},
    {"kind": "cut_before_accept"},
    {"kind": "cut_after_accept"},
    {"kind": "chat_not_found"},
    {"kind": "forbidden"},
    {"kind": "unauthorized"},
]


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault["kind"])
def test_whatever_telegram_does_no_door_tells_a_secret(
    doors: Doors, telegram: FakeTelegram, seen: Seen, fault: dict[str, Any]
) -> None:
    telegram.set_fault(fault)
    for number, body in enumerate(({"text": "Hello"}, {"text": "Hello", "id": "k1"}, {"text": 5})):
        for token in ("local-token", "Bearer second-token", "wrong"):
            answer = doors.post(body, token=token)
            seen.add(f"{answer.status_code} {answer.headers} {answer.text}")
        seen.add(doors.get("/message/k1").text)
        seen.add(doors.invoke(body))
        image = item({"text": {"S": "Hello"} if number < 2 else {"N": "5"}}, sort_key=f"s{number}")
        seen.add(doors.stream(stream_record(image)))
        seen.add(doors.queue(queue_record(json.dumps(body), f"m{number}")))


UNREACHABLE: list[tuple[str, Callable[[], str]]] = [
    ("refused", lambda: f"http://127.0.0.1:{closed_port()}"),
    ("dns", lambda: "http://nosuchhost.invalid"),
    ("label_too_long", lambda: f"http://{'a' * 64}.example"),
    ("not_a_url", lambda: "http://[::1"),
    ("bad_port", lambda: "http://127.0.0.1:99999"),
    ("bad_scheme", lambda: "gopher://127.0.0.1"),
]


@pytest.mark.parametrize(
    "url", in_memory_but("refused", cases=[pytest.param(url, id=name) for name, url in UNREACHABLE])
)
@pytest.mark.parametrize("with_table", [True, False], ids=["with_table", "without_table"])
def test_wherever_telegram_is_no_door_tells_a_secret(
    new_relay: NewRelay,
    outbox: Outbox,
    unreachable_outbox: Outbox,
    tasks: Tasks,
    parameters: Parameters,
    clock: Clock,
    seen: Seen,
    url: Callable[[], str],
    with_table: bool,
) -> None:
    sender = Telegram(url(), parameters.bot_token, connect_timeout=0.5, read_timeout=0.5)
    relay = new_relay(sender=sender, outbox=outbox if with_table else unreachable_outbox)
    deadline = clock() + 60
    stream = [stream_record(item({"text": {"S": "Hello"}}, sort_key="s1"))]
    attempts: list[Callable[[], object]] = [
        lambda: http.post_message(relay, parameters, Request(event("apigateway_post")), clock()),
        lambda: send_invoked(relay, {"text": "Hello"}, "request-1", deadline),
        lambda: send_invoked(relay, {"text": "x" * 5000}, "request-2", deadline),
        lambda: relay.take(read_queue([queue_record('{"text":"Hello"}', "m1")]), deadline=deadline),
        lambda: relay.take(tasks.read_stream(stream), deadline=deadline),
        lambda: relay.redeliver(deadline=deadline),
    ]
    for attempt in attempts:
        seen.add(_outcome(attempt))


def test_a_token_that_telegram_repeats_is_blacked_out_everywhere(
    new_relay: NewRelay, parameters: Parameters, table: Table, clock: Clock, seen: Seen
) -> None:
    description = f"Bad Request: cannot POST /bot{TWIN_BOT_TOKEN}/sendMessage"
    with RawServer(http_answer(400, {"ok": False, "error_code": 400, "description": description})) as server:
        relay = new_relay(sender=Telegram(server.url, parameters.bot_token))
        answer = http.post_message(relay, parameters, Request(event("apigateway_post")), clock())
        relay.take(read_queue([queue_record('{"text":"Hello"}', "m1")]), deadline=clock() + 60)
    seen.add(answer)
    assert "/bot[bot token]/sendMessage" in str(answer.body)
    assert "/bot[bot token]/sendMessage" in table.row("m1")["LastError"]


ENCODED = TWIN_BOT_TOKEN.replace(":", "%3A")
ECHOES = {
    "as it is": TWIN_BOT_TOKEN,
    "percent-encoded": ENCODED,
    "percent-encoded in small letters": ENCODED.replace("%3A", "%3a"),
    "percent-encoded twice": quote(quote(TWIN_BOT_TOKEN)),
    "percent-encoded as a whole": ENCODED.replace("-", "%2D"),
    "in HTML": TWIN_BOT_TOKEN.replace(":", "&#58;"),
    "in capital letters": TWIN_BOT_TOKEN.upper(),
    "in small letters": ENCODED.lower(),
    "without the id of the bot": BOT_SECRET.upper(),
}


def hostile_answers(echo: str) -> dict[str, bytes]:
    """Answers of a Bot API, or of what stands before it, that repeat a token."""
    path = f"/bot{echo}/sendMessage"
    page = f"<html><body><h1>404</h1>cannot POST {path}</body></html>".encode()
    message = {"message_id": 1, "date": 1, "chat": {"id": 1}, "text": path, "via": {path: [path]}}
    return {
        "a refusal": http_answer(400, {"ok": False, "error_code": 400, "description": f"Bad Request: {path}"}),
        "another bot's": http_answer(401, {"ok": False, "error_code": 401, "description": f"Unauthorized: {path}"}),
        "an outage": http_answer(500, {"ok": False, "description": path}, f"X-Path: {path}"),
        "a pause": http_answer(429, {"ok": False, "description": path, "parameters": {"retry_after": path}}),
        "its headers": http_answer(429, {"ok": False, "description": "x"}, f"Retry-After: {path}", f"Via: {path}"),
        "a redirect": http_answer(302, b"", f"Location: https://elsewhere.example{path}"),
        "a page": http_answer(404, page, "Content-Type: text/html"),
        "a page with the status of success": http_answer(200, page, "Content-Type: text/html"),
        "no HTTP": f"HTTP/1.1 {path}\r\n{path}\r\n\r\n".encode(),
        "a message": http_answer(200, {"ok": True, "result": message}),
    }


@pytest.mark.parametrize("stored", [TWIN_BOT_TOKEN, ENCODED], ids=["token", "encoded_token"])
@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
@pytest.mark.outbox("memory")
def test_a_hostile_bot_api_makes_no_door_tell_the_token(
    new_relay: NewRelay, tasks: Tasks, parameters: Parameters, clock: Clock, seen: Seen, echo: str, stored: str
) -> None:
    """A token that was stored as it stands in an address works as well as any other, and is told no more."""

    def try_all_doors(relay: Relay, name: str) -> None:
        deadline = clock() + 60
        stream = [stream_record(item({"text": {"S": "Hello"}}, sort_key=name))]
        attempts: list[Callable[[], object]] = [
            lambda: http.post_message(relay, parameters, Request(event("apigateway_post")), clock()),
            lambda: send_invoked(relay, {"text": "Hello"}, f"request-{name}", deadline),
            lambda: relay.take(read_queue([queue_record('{"text":"Hello"}', name)]), deadline=deadline),
            lambda: relay.take(tasks.read_stream(stream), deadline=deadline),
            lambda: relay.status(name),
            lambda: relay.redeliver(deadline=deadline),
        ]
        for attempt in attempts:
            seen.add(_outcome(attempt))

    for number, answer in enumerate(hostile_answers(echo).values()):
        with RawServer(answer, hangs_up=True) as server:
            sender = Telegram(server.url, lambda fresh=False: stored, read_timeout=1.0)
            try_all_doors(new_relay(sender=sender), f"m{number}")


@pytest.mark.parametrize("name", [TWIN_BOT_TOKEN, f"bot{TWIN_BOT_TOKEN}", f"x {TWIN_BOT_TOKEN} y"])
def test_a_token_in_a_callers_field_name_is_neither_logged_nor_kept_as_the_reason(
    new_relay: NewRelay, table: Table, clock: Clock, name: str
) -> None:
    with pytest.raises(InvalidMessage) as raised:
        send_invoked(new_relay(), {"text": "a", name: 1}, "request-1", clock() + 60)
    assert BOT_SECRET not in "".join(traceback.format_exception(raised.value))  # which Lambda logs
    assert BOT_SECRET not in table.row("request-1")["LastError"]


@pytest.mark.parametrize("service", ["sqs", "sns"])
def test_the_name_of_a_resource_is_no_token(service: str) -> None:
    told = f"may not x on resource: arn:aws-us-gov:{service}:us-gov-west-1:123456789012:botte-prod-messages"
    assert redact(told) == told
    assert redact(f"{told} {TWIN_BOT_TOKEN}") == f"{told} [bot token]"
    assert redact(f"arn:aws:sns:::{TWIN_BOT_TOKEN}") == "arn:aws:sns:::[bot token]"


def test_a_text_that_looks_like_a_token_is_delivered_and_not_logged(
    doors: Doors, telegram: FakeTelegram, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    text = "the new token is 123456789:AAF-" + "x" * 33
    assert doors.post({"text": text}).status_code == 200
    assert doors.post({"text": text, "id": "k1"}).status_code == 200
    telegram.set_fault({"kind": "forbidden"})
    doors.post({"text": text, "id": "k2"})
    assert [message["text"] for message in telegram.messages] == [text, text]
    assert "AAF-" not in str([vars(record) for record in caplog.records])


def _outcome(attempt: Callable[[], object]) -> object:
    try:
        return attempt()
    except Exception:
        return traceback.format_exc()
