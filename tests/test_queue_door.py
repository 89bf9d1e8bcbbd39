"""The SQS door: a queue's message is a message, and what cannot be sent is kept in the table."""

from __future__ import annotations

import json
import time

import pytest

from chalicelib.doors.queue import read_queue
from chalicelib.errors import TableUnavailable
from chalicelib.outbox.table import Outbox
from tests.conftest import NewRelay, in_memory_but
from tests.doors import Clock, Doors, Sources, Table, event, queue_record, texts
from tools.dev.fake_telegram import FakeTelegram

DAY = 86_400


def test_a_message_of_the_queue_is_delivered(doors: Doors, telegram: FakeTelegram, table: Table) -> None:
    assert doors.queue(*event("sqs")["Records"]).function_error is None
    assert texts(telegram.messages) == ["Hello world!"]
    assert table.statuses() == {"059f36b4-87a3-44ab-83d2-661975830a7d": "SENT"}


@pytest.mark.parametrize(
    ("body", "reason"),
    in_memory_but(
        "body_empty",
        "body_1MiB",
        "text_null",
        "text_lone_high_surrogate",
        cases=[
            pytest.param("", "text: has nothing to show", id="body_empty"),
            pytest.param(" \n\ufeff", "text: has nothing to show", id="body_blank"),
            pytest.param("[]", "text: is required", id="body_json_list"),
            pytest.param('[""]', "text: has nothing to show", id="body_list_of_nothing"),
            pytest.param("null", "text: is required", id="body_null"),
            pytest.param('""', "text: has nothing to show", id="body_json_text_empty"),
            pytest.param(json.dumps({"text": "x" * (1 << 20)}), "body: must be at most 262,144 bytes", id="body_1MiB"),
            pytest.param("x" * (256 * 1024 + 1), "body: must be at most 262,144 bytes", id="body_text_256_KiB_and_1"),
            pytest.param("{}", "text: is required", id="text_missing"),
            pytest.param('{"sender_app":"cron","parse_mode":"HTML"}', "text: is required", id="text_missing_2"),
            pytest.param('{"text":null}', "text: is required", id="text_null"),
            pytest.param('{"text":""}', "text: has nothing to show", id="text_empty"),
            pytest.param('{"text":"\\u200b\\u200d\\ufeff"}', "text: has nothing to show", id="text_zero_width_only"),
            pytest.param('{"text":"\\ud800"}', "text: has nothing to show", id="text_lone_high_surrogate"),
            pytest.param('{"text":[]}', "text: is required", id="text_list_empty"),
            pytest.param('{"text":{}}', "text: is required", id="text_dict_empty"),
            pytest.param('{"photo":"https://a@b/"}', "text: is required", id="photo_userinfo_alone"),
            pytest.param('{"text":" ","photo":"x"}', "text: is required", id="photo_no_address_text_blank"),
            pytest.param('{"text":"a","chat_id":999}', "chat_id: ", id="chat_id_not_allowed"),
            pytest.param('{"text":"a","chat_id":"@someone","x":1}', "chat_id: ", id="chat_id_username"),
            pytest.param('{"text":"a","chat_id":9223372036854775808}', "chat_id: ", id="chat_id_2e63"),
            pytest.param('{"text":"a","chat_id":true}', "chat_id: ", id="chat_id_bool"),
            pytest.param('{"text":"a","chat_id":0,"parse_mode":1}', "chat_id: ", id="chat_id_0"),
            pytest.param('{"chat_id":999}', "chat_id: ", id="chat_id_alone"),
            pytest.param('{"text":"a","chat":2137200685}', "chat: must be a string", id="chat_number"),
            pytest.param('{"text":"a","chat":""}', "chat: must be the name of a chat", id="chat_empty"),
        ],
    ),
)
def test_what_cannot_be_delivered_is_parked_as_it_came_and_the_others_go_out(
    sources: Sources, telegram: FakeTelegram, table: Table, outbox: Outbox, body: str, reason: str
) -> None:
    """Such is what has no words, is too large, or names a chat that cannot be meant."""
    sources.queue(queue_record(body, "bad"), queue_record('{"text": "good"}', "good"))
    assert texts(telegram.messages) == ["good"]
    assert table.statuses() == {"bad": "FAILED", "good": "SENT"}
    row = table.row("bad")
    assert row["LastError"].startswith(reason)
    assert float(row["ExpirationTs"]) == pytest.approx(time.time() + 30 * DAY, abs=60)
    assert [parked.body for parked in outbox.scan("FAILED")] == [body[: 256 * 1024]]


