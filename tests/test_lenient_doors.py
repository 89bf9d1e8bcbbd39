"""Where nobody listens the words go out, whatever the options are, and what was mended is noted; elsewhere it is told.

Lenient are the queue and the task table, the hook, and the Lambda door for what AWS itself sends.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib import senders
from chalicelib.contract.message import InvalidMessage, Message
from chalicelib.doors.queue import read_queue
from chalicelib.errors import Refused, ThreadNotFound
from chalicelib.outbox import states
from chalicelib.outbox.table import Outbox
from tests.conftest import NewRelay
from tests.doors import (
    DOORS,
    LENIENT_DOORS,
    STRICT_DOORS,
    Clock,
    RelayDoors,
    Script,
    Table,
    queue_record,
    texts,
)
from tools.dev.fake_telegram import FakeTelegram

pytestmark = pytest.mark.outbox("memory")

IMAGE = "https://example.com/a.png"
OPEN = {"text": "Open", "url": "https://a.example/?x=1&y=2"}


def mended_in(table: Table) -> list[str] | None:
    """What the only row says of it."""
    (row,) = (item for item in table.items() if "Status" in item)
    return [each["S"] for each in row["Mended"]["L"]] if "Mended" in row else None


def logged(caplog: pytest.LogCaptureFixture, name: str) -> list[Any]:
    """A value of the log's lines about what was sent."""
    return [getattr(record, name, None) for record in caplog.records if record.getMessage() == "sent"]


@pytest.mark.parametrize("door", DOORS)
def test_null_is_the_same_as_nothing(relay_doors: RelayDoors, telegram: FakeTelegram, door: str) -> None:
    """Generators of JSON write what they do not have as null."""
    optional = ("parse_mode", "chat", "message_thread_id", "sender_app", "id", "photo", "reply_markup", "deliver_at")
    answer = relay_doors.send(door, {"text": "backup done", **dict.fromkeys(optional), "chat_id": None})
    assert texts(telegram.messages) == ["backup done"]
    assert "botte" not in answer


@pytest.mark.parametrize("door", DOORS)
def test_a_parse_mode_in_small_letters_is_that_parse_mode(
    relay_doors: RelayDoors, telegram: FakeTelegram, door: str
) -> None:
    """As Telegram reads it."""
    answer = relay_doors.send(door, {"text": "<b>backup</b> done", "parse_mode": "html"})
    (sent,) = telegram.messages
    assert (sent["text"], sent["entities"]) == ("backup done", [{"type": "bold", "offset": 0, "length": 6}])
    assert "botte" not in answer


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("sender_app", "label"), [("s" * 10_240, "s" * 64), (7, "7"), (["a"], "['a']")])
def test_a_label_of_any_length_and_type_is_logged_short(
    relay_doors: RelayDoors,
    telegram: FakeTelegram,
    caplog: pytest.LogCaptureFixture,
    door: str,
    sender_app: object,
    label: str,
) -> None:
    """It is never a reason to refuse a message, nor something to mend."""
    caplog.set_level("INFO", "botte")
    answer = relay_doors.send(door, {"text": "hello", "sender_app": sender_app})
    assert texts(telegram.messages) == ["hello"]
    assert (logged(caplog, "sender_app"), logged(caplog, "mended")) == ([label], [None])
    assert "botte" not in answer


