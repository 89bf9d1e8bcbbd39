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
        "text_int",
        "text_lone_high_surrogate",
        cases=[
            pytest.param("", "body: is empty", id="body_empty"),
            pytest.param("[]", "body: must be a JSON object, not a list", id="body_json_list"),
            pytest.param("null", "body: must be a JSON object, not null", id="body_null"),
            pytest.param("hello", "body: is not JSON", id="body_text"),
            pytest.param('{"text":"a","text":"b"}', "text: is given twice", id="body_dup_keys"),
            pytest.param('{"text":NaN}', "body: is not JSON", id="body_NaN"),
            pytest.param("[" * 100_000, "body: is nested too deeply", id="body_deep"),
            pytest.param(json.dumps({"text": "x" * (1 << 20)}), "body: must be at most 262,144 bytes", id="body_1MiB"),
            pytest.param(
                '{"Type":"Notification","MessageId":"1","TopicArn":"arn","Message":"{\\"text\\":\\"a\\"}"}',
                "text: is required",
                id="body_sns_envelope",
            ),
            pytest.param(
                '{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}', "text: is required", id="body_s3_event"
            ),
            pytest.param("{}", "text: is required", id="text_missing"),
            pytest.param('{"text":null}', "text: must not be null", id="text_null"),
            pytest.param('{"text":""}', "text: has nothing to show", id="text_empty"),
            pytest.param('{"text":"\\u200b\\u200d\\ufeff"}', "text: has nothing to show", id="text_zero_width_only"),
            pytest.param('{"text":5}', "text: must be a string, not a number", id="text_int"),
            pytest.param('{"text":true}', "text: must be a string, not a boolean", id="text_true"),
            pytest.param('{"text":["a"]}', "text: must be a string, not a list", id="text_list"),
            pytest.param('{"text":"\\ud800"}', "text: has nothing to show", id="text_lone_high_surrogate"),
            pytest.param('{"text":"a","chat_id":999}', "chat_id: ", id="chat_id_not_allowed"),
            pytest.param('{"text":"a","chat_id":9223372036854775808}', "chat_id: ", id="chat_id_2e63"),
            pytest.param('{"text":"a","chat_id":true}', "chat_id: ", id="chat_id_bool"),
            pytest.param('{"photo":"file:///etc/passwd"}', "photo: ", id="photo_file_scheme"),
            pytest.param('{"photo":"http://169.254.169.254/latest/"}', "photo: ", id="photo_imds"),
            pytest.param('{"photo":"https://a@b/"}', "photo: ", id="photo_userinfo"),
            pytest.param(json.dumps({"photo": "https://h/" + "a" * 8192}), "photo: ", id="photo_8KB_url"),
            pytest.param(json.dumps({"text": "a", "sender_app": "s" * 10_240}), "sender_app: ", id="sender_app_10KB"),
            pytest.param('{"text":"a","id":""}', "id: ", id="id_empty"),
        ],
    ),
)
def test_a_bad_message_is_parked_as_it_came_and_the_others_go_out(
    sources: Sources, telegram: FakeTelegram, table: Table, outbox: Outbox, body: str, reason: str
) -> None:
    sources.queue(queue_record(body, "bad"), queue_record('{"text": "good"}', "good"))
    assert texts(telegram.messages) == ["good"]
    assert table.statuses() == {"bad": "FAILED", "good": "SENT"}
    row = table.row("bad")
    assert row["LastError"].startswith(reason)
    assert float(row["ExpirationTs"]) == pytest.approx(time.time() + 30 * DAY, abs=60)
    assert [parked.body for parked in outbox.scan("FAILED")] == [body[: 256 * 1024]]


def test_a_bad_message_in_the_middle_of_a_batch_holds_up_nobody(
    doors: Doors, telegram: FakeTelegram, table: Table
) -> None:
    bodies = {"m1": '{"text": "before"}', "m2": "poison", "m3": '{"text": "after"}'}
    answer = doors.queue(*[queue_record(body, name) for name, body in bodies.items()])
    assert answer.function_error is None
    assert texts(telegram.messages) == ["before", "after"]
    assert table.statuses() == {"m1": "SENT", "m2": "FAILED", "m3": "SENT"}


def test_an_unknown_chat_is_parked_with_the_known_ones(doors: Doors, telegram: FakeTelegram, table: Table) -> None:
    doors.queue(queue_record('{"text":"a","chat":"nobody"}', "m1"))
    assert table.row("m1")["LastError"] == "unknown chat; the chats are default, ops"
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
        pytest.param('{"text":"a","x":1}', "a", id="unknown_field"),
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
