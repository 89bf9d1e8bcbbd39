"""The Telegram module over sockets: every answer of the Bot API becomes a result, or an error that says what to do."""

from __future__ import annotations

import json
import logging
import socket
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

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
from chalicelib.telegram.bot_api import Telegram
from tests.doors import RawServer, closed_port, http_answer
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram

SECRET = TWIN_BOT_TOKEN.partition(":")[2]
HELLO = {"chat_id": TWIN_CHAT_ID, "text": "Hello"}


def sender(url: str, **timeouts: float) -> Telegram:
    return Telegram(url, lambda fresh=False: TWIN_BOT_TOKEN, **timeouts)


def error_of(telegram: Telegram, fields: dict[str, Any] = HELLO) -> Exception:
    """The error of a call, which must not hold the bot token anywhere."""
    with pytest.raises((Refused, Unavailable)) as caught:
        telegram.call("sendMessage", fields)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert SECRET not in repr(caught.value)
    return caught.value


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever happens in a test here: at the level DEBUG no record of any logger has the bot token."""
    caplog.set_level(logging.DEBUG)
    yield
    for record in caplog.get_records("call"):
        assert SECRET not in f"{record.getMessage()} {vars(record)}"


def api_error(status: int, description: str, **parameters: object) -> bytes:
    body = {"ok": False, "error_code": status, "description": description}
    return http_answer(status, {**body, **({"parameters": parameters} if parameters else {})})


def test_a_delivered_message_gives_telegrams_message(telegram: FakeTelegram) -> None:
    answer = sender(telegram.url).call("sendMessage", HELLO)
    assert answer["message_id"] == telegram.messages[0]["message_id"]
    assert answer["text"] == "Hello"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(api_error(400, "Bad Request: chat not found"), Refused, id="400_chat_not_found"),
        pytest.param(api_error(400, "Bad Request: PEER_ID_INVALID"), Refused, id="400_other"),
        *(
            pytest.param(api_error(400, f"Bad Request: {words}"), KeyboardRefused, id=f"400_keyboard_{words[:40]}")
            for words in (
                "BUTTON_URL_INVALID",
                "BUTTON_TYPE_INVALID",
                "REPLY_MARKUP_TOO_LONG",
                "inline keyboard button text must be non-empty",
                "reply markup is too long",
                "inline keyboard button URL 'http://photo_/x' is invalid: Wrong HTTP URL",
                "inline keyboard button URL 'ftp://a.b/' is invalid: Unsupported URL protocol",
                "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
                "can't parse reply keyboard markup JSON object",
            )
        ),
        *(
            pytest.param(api_error(400, f"Bad Request: {words}"), MediaNotFetched, id=f"400_media_{words[:40]}")
            for words in (
                "invalid file HTTP URL specified: Wrong port number specified in the URL",
                "wrong HTTP URL specified",
                "wrong remote file identifier specified: Wrong character in the string",
                "WEBDOCUMENT_URL_INVALID",
                "EXTERNAL_URL_INVALID",
                "DOCUMENT_INVALID",
            )
        ),
        pytest.param(api_error(400, "Bad Request: MESSAGE_THREAD_NOT_FOUND"), ThreadNotFound, id="400_thread_caps"),
        pytest.param(api_error(400, "Bad Request: can't parse entities: x"), MarkupRefused, id="400_markup"),
        pytest.param(
            api_error(400, 'Bad Request: can\'t parse entities: Unsupported start tag "button_ok" at byte offset 6'),
            MarkupRefused,
            id="400_markup_that_quotes",
        ),
        pytest.param(api_error(400, "Bad Request: can't parse caption entities"), MarkupRefused, id="400_caption"),
        pytest.param(api_error(400, "Bad Request: message thread not found"), ThreadNotFound, id="400_thread"),
        pytest.param(api_error(400, "Bad Request: TOPIC_CLOSED"), ThreadNotFound, id="400_topic_closed"),
        pytest.param(api_error(400, "Bad Request: failed to get HTTP URL content"), MediaNotFetched, id="400_media"),
        pytest.param(api_error(400, "Bad Request: wrong HTTP URL specified"), MediaNotFetched, id="400_no_url"),
        pytest.param(
            api_error(400, "Bad Request: wrong type of the web page content"), MediaNotFetched, id="400_web_page"
        ),
        pytest.param(api_error(400, "Bad Request: PHOTO_INVALID_DIMENSIONS"), MediaNotFetched, id="400_large_photo"),
        pytest.param(api_error(400, "Bad Request: IMAGE_PROCESS_FAILED"), MediaNotFetched, id="400_no_image"),
        pytest.param(
            api_error(400, "Bad Request: photo has unsupported extension. Use one of .jpg"),
            MediaNotFetched,
            id="400_no_photo",
        ),
        pytest.param(
            api_error(400, "Bad Request: wrong file identifier/HTTP URL specified"), MediaNotFetched, id="400_media_url"
        ),
        pytest.param(api_error(400, "Bad Request: WEBPAGE_CURL_FAILED"), MediaNotFetched, id="400_media_curl"),
        pytest.param(api_error(400, "Bad Request: WEBPAGE_MEDIA_EMPTY"), MediaNotFetched, id="400_media_empty"),
        pytest.param(api_error(400, "Bad Request: IMAGE_PROCESS_FAILED"), MediaNotFetched, id="400_media_image"),
        pytest.param(api_error(400, "Bad Request: PHOTO_INVALID_DIMENSIONS"), MediaNotFetched, id="400_media_size"),
        pytest.param(
            api_error(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-1009),
            ChatMigrated,
            id="400_moved",
        ),
        pytest.param(api_error(401, "Unauthorized"), BotTokenRejected, id="401"),
        pytest.param(api_error(404, "Not Found"), BotTokenRejected, id="404_token_of_a_wrong_form"),
        pytest.param(api_error(403, "Forbidden: bot was blocked by the user"), Refused, id="403_blocked"),
        pytest.param(api_error(403, "Forbidden: bot was kicked from the group chat"), Refused, id="403_kicked"),
        pytest.param(api_error(403, "Forbidden: user is deactivated"), Refused, id="403_deactivated"),
        pytest.param(api_error(413, "Request Entity Too Large"), Refused, id="413"),
        pytest.param(http_answer(413, b"<html>nginx</html>"), Refused, id="413_nginx"),
        pytest.param(api_error(409, "Conflict: terminated by other getUpdates request"), Unavailable, id="409"),
        pytest.param(api_error(429, "Too Many Requests", retry_after=3), Unavailable, id="429"),
        pytest.param(api_error(500, "Internal Server Error"), Unavailable, id="500"),
        pytest.param(http_answer(502, b"<html>nginx</html>"), Unavailable, id="502_nginx"),
        pytest.param(http_answer(504, b""), Unavailable, id="504_empty"),
        pytest.param(http_answer(302, b"", "Location: http://127.0.0.1:9/"), Unavailable, id="302"),
        pytest.param(http_answer(400, b"[]"), Unavailable, id="400_not_of_the_bot_api"),
        pytest.param(http_answer(400, {"ok": False, "parameters": "x"}), Refused, id="400_odd_parameters"),
        pytest.param(http_answer(429, {"ok": False, "parameters": [1]}), Unavailable, id="429_odd_parameters"),
        pytest.param(http_answer(200, b""), Ambiguous, id="200_empty"),
        pytest.param(http_answer(200, b'{"ok": tr'), Ambiguous, id="200_cut_json"),
        pytest.param(http_answer(200, b"\xff\xfe"), Ambiguous, id="200_not_utf8"),
        pytest.param(http_answer(200, b"[" * 100_000), Ambiguous, id="200_too_deep"),
        pytest.param(http_answer(200, {"ok": False}), Ambiguous, id="200_not_ok"),
        pytest.param(http_answer(200, {"ok": True}), Ambiguous, id="200_no_result"),
        pytest.param(http_answer(200, [1]), Ambiguous, id="200_list"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{}", Ambiguous, id="cut_in_the_body"),
        pytest.param(b"HTTP/1.1 200", Ambiguous, id="cut_in_the_head"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", Ambiguous, id="not_http"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", Ambiguous, id="bad_gzip"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n", Ambiguous, id="bad_chunk"),
    ],
)
def test_every_answer_is_mapped_to_what_the_caller_does_next(answer: bytes, kind: type[Exception]) -> None:
    complete = answer.startswith(b"HTTP/1.1") and b"Content-Length: 900" not in answer and b"\r\n\r\n" in answer
    with RawServer(answer, hangs_up=not complete) as server:
        assert type(error_of(sender(server.url, read_timeout=5))) is kind


def test_a_header_that_is_none_is_logged_without_the_bot_token(caplog: pytest.LogCaptureFixture) -> None:
    answer = ANSWER.replace(b"\r\n", b"\r\nno header\r\n", 1)
    with RawServer(answer, hangs_up=True) as server, suppress(Ambiguous):
        sender(server.url).call("sendMessage", HELLO)
    assert any(record.name == "urllib3.connection" and record.levelname == "WARNING" for record in caplog.records)


def test_a_server_that_takes_the_request_and_goes_is_ambiguous() -> None:
    with RawServer(None) as server:
        assert type(error_of(sender(server.url))) is Ambiguous
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "down"}, Unavailable),
        ({"kind": "server_error", "status": 503}, Unavailable),
        ({"kind": "rate_limit"}, Unavailable),
        ({"kind": "cut_before_accept"}, Ambiguous),
        ({"kind": "cut_after_accept"}, Ambiguous),
        ({"kind": "hang_after_accept"}, Ambiguous),
        ({"kind": "slow"}, Ambiguous),
        ({"kind": "chat_not_found"}, Refused),
        ({"kind": "forbidden"}, Refused),
        ({"kind": "unauthorized"}, BotTokenRejected),
        ({"kind": "migrate", "migrate_to_chat_id": -1009}, ChatMigrated),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else None,
)
def test_every_fault_of_the_fake_is_mapped(
    telegram: FakeTelegram, fault: dict[str, object], kind: type[Exception]
) -> None:
    telegram.set_fault(fault)
    error = error_of(sender(telegram.url, read_timeout=0.3))
    assert type(error) is kind
    if isinstance(error, ChatMigrated):
        assert error.chat_id == -1009


def test_a_photo_may_take_longer_as_telegram_fetches_it_first(telegram: FakeTelegram) -> None:
    telegram.set_fault({"kind": "slow", "seconds": 1})
    photo = {"chat_id": TWIN_CHAT_ID, "photo": "https://example.com/a.png"}
    impatient = sender(telegram.url, read_timeout=0.3)
    assert impatient.call("sendPhoto", photo)["photo"]
    assert type(error_of(impatient)) is Ambiguous


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(lambda: f"http://127.0.0.1:{closed_port()}", id="refused"),
        pytest.param(lambda: "http://nosuchhost.invalid", id="dns"),
        pytest.param(lambda: f"http://{'a' * 64}.example", id="dns_label_too_long"),
        pytest.param(lambda: "ftp://127.0.0.1", id="scheme"),
        pytest.param(lambda: "http://127.0.0.1:99999", id="port"),
    ],
)
def test_what_was_never_sent_is_transient(url: Callable[[], str]) -> None:
    assert type(error_of(sender(url()))) is Unavailable


@pytest.mark.parametrize(
    "greeting", [pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", id="answers"), pytest.param(b"", id="is_silent")]
)
def test_a_port_that_speaks_no_tls_is_transient(greeting: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with ThreadPoolExecutor() as threads:
            call = threads.submit(error_of, sender(url, connect_timeout=0.3, read_timeout=0.3))
            with listener.accept()[0] as connection:
                connection.sendall(greeting)
                assert type(call.result()) is Unavailable


def test_a_host_that_does_not_answer_a_connect_is_transient() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        with socket.create_connection(address), socket.socket() as second:
            second.setblocking(False)
            second.connect_ex(address)  # the backlog is full: nobody else gets in
            error = error_of(sender(f"http://127.0.0.1:{address[1]}", connect_timeout=0.2))
    assert type(error) is Unavailable


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        pytest.param(api_error(429, "x", retry_after=37), 37.0, id="body"),
        pytest.param(http_answer(429, {"ok": False}, "Retry-After: 41"), 41.0, id="header"),
        pytest.param(
            http_answer(429, {"ok": False, "parameters": {"retry_after": 37}}, "Retry-After: 41"), 37.0, id="both"
        ),
        pytest.param(http_answer(429, {"ok": False}), 5.0, id="neither"),
        pytest.param(http_answer(429, {"ok": False}, "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT"), 5.0, id="date"),
        pytest.param(api_error(429, "x", retry_after=-1), 5.0, id="negative"),
        pytest.param(api_error(429, "x", retry_after=0), 5.0, id="zero"),
        pytest.param(api_error(429, "x", retry_after=0.001), 1.0, id="next_to_nothing"),
        pytest.param(api_error(429, "x", retry_after=2.5), 2.5, id="fraction"),
        pytest.param(api_error(429, "x", retry_after=86_401), 86_400.0, id="more_than_a_day"),
        pytest.param(api_error(429, "x", retry_after=int("9" * 400)), 86_400.0, id="digits_400"),
        pytest.param(http_answer(429, b'{"parameters": {"retry_after": %s}}' % (b"9" * 5000)), 5.0, id="digits_5000"),
        pytest.param(http_answer(429, b'{"parameters": {"retry_after": NaN}}'), 5.0, id="nan"),
        pytest.param(http_answer(429, b'{"parameters": {"retry_after": 1e999}}'), 86_400.0, id="infinity"),
        pytest.param(api_error(429, "x", retry_after="37"), 37.0, id="text_of_digits"),
        pytest.param(api_error(429, "x", retry_after="soon"), 5.0, id="text"),
        pytest.param(api_error(429, "x", retry_after=[37]), 5.0, id="list"),
        pytest.param(api_error(429, "x", retry_after=None), 5.0, id="null"),
        pytest.param(api_error(429, "x", retry_after=True), 5.0, id="boolean"),
        pytest.param(http_answer(429, b"<html>", "Retry-After: 41"), 41.0, id="header_without_json"),
    ],
)
def test_the_wait_that_telegram_asks_for_is_told(answer: bytes, seconds: float) -> None:
    with RawServer(answer) as server:
        error = error_of(sender(server.url))
    assert isinstance(error, Unavailable)
    assert error.retry_after == seconds


ANSWER = http_answer(200, {"ok": True, "result": {"message_id": 1}})
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 100


@pytest.mark.parametrize(
    ("at_once", "dripping"),
    [
        pytest.param(b"", ANSWER, id="status"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n" * 9, id="headers"),
        pytest.param(ANSWER[:-30], ANSWER[-30:], id="body"),
        pytest.param(CHUNKED[:-200], CHUNKED[-200:], id="chunks"),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 9, id="interim_answers"),
    ],
)
def test_an_answer_has_its_time_as_a_whole_however_it_drips(at_once: bytes, dripping: bytes) -> None:
    with RawServer(at_once, dripping=dripping) as server:
        began = time.monotonic()
        error = error_of(sender(server.url, connect_timeout=0.3, read_timeout=0.5))
        assert 0.4 <= time.monotonic() - began < 1.0
    assert type(error) is Ambiguous


def test_an_answer_that_drips_and_is_there_in_time_is_read() -> None:
    with RawServer(ANSWER[:-3], dripping=ANSWER[-3:]) as server:
        assert sender(server.url, read_timeout=5).call("sendMessage", HELLO) == {"message_id": 1}


@pytest.mark.parametrize(("status", "kind"), [(200, Ambiguous), (400, Unavailable), (500, Unavailable)])
def test_an_answer_of_more_than_a_megabyte_is_not_read(status: int, kind: type[Exception]) -> None:
    with RawServer(http_answer(status, b'"' + b" " * (1 << 24) + b'"'), ANSWER) as server:
        one = sender(server.url)
        assert type(error_of(one)) is kind
        assert one.call("sendMessage", HELLO) == {"message_id": 1}


def test_other_errors_tell_no_wait() -> None:
    with RawServer(api_error(500, "Internal Server Error")) as server:
        error = error_of(sender(server.url))
    assert isinstance(error, Unavailable)
    assert error.retry_after is None


def test_all_fields_arrive_as_json() -> None:
    fields = {
        "chat_id": -100,
        "text": "Grüße \U0001f600",
        "parse_mode": "HTML",
        "disable_notification": True,
        "message_thread_id": 7,
        "link_preview_options": {"is_disabled": True},
        "reply_markup": {"inline_keyboard": [[{"text": "a", "url": "https://example.com"}]]},
    }
    with RawServer(http_answer(200, {"ok": True, "result": {"message_id": 1}})) as server:
        assert sender(server.url).call("sendMessage", fields) == {"message_id": 1}
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(f"POST /bot{TWIN_BOT_TOKEN}/sendMessage HTTP/1.1\r\n".encode())
    assert b"content-type: application/json" in head.lower()
    assert json.loads(body) == fields
    assert "Grüße".encode() in body


@pytest.mark.parametrize("kind", ["photo", "document"])
def test_media_go_as_their_url(telegram: FakeTelegram, kind: str) -> None:
    fields = {"chat_id": TWIN_CHAT_ID, kind: "https://example.com/a.png", "caption": "Look", "protect_content": True}
    sender(telegram.url).call(f"send{kind.title()}", fields)
    (sent,) = telegram.messages
    assert (sent["method"], sent["caption"], sent["protect_content"]) == (f"send{kind.title()}", "Look", True)


def test_a_file_is_uploaded_with_its_name_and_all_fields(telegram: FakeTelegram) -> None:
    keyboard = {"inline_keyboard": [[{"text": "a", "url": "https://example.com/"}]]}
    fields = {
        "chat_id": TWIN_CHAT_ID,
        "caption": "Grüße",
        "disable_notification": True,
        "message_thread_id": 7,
        "reply_markup": keyboard,
    }
    answer = sender(telegram.url).call("sendDocument", fields, ("message.txt", "Grüße".encode()))
    assert answer["document"]["file_name"] == "message.txt"
    assert answer["document"]["file_size"] == 7
    (sent,) = telegram.messages
    assert (sent["caption"], sent["disable_notification"], sent["message_thread_id"]) == ("Grüße", True, 7)
    assert sent["reply_markup"] == keyboard


def test_one_connection_carries_a_hundred_messages(telegram: FakeTelegram) -> None:
    one, before = sender(telegram.url), telegram.connections
    for number in range(100):
        one.call("sendMessage", {**HELLO, "text": f"{number}"})
    assert telegram.connections - before == 1
    assert len(telegram.messages) == 100


def test_errors_keep_the_connection(telegram: FakeTelegram) -> None:
    one, before = sender(telegram.url), telegram.connections
    for fault in ("down", "rate_limit", "forbidden", "unauthorized"):
        telegram.set_fault({"kind": fault})
        error_of(one)
    assert telegram.connections - before == 1


def test_a_connection_that_the_server_closed_meanwhile_is_replaced() -> None:
    good = http_answer(200, {"ok": True, "result": {"message_id": 1}})
    with RawServer(good) as server:
        one = sender(server.url)
        for _ in range(3):
            assert one.call("sendMessage", HELLO) == {"message_id": 1}
            server.drop_connections()
    assert len(server.requests) == 3


def test_a_request_is_never_repeated_on_its_own() -> None:
    with RawServer(None) as server:
        error_of(sender(server.url))
        assert len(server.requests) == 1


@pytest.mark.parametrize("prefix", ["", "/telegram", "/a/b"])
def test_the_path_of_the_base_url_stays_in_front(prefix: str) -> None:
    with RawServer(http_answer(200, {"ok": True, "result": {"message_id": 1}})) as server:
        sender(server.url + prefix).call("sendMessage", HELLO)
        assert server.requests[0].startswith(f"POST {prefix}/bot{TWIN_BOT_TOKEN}/sendMessage ".encode())


def test_after_a_401_the_token_is_read_once_more_and_the_fresh_one_used(telegram: FakeTelegram) -> None:
    asked: list[bool] = []

    def bot_token(fresh: bool = False) -> str:
        asked.append(fresh)
        return TWIN_BOT_TOKEN if fresh else TWIN_BOT_TOKEN[:-1] + "X"

    assert Telegram(telegram.url, bot_token).call("sendMessage", HELLO)["text"] == "Hello"
    assert asked == [False, True]


@pytest.mark.parametrize("fresh_token", [TWIN_BOT_TOKEN[:-1] + "X", TWIN_BOT_TOKEN[:-1] + "Y"])
def test_a_token_that_is_still_rejected_is_given_up(telegram: FakeTelegram, fresh_token: str) -> None:
    before = telegram.requests
    one = Telegram(telegram.url, lambda fresh=False: fresh_token if fresh else TWIN_BOT_TOKEN[:-1] + "X")
    assert type(error_of(one)) is BotTokenRejected
    assert telegram.requests - before == (1 if fresh_token.endswith("X") else 2)


def test_a_description_that_repeats_the_token_is_redacted() -> None:
    with RawServer(api_error(400, f"Bad Request: /bot{TWIN_BOT_TOKEN}/sendMessage")) as server:
        assert str(error_of(sender(server.url))) == "400 Bad Request: /bot[bot token]/sendMessage"


@pytest.mark.timeout(30)
def test_an_answer_full_of_digits_is_searched_for_the_token_once() -> None:
    """Not once from each digit, which would take hours."""
    with RawServer(api_error(400, "7" * 500_000 + f" {TWIN_BOT_TOKEN}")) as server:
        assert TWIN_BOT_TOKEN.partition(":")[2] not in str(error_of(sender(server.url)))