UNKNOWN = "A message in a form that Botte does not know"


@pytest.mark.parametrize(
    ("body", "shown"),
    in_memory_but(
        "body_text",
        "body_dup_keys",
        "text_int",
        "body_sns_envelope",
        cases=[
            pytest.param("disk almost full on db1", "disk almost full on db1", id="body_text"),
            pytest.param("<b>a</b> & *b*\n", "<b>a</b> & *b*", id="body_text_with_markup"),
            pytest.param("\ufeffdisk full", "disk full", id="body_text_bom"),
            pytest.param("\x1b[31mERROR\x1b[0m disk\r\nfull", "ERROR disk\nfull", id="body_text_colours"),
            pytest.param("caf\ud800", "caf\ufffd", id="body_text_surrogate"),
            pytest.param('"quoted \\u00e9"', "quoted é", id="body_json_text"),
            pytest.param("5", "5", id="body_int"),
            pytest.param(" 1.10\n", "1.10", id="body_version"),
            pytest.param("1e3", "1e3", id="body_exponent"),
            pytest.param("9" * 400, "9" * 400, id="body_long_int"),
            pytest.param("false", "false", id="body_false"),
            pytest.param('["a", 5, null]', "a\n5\nnull", id="body_list"),
            pytest.param("[[[]]]", "[]", id="body_nested_lists"),
            pytest.param('{"text":"a","text":"b"}', '{"text":"a","text":"b"}', id="body_dup_keys"),
            pytest.param('{"text":NaN}', '{"text":NaN}', id="body_NaN"),
            pytest.param('{"text":1e999}', '{"text":1e999}', id="body_1e999"),
            pytest.param('{"text":"a"', '{"text":"a"', id="body_cut"),
            pytest.param("{'text': 'a'}", "{'text': 'a'}", id="body_single_quotes"),
            pytest.param('{"text":"a\nb"}', '{"text":"a\nb"}', id="body_raw_line_break"),
            pytest.param("[" * 300 + "]" * 300, "[" * 300 + "]" * 300, id="body_deep"),
            pytest.param('\ufeff{"text": "hi"}', "hi", id="body_bom"),
            pytest.param('{"text":5}', "5", id="text_int"),
            pytest.param('{"text":-1.5}', "-1.5", id="text_float"),
            pytest.param('{"text":0}', "0", id="text_zero"),
            pytest.param('{"text":true}', "true", id="text_true"),
            pytest.param('{"text":["a"]}', "a", id="text_list"),
            pytest.param('{"text":{"a":1}}', "a: 1", id="text_dict"),
            pytest.param('{"text":"\\uffff\\ufdd0"}', "\ufffd\ufffd", id="text_noncharacter"),
            pytest.param('{"text":"a","x":1,"chat":null}', "a", id="unknown_field"),
            pytest.param('{"text":"","x":"b"}', "text: \nx: b", id="unknown_field_and_no_text"),
            pytest.param('{"message":"Backup <done>"}', "message: Backup <done>", id="nobodys_object"),
            pytest.param(
                '{"a":{"b":[1,2]},"c":"d","e":null}', f"{UNKNOWN}\na.b[0]: 1\na.b[1]: 2\nc: d\ne: null", id="nested"
            ),
            pytest.param('{"<b>":"<i>"}', "<b>: <i>", id="keys_with_markup"),
            pytest.param('{"text":"<b></b>","parse_mode":"HTML"}', "<b></b>", id="markup_around_nothing"),
            pytest.param('{"text":"**","parse_mode":"MarkdownV2"}', "**", id="markup_alone"),
            pytest.param(
                '{"Type":"Notification","MessageId":"1","TopicArn":"arn","Message":"{\\"text\\":\\"hi from sns\\"}"}',
                "hi from sns",
                id="body_sns_envelope",
            ),
        ],
    ),
)
def test_whatever_has_words_is_delivered(
    sources: Sources, telegram: FakeTelegram, table: Table, body: str, shown: str
) -> None:
    """Text is the text, JSON that is no message is shown as it is, and nothing in it becomes markup."""
    sources.queue(queue_record(body, "m1"))
    assert texts(telegram.messages) == [shown]
    assert table.statuses() == {"m1": "SENT"}