UNREADABLE = [
    pytest.param(
        {"text": "backup done", "disable_notification": "true", "message_thread_id": "5"},
        "backup done",
        ["disable_notification", "message_thread_id"],
        id="texts_for_scalars",
    ),
    pytest.param({"text": "a", "protect_content": 1}, "a", ["protect_content"], id="number_for_boolean"),
    pytest.param({"text": "a", "message_thread_id": 0}, "a", ["message_thread_id"], id="thread_0"),
    pytest.param({"text": "<b>a", "parse_mode": "<script>"}, "<b>a", ["parse_mode"], id="parse_mode_bogus"),
    pytest.param({"text": "a", "link_preview_options": []}, "a", ["link_preview_options"], id="preview_list"),
    pytest.param({"text": "a", "id": ""}, "a", ["id"], id="id_empty"),
    pytest.param({"text": "a", "id": "k" * 257}, "a", ["id"], id="id_257_chars"),
    pytest.param({"text": "a", "id": 5}, "a", ["id"], id="id_number"),
    pytest.param({"text": "a", "deliver_at": 9_999_999_999}, "a", ["deliver_at"], id="deliver_at_too_far"),
    pytest.param({"text": "a", "deliver_at": "soon"}, "a", ["deliver_at"], id="deliver_at_text"),
    pytest.param(
        {"text": "look", "photo": "http://example.com/a.png"},
        "look\n\nhttp://example.com/a.png",
        ["photo"],
        id="photo_http",
    ),
    pytest.param(
        {"text": "look", "document": "http://169.254.169.254/latest/"},
        "look\n\nhttp://169.254.169.254/latest/",
        ["document"],
        id="document_imds",
    ),
    pytest.param(
        {"text": "look", "photo": "file:///etc/passwd"}, "look\n\nfile:///etc/passwd", ["photo"], id="photo_file_scheme"
    ),
    pytest.param({"photo": "http://127.1/"}, "http://127.1/", ["photo"], id="photo_localhost_alone"),
    pytest.param(
        {"text": "look", "photo": {"url": "http://example.com/a.png"}},
        "look\n\nhttp://example.com/a.png",
        ["photo"],
        id="photo_object",
    ),
    pytest.param({"text": "look", "photo": "https://a@b/"}, "look", ["photo"], id="photo_userinfo"),
    pytest.param({"text": "look", "photo": "https://a:b@c.example/"}, "look", ["photo"], id="photo_password"),
    pytest.param({"text": "look", "photo": "https://h/" + "a" * 8192}, "look", ["photo"], id="photo_8KB_url"),
    pytest.param({"text": "look", "photo": "AgACAgIAAx0"}, "look", ["photo"], id="photo_file_id"),
    pytest.param({"text": "look", "photo": "https://a.example/ b"}, "look", ["photo"], id="photo_with_a_blank"),
    pytest.param(
        {"text": "<b>look</b>", "parse_mode": "HTML", "photo": "http://h/?a&b<c>"},
        "look\n\nhttp://h/?a&b<c>",
        ["photo"],
        id="photo_below_html",
    ),
    pytest.param(
        {"text": "*look*", "parse_mode": "MarkdownV2", "photo": "http://h/a_b.png"},
        "look\n\nhttp://h/a_b.png",
        ["photo"],
        id="photo_below_markdown",
    ),
    pytest.param(
        {"text": "<b>look", "parse_mode": "Word", "photo": "http://h/?a&b"},
        "<b>look\n\nhttp://h/?a&b",
        ["parse_mode", "photo"],
        id="photo_below_unknown_markup",
    ),
    pytest.param(
        {"text": "disk low", "reply_markup": {"inline_keyboard": [[{**OPEN, "callback_data": "x"}], [OPEN]]}},
        f"disk low\n\nOpen: {OPEN['url']}\nOpen: {OPEN['url']}",
        ["reply_markup"],
        id="keyboard_with_callbacks",
    ),
    pytest.param(
        {"text": "disk low", "reply_markup": [{"url": OPEN["url"]}, {"text": "Mute", "callback_data": "m"}, 5]},
        f"disk low\n\n{OPEN['url']}",
        ["reply_markup"],
        id="keyboard_of_another_shape",
    ),
    pytest.param(
        {"text": "disk low", "reply_markup": {"inline_keyboard": [[{"text": "Call", "url": "tel:+15550100"}]]}},
        "disk low",
        ["reply_markup"],
        id="keyboard_without_an_address",
    ),
    pytest.param({"text": "disk low", "reply_markup": "{}"}, "disk low", ["reply_markup"], id="keyboard_text"),
    pytest.param(
        {"text": "disk low", "reply_markup": json.loads("[" * 250 + "]" * 250)},
        "disk low",
        ["reply_markup"],
        id="keyboard_deep",
    ),
    pytest.param(
        {
            "text": "<i>low</i>",
            "parse_mode": "html",
            "reply_markup": {"inline_keyboard": [[OPEN, {"text": "<x>", "url": "http://h/"}], "x"]},
        },
        f"low\n\nOpen: {OPEN['url']}\n<x>: http://h/",
        ["reply_markup"],
        id="keyboard_below_html",
    ),
    pytest.param({"text": "a", "collapse_key": "a b"}, "a", ["collapse_key"], id="collapse_key_space"),
    pytest.param(
        {"text": "a", "collapse_key": 5, "renotify": True, "ack": True, "escalate_after": 60},
        "a",
        ["collapse_key", "renotify", "ack", "escalate_after"],
        id="what_needs_a_collapse_key",
    ),
    pytest.param({"text": "a", "escalate_after": "10m"}, "a", ["escalate_after"], id="escalate_after_text"),
    pytest.param({"text": "a", "urgent": "yes"}, "a", ["urgent"], id="urgent_text"),
    pytest.param({"text": "a", "urgent": True, "disable_notification": True}, "a", ["urgent"], id="urgent_silently"),
    pytest.param({"text": "a", "every": "26h"}, "a", ["every"], id="every_without_a_heartbeat"),
    pytest.param({"text": "a", "heartbeat": "two words"}, "a", ["heartbeat"], id="heartbeat_space"),
]


