"""The HTTP client where the network, or the door, misbehaves."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from botte_http_client import (
    Accepted,
    AuthenticationError,
    BotteError,
    BotteHttpClient,
    Delivered,
    InvalidMessage,
    NotFound,
    Refused,
    Unavailable,
)
from tests.clients.conftest import TOKEN, RunningTwin, arrived, texts_about
from tests.clients.servers import Proxy, Step, answer, cut, half, hang, swallow
from tools.dev.fake_telegram import FakeTelegram

CANARY = "canary-token-that-must-not-show"


@pytest.fixture
def client(http_proxy: Proxy) -> Iterator[BotteHttpClient]:
    """A client in a hurry, through the proxy."""
    with BotteHttpClient(http_proxy.url, backoff=0.01, read_timeout=5) as made:
        yield made


@pytest.mark.parametrize("fault", [cut, swallow, half], ids=lambda fault: fault.__name__)
def test_a_lost_answer_is_asked_for_again_and_the_message_arrives_once(
    client: BotteHttpClient, http_proxy: Proxy, telegram: FakeTelegram, fault: Step
) -> None:
    http_proxy.follow(fault, fault)
    result = client.send_message(f"lost answer: {fault.__name__}")
    assert isinstance(result, Delivered)
    [message] = arrived(telegram, f"lost answer: {fault.__name__}")
    assert message["message_id"] == result.message_id
    keys = {request.headers["Idempotency-Key"] for request in http_proxy.requests}
    assert len(http_proxy.requests) == 3
    assert len(keys) == 1


def test_an_answer_that_does_not_come_is_asked_for_again(http_proxy: Proxy, telegram: FakeTelegram) -> None:
    http_proxy.follow(hang(3))
    with BotteHttpClient(http_proxy.url, backoff=0.01, read_timeout=1) as client:
        assert isinstance(client.send_message("slow answer"), Delivered)
    arrived(telegram, "slow answer")


def test_every_call_has_a_key_of_its_own(client: BotteHttpClient, http_proxy: Proxy) -> None:
    for _ in range(2):
        client.send_message("two calls")
    first, second = (request.headers["Idempotency-Key"] for request in http_proxy.requests)
    assert first != second


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(
    client: BotteHttpClient, http_proxy: Proxy, telegram: FakeTelegram, status: int
) -> None:
    http_proxy.follow(answer(status, {"message": "not now"}), answer(status, b"<html>"))
    assert isinstance(client.send_message(f"after {status}"), Delivered)
    arrived(telegram, f"after {status}")
    assert len(http_proxy.requests) == 3


def test_it_gives_up_and_tells_the_id_to_go_on_with(client: BotteHttpClient, http_proxy: Proxy) -> None:
    http_proxy.follow(*[answer(503, {"Code": "ServiceUnavailableError", "Message": "nothing was accepted"})] * 4)
    with pytest.raises(Unavailable, match="nothing was accepted") as caught:
        client.send_message("never")
    assert caught.value.id == http_proxy.requests[0].headers["Idempotency-Key"]
    assert len(http_proxy.requests) == 4
    assert isinstance(client.send_message("never", id=caught.value.id), Delivered)


BEAT = {"heartbeat": "nightly", "due_at": 1_800_000_000}


def test_a_heartbeat_is_sent_until_it_is_noted_and_tells_when_the_next_is_due(
    client: BotteHttpClient, http_proxy: Proxy
) -> None:
    """It has no id, and needs none: sent again, it says the same."""
    http_proxy.follow(cut, answer(503, {}), answer(200, BEAT))
    assert client.send_heartbeat("nightly", every="26h", chat="ops", sender_app="cron") == 1_800_000_000
    sent = [(request.path, request.json, request.headers.get("Idempotency-Key")) for request in http_proxy.requests]
    fields = {"heartbeat": "nightly", "every": 93_600, "chat": "ops", "sender_app": "cron"}
    assert sent == [("/message", fields, None)] * 3


def test_a_heartbeat_that_is_not_noted_is_an_error(client: BotteHttpClient, http_proxy: Proxy) -> None:
    http_proxy.follow(*[answer(503, {"Code": "ServiceUnavailableError", "Message": "nothing was accepted"})] * 4)
    with pytest.raises(Unavailable, match=r"nothing was accepted\. Try again later\.") as caught:
        client.send_heartbeat("nightly", every=60)
    assert caught.value.id is None
    http_proxy.follow(answer(200, {"ok": True}))
    with pytest.raises(NotFound, match="not as Botte does"):
        client.send_heartbeat("nightly", every=60)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_waited_for(client: BotteHttpClient, http_proxy: Proxy, form: str) -> None:
    wanted = datetime.now(timezone.utc) + timedelta(seconds=2)
    http_proxy.follow(answer(503, {}, Retry_After="1" if form == "seconds" else format_datetime(wanted)))
    started = time.monotonic()
    client.send_message("after a while")
    assert time.monotonic() - started >= 0.9


@pytest.mark.parametrize(
    "header", ["soon", "-1", "Mon, 99 Nov 2026 00:00:00 GMT", "Mon, 01 Jan 99999999999999 00:00:00 GMT"]
)
def test_retry_after_in_no_known_form_is_passed_over(client: BotteHttpClient, http_proxy: Proxy, header: str) -> None:
    http_proxy.follow(answer(429, {}, Retry_After=header))
    assert isinstance(client.send_message("after no while"), Delivered)


def test_a_retry_after_that_is_too_long_is_the_callers_to_wait_for(client: BotteHttpClient, http_proxy: Proxy) -> None:
    http_proxy.follow(answer(503, {}, Retry_After="3600"))
    with pytest.raises(Unavailable) as caught:
        client.send_message("in an hour")
    assert caught.value.retry_after == 3600
    assert len(http_proxy.requests) == 1


def test_a_message_that_is_being_sent_right_now_is_waited_for(client: BotteHttpClient, http_proxy: Proxy) -> None:
    http_proxy.follow(answer(409, {"Code": "ConflictError", "Message": "id: in flight"}))
    assert isinstance(client.send_message("in flight"), Delivered)


def test_a_message_that_is_being_sent_for_long_is_accepted(client: BotteHttpClient, http_proxy: Proxy) -> None:
    http_proxy.follow(*[answer(409, {"Code": "ConflictError", "Message": "id: in flight"})] * 4)
    assert client.send_message("in flight", id="in-flight") == Accepted("in-flight")


@pytest.mark.parametrize(
    ("status", "body", "error", "text"),
    [
        (400, {"Code": "BadRequestError", "Message": "chat: unknown chat"}, InvalidMessage, "chat: unknown chat"),
        (413, {"Code": "PayloadTooLargeError", "Message": "body: at most 1"}, InvalidMessage, "body: at most 1"),
        (422, {"Code": "UnprocessableEntityError", "Message": "id: is used"}, InvalidMessage, "id: is used"),
        (401, {"Code": "UnauthorizedError", "Message": "no token"}, AuthenticationError, "BOTTE_TOKEN"),
        (403, {"Code": "ForbiddenError", "Message": "wrong token"}, AuthenticationError, "BOTTE_TOKEN"),
        (403, {"message": "Forbidden"}, AuthenticationError, "Forbidden"),
        (403, {"message": "Missing Authentication Token"}, NotFound, "check the address"),
        (
            403,
            {"message": "'x' not a valid key=value pair in Authorization header: 'x'."},
            NotFound,
            "check the address .BOTTE_URL.",
        ),
        (404, {"message": "Not Found"}, NotFound, "check the address"),
        (404, b"<html>", NotFound, "check the address"),
        (409, {"message": "Conflict"}, NotFound, "check the address"),
        (301, b"", NotFound, "check the address"),
        (200, {"ok": True}, NotFound, "check the address"),
        (200, ["a", "list"], Unavailable, "not in JSON"),
        (200, b"<html>Log in to this network", Unavailable, "not in JSON"),
        (200, b"[" * 100_000, Unavailable, "not in JSON"),
        (502, {"Code": "BadGatewayError", "Message": "Telegram refused the message: no such chat"}, Refused, "no such"),
        (500, {"Code": "InternalServerError", "Message": "An internal"}, Unavailable, "An internal"),
    ],
)
def test_every_answer_has_its_error(
    http_proxy: Proxy, status: int, body: Any, error: type[Exception], text: str
) -> None:
    http_proxy.follow(answer(status, body, Location="http://127.0.0.1:1/"))
    with BotteHttpClient(http_proxy.url, retries=0) as client, pytest.raises(error, match=text):
        client.send_message("x")


def test_what_does_not_pass_is_not_tried_again(client: BotteHttpClient, http_proxy: Proxy) -> None:
    for status in (400, 401, 403, 404, 413, 422, 502):
        http_proxy.follow(answer(status, {"Code": "E", "Message": "text: no"}))
        http_proxy.requests.clear()
        with pytest.raises((BotteError, InvalidMessage)):
            client.send_message("x")
        assert len(http_proxy.requests) == 1


@pytest.mark.parametrize("url", ["http://no-such-host.invalid", "http://127.0.0.1:1"], ids=["dns", "refused"])
def test_without_a_connection_the_message_is_not_accepted(url: str) -> None:
    with (
        BotteHttpClient(url, retries=1, backoff=0.01, connect_timeout=2) as client,
        pytest.raises(Unavailable, match="gives no answer") as caught,
    ):
        client.send_message("x")
    assert caught.value.id


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("botte.example.com", "begin with https://"),
        ("ftp://x", "begin with https://"),
        ("https://", "begin with https://"),
        (" ", "begin with https://"),
        ("http://user:pass@x", "leave out the user and the password before @"),
        ("http://x/hook/shop?token=pass", "leave out [?] and what follows"),
        ("http://x/#pass", "leave out # and what follows"),
        ("http://[::1", "check its host"),
        ("http://x/\npass", "leave out spaces and line breaks"),
    ],
)
def test_an_address_that_is_none_is_told_when_the_client_is_made_and_what_to_change_of_it(
    url: str, advice: str
) -> None:
    with pytest.raises(NotFound, match=f"BOTTE_URL.* must be like https://.*: .*{advice}") as caught:
        BotteHttpClient(url)
    assert "pass" not in str(caught.value).replace("password", "")


@pytest.mark.parametrize("too_much", ["/message", "/message/", "/message/abc", "/hook/shop", "/health"])
def test_an_address_with_too_much_at_its_end_is_told_what_to_leave_out(twin: RunningTwin, too_much: str) -> None:
    with BotteHttpClient(twin.http_url + too_much) as client:
        for call in (lambda: client.send_message("x"), lambda: client.get_status("x")):
            with pytest.raises(NotFound, match=f"leave out {too_much.rstrip('/')} at the end of .*BOTTE_URL"):
                call()


@pytest.mark.parametrize("url", ["http://[::1", "http://a..b", "http://x:99999"])
def test_an_address_that_cannot_be_used_is_not_found(url: str) -> None:
    with pytest.raises(NotFound, match="BOTTE_URL"):
        BotteHttpClient(url, retries=0).send_message("x")


@pytest.mark.parametrize(
    ("variable", "value"), [("REQUESTS_CA_BUNDLE", "/no/such/file"), ("HTTPS_PROXY", "socks5://127.0.0.1:1")]
)
def test_an_environment_that_keeps_an_address_from_being_used_is_told(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv(variable, value)
    with pytest.raises(NotFound, match="proxies and certificates"):
        BotteHttpClient("https://127.0.0.1:1", retries=0).send_message("x")


def test_an_unreachable_proxy_is_unavailable_and_its_password_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{CANARY}@127.0.0.1:1")
    with pytest.raises(Unavailable, match="ProxyError") as caught:
        BotteHttpClient("https://botte.example.com", retries=0).send_message("x")
    assert CANARY not in str(caught.getrepr(style="value", chain=True))


@pytest.mark.parametrize("after", ["/", "//", "\n"])
def test_an_address_may_end_in_slashes_or_a_newline(twin: RunningTwin, telegram: FakeTelegram, after: str) -> None:
    with BotteHttpClient(twin.http_url + after) as client:
        client.send_message("at an address")
    arrived(telegram, "at an address")


def test_telegram_down_is_accepted_and_the_status_tells(twin: RunningTwin, telegram: FakeTelegram) -> None:
    telegram.set_fault({"kind": "down"})
    with BotteHttpClient() as client:
        result = client.send_message("while Telegram is down", id="while-down")
        assert result == Accepted("while-down")
        status = client.get_status("while-down")
    assert (status.id, status.status, status.message_ids) == ("while-down", "PENDING", ())
    assert status.last_error
    assert status.due_at is not None


def test_a_refusal_is_told_with_telegrams_reason(telegram: FakeTelegram) -> None:
    telegram.set_fault({"kind": "forbidden"})
    with BotteHttpClient() as client, pytest.raises(Refused, match="bot was blocked by the user") as caught:
        client.send_message("blocked")
    assert caught.value.reason.endswith("Forbidden: bot was blocked by the user")


def test_an_id_with_another_text_is_invalid() -> None:
    with BotteHttpClient() as client:
        client.send_message("one text", id="two-texts")
        with pytest.raises(InvalidMessage, match="new id") as caught:
            client.send_message("another text", id="two-texts")
    assert caught.value.field == "id"


def test_the_status_of_a_message_by_any_id(twin: RunningTwin) -> None:
    with BotteHttpClient() as client:
        for id in ("plain", "a/b?c=d&e#f", "100%", "%2F", "+", "~'\"<>|"):
            client.send_message("any id", id=id)
            assert client.get_status(id).status == "SENT"
        with pytest.raises(NotFound, match="no message is kept under this id"):
            client.get_status("nothing")


def test_health_and_version_send_no_token(client: BotteHttpClient, http_proxy: Proxy) -> None:
    assert client.health() is True
    assert client.version() == "0.1.0"
    assert all("Authorization" not in request.headers for request in http_proxy.requests)


def test_health_is_false_where_nothing_answers() -> None:
    assert BotteHttpClient("http://127.0.0.1:1").health() is False


def test_a_client_may_be_shared_by_threads(telegram: FakeTelegram) -> None:
    with BotteHttpClient() as client, ThreadPoolExecutor(8) as pool:
        results = list(pool.map(client.send_message, [f"thread {number}" for number in range(24)]))
    assert all(isinstance(result, Delivered) for result in results)
    assert sorted(texts_about(telegram, "thread", 24)) == sorted(f"thread {number}" for number in range(24))


def test_the_token_is_in_no_error_repr_or_log(http_proxy: Proxy, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = BotteHttpClient(http_proxy.url, CANARY, retries=0, read_timeout=0.3)
    refusal = answer(403, {"Code": "ForbiddenError", "Message": "the API token is not valid"})
    http_proxy.follow(cut, half, hang(1), refusal, answer(500, b"x"), answer(302, b"", Location="http://127.0.0.1:1"))
    texts = [repr(client), str(vars(client))]
    for _ in range(6):
        with pytest.raises(BotteError) as caught:
            client.send_message("x")
        texts += [str(caught.value), repr(caught.value), str(caught.getrepr(style="value", chain=True))]
    for unreachable in ("http://no-such-host.invalid", "http://127.0.0.1:1", "http://a..b"):
        with pytest.raises(BotteError) as caught:
            BotteHttpClient(unreachable, CANARY, retries=0, connect_timeout=1).send_message("x")
        texts += [str(caught.value), str(caught.getrepr(style="value", chain=True))]
    assert http_proxy.requests[0].headers["Authorization"] == f"Bearer {CANARY}"
    assert CANARY not in "".join([*texts, caplog.text])


@pytest.mark.parametrize("repeated", [str, str.upper, str.lower, quote], ids=lambda how: how.__name__)
@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_a_token_that_an_answer_repeats_is_not_shown(
    http_proxy: Proxy, status: int, repeated: Callable[[str], str]
) -> None:
    token = f"{CANARY}+='x"
    told = repeated(token)
    http_proxy.follow(answer(status, {"message": f"got Authorization: Bearer {told}, which is wrong"}))
    with BotteHttpClient(http_proxy.url, token, retries=0) as client, pytest.raises(BotteError) as caught:
        client.send_message("x")
    assert "got Authorization: Bearer <api token>, which is wrong" in str(caught.value)
    assert CANARY.lower() not in str(caught.getrepr(style="value", chain=True)).lower()


def test_a_wrong_path_is_not_found_and_the_token_not_shown(twin: RunningTwin) -> None:
    with BotteHttpClient(f"{twin.http_url}/nowhere") as client, pytest.raises(NotFound, match="BOTTE_URL") as caught:
        client.send_message("x")
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("token", [f"{CANARY}\nX-Header: x", f"date {CANARY}", f"{CANARY}\u20ac", f"{CANARY}\x00"])
def test_a_malformed_token_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(AuthenticationError, match="malformed") as caught:
        BotteHttpClient(api_token=token)
    assert CANARY not in str(caught.value)


def test_a_token_read_from_a_file_may_end_with_a_newline(client: BotteHttpClient, http_proxy: Proxy) -> None:
    BotteHttpClient(http_proxy.url, "local-token\n").send_message("newline")
    assert http_proxy.requests[0].headers["Authorization"] == "Bearer local-token"


def test_without_a_token_the_error_tells_which_variable_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOTTE_TOKEN")
    with pytest.raises(AuthenticationError, match="BOTTE_TOKEN"):
        BotteHttpClient()


def test_a_password_for_the_host_does_not_take_the_tokens_place(
    client: BotteHttpClient, http_proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password something\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    client.send_message("netrc")
    assert http_proxy.requests[0].headers["Authorization"] == "Bearer local-token"
