"""The DynamoDB door: an item that is put into the table is a message, and its row tells what became of it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from chalicelib.doors.stream import Tasks
from chalicelib.errors import TableUnavailable
from chalicelib.outbox.table import Outbox
from chalicelib.relay import Relay
from tests.conftest import NewRelay, in_memory_but
from tests.doors import Clock, Doors, Sources, Table, event, item, stream_record, texts
from tools.dev.fake_telegram import FakeTelegram

DAY = 86_400


def record(payload: dict[str, Any], sort_key: str = "s1", **more: Any) -> dict[str, Any]:
    """The stream's record of an item that was put, as the DynamoDB client puts it."""
    return stream_record(item(payload, sort_key=sort_key, partition_key=f"BOTTE_MESSAGE#{sort_key}", **more))


def put(tasks_table: Table, image: dict[str, Any]) -> dict[str, Any]:
    """Puts an item as a writer does, and gives the stream's record of it."""
    tasks_table.put(image)
    return stream_record(image)


def test_the_documented_item_is_delivered_and_leaves_its_table(
    doors: Doors, telegram: FakeTelegram, table: Table, tasks_table: Table
) -> None:
    (came,) = event("dynamodb_insert")["Records"]
    tasks_table.put(came["dynamodb"]["NewImage"])
    assert doors.stream(came).function_error is None
    assert texts(telegram.messages) == ["Hello world!"]
    row = table.message("Hello world!")
    assert row["Status"] == "SENT"
    assert row["TelegramMessageId"] == str(telegram.messages[0]["message_id"])
    assert json.loads(row["Message"]) == {"text": "Hello world!", "sender_app": "STREAM_TEST"}
    assert "DueTs" not in row
    assert tasks_table.items() == []


@pytest.mark.parametrize(
    ("payload", "reason"),
    in_memory_but(
        "text_null",
        "text_lone_high_surrogate",
        "text_binary",
        "chat_id_not_allowed",
        cases=[
            pytest.param({}, "text: ", id="text_missing"),
            pytest.param({"text": {"NULL": True}}, "text: ", id="text_null"),
            pytest.param({"text": {"S": "   \n\t"}}, "text: ", id="text_spaces"),
            pytest.param({"text": {"N": "NaN"}}, "Payload.text: ", id="text_float_nan"),
            pytest.param({"text": {"SS": ["a"]}}, "Payload.text: ", id="text_string_set"),
            pytest.param({"text": {"B": "YQ=="}}, "Payload.text: ", id="text_binary"),
            pytest.param({"text": {"B": "YQ=="}, "x": {"S": "a"}}, "Payload.text: ", id="text_binary_beside_others"),
            pytest.param({"text": {"L": [{"BS": ["YQ=="]}]}}, "Payload.text: ", id="text_list_of_binary"),
            pytest.param({"text": {"ZZ": 1}}, "Payload.text: ", id="unknown_type_tag"),
            pytest.param({"text": {"S": "a", "N": "1"}}, "Payload.text: ", id="two_type_tags"),
            pytest.param({"text": "a"}, "Payload.text: ", id="no_type_tag"),
            pytest.param({"text": {"L": []}}, "text: ", id="text_list_empty"),
            pytest.param({"text": {"S": "\ud800"}}, "text: ", id="text_lone_high_surrogate"),
            pytest.param({"text": {"S": "x" * (256 * 1024 + 1)}}, "text: has 262,145 bytes", id="text_256_KiB_and_1"),
            pytest.param({"text": {"S": "a"}, "chat_id": {"N": "999"}}, "chat_id: ", id="chat_id_not_allowed"),
            pytest.param({"text": {"S": "a"}, "chat_id": {"S": "@someone"}}, "chat_id: ", id="chat_id_username"),
            pytest.param({"text": {"S": "a"}, "chat_id": {"N": str(2**63)}}, "chat_id: ", id="chat_id_2e63"),
            pytest.param({"text": {"S": "a"}, "chat": {"S": "nobody"}}, "unknown chat 'nobody'; ", id="chat_unknown"),
            pytest.param({"text": {"S": "a"}, "chat": {"N": "5"}}, "chat: ", id="chat_number"),
            pytest.param({"photo": {"S": "https://a@b/"}}, "text: ", id="photo_userinfo_alone"),
        ],
    ),
)
def test_what_cannot_be_delivered_is_parked_with_the_reason_and_the_others_go_out(
    sources: Sources, telegram: FakeTelegram, table: Table, payload: dict[str, Any], reason: str
) -> None:
    """Such is what has no words, is too large, or names a chat that cannot be meant."""
    bad = stream_record(item(payload, sort_key="bad", partition_key="BOTTE_MESSAGE#bad"))
    good = stream_record(item({"text": {"S": "good"}}, sort_key="good", partition_key="BOTTE_MESSAGE#good"))
    sources.stream(bad, good)
    assert texts(telegram.messages) == ["good"]
    row = table.row("bad")
    assert row["Status"] == "FAILED"
    assert row["LastError"].startswith(reason)
    assert float(row["ExpirationTs"]) == pytest.approx(time.time() + 30 * DAY, abs=60)
    assert "DueTs" not in row