@pytest.mark.parametrize("door", LENIENT_DOORS)
@pytest.mark.parametrize(("fields", "shown", "mended"), UNREADABLE)
def test_an_option_that_cannot_be_read_is_left_out_and_noted_and_the_words_go_out(
    relay_doors: RelayDoors,
    telegram: FakeTelegram,
    table: Table,
    caplog: pytest.LogCaptureFixture,
    door: str,
    fields: dict[str, Any],
    shown: str,
    mended: list[str],
) -> None:
    """Addresses, but those with a password, stand below the words; row, log and answer say what was mended."""
    caplog.set_level("INFO", "botte")
    answer = relay_doors.send(door, fields)
    assert texts(telegram.messages) == [shown]
    assert [sent["method"] for sent in telegram.messages] == ["sendMessage"]
    assert logged(caplog, "mended") == [mended]
    if answer:
        assert answer["botte"] == {"mended": mended}
    else:
        assert mended_in(table) == mended


@pytest.mark.parametrize("door", STRICT_DOORS)
@pytest.mark.parametrize(("fields", "shown", "mended"), UNREADABLE)
def test_where_the_sender_listens_the_first_of_them_is_an_error_that_names_it(
    relay_doors: RelayDoors, telegram: FakeTelegram, door: str, fields: dict[str, Any], shown: str, mended: list[str]
) -> None:
    """HTTP and a sync invoke have a caller who can mend it."""
    if door == "HTTP":
        answer = relay_doors.post(json.dumps(fields))
        assert answer.status_code == 400
        assert isinstance(answer.body, dict)
        assert answer.body["Message"].startswith(mended[0])
    else:
        with pytest.raises(InvalidMessage) as caught:
            relay_doors.invoke(fields)
        assert caught.value.field.partition(".")[0] == mended[0]
    assert telegram.messages == [], shown


@pytest.mark.parametrize("door", LENIENT_DOORS)
@pytest.mark.parametrize(
    ("fields", "caption", "mended"),
    [
        pytest.param(
            {"text": "look", "document": "https://example.com/a.pdf", "photo": IMAGE},
            "look\n\nhttps://example.com/a.pdf",
            ["document"],
            id="photo_and_document",
        ),
        pytest.param({"text": " \n", "photo": IMAGE}, "", ["text"], id="text_blank"),
        pytest.param({"text": "\ud800", "photo": IMAGE}, "", ["text"], id="text_surrogate"),
        pytest.param(
            {"text": "look", "document": "http://h/a.pdf", "photo": IMAGE},
            "look\n\nhttp://h/a.pdf",
            ["document"],
            id="photo_and_bad_document",
        ),
    ],
)
def test_a_photo_goes_out_whatever_is_beside_it(
    relay_doors: RelayDoors,
    telegram: FakeTelegram,
    caplog: pytest.LogCaptureFixture,
    door: str,
    fields: dict[str, Any],
    caption: str,
    mended: list[str],
) -> None:
    """A blank text is no caption, and of two media the second is a link."""
    caplog.set_level("INFO", "botte")
    relay_doors.send(door, fields)
    assert [(sent["method"], sent["text"]) for sent in telegram.messages] == [("sendPhoto", caption)]
    assert logged(caplog, "mended") == [mended]


