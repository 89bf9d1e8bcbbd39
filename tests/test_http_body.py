"""What the HTTP door takes for a message, and what it refuses: the answer names the field, and nothing is sent."""

from __future__ import annotations

import base64
import gzip
import json

import pytest
import requests

from tests.doors import TOKEN, Doors, RelayDoors, Table, event, texts
from tools.dev.fake_telegram import FakeTelegram

LIMIT = 256 * 1024


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param("", "body", id="body_empty"),
        pytest.param(" \r\n", "body", id="body_blank"),
        pytest.param("null", "body", id="body_null"),
        pytest.param('"x"', "body", id="body_string"),
        pytest.param("5", "body", id="body_number"),
        pytest.param("[]", "body", id="body_list"),
        pytest.param('{"text":"a"}xx', "body", id="body_trailing"),
        pytest.param('{"text":"a"', "body", id="body_cut"),
        pytest.param("{'text':'a'}", "body", id="body_single_quotes"),
        pytest.param('{"text":"a","n":NaN}', "body", id="body_NaN"),
        pytest.param('{"text":NaN}', "body", id="text_float_nan"),
        pytest.param('{"text":"a","n":-Infinity}', "body", id="body_Infinity"),
        pytest.param('{"text":"a","n":1e999}', "body", id="body_1e999"),
        pytest.param('{"text":' + "9" * 5000 + "}", "body", id="body_int_5000_digits"),
        pytest.param("[" * 100_000, "body", id="body_deep_100k"),
        pytest.param('{"a":' * 50_000, "body", id="body_deep_objects"),
        pytest.param("[" * 300 + "]" * 300, "body", id="body_deep_300"),
        pytest.param(b'{"text":"\xff"}', "body", id="body_not_utf8"),
        pytest.param('{"text":"a"}'.encode("utf-16"), "body", id="body_utf16"),
        pytest.param(b'{"text":"\xed\xa0\x80"}', "body", id="body_encoded_surrogate"),
        pytest.param('{"text":"a\nb"}', "body", id="body_raw_newline_in_string"),
        pytest.param('{"text":"a","text":"b"}', "text", id="body_dup_keys"),
    ],
)
def test_a_body_that_is_not_one_json_object_is_refused(
    doors: Doors, telegram: FakeTelegram, table: Table, body: str | bytes, field: str
) -> None:
    answer = doors.post(body.encode() if isinstance(body, str) else body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"Code", "Message"}
    assert answer.json()["Code"] == "BadRequestError"
    assert answer.json()["Message"].startswith(f"{field}: ")
    assert telegram.messages == []
    assert table.items() == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        pytest.param({}, "text", id="text_missing"),
        pytest.param({"text": None}, "text", id="text_null"),
        pytest.param({"text": ""}, "text", id="text_empty"),
        pytest.param({"text": "   \n\t"}, "text", id="text_spaces"),
        pytest.param({"text": "\u200b\u200d\ufeff"}, "text", id="text_zero_width_only"),
        pytest.param({"text": 5}, "text", id="text_int"),
        pytest.param({"text": True}, "text", id="text_true"),
        pytest.param({"text": ["a"]}, "text", id="text_list"),
        pytest.param({"text": {"a": 1}}, "text", id="text_dict"),
        pytest.param({"text": "\ud800"}, "text", id="text_lone_high_surrogate"),
        pytest.param({"text": "\x01\x07\x1b"}, "text", id="text_controls_only"),
        pytest.param({"text": "a", "parse_mode": "<script>"}, "parse_mode", id="parse_mode_bogus"),
        pytest.param({"text": "a", "photo": "file:///etc/passwd"}, "photo", id="photo_file_scheme"),
        pytest.param({"text": "a", "photo": "http://127.1/"}, "photo", id="photo_localhost"),
        pytest.param({"text": "a", "photo": "https://127.1/"}, "photo", id="photo_localhost_https"),
        pytest.param({"text": "a", "photo": "https://169.254.169.254/latest/"}, "photo", id="photo_imds"),
        pytest.param({"text": "a", "photo": "https://a@b/"}, "photo", id="photo_userinfo"),
        pytest.param({"text": "a", "id": ""}, "id", id="id_empty"),
        pytest.param({"text": "a", "id": "k" * 257}, "id", id="id_257_chars"),
        pytest.param({"text": "a", "id": "a b"}, "id", id="id_with_space"),
        pytest.param({"text": "a", "chat": 999}, "chat", id="chat_number"),
        pytest.param({"text": "a", "deliver_at": "soon"}, "deliver_at", id="deliver_at_string"),
        pytest.param({"text": "a", "txet": "b"}, "txet", id="unknown_field"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(
    doors: Doors, telegram: FakeTelegram, table: Table, fields: dict[str, object], field: str
) -> None:
    answer = doors.post(fields)
    assert answer.status_code == 400
    assert answer.json()["Code"] == "BadRequestError"
    assert answer.json()["Message"].startswith(f"{field}: ")
    assert telegram.messages == []
    assert table.items() == []


@pytest.mark.parametrize(
    "chat_id",
    [
        pytest.param(999, id="chat_id_not_allowed"),
        pytest.param("@someone", id="chat_id_username"),
        pytest.param(9223372036854775808, id="chat_id_2e63"),
        pytest.param(2137200685, id="chat_id_of_the_default_chat"),
    ],
)
def test_a_raw_chat_id_is_forbidden(doors: Doors, telegram: FakeTelegram, chat_id: object) -> None:
    answer = doors.post({"text": "a", "chat_id": chat_id})
    assert answer.status_code == 403
    assert answer.json()["Code"] == "ForbiddenError"
    assert answer.json()["Message"].startswith("chat_id: ")
    assert telegram.messages == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("x" * 4096, "x" * 4096, id="text_4096"),
        pytest.param("a\x00b", "ab", id="text_nul"),
        pytest.param("\x01\x07\x1b[31m", "[31m", id="text_c0_controls"),
        pytest.param("a\ud800b", "a\ufffdb", id="text_surrogate_among_others"),
        pytest.param("\uffff\ufdd0", "\ufffd\ufffd", id="text_noncharacter"),
        pytest.param("\x1b[31mERROR\x1b[0m disk \x1b[1mfull", "ERROR disk full", id="text_colours"),
        pytest.param("10%\r20%\x0c30%", "10%\n20%\n30%", id="text_line_breaks_of_all_kinds"),
        pytest.param("\ufeffGrüße", "Grüße", id="text_bom"),
        pytest.param("a" + "\u0301" * 2000, "a" + "\u0301" * 2000, id="text_zalgo"),
        pytest.param("\u202egnp.exe", "gnp.exe", id="text_rtl_override"),  # Telegram drops the override
        pytest.param("a\r\nX-Evil: 1", "a\nX-Evil: 1", id="text_crlf_header"),
        pytest.param("Grüße 😀", "Grüße 😀", id="text_emoji"),
    ],
)
def test_any_visible_text_is_delivered_clean(doors: Doors, telegram: FakeTelegram, text: str, shown: str) -> None:
    answer = doors.post({"text": text})
    assert answer.status_code == 200
    assert "X-Evil" not in answer.headers
    assert texts(telegram.messages) == [shown]