@pytest.mark.parametrize(
    ("payload", "shown", "mended"),
    in_memory_but(
        "text_as_N",
        "photo_binary",
        cases=[
            pytest.param({"text": {"N": "5"}}, "5", None, id="text_as_N"),
            pytest.param({"text": {"N": "1E+2"}}, "100", None, id="text_as_N_with_an_exponent"),
            pytest.param({"text": {"BOOL": True}}, "true", None, id="text_true"),
            pytest.param({"text": {"L": [{"S": "a"}]}}, "a", None, id="text_list"),
            pytest.param({"text": {"M": {"a": {"N": "1"}}}}, "a: 1", None, id="text_dict"),
            pytest.param({"message": {"S": "a"}}, "message: a", None, id="nobodys_payload"),
            pytest.param({"text": {"S": "a"}, "photo": {"B": "YQ=="}}, "a", ["photo"], id="photo_binary"),
            pytest.param({"text": {"S": "a"}, "id": {"SS": ["k1", "k2"]}}, "a", ["id"], id="id_set"),
            pytest.param({"text": {"S": "a"}, "id": {"S": ""}, "chat": {"B": ""}}, "a", ["id", "chat"], id="two"),
            pytest.param(
                {"text": {"S": "a"}, "deliver_at": {"N": "abc"}}, "a", ["deliver_at"], id="deliver_at_no_number"
            ),
            pytest.param({"text": {"S": "a"}, "sender_app": {"NS": ["1"]}}, "a", ["sender_app"], id="sender_app_set"),
            pytest.param({"text": {"S": "a"}, "x": {"SS": ["b"]}}, "a", None, id="unknown_field_set"),
        ],
    ),
)
def test_an_attribute_of_any_type_costs_itself_and_no_words(
    sources: Sources,
    telegram: FakeTelegram,
    table: Table,
    payload: dict[str, Any],
    shown: str,
    mended: list[str] | None,
) -> None:
    """Binary and sets, for which JSON has no word, are left out of the options; what has words is shown."""
    sources.stream(stream_record(item(payload, sort_key="s1", partition_key="BOTTE_MESSAGE#s1")))
    (sent,) = telegram.messages
    assert shown in sent["text"]
    assert table.statuses() == {"s1": "SENT"}
    noted = table.row("s1").get("Mended")
    assert (noted and [each["S"] for each in noted]) == mended


def test_a_bad_item_in_the_middle_of_a_batch_holds_up_nobody(
    doors: Doors, telegram: FakeTelegram, table: Table
) -> None:
    payloads = {"s1": {"text": {"S": "before"}}, "s2": {"text": {"B": "YQ=="}}, "s3": {"text": {"S": "after"}}}
    assert doors.stream(*[record(payload, name) for name, payload in payloads.items()]).function_error is None
    assert texts(telegram.messages) == ["before", "after"]
    assert table.statuses() == {"s1": "SENT", "s2": "FAILED", "s3": "SENT"}


@pytest.mark.parametrize(
    ("payload", "shown"),
    in_memory_but(
        "json_of_a_message",
        cases=[
            pytest.param({"S": '{"text": "a", "chat": "ops"}'}, "a", id="json_of_a_message"),
            pytest.param({"S": "disk full"}, "disk full", id="text"),
            pytest.param({"S": '{"event": "backup"}'}, "event: backup", id="json_of_somebody"),
            pytest.param({"S": "1.10"}, "1.10", id="number_in_a_text"),
            pytest.param({"N": "5"}, "5", id="number"),
            pytest.param({"BOOL": False}, "false", id="boolean"),
            pytest.param({"L": [{"S": "a"}, {"S": "b"}]}, "a\nb", id="list"),
        ],
    ),
)
def test_a_payload_that_is_no_map_is_read_as_a_queue_reads_a_body(
    sources: Sources, telegram: FakeTelegram, table: Table, payload: dict[str, Any], shown: str
) -> None:
    """JSON in a string is what a writer without the type tags puts there."""
    sources.stream(stream_record(item({}, sort_key="s1", Payload=payload)))
    assert texts(telegram.messages) == [shown]
    assert set(table.statuses().values()) == {"SENT"}