@pytest.mark.parametrize("door", LENIENT_DOORS)
@pytest.mark.parametrize("beside", [{"text": "look"}, {"photo": IMAGE, "text": "look"}])
def test_words_go_out_and_a_heartbeat_beside_them_does_not_count(
    relay_doors: RelayDoors, telegram: FakeTelegram, caplog: pytest.LogCaptureFixture, door: str, beside: dict[str, str]
) -> None:
    """Nobody can tell which was meant, and words are not lost."""
    caplog.set_level("INFO", "botte")
    relay_doors.send(door, {"heartbeat": "nightly", "every": "26h", **beside})
    assert texts(telegram.messages) == ["look"]
    assert logged(caplog, "mended") == [["heartbeat", "every"]]


@pytest.mark.parametrize(
    ("beside", "mended"),
    [
        ({}, ()),
        ({"id": "k1", "urgent": True}, ("id", "urgent")),
        ({"chat": None, "sender_app": None, "text": None}, ()),
        ({"photo": "http://h/a.png"}, ("photo",)),
        ({"reply_markup": {"inline_keyboard": [[{**OPEN, "callback_data": "x"}]]}}, ("reply_markup",)),
        ({"unknown": 1}, ()),
    ],
)
def test_a_heartbeat_without_words_is_read_without_what_it_does_not_take(
    beside: dict[str, Any], mended: tuple[str, ...]
) -> None:
    """Also beside fields that Botte does not know."""
    body = json.dumps({"heartbeat": "nightly", "every": "26h", **beside})
    assert senders.read_text(body, now=0.0) == (Message(heartbeat="nightly", every=93_600), mended)


@pytest.mark.parametrize("every", [None, "soon", 0])
def test_a_heartbeat_of_which_nobody_can_tell_when_it_is_due_is_an_error(every: object) -> None:
    """It has no words that could go out."""
    with pytest.raises(InvalidMessage, match="every: is required with a heartbeat"):
        senders.read_text(json.dumps({"heartbeat": "nightly", "every": every}), now=0.0)


@pytest.mark.parametrize("door", LENIENT_DOORS)
def test_addresses_that_are_too_long_beside_the_words_are_left_out(
    relay_doors: RelayDoors, telegram: FakeTelegram, caplog: pytest.LogCaptureFixture, door: str
) -> None:
    """Escaped, they would be more than a text may have, and that is no reason to park the words."""
    caplog.set_level("INFO", "botte")
    buttons = [[{"text": "Open", "url": "http://h/" + "&" * 1900}] for _ in range(60)]
    relay_doors.send(door, {"text": "<b>low</b>", "parse_mode": "HTML", "reply_markup": buttons})
    assert texts(telegram.messages) == ["low"]
    assert logged(caplog, "mended") == [["reply_markup"]]


@pytest.mark.parametrize("door", DOORS)
def test_an_address_that_only_telegram_refuses_is_a_link(
    relay_doors: RelayDoors, telegram: FakeTelegram, caplog: pytest.LogCaptureFixture, door: str
) -> None:
    """Such as one with port 0: the contract does not know all that Telegram does not take."""
    caplog.set_level("INFO", "botte")
    relay_doors.send(door, {"text": "look", "photo": "https://example.com:0/x.png"})
    assert texts(telegram.messages) == ["look\n\nhttps://example.com:0/x.png"]
    assert logged(caplog, "mended") == [["photo"]]


@pytest.mark.parametrize("door", LENIENT_DOORS)
def test_what_was_mended_when_it_was_read_and_when_it_was_sent_is_noted_together(
    relay_doors: RelayDoors, telegram: FakeTelegram, caplog: pytest.LogCaptureFixture, door: str
) -> None:
    """The reading leaves out the thread; Telegram refuses the markup."""
    caplog.set_level("INFO", "botte")
    relay_doors.send(door, {"text": "<b>a", "parse_mode": "HTML", "message_thread_id": "5"})
    assert texts(telegram.messages) == ["<b>a"]
    assert logged(caplog, "mended") == [["message_thread_id", "parse_mode"]]


