"""Quiet hours and mutes: a message makes no sound, and is never held back for it."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chalicelib.contract.message import Message
from chalicelib.errors import ParametersUnavailable
from chalicelib.outbox.row import Key
from chalicelib.settings import Parameters
from tests.conftest import PARAMETERS, NewRelay
from tests.doors import Clock
from tools.dev.fake_telegram import TWIN_CHAT_ID, FakeTelegram

ROME = "Europe/Rome"
CHAT = {"id": TWIN_CHAT_ID, "quiet": "22:00-07:00", "time_zone": ROME}
VALUES = {f"/p/{name}": value for name, _, value in PARAMETERS}


class Store:
    """A Parameter Store, with what the owner wants for the default chat."""

    def __init__(self, **settings: object) -> None:
        self.values = dict(VALUES)
        self.put("/p/telegram-chats", json.dumps({"default": {"id": TWIN_CHAT_ID, **settings}}))
        self.reads = 0

    def read(self, names: Sequence[str]) -> dict[str, str]:
        self.reads += 1
        return {name: value for name, value in self.values.items() if name in names}

    def put(self, name: str, value: str) -> None:
        self.values[name] = value

    def parameters(self, clock: Clock) -> Parameters:
        return Parameters("/p", self.read, self.put, clock=clock)


def at(time: str, zone: str = ROME) -> float:
    return datetime.fromisoformat(time).replace(tzinfo=ZoneInfo(zone)).timestamp()


def is_silent(telegram: FakeTelegram) -> list[bool]:
    """Of each message in the chat."""
    return [sent.get("disable_notification", False) for sent in telegram.messages]


def send(relay: Any, clock: Clock, text: str = "Hello", **fields: Any) -> None:
    relay.accept(Message(text=text, **fields), deadline=clock() + 60, spare_id=f"{text} at {clock()}")


pytestmark = pytest.mark.outbox("memory")


@pytest.mark.parametrize(
    ("quiet", "time", "silent"),
    [
        ("22:00-07:00", "2026-11-28 21:59:59", False),
        ("22:00-07:00", "2026-11-28 22:00", True),
        ("22:00-07:00", "2026-11-29 00:00", True),
        ("22:00-07:00", "2026-11-29 06:59:59", True),
        ("22:00-07:00", "2026-11-29 07:00", False),
        ("13:00-15:30", "2026-11-28 12:59", False),
        ("13:00-15:30", "2026-11-28 13:00", True),
        ("13:00-15:30", "2026-11-28 15:30", False),
        ("00:00-23:59", "2026-11-28 23:59", False),
    ],
)
def test_in_quiet_hours_a_message_arrives_at_once_and_makes_no_sound(
    new_relay: NewRelay, telegram: FakeTelegram, clock: Clock, quiet: str, time: str, silent: bool
) -> None:
    clock.now = at(time)
    relay = new_relay(parameters=Store(quiet=quiet, time_zone=ROME).parameters(clock))
    send(relay, clock)
    assert is_silent(telegram) == [silent]


@pytest.mark.parametrize(
    ("time", "silent"),
    [  # In Rome the clock goes from 2 to 3 at 1:00 UTC on 29 March 2026, and from 3 to 2 on 25 October.
        ("2026-03-29 00:59", False),
        ("2026-03-29 01:00", True),
        ("2026-03-29 03:59", True),
        ("2026-03-29 04:00", False),
        ("2026-10-24 23:59", False),
        ("2026-10-25 00:30", True),  # half past two, for the first time
        ("2026-10-25 01:30", True),  # and for the second
        ("2026-10-25 04:59", True),
        ("2026-10-25 05:00", False),
    ],
)
def test_quiet_hours_are_those_that_a_clock_on_the_wall_shows(
    new_relay: NewRelay, telegram: FakeTelegram, clock: Clock, time: str, silent: bool
) -> None:
    """Also on the days on which it is moved, once over an hour of theirs."""
    clock.now = at(time, "UTC")
    relay = new_relay(parameters=Store(quiet="02:00-06:00", time_zone=ROME).parameters(clock))
    send(relay, clock)
    assert is_silent(telegram) == [silent]


def test_without_a_time_zone_they_are_in_utc(new_relay: NewRelay, telegram: FakeTelegram, clock: Clock) -> None:
    relay = new_relay(parameters=Store(quiet="22:00-07:00").parameters(clock))
    for time in ("2026-07-01 21:59", "2026-07-01 22:00"):
        clock.now = at(time, "UTC")
        send(relay, clock)
    assert is_silent(telegram) == [False, True]


def test_what_is_urgent_makes_a_sound_at_night_and_while_its_sender_is_muted(
    new_relay: NewRelay, telegram: FakeTelegram, clock: Clock
) -> None:
    clock.now = at("2026-11-28 23:00")
    parameters = Store(quiet="22:00-07:00", time_zone=ROME).parameters(clock)
    parameters.mute("backup", clock() + 3600)
    send(new_relay(parameters=parameters), clock, urgent=True, sender_app="backup")
    assert is_silent(telegram) == [False]


def test_what_wants_no_sound_has_none_by_day(new_relay: NewRelay, telegram: FakeTelegram, clock: Clock) -> None:
    clock.now = at("2026-11-28 12:00")
    relay = new_relay(parameters=Store(quiet="22:00-07:00", time_zone=ROME).parameters(clock))
    send(relay, clock, disable_notification=True)
    assert is_silent(telegram) == [True]


def test_all_parts_of_a_long_text_and_a_photo_are_silent(
    new_relay: NewRelay, telegram: FakeTelegram, clock: Clock
) -> None:
    clock.now = at("2026-11-28 23:00")
    relay = new_relay(parameters=Store(quiet="22:00-07:00", time_zone=ROME).parameters(clock))
    send(relay, clock, "word " * 2000, photo="https://example.com/a.png")
    assert is_silent(telegram) == [True] * 4


def test_the_night_counts_in_which_a_message_is_sent_not_the_one_in_which_it_came(
    new_relay: NewRelay, telegram: FakeTelegram, clock: Clock
) -> None:
    clock.now = at("2026-11-28 23:00")
    relay = new_relay(parameters=Store(quiet="22:00-07:00", time_zone=ROME).parameters(clock))
    send(relay, clock, deliver_at=int(at("2026-11-29 08:00")))
    clock.now = at("2026-11-29 08:00")
    relay.redeliver(deadline=clock() + 90)
    assert is_silent(telegram) == [False]


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"quiet": "10pm-7am"}, 'default: quiet must be like "22:00-07:00", not "10pm-7am"'),
        ({"quiet": "22:00-24:00"}, "quiet must be like"),
        ({"quiet": "22:00-7:00"}, "quiet must be like"),
        ({"quiet": "22:00 - 07:00"}, "quiet must be like"),
        ({"quiet": "٢٢:00-07:00"}, "quiet must be like"),
        ({"quiet": ["22:00", "07:00"]}, "quiet must be like"),
        ({"quiet": "07:00-07:00"}, "quiet begins and ends at the same time: 07:00-07:00"),
        (
            {"quiet": "22:00-07:00", "time_zone": "Europe/Roma"},
            'time_zone must be like "Europe/Rome", not "Europe/Roma"',
        ),
        ({"quiet": "22:00-07:00", "time_zone": "Europe"}, "time_zone must be like"),
        ({"quiet": "22:00-07:00", "time_zone": "/etc/localtime"}, "time_zone must be like"),
        ({"quiet": "22:00-07:00", "time_zone": "../passwd"}, "time_zone must be like"),
        ({"quiet": "22:00-07:00", "time_zone": ""}, "time_zone must be like"),
        ({"quiet": "22:00-07:00", "time_zone": 1}, "time_zone must be like"),
        ({"quiet": "22:00-07:00", "time_zone": None}, "time_zone must be like"),
        ({"quite": "22:00-07:00"}, "default: quite is none of id, quiet, time_zone, topics"),
        ({"topics": "yes"}, 'default: topics must be true or false, not "yes"'),
    ],
)
def test_quiet_hours_that_cannot_be_read_are_told_once_and_the_message_makes_a_sound(
    new_relay: NewRelay,
    telegram: FakeTelegram,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    settings: dict[str, object],
    fault: str,
) -> None:
    clock.now = at("2026-11-28 23:00")
    relay = new_relay(parameters=Store(**settings).parameters(clock))
    send(relay, clock, "one")
    send(relay, clock, "two")
    assert is_silent(telegram) == [False, False]
    (told,) = [vars(record)["reason"] for record in caplog.records if record.levelno == logging.ERROR]
    assert fault in told


def test_one_chat_s_quiet_hours_are_no_other_s(new_relay: NewRelay, telegram: FakeTelegram, clock: Clock) -> None:
    clock.now = at("2026-11-28 23:00")
    store = Store()
    store.put(
        "/p/telegram-chats", json.dumps({"default": CHAT, "day": str(TWIN_CHAT_ID), "object": {"id": TWIN_CHAT_ID}})
    )
    relay = new_relay(parameters=store.parameters(clock))
    for chat in ("default", "day", "object"):
        send(relay, clock, chat=chat)
    assert is_silent(telegram) == [True, False, False]


def test_the_sender_that_is_muted_makes_no_sound_until_its_time_is_over(
    new_relay: NewRelay, telegram: FakeTelegram, clock: Clock
) -> None:
    store = Store()
    parameters = store.parameters(clock)
    relay = new_relay(parameters=parameters)
    parameters.mute("backup", clock() + 7200)
    for sender_app in ("backup", "Backup", None):
        send(relay, clock, sender_app=sender_app)
    clock.now += 7200
    send(relay, clock, sender_app="backup")
    assert is_silent(telegram) == [True, False, False, False]


def test_a_mute_is_seen_by_other_processes_within_five_minutes_without_a_request_of_its_own(
    new_relay: NewRelay, telegram: FakeTelegram, clock: Clock
) -> None:
    store = Store()
    here, there = store.parameters(clock), store.parameters(clock)
    relay = new_relay(parameters=there)
    send(relay, clock, sender_app="backup")
    here.mute("backup", clock() + 7200)
    reads = store.reads
    clock.now += 299
    send(relay, clock, sender_app="backup")
    assert store.reads == reads
    clock.now += 1
    send(relay, clock, sender_app="backup")
    assert store.reads == reads + 1
    assert is_silent(telegram) == [False, False, True]


def test_mutes_are_written_beside_each_other_and_forgotten_when_they_are_over(clock: Clock) -> None:
    store, start = Store(), int(clock())
    parameters = store.parameters(clock)
    assert parameters.mutes() == {}
    parameters.mute("backup", start + 60)
    parameters.mute("Grüße", start + 7200)
    store.parameters(clock).mute("third", start + 7200)
    parameters.mute("backup", start + 90)
    assert json.loads(store.values["/p/mutes"]) == {"backup": start + 90, "Grüße": start + 7200, "third": start + 7200}
    clock.now += 90
    parameters.unmute("third")
    assert json.loads(store.values["/p/mutes"]) == {"Grüße": start + 7200}
    parameters.unmute("nobody")
    assert parameters.mutes() == {"Grüße": start + 7200}
    parameters.unmute()
    assert (parameters.mutes(), store.values["/p/mutes"]) == ({}, "{}")


@pytest.mark.parametrize("value", ["", "x", "[]", "null", '{"backup": "tomorrow"}', '{"backup": null}'])
def test_mutes_that_cannot_be_read_mute_nobody_and_are_written_anew(
    new_relay: NewRelay, telegram: FakeTelegram, clock: Clock, value: str
) -> None:
    store = Store()
    store.put("/p/mutes", value)
    parameters = store.parameters(clock)
    send(new_relay(parameters=parameters), clock, sender_app="backup")
    assert is_silent(telegram) == [False]
    parameters.mute("other", clock() + 60)
    assert list(parameters.mutes()) == ["other"]


def test_where_the_store_cannot_be_read_again_messages_go_on_as_before(
    new_relay: NewRelay, telegram: FakeTelegram, clock: Clock
) -> None:
    """With the mutes that are known, and also where there were none."""
    is_down = False
    store = Store()

    def read(names: Sequence[str]) -> dict[str, str]:
        if is_down:
            raise ParametersUnavailable("the Parameter Store cannot be read")
        return store.read(names)

    parameters = Parameters("/p", read, clock=clock)
    relay = new_relay(parameters=parameters)
    send(relay, clock, sender_app="backup")
    is_down = True
    clock.now += 3600
    send(relay, clock, sender_app="backup")
    assert is_silent(telegram) == [False, False]
    with pytest.raises(ParametersUnavailable):
        parameters.mute("backup", clock() + 60)


def test_a_message_that_makes_no_sound_is_not_mended_and_its_row_is_as_any_other(
    new_relay: NewRelay, telegram: FakeTelegram, clock: Clock, memory: Any
) -> None:
    clock.now = at("2026-11-28 23:00")
    relay = new_relay(parameters=Store(quiet="22:00-07:00", time_zone=ROME).parameters(clock))
    send(relay, clock, id="k1")
    row = memory.get(Key.of_id("k1"))
    assert (row.status, row.progress.mended, json.loads(row.body)) == ("SENT", (), {"text": "Hello", "id": "k1"})
    assert is_silent(telegram) == [True]