@pytest.mark.parametrize(
    ("payload", "reason"),
    in_memory_but(
        "missing",
        cases=[
            pytest.param(None, "Payload: is missing", id="missing"),
            pytest.param({"NULL": True}, "text: is required", id="null"),
            pytest.param({"S": ""}, "text: has nothing to show", id="empty"),
            pytest.param({"L": []}, "text: is required", id="list_empty"),
            pytest.param({"B": "YQ=="}, "Payload: has a type that a message does not have", id="binary"),
            pytest.param({"SS": ["a"]}, "Payload: has a type that a message does not have", id="set"),
            pytest.param({"S": '{"text": "a", "chat_id": 5}'}, "chat_id: ", id="chat_id_in_json"),
            pytest.param({"S": "x" * (256 * 1024 + 1)}, "body: must be at most 262,144 bytes", id="256_KiB_and_1"),
        ],
    ),
)
def test_a_payload_without_words_is_parked(
    sources: Sources, telegram: FakeTelegram, table: Table, payload: dict[str, Any] | None, reason: str
) -> None:
    """And so is one that nobody can read."""
    image = item({}, sort_key="s1", Payload=payload)
    if payload is None:
        del image["Payload"]
    sources.stream(stream_record(image))
    (row,) = table.messages()
    assert row["Status"] == {"S": "FAILED"}
    assert row["LastError"]["S"].startswith(reason)
    assert telegram.messages == []


@pytest.mark.outbox("memory")
def test_json_in_a_string_is_parked_as_it_came_so_that_a_redrive_reads_the_same(
    sources: Sources, telegram: FakeTelegram, table: Table, outbox: Outbox
) -> None:
    """Written down as JSON once more, it would be a text that nothing forbids to send."""
    sources.stream(stream_record(item({}, sort_key="s1", Payload={"S": '{"text": "a", "chat_id": 5}'})))
    (parked,) = outbox.scan("FAILED")
    assert parked.body == '{"text": "a", "chat_id": 5}'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("a\x00b", "ab", id="text_nul"),
        pytest.param("\x01\x07\x1b[31m", "[31m", id="text_c0_controls"),
        pytest.param("x" * 20_000, "x" * 20_000, id="text_20_KB"),
        pytest.param("\u202egnp.exe", "gnp.exe", id="text_rtl_override"),
        pytest.param("a" + "\u0301" * 2000, "a" + "\u0301" * 2000, id="text_zalgo"),
        pytest.param("\U0001f600" * 4096, "\U0001f600" * 4096, id="text_4096_emoji_utf16_8192"),
        pytest.param("123456789:AAF-" + "x" * 33, "123456789:AAF-" + "x" * 33, id="text_looks_like_token"),
    ],
)
def test_any_visible_text_is_delivered_clean(
    doors: Doors,
    telegram: FakeTelegram,
    table: Table,
    caplog: pytest.LogCaptureFixture,
    text: str,
    shown: str,
) -> None:
    caplog.set_level("DEBUG", "botte")
    assert doors.stream(record({"text": {"S": text}})).function_error is None
    assert "".join(texts(telegram.messages)) == shown
    assert table.row("s1")["Status"] == "SENT"
    assert "AAF-" not in str([vars(record) for record in caplog.records])


def test_markup_that_telegram_refuses_is_delivered_as_plain_text(
    doors: Doors, telegram: FakeTelegram, table: Table
) -> None:
    doors.stream(record({"text": {"S": "a.b!"}, "parse_mode": {"S": "MarkdownV2"}}))
    assert texts(telegram.messages) == ["a.b!"]


@pytest.mark.parametrize(
    ("changes", "sort_key"),
    [
        pytest.param({"ExpirationTs": {"N": "abc"}}, "s1", id="expiration_nan"),
        pytest.param({"ExpirationTs": {"S": "tomorrow"}}, "s1", id="expiration_string"),
        pytest.param({}, "XXX", id="sk_not_ksuid"),
        pytest.param({}, "a/b c\n\u00e9", id="sk_any_string"),
    ],
)
def test_what_does_not_concern_the_message_does_not_hinder_it(
    doors: Doors, telegram: FakeTelegram, changes: dict[str, Any], sort_key: str
) -> None:
    record = stream_record(item({"text": {"S": "Hello"}}, sort_key=sort_key, **changes))
    assert doors.stream(record).function_error is None
    assert texts(telegram.messages) == ["Hello"]