def test_a_text_in_ten_parts_arrives_whole(doors: Doors, telegram: FakeTelegram) -> None:
    text = "".join(f"{number:07d} " for number in range(4096)).strip() + "!"
    assert len(text) == 32_768
    assert doors.post({"text": text}).status_code == 200
    assert " ".join(texts(telegram.messages)) == text


@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
def test_a_text_that_takes_more_parts_is_a_file_with_all_of_it(
    doors: Doors, telegram: FakeTelegram, content_type: str
) -> None:
    """The first lines are its caption."""
    text = "\n".join(map(str, range(1, 38_000)))
    assert 200_000 < len(text) < LIMIT - 38_000  # as JSON, too
    body = text if content_type == "text/plain" else json.dumps({"text": text})
    assert doors.post(body, Content_Type=content_type).status_code == 200
    (sent,) = telegram.messages
    assert (sent["method"], sent["file_name"], sent["file_text"]) == ("sendDocument", "message.txt", text)
    assert sent["text"].startswith("1\n2\n3\n")


@pytest.mark.parametrize("text", ["x" * LIMIT, "é" * (LIMIT // 2)])
def test_a_plain_text_may_fill_the_body(doors: Doors, telegram: FakeTelegram, text: str) -> None:
    """The limit of a text is that of a body."""
    assert doors.post(text.encode(), Content_Type="text/plain").status_code == 200
    assert telegram.messages[0]["file_text"] == text


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", "\ufeff" + '{"text": "hi"}'),
        ("application/x-www-form-urlencoded", "\ufeff" + '{"text": "hi"}'),
        ("application/x-www-form-urlencoded", '\r\n {"text": "hi"}'),
        ("text/plain", "\ufeffhi"),
    ],
)
def test_a_byte_order_mark_says_nothing(doors: Doors, telegram: FakeTelegram, content_type: str, body: str) -> None:
    """Windows writes it before JSON and before text."""
    assert doors.post(body.encode(), Content_Type=content_type).status_code == 200
    assert texts(telegram.messages) == ["hi"]


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON; charset=utf-8", "application/x-www-form-urlencoded", None],
)
def test_json_is_taken_whatever_curl_calls_it(doors: Doors, telegram: FakeTelegram, content_type: str | None) -> None:
    headers = {"Authorization": TOKEN} | ({"Content-Type": content_type} if content_type else {})
    answer = requests.post(f"{doors.url}/message", data=b'{"text": "Hello"}', headers=headers, timeout=30)
    assert answer.status_code == 200
    assert texts(telegram.messages) == ["Hello"]