@pytest.mark.outbox("memory")
@pytest.mark.parametrize(
    "body",
    [
        pytest.param("[" * 100_000, id="body_deep_and_cut"),
        pytest.param("[" + ",".join(["0"] * 130_000) + "]", id="list_of_256_KiB"),
        pytest.param(json.dumps({"k" * 1000: list(range(20_000))}), id="long_name_that_many_share"),
        pytest.param("line\n" * 52_000, id="text_of_256_KiB"),
        pytest.param(json.dumps({"text": "😀" * 40_000}, ensure_ascii=False), id="emoji"),
    ],
)
def test_what_is_long_is_delivered_as_a_file(sources: Sources, telegram: FakeTelegram, table: Table, body: str) -> None:
    """Its first lines are the caption."""
    sources.queue(queue_record(body, "m1"))
    assert [sent["method"] for sent in telegram.messages] == ["sendDocument"]
    assert table.statuses() == {"m1": "SENT"}


def test_a_bad_message_in_the_middle_of_a_batch_holds_up_nobody(
    doors: Doors, telegram: FakeTelegram, table: Table
) -> None:
    bodies = {"m1": '{"text": "before"}', "m2": '{"text": null}', "m3": '{"text": "after"}'}
    answer = doors.queue(*[queue_record(body, name) for name, body in bodies.items()])
    assert answer.function_error is None
    assert texts(telegram.messages) == ["before", "after"]
    assert table.statuses() == {"m1": "SENT", "m2": "FAILED", "m3": "SENT"}


def test_an_unknown_chat_is_parked_with_the_known_ones(doors: Doors, telegram: FakeTelegram, table: Table) -> None:
    doors.queue(queue_record('{"text":"a","chat":"nobody"}', "m1"))
    assert table.row("m1")["LastError"] == "unknown chat 'nobody'; the chats are default, ops"
    assert telegram.messages == []


@pytest.mark.parametrize("character", ["x", "é", "\U0001f600", "\ud800", "\x00"])
def test_a_large_body_is_parked_as_far_as_a_row_holds_it(
    doors: Doors, table: Table, outbox: Outbox, character: str
) -> None:
    body = character * 300_000
    assert doors.queue(queue_record(body, "m1")).function_error is None
    (parked,) = outbox.scan("FAILED")
    assert parked.body is not None
    came = body.encode("utf-8", "replace").decode()
    assert came.startswith(parked.body)
    assert len(parked.body.encode()) > min(256_000, len(came.encode()) - 1)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        pytest.param('{"text":"\\u0001\\u0007\\u001b[31m"}', "[31m", id="text_c0_controls"),
        pytest.param('{"text":"\\u202egnp.exe"}', "gnp.exe", id="text_rtl_override"),
        pytest.param(json.dumps({"text": "a" + "\u0301" * 2000}), "a" + "\u0301" * 2000, id="text_zalgo"),
        pytest.param('{"text":"a\\uffff\\ufdd0"}', "a\ufffd\ufffd", id="text_noncharacter"),
        pytest.param('{"text":"a\\r\\nX-Evil: 1"}', "a\nX-Evil: 1", id="text_crlf_header"),
        pytest.param('{"text":"a.b!","parse_mode":"MarkdownV2"}', "a.b!", id="text_mdv2_unescaped"),
        pytest.param(json.dumps({"text": "x" * 4096}), "x" * 4096, id="text_4096"),
    ],
)
def test_any_visible_text_is_delivered_clean(doors: Doors, telegram: FakeTelegram, body: str, shown: str) -> None:
    assert doors.queue(queue_record(body, "m1")).function_error is None
    assert texts(telegram.messages) == [shown]


def test_a_sender_cannot_write_lines_into_the_log(
    doors: Doors, telegram: FakeTelegram, table: Table, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "botte")
    doors.queue(queue_record('{"text":"a","sender_app":"a\\nERROR fake"}', "m1"))
    assert texts(telegram.messages) == ["a"]
    senders = [record.sender_app for record in caplog.records if hasattr(record, "sender_app")]
    assert senders == ["a ERROR fake"]
    assert "a ERROR fake" in table.row("m1")["Message"]