def test_an_old_record_is_delivered(doors: Doors, telegram: FakeTelegram) -> None:
    came = record({"text": {"S": "Hello"}})
    came["dynamodb"]["ApproximateCreationDateTime"] = time.time() - 23 * 3600
    doors.stream(came)
    assert texts(telegram.messages) == ["Hello"]


def test_the_keys_of_an_item_without_what_it_holds_are_parked(
    doors: Doors, telegram: FakeTelegram, table: Table
) -> None:
    came = record({"text": {"S": "Hello"}})
    del came["dynamodb"]["NewImage"]
    assert doors.stream(came).function_error is None
    assert table.row("s1")["LastError"] == "Payload: is missing"
    assert telegram.messages == []


@pytest.mark.parametrize("partition_key", ["BOTTE_MESSAGE", "BOTTE_MESSAGE#anything"])
def test_an_item_without_a_task_id_is_known_by_its_partition_key(
    doors: Doors, telegram: FakeTelegram, partition_key: str
) -> None:
    image = item({"text": {"S": "Hello"}}, sort_key="s1", partition_key=partition_key)
    del image["TaskId"]
    doors.stream(stream_record(image))
    assert texts(telegram.messages) == ["Hello"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            {
                "eventName": "REMOVE",
                "userIdentity": {"principalId": "dynamodb.amazonaws.com", "type": "Service"},
            },
            id="event_remove_ttl",
        ),
        pytest.param({"NewImage": {"TaskId": {"S": "OTHER"}}}, id="wrong_task_id"),
        pytest.param({"NewImage": {"TaskId": {"N": "1"}}}, id="task_id_not_a_string"),
    ],
)
def test_other_records_are_ignored(
    doors: Doors, telegram: FakeTelegram, table: Table, tasks_table: Table, changes: dict[str, Any]
) -> None:
    image = item({"text": {"S": "Hello"}}, sort_key="s1") | changes.pop("NewImage", {})
    came = put(tasks_table, image)
    assert doors.stream({**came, **changes}).function_error is None
    assert telegram.messages == []
    assert table.items() == []
    assert tasks_table.items() == [image]


def test_an_item_of_another_partition_without_a_task_id_is_ignored(doors: Doors, table: Table) -> None:
    image = item({"text": {"S": "Hello"}}, sort_key="s1", partition_key="BOTTE_MESSAGES")
    del image["TaskId"]
    doors.stream(stream_record(image))
    assert table.items() == []


@pytest.mark.parametrize("event_name", ["INSERT", "MODIFY"])
@pytest.mark.parametrize("partition_key", ["BOTTE_MESSAGE", "BOTTE_MESSAGE#s1", "BOTTE_MESSAGE#g"])
def test_the_same_item_put_again_is_the_same_message(
    doors: Doors, telegram: FakeTelegram, tasks_table: Table, partition_key: str, event_name: str
) -> None:
    for seconds in ("1762002142", "1762002143"):  # an SDK that puts it again does so with another TTL, perhaps
        image = item({"text": {"S": "Hello"}}, sort_key="s1", partition_key=partition_key, ExpirationTs={"N": seconds})
        came = put(tasks_table, image)
        doors.stream(came, came)
        doors.stream({**came, "eventName": event_name})
    assert texts(telegram.messages) == ["Hello"]
    assert tasks_table.items() == []


@pytest.mark.parametrize("partition_key", ["BOTTE_MESSAGE", "BOTTE_MESSAGE#g", "of somebody"])
def test_other_words_under_the_same_key_are_another_message(
    doors: Doors, telegram: FakeTelegram, table: Table, partition_key: str
) -> None:
    for text in ("Hello", "Other", "Hello"):
        came = stream_record(item({"text": {"S": text}}, sort_key="s1", partition_key=partition_key))
        doors.stream({**came, "eventName": "MODIFY"})
    assert texts(telegram.messages) == ["Hello", "Other"]
    assert table.states() == {"Hello": "SENT", "Other": "SENT"}


def test_an_item_that_was_put_over_the_one_that_came_stays_in_its_table(
    doors: Doors, telegram: FakeTelegram, tasks_table: Table
) -> None:
    came = put(tasks_table, item({"text": {"S": "Hello"}}, sort_key="s1"))
    later = put(tasks_table, item({"text": {"S": "Other"}}, sort_key="s1"))
    doors.stream(came)
    assert [each["Payload"]["M"]["text"]["S"] for each in tasks_table.items()] == ["Other"]
    doors.stream(later)
    assert tasks_table.items() == []
    assert texts(telegram.messages) == ["Hello", "Other"]


def test_a_parked_record_that_comes_again_stays_parked(doors: Doors, table: Table) -> None:
    came = record({"text": {"B": "YQ=="}})
    doors.stream(came)
    before = table.items()
    doors.stream(came)
    assert table.items() == before


