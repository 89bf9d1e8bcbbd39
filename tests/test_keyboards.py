"""A keyboard that Telegram refuses costs nothing but the keyboard: its addresses stand below the words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from chalicelib.doors.queue import read_queue
from chalicelib.errors import KeyboardRefused
from chalicelib.relay.attempt import LEASE_SECONDS
from tests.conftest import NewRelay
from tests.doors import DOORS, Clock, Doors, Killed, RelayDoors, Script, Table, queue_record, texts
from tools.dev.fake_telegram import FakeTelegram

pytestmark = pytest.mark.outbox("memory")

GRAFANA = "http://grafana:3000/d/x"
IMAGE = "https://example.com/a.png"


def keyboard(*buttons: tuple[str, str]) -> dict[str, object]:
    return {"inline_keyboard": [[{"text": text, "url": url}] for text, url in buttons]}


KEYBOARD = keyboard(("Open", GRAFANA))
LINK = f"Open: {GRAFANA}"


@pytest.mark.parametrize("door", DOORS)
def test_a_button_to_a_host_without_a_dot_becomes_a_line_of_text(
    relay_doors: RelayDoors, telegram: FakeTelegram, caplog: pytest.LogCaptureFixture, door: str
) -> None:
    """Links to hosts of the local network are what alerts have, and Telegram takes none of them."""
    caplog.set_level("INFO", "botte")
    answer = relay_doors.send(door, {"text": "Disk low on db1", "reply_markup": KEYBOARD})
    assert texts(telegram.messages) == [f"Disk low on db1\n\n{LINK}"]
    assert "reply_markup" not in telegram.messages[0]
    assert [getattr(record, "mended", None) for record in caplog.records if record.getMessage() == "sent"] == [
        ["reply_markup"]
    ]
    assert not answer or answer["botte"] == {"mended": ["reply_markup"]}


@pytest.mark.outbox("dynamodb")
def test_the_row_of_the_message_says_so_too(doors: Doors, telegram: FakeTelegram, table: Table) -> None:
    """As it says of all that was mended."""
    doors.queue(queue_record(json.dumps({"text": "Disk low", "reply_markup": KEYBOARD}), "m1"))
    assert table.row("m1")["Mended"] == [{"S": "reply_markup"}]


@pytest.mark.parametrize("url", ["http://localhost:9090", "https://example.com:0/", "http://a/x"])
def test_each_address_that_telegram_does_not_take_is_shown(
    relay_doors: RelayDoors, telegram: FakeTelegram, url: str
) -> None:
    """Whatever Telegram has against it."""
    relay_doors.send("SQS", {"text": "a", "reply_markup": keyboard(("Good", "https://example.com/"), ("Bad", url))})
    assert texts(telegram.messages) == [f"a\n\nGood: https://example.com/\nBad: {url}"]


CASES: Mapping[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "HTML": (
        {"text": "<b>low</b> &amp; slow", "parse_mode": "HTML"},
        [("sendMessage", "low & slow\n\nA & B: http://grafana/?a=1&copy=2<c>")],
    ),
    "MarkdownV2": (
        {"text": r"*low* \& slow\.", "parse_mode": "MarkdownV2"},
        [("sendMessage", "low & slow.\n\nA & B: http://grafana/?a=1&copy=2<c>")],
    ),
    "photo with a caption": (
        {"text": "low", "photo": IMAGE},
        [("sendPhoto", "low\n\nA & B: http://grafana/?a=1&copy=2<c>")],
    ),
    "photo alone": ({"photo": IMAGE}, [("sendPhoto", "A & B: http://grafana/?a=1&copy=2<c>")]),
    "document with a caption": (
        {"text": "<i>low</i>", "parse_mode": "HTML", "document": "https://example.com/a.pdf"},
        [("sendDocument", "low\n\nA & B: http://grafana/?a=1&copy=2<c>")],
    ),
    "photo whose caption is full": (
        {"text": "x" * 1024, "photo": IMAGE},
        [("sendPhoto", "x" * 1024), ("sendMessage", "A & B: http://grafana/?a=1&copy=2<c>")],
    ),
    "photo with a long text": (
        {"text": "x" * 1100, "photo": IMAGE},
        [("sendPhoto", ""), ("sendMessage", "x" * 1100 + "\n\nA & B: http://grafana/?a=1&copy=2<c>")],
    ),
    "a text in parts": (
        {"text": "x" * 4096 + " " + "y" * 4096 + " end"},
        [
            ("sendMessage", "x" * 4096),
            ("sendMessage", "y" * 4096),
            ("sendMessage", "end\n\nA & B: http://grafana/?a=1&copy=2<c>"),
        ],
    ),
    "a text that fills its message": (
        {"text": "x" * 4096},
        [("sendMessage", "x" * 4096), ("sendMessage", "A & B: http://grafana/?a=1&copy=2<c>")],
    ),
}


@pytest.mark.parametrize("door", ["HTTP", "SQS"])
@pytest.mark.parametrize("case", CASES)
def test_whatever_the_message_is_the_addresses_come_with_its_last_words(
    relay_doors: RelayDoors, telegram: FakeTelegram, case: str, door: str
) -> None:
    """What goes before stays as it was, and is sent once; what has no room makes a part of its own."""
    fields, shown = CASES[case]
    answer = relay_doors.send(door, {**fields, "reply_markup": keyboard(("A & B", "http://grafana/?a=1&copy=2<c>"))})
    assert [(sent["method"], sent["text"]) for sent in telegram.messages] == shown
    assert not any("reply_markup" in sent for sent in telegram.messages)
    if answer:
        assert answer["botte"] == {"mended": ["reply_markup"]}
        assert len(answer.get("message_ids", [0])) == len(shown)


def test_a_text_that_became_a_file_keeps_it(relay_doors: RelayDoors, telegram: FakeTelegram) -> None:
    """The first lines and the addresses are its caption, or the addresses a message of their own."""
    text = "\n".join(f"line {number}" for number in range(8000))
    relay_doors.send("SQS", {"text": text, "reply_markup": KEYBOARD})
    assert [sent["method"] for sent in telegram.messages] == ["sendDocument", "sendMessage"]
    assert telegram.messages[0]["text"].startswith("line 0\nline 1\n")
    assert telegram.messages[1]["text"] == LINK


def test_a_hundred_addresses_are_too_long_for_a_message(relay_doors: RelayDoors, telegram: FakeTelegram) -> None:
    """They become a file of their own, after the words."""
    many = [(f"Host {number}", f"http://grafana/{number}/{'x' * 100}") for number in range(100)]
    relay_doors.send("SQS", {"text": "low", "reply_markup": keyboard(*many)})
    assert [sent["method"] for sent in telegram.messages] == ["sendMessage", "sendDocument"]
    assert telegram.messages[0]["text"] == "low"


def test_markup_and_keyboard_may_both_be_refused(relay_doors: RelayDoors, telegram: FakeTelegram) -> None:
    """Each costs itself: the words are shown as they were written, with the addresses below."""
    answer = relay_doors.send("HTTP", {"text": "<b>low", "parse_mode": "HTML", "reply_markup": KEYBOARD})
    assert texts(telegram.messages) == [f"<b>low\n\n{LINK}"]
    assert sorted(answer["botte"]["mended"]) == ["parse_mode", "reply_markup"]


def test_a_photo_and_its_keyboard_may_both_be_refused(relay_doors: RelayDoors, telegram: FakeTelegram) -> None:
    """Then both addresses stand below the words."""
    telegram.set_fault({"kind": "bad_url"})
    answer = relay_doors.send("HTTP", {"text": "low", "photo": IMAGE, "reply_markup": KEYBOARD})
    assert texts(telegram.messages) == [f"low\n\n{IMAGE}\n\n{LINK}"]
    assert sorted(answer["botte"]["mended"]) == ["photo", "reply_markup"]


@pytest.mark.parametrize("text", [f"{'x' * 4096} {'y' * 4096}", f"{'x' * 4096} y"])
def test_after_a_crash_between_the_parts_it_goes_on_without_the_keyboard(
    new_relay: NewRelay, telegram: FakeTelegram, table: Table, clock: Clock, text: str
) -> None:
    """What has arrived, and that the keyboard was refused, is in the row: nothing is sent twice, or asked again."""
    body = json.dumps({"text": text, "reply_markup": KEYBOARD})
    dying = new_relay(sender=Script(clock, None, KeyboardRefused("no"), Killed()))
    with pytest.raises(Killed):
        dying.take(read_queue([queue_record(body, "m1")]), deadline=clock() + 60)
    clock.now += LEASE_SECONDS
    new_relay().redeliver(deadline=clock() + 60)
    first, *others = text.split()
    assert "\n\n".join(texts(telegram.messages)) == "\n\n".join([*others, LINK])
    assert table.statuses() == {"m1": "SENT"}
    assert table.row("m1")["Mended"] == [{"S": "reply_markup"}]
    assert len(table.row("m1")["TelegramMessageId"]) == 1 + len(telegram.messages)
    assert first not in texts(telegram.messages)


def test_what_came_after_the_refusal_is_noted_and_resumed(
    new_relay: NewRelay, telegram: FakeTelegram, table: Table, clock: Clock
) -> None:
    """The process dies after the last words and before the addresses, which are a part of their own."""
    body = json.dumps({"text": "x" * 4096, "reply_markup": KEYBOARD})
    dying = new_relay(sender=Script(clock, KeyboardRefused("no"), None, Killed()))
    with pytest.raises(Killed):
        dying.take(read_queue([queue_record(body, "m1")]), deadline=clock() + 60)
    assert table.row("m1")["Mended"] == [{"S": "reply_markup"}]
    clock.now += LEASE_SECONDS
    new_relay().redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == [LINK]
    assert table.statuses() == {"m1": "SENT"}


def test_telegram_that_refuses_a_keyboard_that_is_not_there_has_refused_the_message(
    relay_doors: RelayDoors, new_relay: NewRelay, table: Table, clock: Clock
) -> None:
    """There is nothing to leave out, and no second try."""
    script = Script(clock, KeyboardRefused("400 Bad Request: BUTTON_URL_INVALID"))
    new_relay(sender=script).take(read_queue([queue_record('{"text": "a"}', "m1")]), deadline=clock() + 60)
    assert len(script.calls) == 1
    assert table.row("m1")["LastError"] == "400 Bad Request: BUTTON_URL_INVALID"
