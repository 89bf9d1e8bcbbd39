"""The hook: whatever does not speak Botte posts to ``/hook/<name>``, with a token where it can have one."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest
import requests

from chalicelib.doors.stream import Tasks
from chalicelib.relay import Relay
from chalicelib.settings import Parameters
from tests.conftest import OPS_CHAT_ID, PARAMETERS, WEBHOOK_SECRET
from tests.doors import Clock, Doors, RelayDoors, Table, texts
from tools.dev.fake_telegram import TWIN_CHAT_ID, FakeTelegram

FORM = "application/x-www-form-urlencoded"
BODY = b'{"event": "backup", "state": "done"}'
SHOWN = "cron\nevent: backup\nstate: done"


def signed(secret: str, body: bytes = BODY) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def basic(credentials: str) -> str:
    return f"Basic {b64encode(credentials.encode()).decode()}"


def post(
    doors: Doors, headers: Mapping[str, str] = {}, body: bytes = BODY, *, name: str = "cron", query: str = ""
) -> requests.Response:
    """A request over a socket, with no token but those that are given."""
    given = {"Content-Type": "application/json", **headers}
    return requests.post(f"{doors.url}/hook/{name}{query}", data=body, headers=given, timeout=30)


def refusal(answer: Any) -> str:
    """What an answer of 400 says."""
    assert answer.status_code == 400
    return str(answer.body["Message"])


# Who may post


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        pytest.param({"Authorization": "local-token"}, "", id="api_token"),
        pytest.param({"Authorization": "Bearer second-token"}, "", id="api_token_bearer"),
        pytest.param({"Authorization": basic("x:local-token")}, "", id="api_token_basic"),
        pytest.param({"Authorization": "local-hook-token"}, "", id="hook_token"),
        pytest.param({"Authorization": "Bearer second-hook-token"}, "", id="hook_token_bearer"),
        pytest.param({"Authorization": basic("x:local-hook-token")}, "", id="hook_token_basic"),
        pytest.param({}, "?token=local-hook-token", id="hook_token_in_the_address"),
        pytest.param({}, "?token=second%2Dhook-token", id="hook_token_escaped"),
        pytest.param({"Authorization": "its own"}, "?token=local-hook-token", id="address_beside_another_header"),
        pytest.param({"X-Gitlab-Token": "local-hook-token"}, "", id="gitlab"),
        pytest.param({"X-Hub-Signature-256": f"sha256={signed('local-hook-token')}"}, "", id="github"),
        pytest.param({"X-Hub-Signature-256": f"sha256={signed('second-hook-token')}"}, "", id="github_other_token"),
        pytest.param({"Sentry-Hook-Signature": signed("local-hook-token")}, "", id="sentry"),
    ],
)
def test_a_token_opens_the_hook_wherever_its_sender_can_put_it(
    doors: Doors, telegram: FakeTelegram, headers: dict[str, str], query: str
) -> None:
    """A header, the address, or the secret of a signature; a token of /message in its own header only."""
    answer = post(doors, headers, query=query)
    assert answer.status_code == 200, answer.text
    assert texts(telegram.messages) == [SHOWN]


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        pytest.param({}, "", 401, id="nothing"),
        pytest.param({"Authorization": ""}, "?token=", 401, id="empty"),
        pytest.param({"X-Hub-Signature": "sha1=x"}, "", 401, id="signature_of_sha1"),
        pytest.param({}, "?Token=local-hook-token", 401, id="other_parameter"),
        pytest.param({"Authorization": "wrong"}, "", 403, id="wrong"),
        pytest.param({"Authorization": WEBHOOK_SECRET}, "", 403, id="webhook_secret"),
        pytest.param({"Authorization": "github"}, "", 403, id="name_of_a_token"),
        pytest.param({"Authorization": "github second-hook-token"}, "", 403, id="line_of_the_parameter"),
        pytest.param({}, "?token=local-token", 403, id="api_token_in_the_address"),
        pytest.param({}, "?token=local-hook-toke", 403, id="prefix_in_the_address"),
        pytest.param({}, "?token=a&token=local-hook-token", 403, id="two_in_the_address"),
        pytest.param({"X-Gitlab-Token": "local-token"}, "", 403, id="api_token_as_gitlab_token"),
        pytest.param(
            {"X-Hub-Signature-256": f"sha256={signed('local-token')}"}, "", 403, id="signed_with_an_api_token"
        ),
        pytest.param({"X-Hub-Signature-256": f"sha256={signed('')}"}, "", 403, id="signed_with_nothing"),
        pytest.param({"X-Hub-Signature-256": "sha256="}, "", 401, id="signature_empty"),
        pytest.param(
            {"X-Hub-Signature-256": f"sha256={signed('local-hook-token', b'{}')}"},
            "",
            403,
            id="signature_of_another_body",
        ),
        pytest.param({"Sentry-Hook-Signature": signed("local-hook-token")[:-1]}, "", 403, id="signature_cut"),
    ],
)
def test_nothing_else_opens_it(
    doors: Doors, telegram: FakeTelegram, headers: dict[str, str], query: str, status: int
) -> None:
    """An API token travels in no address, as addresses are logged on their way."""
    answer = post(doors, headers, query=query)
    assert answer.status_code == status
    assert answer.json()["Code"] == {401: "UnauthorizedError", 403: "ForbiddenError"}[status]
    assert telegram.messages == []


def test_a_hook_token_reads_no_message(doors: Doors) -> None:
    """It may post to /hook and do nothing else."""
    assert post(doors, {"Authorization": "local-token", "Idempotency-Key": "k1"}).status_code == 200
    assert doors.get("/message/k1").json()["status"] == "SENT"
    assert doors.get("/message/k1", token="local-hook-token").status_code == 403
    assert doors.get("/message/k1?token=local-hook-token", token=None).status_code == 401


@pytest.mark.outbox("memory")
@pytest.mark.parametrize(("headers", "status"), [({}, 200), ({"Authorization": "local-hook-token"}, 403)])
def test_without_hook_tokens_the_api_tokens_open_the_hook(
    relay: Relay, tasks: Tasks, clock: Clock, telegram: FakeTelegram, headers: dict[str, str], status: int
) -> None:
    """Their parameter need not exist; then no signature and no address is a key either."""
    values = {f"/p/{name}": value for name, _, value in PARAMETERS if name != "hook-tokens"}
    parameters = Parameters("/p", lambda names: {name: values[name] for name in names if name in values}, clock=clock)
    doors = RelayDoors(relay, tasks, parameters, clock)
    assert doors.hook(BODY, **headers).status_code == status
    bare = {"Authorization": "", "X-Hub-Signature-256": f"sha256={signed('')}"}
    assert doors.hook(BODY, query="token=None", **bare).status_code == 403


def test_the_log_and_the_chat_tell_no_token(
    doors: Doors, telegram: FakeTelegram, caplog: pytest.LogCaptureFixture
) -> None:
    """The log tells the name of the token; a token in the address is no field of the message."""
    caplog.set_level(logging.DEBUG, "botte")
    answer = post(doors, query="?token=second-hook-token&chat=ops")
    assert [getattr(record, "api_token", None) for record in caplog.records if record.name == "botte.http"] == [
        "github"
    ]
    logged = str([vars(record) for record in caplog.records if record.name.startswith("botte")])
    assert "second-hook-token" not in logged + answer.text + str(telegram.messages)


# What is posted

SNS = {
    "Type": "Notification",
    "MessageId": "m-1",
    "TopicArn": "arn:aws:sns:us-east-1:123456789012:alerts",
    "Subject": "Backup",
    "Message": "It is done.",
    "Timestamp": "2026-11-27T00:00:00.000Z",
}
CONFIRMATION = {
    "Type": "SubscriptionConfirmation",
    "TopicArn": "arn:aws:sns:us-east-1:123456789012:alerts",
    "SubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription",
}
MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="payload_json"\r\n\r\n{"text": "look"}\r\n'
    b'--b\r\nContent-Disposition: form-data; name="files[0]"; filename="a.png"\r\n\r\n\x89PNG\r\n--b--\r\n'
)
BODIES: Mapping[str, tuple[str | None, bytes, str]] = {
    "message of Botte's": ("application/json", b'{"text": "hi", "x": 1, "message_thread_id": "5"}', "hi"),
    "object of somebody": ("application/json", BODY, SHOWN),
    "no type": (None, BODY, SHOWN),
    "form data of Uptime Kuma": (FORM, b"data=" + quote(BODY).encode(), SHOWN),
    "text with a link of Slack's": ("application/json", b'{"text": "<https://ci.example/1|#1> failed"}', "#1 failed"),
    "curl's own type": (FORM, BODY, SHOWN),
    "curl's own type, and blanks": (FORM, b'\xef\xbb\xbf\r\n {"a": "b=c&d"}', "cron\na: b=c&d"),
    "cloud event": ("application/cloudevents+json; charset=utf-8", BODY, SHOWN),
    "bytes": ("text/plain; charset=binary", BODY, SHOWN),
    "SNS as it posts it": ("text/plain; charset=UTF-8", json.dumps(SNS).encode(), "Backup\nIt is done."),
    "form payload": (FORM, f"payload={quote(json.dumps(SNS))}".encode(), "Backup\nIt is done."),
    "form payload of a message": (FORM, b"payload=%7B%22text%22%3A+%22hi%22%7D", "hi"),
    "form payload that is no JSON": (FORM, b"payload=hi+there", "hi there"),
    "form of a message": (FORM, b"text=50%25+%26+more&sender_app=x", "50% & more"),
    "form of somebody": (FORM, b"status=down&host=db+1", "cron\nstatus: down\nhost: db 1"),
    "form that is a text": (FORM, b"disk almost full", "disk almost full"),
    "form in latin 1": (FORM + "; charset=iso-8859-1", b"status=caf\xe9", "cron\nstatus: caf\xe9"),
    "parts with a file": ("multipart/form-data; boundary=b", MULTIPART, "look"),
    "text": ("text/plain", "Übung läuft".encode(), "Übung läuft"),
    "text in latin 1": ("text/plain; charset=iso-8859-1", b"caf\xe9", "café"),
    "text in no charset": ("text/plain; charset=klingon", b"caf\xe9", "caf\ufffd"),
    "text with markup": ("text/plain", b"<b>a</b> *b* &amp;", "<b>a</b> *b* &amp;"),
    "list": ("application/json", b'["a", {"b": 1}]', "cron\na\nb: 1"),
    "number": ("application/json", b"1.10", "1.10"),
    "boolean": ("application/json", b"true", "true"),
    "JSON text": ("application/json", b'"hi"', "hi"),
    "JSON with a key twice": ("application/json", b'{"a": 1, "a": 2}', '{"a": 1, "a": 2}'),
    "JSON that is cut": ("application/json", b'{"a": 1', '{"a": 1'),
    "keys with markup": ("application/json", b'{"<b>": "&lt;"}', "cron\n<b>: &lt;"),
    "bytes that are no text": (FORM, b"\xff\xfea\x00b", "\ufffd\ufffdab"),
    "bytes with an equals sign": (FORM, b"\xff=\xfe", "cron\n\ufffd: \ufffd"),
    "deep": ("application/json", b"[" * 300 + b"]" * 300, "[" * 300 + "]" * 300),
    "deep and cut": ("application/json", b"[" * 3000, "[" * 3000),
    "parts in latin 1": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="text"\r\nContent-Type: text/plain; charset=latin-1\r\n\r\n'
        b"caf\xe9\r\n--b--\r\n",
        "café",
    ),
    "parts that cannot be read": ("multipart/form-data; boundary=x", b"hello", "hello"),
}


@pytest.mark.outbox("memory")
@pytest.mark.parametrize("case", BODIES)
def test_whatever_is_posted_is_shown(relay_doors: RelayDoors, telegram: FakeTelegram, case: str) -> None:
    """What no sender is recognised in comes with the name of its hook, line by line."""
    content_type, body, shown = BODIES[case]
    answer = relay_doors.hook(body, **({"Content_Type": content_type} if content_type else {}))
    assert answer.status_code == 200, answer.body
    assert texts(telegram.messages) == [shown]


@pytest.mark.parametrize(
    "case", ["SNS as it posts it", "form payload", "parts with a file", "text in latin 1", "bytes", "no type"]
)
def test_it_is_shown_so_through_chalice_too(doors: Doors, telegram: FakeTelegram, case: str) -> None:
    """Which looks at the type, and takes some bodies for bytes."""
    content_type, body, shown = BODIES[case]
    url = f"{doors.url}/hook/cron?token=local-hook-token"
    answer = requests.post(url, data=body, headers={"Content-Type": content_type} if content_type else {}, timeout=30)
    assert answer.status_code == 200, answer.text
    assert texts(telegram.messages) == [shown]


@pytest.mark.outbox("memory")
def test_parts_in_parts_in_parts_come_as_they_are(relay_doors: RelayDoors, telegram: FakeTelegram) -> None:
    body = b"--x\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n" * 3000
    answer = relay_doors.hook(body, Content_Type="multipart/form-data; boundary=x")
    assert answer.status_code == 200, answer.body
    assert len(telegram.messages) == 1


@pytest.mark.outbox("memory")
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(json.dumps({f"key {number}": "x" * 100 for number in range(1800)}), id="object_of_200_KB"),
        pytest.param("x" * (256 * 1024), id="text_of_256_KiB"),
    ],
)
def test_what_is_long_comes_as_a_file(relay_doors: RelayDoors, telegram: FakeTelegram, body: str) -> None:
    """Nothing of it is lost that a body may hold."""
    answer = relay_doors.hook(body)
    assert answer.status_code == 200, answer.body
    assert [sent["method"] for sent in telegram.messages] == ["sendDocument"]


@pytest.mark.outbox("memory")
@pytest.mark.parametrize(
    "body", [b"", b" \n", b"null", b"[]", b"{}", b'""', b'{"text": ""}', b'{"sender_app": "x"}', b"\xef\xbb\xbf"]
)
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", FORM, "multipart/form-data; boundary=x"])
def test_what_has_no_words_is_refused(
    relay_doors: RelayDoors, telegram: FakeTelegram, table: Table, content_type: str, body: bytes
) -> None:
    """There is nothing to show, and nothing to keep."""
    assert refusal(relay_doors.hook(body, Content_Type=content_type)).startswith("text: ")
    assert (telegram.messages, table.items()) == ([], [])


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        pytest.param({}, b"x" * (256 * 1024 + 1), 413, id="too_large"),
        pytest.param({"Content-Encoding": "gzip"}, BODY, 415, id="compressed"),
        pytest.param({"Content-Type": "image/png"}, BODY, 415, id="picture"),
        pytest.param({}, b'{"text": "a", "chat_id": 5}', 403, id="raw_chat_id"),
        pytest.param({}, b'{"text": "a", "chat": "nobody"}', 400, id="unknown_chat"),
    ],
)
def test_what_no_door_takes_the_hook_does_not_take_either(
    doors: Doors, telegram: FakeTelegram, headers: dict[str, str], body: bytes, status: int
) -> None:
    assert post(doors, {"Authorization": "local-token", **headers}, body).status_code == status
    assert telegram.messages == []


def test_a_subscription_of_sns_is_confirmed_by_who_reads_it(doors: Doors, telegram: FakeTelegram) -> None:
    """Botte fetches no address: it stands in a button."""
    assert post(doors, {}, json.dumps(CONFIRMATION).encode(), query="?token=local-hook-token").status_code == 200
    (sent,) = telegram.messages
    assert "SNS topic alerts wants to send here" in sent["text"]
    assert sent["reply_markup"]["inline_keyboard"][0][0]["url"] == CONFIRMATION["SubscribeURL"]


# Options, names and ids


@pytest.mark.outbox("memory")
@pytest.mark.parametrize(
    ("query", "sent", "mended"),
    [
        ("chat=ops", {"chat_id": OPS_CHAT_ID}, None),
        ("chat=ops&disable_notification=true", {"chat_id": OPS_CHAT_ID, "disable_notification": True}, None),
        ("message_thread_id=7", {"message_thread_id": 7}, None),
        ("foo=bar&utm_source=x", {"chat_id": TWIN_CHAT_ID}, None),
        ("protect_content=maybe", {"protect_content": False}, ["protect_content"]),
        ("message_thread_id=x&chat=ops", {"chat_id": OPS_CHAT_ID}, ["message_thread_id"]),
    ],
)
def test_the_address_has_the_options(
    relay_doors: RelayDoors, telegram: FakeTelegram, query: str, sent: dict[str, object], mended: list[str] | None
) -> None:
    """Most senders can be given an address and no more."""
    answer = relay_doors.hook(BODY, query=query)
    (message,) = telegram.messages
    assert message["text"] == SHOWN
    assert {name: message.get(name) for name in sent} == sent
    assert isinstance(answer.body, dict)
    assert answer.body.get("botte") == (mended and {"mended": mended})


@pytest.mark.outbox("memory")
@pytest.mark.parametrize(
    ("name", "body", "label"),
    [
        ("uptime", BODY, "uptime"),
        ("my%20backup", BODY, "my backup"),
        ("caf%C3%A9%0Aforged", BODY, "café forged"),
        ("n" * 100, BODY, "n" * 64),
        ("uptime", json.dumps(SNS).encode(), "uptime"),
        ("uptime", b'{"text": "hi", "sender_app": "its own"}', "its own"),
        ("uptime", b'{"text": "hi", "sender_app": null}', "uptime"),
    ],
)
def test_the_name_of_the_hook_is_the_label(
    relay_doors: RelayDoors, caplog: pytest.LogCaptureFixture, name: str, body: bytes, label: str
) -> None:
    """Unless the body is a message that has one."""
    caplog.set_level("INFO", "botte")
    assert relay_doors.hook(body, name=name).status_code == 200
    assert [vars(record).get("sender_app") for record in caplog.records if record.getMessage() == "sent"] == [label]


@pytest.mark.outbox("memory")
@pytest.mark.parametrize("header", ["X-Amz-Sns-Message-Id", "Idempotency-Key"])
def test_what_a_sender_repeats_comes_once(
    relay_doors: RelayDoors, telegram: FakeTelegram, table: Table, header: str
) -> None:
    """A sender that did not see the answer repeats its id."""
    for body in (BODY, BODY, b'{"text": "hi", "id": null}', b'{"text": "hi", "id": null}'):
        id = f"m-{len(body)}"
        assert relay_doors.hook(body, **{header: id}).status_code == 200
    assert texts(telegram.messages) == [SHOWN, "hi"]
    assert relay_doors.hook(b'{"text": "other"}', **{header: f"m-{len(BODY)}"}).status_code == 422


@pytest.mark.outbox("memory")
def test_an_id_of_the_message_is_its_id_and_a_header_that_is_none_is_not_looked_at(
    relay_doors: RelayDoors, telegram: FakeTelegram, table: Table
) -> None:
    """A hook refuses nothing for an option."""
    assert relay_doors.hook(b'{"text": "a", "id": "k1"}', **{"X-Amz-Sns-Message-Id": "m-1"}).status_code == 200
    assert set(table.statuses()) == {"k1"}
    for id in ("", "two words", "k" * 256, "é"):
        answer = relay_doors.hook(b'{"text": "b"}', Idempotency_Key=id)
        assert isinstance(answer.body, dict)
        assert (answer.status_code, answer.body.get("botte")) == (200, None)
    assert texts(telegram.messages) == ["a", "b", "b", "b", "b"]


def test_while_telegram_is_away_it_is_kept(doors: Doors, telegram: FakeTelegram, table: Table) -> None:
    """The answer is that of /message."""
    telegram.set_fault({"kind": "down", "count": 1})
    answer = post(doors, {"Authorization": "local-hook-token"})
    assert answer.status_code == 202
    assert doors.get(answer.headers["Location"]).json()["status"] == "PENDING"
    assert set(table.statuses().values()) == {"PENDING"}


def test_a_name_is_read_as_an_address_has_it(doors: Doors, telegram: FakeTelegram) -> None:
    """Chalice's local server leaves it escaped, and API Gateway does not."""
    assert post(doors, {"Authorization": "local-token"}, name="my%20backup").status_code == 200
    assert texts(telegram.messages) == [SHOWN.replace("cron", "my backup")]
    assert post(doors, {"Authorization": "local-token"}, name="").status_code in (403, 404, 405)
