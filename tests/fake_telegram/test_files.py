"""sendPhoto and sendDocument: by URL, by upload, by file_id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram

Post = Callable[..., requests.Response]
NO_IDENTIFIER = "Bad Request: wrong remote file identifier specified"
NO_URL = "Bad Request: invalid file HTTP URL specified"
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 16


@pytest.fixture
def upload(fake: FakeTelegram, http: requests.Session) -> Post:
    def post(method: str, files: dict[str, Any], **fields: str) -> requests.Response:
        url = f"{fake.url}/bot{TWIN_BOT_TOKEN}/{method}"
        return http.post(url, data={"chat_id": str(TWIN_CHAT_ID), **fields}, files=files, timeout=5)

    return post


def test_a_photo_by_url_arrives_with_its_caption(call: Post, fake: FakeTelegram) -> None:
    url = "https://example.com/cat.png"
    answer = call("sendPhoto", chat_id=TWIN_CHAT_ID, photo=url, caption="*cat*", parse_mode="MarkdownV2")
    message = answer.json()["result"]
    assert message["caption"] == "cat"
    assert message["caption_entities"] == [{"type": "bold", "offset": 0, "length": 3}]
    assert message["photo"][0]["file_id"]
    assert "text" not in message
    entry = fake.messages[0]
    assert (entry["method"], entry["photo"], entry["text"], entry["caption"]) == ("sendPhoto", url, "cat", "cat")


def test_a_document_by_url_is_named_after_it(call: Post, fake: FakeTelegram) -> None:
    url = "https://example.com/reports/q3%20report.pdf?x=1"
    message = call("sendDocument", chat_id=TWIN_CHAT_ID, document=url).json()["result"]
    assert message["document"]["file_name"] == "q3 report.pdf"
    assert message["document"]["mime_type"] == "application/pdf"
    assert "caption" not in message
    assert fake.messages[0]["document"] == url


def test_an_uploaded_text_can_be_read_in_the_inbox(upload: Post, fake: FakeTelegram) -> None:
    content = "línea 1\r\nline 2\n".encode()
    answer = upload("sendDocument", {"document": ("größe.txt", content, "text/plain")}, caption="all parts")
    message = answer.json()["result"]
    assert message["document"]["file_name"] == "größe.txt"
    assert message["document"]["mime_type"] == "text/plain"
    assert message["document"]["file_size"] == len(content)
    entry = fake.messages[0]
    assert (entry["file_name"], entry["file_text"]) == ("größe.txt", "línea 1\r\nline 2\n")
    assert entry["file_size"] == len(content)


def test_an_upload_of_256_kib_arrives_whole(upload: Post, fake: FakeTelegram) -> None:
    text = ("línea\r\n--x--\r\n\r\n" * 20_000)[: 256 * 1024]
    answer = upload("sendDocument", {"document": ("message.txt", text.encode(), "text/plain")})
    assert answer.json()["result"]["document"]["file_size"] == len(text.encode())
    assert fake.messages[0]["file_text"] == text


def test_bytes_that_are_no_text_are_kept_out_of_the_inbox(upload: Post, fake: FakeTelegram) -> None:
    upload("sendPhoto", {"photo": ("a.png", PNG, "image/png")})
    assert fake.messages[0]["file_text"] is None
    assert fake.messages[0]["file_size"] == len(PNG)


def test_an_upload_can_be_attached_under_another_name(upload: Post, fake: FakeTelegram) -> None:
    answer = upload("sendDocument", {"part": ("a.txt", b"words")}, document="attach://part")
    assert answer.status_code == 200
    assert fake.messages[0]["file_text"] == "words"


def test_a_file_can_be_sent_again_by_its_id(upload: Post, call: Post, fake: FakeTelegram) -> None:
    first = upload("sendDocument", {"document": ("a.txt", b"words")}).json()["result"]["document"]
    again = call("sendDocument", chat_id=TWIN_CHAT_ID, document=first["file_id"]).json()["result"]["document"]
    assert again == first
    assert fake.messages[1]["file_text"] == "words"


@pytest.mark.parametrize(
    ("method", "parameters", "description"),
    [
        ("sendPhoto", {}, "Bad Request: there is no photo in the request"),
        ("sendDocument", {}, "Bad Request: there is no document in the request"),
        ("sendPhoto", {"photo": "no-such-file"}, f"{NO_IDENTIFIER}: can't unserialize it. Wrong last symbol"),
        ("sendPhoto", {"photo": "https://grafana/render"}, f"{NO_IDENTIFIER}: Wrong character in the string"),
        ("sendPhoto", {"photo": "https://grafana/a"}, f"{NO_IDENTIFIER}: Wrong string length"),
        ("sendPhoto", {"photo": "https://localhost/a.png"}, "Bad Request: wrong HTTP URL specified"),
        (
            "sendPhoto",
            {"photo": "https://example.com:99999/a.png"},
            f"{NO_URL}: Wrong port number specified in the URL",
        ),
        ("sendDocument", {"document": "https:///a.pdf"}, f"{NO_URL}: URL host is empty"),
        ("sendDocument", {"document": "file:///etc/a.pdf"}, f"{NO_URL}: Unsupported URL protocol"),
        ("sendDocument", {"document": "attach://nothing"}, "Bad Request: there is no document in the request"),
        (
            "sendPhoto",
            {"photo": "https://example.com/a.png", "caption": "x" * 1025},
            "Bad Request: message caption is too long",
        ),
    ],
)
def test_a_file_that_cannot_be_had_is_refused(
    call: Post, method: str, parameters: dict[str, Any], description: str
) -> None:
    answer = call(method, chat_id=TWIN_CHAT_ID, **parameters)
    assert (answer.status_code, answer.json()["description"]) == (400, description)


def test_a_caption_may_have_1024_utf16_units(call: Post) -> None:
    answer = call("sendPhoto", chat_id=TWIN_CHAT_ID, photo="https://example.com/a.png", caption="😀" * 512)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "files", "status", "description"),
    [
        ("sendDocument", {"document": ("a.txt", b"")}, 400, "Bad Request: file must be non-empty"),
        ("sendPhoto", {"photo": ("a.png", b"words")}, 400, "Bad Request: IMAGE_PROCESS_FAILED"),
        ("sendPhoto", {"photo": ("a.png", PNG + b"\0" * 10_485_760)}, 413, "Request Entity Too Large"),
    ],
)
def test_an_upload_must_be_a_file_of_its_kind(
    upload: Post, method: str, files: dict[str, Any], status: int, description: str
) -> None:
    answer = upload(method, files)
    assert (answer.status_code, answer.json()["description"]) == (status, description)


@pytest.mark.parametrize(
    ("content_type", "body", "description"),
    [
        ("multipart/form-data", b"--x--\r\n", "Bad Request: boundary not found"),
        ("multipart/form-data; boundary=x", b"--x\r\n", "Bad Request: field name in multipart/form-data not found"),
        ("multipart/form-data; boundary=x", b"", "Bad Request: unexpected end of request content"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n\xff\r\n--x--\r\n',
            "Bad Request: strings must be encoded in UTF-8",
        ),
    ],
)
def test_a_broken_multipart_body_is_refused(
    fake: FakeTelegram, http: requests.Session, content_type: str, body: bytes, description: str
) -> None:
    url = f"{fake.url}/bot{TWIN_BOT_TOKEN}/sendMessage"
    answer = http.post(url, data=body, headers={"Content-Type": content_type}, timeout=5)
    assert (answer.status_code, answer.json()["description"]) == (400, description)


def test_a_body_over_the_limit_is_refused_unread(fake: FakeTelegram, http: requests.Session) -> None:
    request = requests.Request("POST", f"{fake.url}/bot{TWIN_BOT_TOKEN}/sendDocument", data=b"").prepare()
    request.headers["Content-Length"] = str(60 * 1024 * 1024)
    answer = http.send(request, timeout=5)
    assert (answer.status_code, answer.headers["Connection"]) == (413, "close")