def test_a_sent_row_is_kept_14_days_whatever_its_writer_wants(doors: Doors, table: Table) -> None:
    doors.stream(record({"text": {"S": "Hello"}}, ExpirationTs={"N": "1"}))
    assert float(table.row("s1")["ExpirationTs"]) == pytest.approx(time.time() + 14 * DAY, abs=60)


@pytest.mark.outbox("memory")
def test_a_batch_of_a_hundred_goes_out_in_order(
    new_relay: NewRelay, outbox: Outbox, tasks: Tasks, telegram: FakeTelegram, clock: Clock
) -> None:
    images = [
        item({"text": {"S": f"{number}"}}, sort_key=f"{number}", partition_key=f"BOTTE_MESSAGE#{number}")
        for number in range(100)
    ]
    records = list(map(stream_record, images))
    new_relay().take(tasks.read_stream(records), deadline=clock() + 60)
    assert texts(telegram.messages) == [f"{number}" for number in range(100)]
    assert len(list(outbox.scan("SENT"))) == 100


def test_while_telegram_is_down_all_rows_become_pending(doors: Doors, telegram: FakeTelegram, table: Table) -> None:
    telegram.set_fault({"kind": "down"})
    records = [record({"text": {"S": f"{number}"}}, f"{number}") for number in range(3)]
    assert doors.stream(*records).function_error is None
    assert set(table.statuses().values()) == {"PENDING"}
    row = table.row("0")
    assert row["Attempts"] == "1"
    assert row["LastError"].startswith("Telegram answered 502")
    assert float(row["DueTs"]) == float(row["AcceptedTs"])
    assert "ExpirationTs" not in row


@pytest.mark.parametrize("fault", ["chat_not_found", "forbidden"])
def test_a_message_that_telegram_refuses_is_failed_with_its_reason(
    doors: Doors, telegram: FakeTelegram, table: Table, fault: str
) -> None:
    telegram.set_fault({"kind": fault})
    assert doors.stream(record({"text": {"S": "Hello"}})).function_error is None
    row = table.row("s1")
    assert row["Status"] == "FAILED"
    assert row["LastError"][:3] in ("400", "403")


def test_an_answer_that_was_lost_is_counted(doors: Doors, telegram: FakeTelegram, table: Table) -> None:
    telegram.set_fault({"kind": "cut_after_accept"})
    doors.stream(record({"text": {"S": "Hello"}}))
    row = table.row("s1")
    assert (row["Status"], row["Ambiguous"]) == ("PENDING", "1")


def test_without_the_table_the_batch_is_not_acknowledged(
    new_relay: NewRelay,
    unreachable_outbox: Outbox,
    tasks: Tasks,
    tasks_table: Table,
    telegram: FakeTelegram,
    clock: Clock,
) -> None:
    relay = new_relay(outbox=unreachable_outbox)
    came = put(tasks_table, item({"text": {"S": "Hello"}}, sort_key="s1"))
    with pytest.raises(TableUnavailable, match=r"the table .* cannot be used"):
        relay.take(tasks.read_stream([came]), deadline=clock() + 60)
    assert telegram.messages == []
    assert len(tasks_table.items()) == 1


def test_a_message_for_later_waits_in_its_row(doors: Doors, telegram: FakeTelegram, table: Table, clock: Clock) -> None:
    due = int(clock()) + 3600
    doors.stream(record({"text": {"S": "Later"}, "deliver_at": {"N": str(due)}}))
    row = table.row("s1")
    assert (row["Status"], float(row["DueTs"])) == ("PENDING", due)
    assert telegram.messages == []


def test_a_message_that_waits_is_not_sent_before_its_time(
    doors: Doors, telegram: FakeTelegram, table: Table, relay: Relay, clock: Clock
) -> None:
    doors.stream(record({"text": {"S": "Later"}, "deliver_at": {"N": str(int(clock()) + 3600)}}))
    clock.now += 3599
    relay.redeliver(deadline=clock() + 60)
    assert telegram.messages == []
    clock.now += 1
    relay.redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == ["Later"]


@pytest.mark.parametrize("value", [{"SS": ["a"]}, {"NS": ["1"]}, {"B": "YQ=="}, {"N": "1"}, {"NULL": True}])
def test_an_unknown_field_is_ignored_whatever_it_holds(
    doors: Doors, telegram: FakeTelegram, table: Table, value: dict[str, Any]
) -> None:
    doors.stream(record({"text": {"S": "Hello"}, "x": value}))
    assert texts(telegram.messages) == ["Hello"]