@pytest.mark.parametrize("content_type", ["application/xml", "image/png", "text/html", "json"])
def test_any_other_content_type_is_refused(doors: Doors, telegram: FakeTelegram, content_type: str) -> None:
    answer = doors.post({"text": "Hello"}, Content_Type=content_type)
    assert answer.status_code == 415
    assert set(answer.json()) == {"Code", "Message"}
    assert telegram.messages == []


@pytest.mark.parametrize("content_type", ["text/plain", "text/plain; charset=utf-8", "Text/Plain"])
def test_a_plain_text_body_is_the_text_itself(doors: Doors, telegram: FakeTelegram, content_type: str) -> None:
    report = "Filesystem  Size  Used\n/dev/sda1    20G   19G\n"
    assert doors.post(report.encode(), Content_Type=content_type).status_code == 200
    assert texts(telegram.messages) == [report.strip()]


def test_a_plain_text_body_that_looks_like_json_is_sent_as_it_is(doors: Doors, telegram: FakeTelegram) -> None:
    assert doors.post('{"text": "Hello"}', Content_Type="text/plain").status_code == 200
    assert texts(telegram.messages) == ['{"text": "Hello"}']


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        pytest.param("text/plain; charset=iso-8859-1", b"caf\xe9", "café", id="latin_1"),
        pytest.param('text/plain; charset="windows-1252"', b"5 \x80", "5 €", id="windows_quoted"),
        pytest.param("text/plain;charset=UTF-8;format=flowed", "café".encode(), "café", id="utf_8_and_more"),
        pytest.param("text/plain; charset=utf-16", "café".encode("utf-16"), "café", id="utf_16"),
        pytest.param("text/plain; Charset=Shift_JIS", "障害".encode("shift_jis"), "障害", id="shift_jis"),
    ],
)
def test_a_plain_text_is_in_the_charset_that_its_type_names(
    doors: Doors, telegram: FakeTelegram, content_type: str, body: bytes, text: str
) -> None:
    """API Gateway hands such a body over in base64, and Chalice's local server as it came."""
    assert doors.post(body, Content_Type=content_type).status_code == 200
    headers = {"Authorization": TOKEN, "Content-Type": content_type}
    content = base64.b64encode(body).decode()
    answer = doors.rest({**event("apigateway_post"), "headers": headers, "body": content, "isBase64Encoded": True})
    assert answer["statusCode"] == 200
    assert texts(telegram.messages) == [text, text]


@pytest.mark.parametrize(
    ("content_type", "body", "error"),
    [
        pytest.param(
            "text/plain", b"caf\xe9", "body: is not UTF-8; Content-Type may name its charset", id="no_charset"
        ),
        pytest.param("text/plain; charset=klingon", b"a", "Content-Type: charset 'klingon' is not known", id="unknown"),
        pytest.param("text/plain; charset=hex", b"61", "Content-Type: charset 'hex' is not known", id="no_charset_2"),
        pytest.param(
            "text/plain; charset=utf-16", b"abc", "body: is not UTF-16; Content-Type may name its charset", id="cut"
        ),
    ],
)
def test_a_plain_text_in_no_charset_is_refused(doors: Doors, content_type: str, body: bytes, error: str) -> None:
    """Its sender is told what to do about it."""
    answer = doors.post(body, Content_Type=content_type)
    assert answer.status_code == 400
    assert answer.json()["Message"] == error