@pytest.mark.parametrize("door", LENIENT_DOORS)
def test_what_was_mended_is_still_known_when_the_message_is_redelivered(
    relay_doors: RelayDoors,
    telegram: FakeTelegram,
    table: Table,
    caplog: pytest.LogCaptureFixture,
    clock: Clock,
    door: str,
) -> None:
    """The row keeps it, as nobody reads the message once more."""
    telegram.set_fault({"kind": "down", "count": 1})
    relay_doors.send(door, {"text": "look", "photo": "http://h/a.png", "protect_content": "yes"})
    assert mended_in(table) == ["photo", "protect_content"]
    caplog.set_level("INFO", "botte")
    clock.now += 3600
    relay_doors.redeliver()
    assert texts(telegram.messages) == ["look\n\nhttp://h/a.png"]
    assert logged(caplog, "mended") == [["photo", "protect_content"]]
    assert mended_in(table) == ["photo", "protect_content"]


def test_what_was_mended_is_still_known_when_the_message_is_redriven(
    new_relay: NewRelay,
    relay_doors: RelayDoors,
    telegram: FakeTelegram,
    table: Table,
    outbox: Outbox,
    clock: Clock,
) -> None:
    """What was left out when it was read stays left out; what Telegram wanted mended is tried anew."""
    body = json.dumps({"text": "look", "photo": "http://h/a.png", "message_thread_id": 7})
    refusing = new_relay(sender=Script(clock, ThreadNotFound("no such thread"), Refused("403 blocked")))
    refusing.take(read_queue([queue_record(body, "m1")]), deadline=clock() + 60)
    assert mended_in(table) == ["photo", "message_thread_id"]
    (parked,) = outbox.scan("FAILED")
    outbox.apply(parked.key, states.redrive(parked, now=clock()))
    assert mended_in(table) == ["photo"]
    relay_doors.redeliver()
    threads = {sent["text"]: sent.get("message_thread_id") for sent in telegram.messages}
    assert threads["look\n\nhttp://h/a.png"] == 7
    row = table.row("m1")
    assert (row["Status"], row["Mended"]) == ("SENT", [{"S": "photo"}])


@pytest.mark.parametrize("door", LENIENT_DOORS)
def test_what_waits_for_its_time_keeps_what_was_mended(
    relay_doors: RelayDoors, telegram: FakeTelegram, table: Table, clock: Clock, door: str
) -> None:
    """A message for later is not claimed but kept."""
    relay_doors.send(door, {"text": "later", "deliver_at": int(clock()) + 3600, "id": "a b"})
    assert (telegram.messages, mended_in(table)) == ([], ["id"])
    clock.now += 3600
    relay_doors.redeliver()
    assert texts(telegram.messages) == ["later"]
    assert mended_in(table) == ["id"]


@pytest.mark.parametrize("door", LENIENT_DOORS)
def test_a_message_in_parts_keeps_what_was_mended(
    relay_doors: RelayDoors, telegram: FakeTelegram, table: Table, door: str
) -> None:
    """Its row is claimed before the first part goes, and its answer is noted after the last."""
    answer = relay_doors.send(door, {"text": "word " * 1000, "disable_notification": "no"})
    assert len(telegram.messages) == 2
    assert mended_in(table) == ["disable_notification"]
    assert not answer or answer["botte"] == {"mended": ["disable_notification"]}


def test_the_same_message_comes_once_whatever_was_mended(relay_doors: RelayDoors, telegram: FakeTelegram) -> None:
    """What a sender gave by mistake does not make it another message: its id names what was read."""
    for photo in ("http://h/a.png", {"url": "http://h/a.png"}):
        body = json.dumps({"text": "look", "photo": photo, "id": "k1"})
        relay_doors.queue(queue_record(body, f"m{len(body)}"))
    assert texts(telegram.messages) == ["look\n\nhttp://h/a.png"]