def test_the_same_message_twice_in_a_batch_is_delivered_once(doors: Doors, telegram: FakeTelegram) -> None:
    record = queue_record('{"text":"Hello"}', "m1")
    doors.queue(record, record)
    doors.queue(record)
    assert texts(telegram.messages) == ["Hello"]


def test_the_same_id_twice_is_delivered_once(doors: Doors, telegram: FakeTelegram, table: Table) -> None:
    for number in range(2):
        doors.queue(queue_record('{"text":"Hello","id":"k1"}', f"m{number}"))
    assert texts(telegram.messages) == ["Hello"]
    assert table.statuses() == {"k1": "SENT"}


def test_an_id_with_another_body_is_parked(doors: Doors, telegram: FakeTelegram, table: Table) -> None:
    doors.queue(queue_record('{"text":"Hello","id":"k1"}', "m1"), queue_record('{"text":"Other","id":"k1"}', "m2"))
    assert texts(telegram.messages) == ["Hello"]
    assert table.statuses() == {"k1": "SENT", "m2": "FAILED"}
    assert json.loads(table.row("m2")["Message"]) == {"text": "Other", "id": "k1"}
    assert table.row("m2")["LastError"].startswith("id: ")


@pytest.mark.parametrize("text", ["Hello", "Another body"])
def test_an_id_is_free_again_14_days_after_the_delivery(
    doors: Doors, telegram: FakeTelegram, new_relay: NewRelay, clock: Clock, text: str
) -> None:
    doors.queue(queue_record('{"text":"Hello","id":"k1"}', "m1"))
    telegram.clear()
    clock.now += 14 * DAY + 60
    later = [queue_record(json.dumps({"text": text, "id": "k1"}), "m2")]
    new_relay().take(read_queue(later), deadline=clock() + 60)
    assert texts(telegram.messages) == [text]


def test_a_batch_of_ten_goes_out(doors: Doors, telegram: FakeTelegram, table: Table) -> None:
    records = [queue_record(json.dumps({"text": f"{number}"}), f"m{number}") for number in range(10)]
    assert doors.queue(*records).function_error is None
    assert texts(telegram.messages) == [f"{number}" for number in range(10)]
    assert set(table.statuses().values()) == {"SENT"}


def test_while_telegram_is_down_the_batch_is_kept_and_acknowledged(
    doors: Doors, telegram: FakeTelegram, table: Table, new_relay: NewRelay, clock: Clock
) -> None:
    telegram.set_fault({"kind": "down"})
    records = [queue_record(json.dumps({"text": f"{number}"}), f"m{number}") for number in range(3)]
    assert doors.queue(*records).function_error is None
    assert set(table.statuses().values()) == {"PENDING"}
    telegram.set_fault({"kind": "none"})
    clock.now += 3600
    new_relay().redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == ["0", "1", "2"]


def test_without_the_table_the_batch_is_not_acknowledged(
    new_relay: NewRelay, unreachable_outbox: Outbox, telegram: FakeTelegram, clock: Clock
) -> None:
    relay = new_relay(outbox=unreachable_outbox)
    with pytest.raises(TableUnavailable, match=r"the table .* cannot be used"):
        relay.take(read_queue([queue_record('{"text":"Hello"}', "m1")]), deadline=clock() + 60)
    assert telegram.messages == []


def test_a_message_for_later_waits_in_its_row(doors: Doors, telegram: FakeTelegram, table: Table, clock: Clock) -> None:
    doors.queue(queue_record(json.dumps({"text": "Later", "deliver_at": int(clock()) + 3600}), "m1"))
    assert table.statuses() == {"m1": "PENDING"}
    assert telegram.messages == []


def test_a_message_of_a_fair_queue_has_no_place_in_a_group(doors: Doors, telegram: FakeTelegram, table: Table) -> None:
    telegram.set_fault({"kind": "down", "count": 1})
    records = [queue_record(json.dumps({"text": name}), name, MessageGroupId="tenant") for name in ("m1", "m2")]
    doors.queue(*records)
    assert table.statuses() == {"m1": "PENDING", "m2": "SENT"}
    assert texts(telegram.messages) == ["m2"]