@pytest.mark.parametrize(
    ("body", "field"),
    [(b"", "text"), (b" \n", "text"), (b"\xef\xbb\xbf", "text"), (b'"' * 190_000, "body")],
)
def test_a_plain_text_body_is_checked_as_any_text(doors: Doors, body: bytes, field: str) -> None:
    answer = doors.post(body, Content_Type="text/plain")
    assert answer.status_code == 400
    assert answer.json()["Message"].startswith(f"{field}: ")


def test_a_compressed_body_is_refused(doors: Doors, telegram: FakeTelegram) -> None:
    answer = doors.post(gzip.compress(b'{"text": "Hello"}'), Content_Encoding="gzip")
    assert answer.status_code == 415
    assert answer.json()["Code"] == "UnsupportedMediaType"
    assert answer.json()["Message"].startswith("Content-Encoding: ")
    assert doors.post({"text": "Hello"}, Content_Encoding="identity").status_code == 200
    assert texts(telegram.messages) == ["Hello"]


def test_a_body_of_256_kib_is_taken(doors: Doors, telegram: FakeTelegram) -> None:
    body = '{"text": "Hello"}'
    assert doors.post(body + " " * (LIMIT - len(body))).status_code == 200
    assert texts(telegram.messages) == ["Hello"]


@pytest.mark.outbox("memory")
@pytest.mark.parametrize(
    ("content_type", "body", "words"),
    [
        pytest.param(
            "application/x-www-form-urlencoded",
            "Filesystem 1K-blocks Used\n/dev/vda 100 42\n",
            ["is not JSON", 'JSON such as {"text": "..."}', "a form with text=...", "Content-Type: text/plain"],
            id="df_through_curl",
        ),
        pytest.param(
            "application/x-www-form-urlencoded",
            "message=hello&chat=ops",
            ["a form with text=..."],
            id="form_of_another_tool",
        ),
        pytest.param(
            "application/json",
            '{"text": "a\nb"}',
            ["a line break or a control character in a string, at character 11; write a line break as \\n"],
            id="line_break_in_json",
        ),
        pytest.param(
            "application/json",
            '{"Type": "Notification", "MessageId": "m-1", "Message": "hi"}',
            ["Type: unknown field", "This looks like a body of sns; such go to POST /hook/<name>"],
            id="sns_envelope",
        ),
        pytest.param("application/json", "", ["is empty"], id="empty"),
        pytest.param("application/json", '{"txet": "a"}', ["txet: unknown field; the fields are text,"], id="slip"),
    ],
)
def test_an_error_says_what_to_send_instead(
    relay_doors: RelayDoors, content_type: str, body: str, words: list[str]
) -> None:
    """In words for somebody who does not program Python."""
    answer = relay_doors.post(body, Content_Type=content_type)
    assert answer.status_code == 400
    assert isinstance(answer.body, dict)
    for each in words:
        assert answer.body["Message"].count(each) == 1
    assert "Expecting" not in answer.body["Message"] or content_type != "application/json"
    assert " at at " not in answer.body["Message"]


@pytest.mark.parametrize("size", [pytest.param(LIMIT + 1, id="256KiB_and_1"), pytest.param(10 << 20, id="body_10MB")])
@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"],
)
def test_a_larger_body_is_refused(doors: Doors, telegram: FakeTelegram, size: int, content_type: str) -> None:
    body = json.dumps({"text": "Hello"}).encode()
    answer = doors.post(body + b" " * (size - len(body)), Content_Type=content_type)
    assert answer.status_code == 413
    assert answer.json() == {"Code": "PayloadTooLargeError", "Message": "body: at most 262,144 bytes are taken"}
    assert telegram.messages == []


def test_an_error_does_not_repeat_control_characters_of_a_field_name(doors: Doors) -> None:
    answer = doors.post({"text": "a", "x\n\x1b[31mERROR": 1})
    assert answer.status_code == 400
    assert answer.json()["Message"].startswith("x??[31mERROR: unknown field")
