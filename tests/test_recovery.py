"""Crashes and lost answers: a message goes on where it stopped, and nothing is lost or sent twice for no reason."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from chalicelib.attempt import Accepted, Delivered
from chalicelib.errors import ChatMigrated, MarkupRefused, ParametersUnavailable, ThreadNotFound, Unavailable
from chalicelib.message import Message
from chalicelib.outbox import Outbox
from chalicelib.records import from_queue, from_stream
from chalicelib.relay import Relay
from chalicelib.row import Lease
from chalicelib.settings import Parameters
from chalicelib.telegram import Telegram
from tests.conftest import NewRelay
from tests.doors import Clock, RawServer, Script, Table, http_answer, item, owe, queue_record, stream_record, texts
from tools.dev.fake_telegram import TWIN_CHAT_ID, FakeTelegram

DAY = 86_400
PLENTY = 3600.0


class FailingTable:
    """The table's client, until it has made so many calls."""

    def __init__(self, table: Table, calls: int) -> None:
        self.table = table
        self.left = calls

    def update_item(self, **arguments: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1")
        return self.table.client.update_item(**arguments)


def _outbox_that_fails_after(calls: int, table: Table) -> Outbox:
    client = FailingTable(table, calls)
    return Outbox(table.name, lambda: client)


class Killed(BaseException):
    """The process is gone: nobody catches this."""


def test_after_a_crash_a_message_is_sent_when_its_lease_is_over(
    relay: Relay, outbox: Outbox, table: Table, telegram: FakeTelegram, clock: Clock
) -> None:
    key = owe(outbox, "Hello", due=clock())
    outbox.claim(key, Lease("of a process that died", clock() + 60), now=clock())
    clock.now += 59
    relay.redeliver(deadline=clock() + PLENTY)
    assert telegram.messages == []
    assert table.statuses() == {"Hello": "SENDING"}
    clock.now += 1
    relay.redeliver(deadline=clock() + PLENTY)
    assert texts(telegram.messages) == ["Hello"]
    assert table.row("Hello")["Attempts"] == "2"


def test_a_process_that_lost_its_lease_changes_nothing(outbox: Outbox, table: Table, clock: Clock) -> None:
    key = owe(outbox, "Hello", due=clock())
    slow, quick = Lease("slow", clock() + 60), Lease("quick", clock() + 200)
    progress = outbox.claim(key, slow, now=clock()).progress
    clock.now += 61
    outbox.claim(key, quick, now=clock())
    outbox.mark_failed(key, slow, progress, now=clock(), error="too late")
    outbox.mark_pending(key, slow, progress, due=clock(), error=Unavailable("too late"))
    assert table.statuses() == {"Hello": "SENDING"}
    outbox.mark_sent(key, quick, progress, now=clock())
    assert table.statuses() == {"Hello": "SENT"}


def test_a_split_message_goes_on_at_the_part_that_failed(
    new_relay: NewRelay, outbox: Outbox, table: Table, clock: Clock
) -> None:
    sender = Script(clock, None, Unavailable("down"))
    relay = new_relay(sender=sender)
    text = "a" * 4096 + "b" * 4096 + "c" * 10
    owe(outbox, text, due=clock(), id="k1")
    relay.redeliver(deadline=clock() + PLENTY)
    assert table.row("k1")["TelegramMessageId"] == "1"
    clock.now += 3600
    new_relay(sender=sender).redeliver(deadline=clock() + PLENTY)
    assert [text[0] for text in sender.texts] == ["a", "b", "b", "c"]
    assert table.row("k1")["TelegramMessageId"] == [{"N": "1"}, {"N": "3"}, {"N": "4"}]


def test_a_split_message_that_was_killed_between_two_parts_goes_on_there(
    new_relay: NewRelay, table: Table, clock: Clock
) -> None:
    sender = Script(clock, None, Killed())
    text = "a" * 4096 + "b" * 4096 + "c" * 10
    with pytest.raises(Killed):
        new_relay(sender=sender).send(Message(text=text), deadline=clock() + PLENTY, spare_id="k1")
    assert table.statuses() == {"k1": "SENDING"}
    clock.now += 61
    new_relay(sender=sender).redeliver(deadline=clock() + PLENTY)
    assert [text[0] for text in sender.texts] == ["a", "b", "b", "c"]
    assert table.statuses() == {"k1": "SENT"}


def test_a_split_message_stops_in_time_and_goes_on_later(
    new_relay: NewRelay, outbox: Outbox, table: Table, clock: Clock
) -> None:
    class Slow(Script):
        def call(self, *arguments: Any, **more: Any) -> dict[str, Any]:
            answer = super().call(*arguments, **more)
            clock.now += 10
            return answer

    sender = Slow(clock)
    owe(outbox, "a" * 4096 + "b" * 4096 + "c" * 10, due=clock(), id="k1")
    relay = new_relay(sender=sender)
    relay.redeliver(deadline=clock() + 30)
    assert [text[0] for text in sender.texts] == ["a", "b"]
    relay.redeliver(deadline=clock() + PLENTY)
    assert [text[0] for text in sender.texts] == ["a", "b", "c"]
    assert table.statuses() == {"k1": "SENT"}


def test_a_message_that_takes_too_long_to_mend_is_kept_as_far_as_it_is_mended(
    new_relay: NewRelay, table: Table, clock: Clock
) -> None:
    class Slow(Script):
        def call(self, *arguments: Any, **more: Any) -> dict[str, Any]:
            clock.now += 9
            return super().call(*arguments, **more)

    sender = Slow(clock, MarkupRefused("can't parse"), ThreadNotFound("not found"))
    message = Message(text="<b>x", parse_mode="HTML", message_thread_id=5)
    relay, deadline = new_relay(sender=sender), clock() + 27
    outcome = relay.send(message, deadline=deadline, spare_id="k1")
    assert isinstance(outcome, Accepted)
    assert clock() <= deadline
    assert table.row("k1")["Mended"] == [{"S": "parse_mode"}, {"S": "message_thread_id"}]
    relay.redeliver(deadline=clock() + PLENTY)
    assert len(sender.calls) == 3
    assert table.statuses() == {"k1": "SENT"}


def test_markup_that_is_refused_in_a_later_part_neither_loses_nor_doubles_words(
    new_relay: NewRelay, clock: Clock
) -> None:
    sender = Script(clock, None, MarkupRefused("400 Bad Request: can't parse entities"))
    lines = [" ".join(f"{line:02d}{word:02d}" for word in range(50)) for line in range(24)]
    text = "\n".join(f"<i>{line}</i>" for line in lines)
    message = Message(text=text, parse_mode="HTML")
    new_relay(sender=sender).send(message, deadline=clock() + PLENTY, spare_id="k1")
    arrived = [sender.texts[0], *sender.texts[2:]]  # the second call was refused
    assert re.findall(r"\d{4}", " ".join(arrived)) == re.findall(r"\d{4}", text)


def test_a_row_that_is_being_sent_does_not_expire_whatever_its_writer_set(
    new_relay: NewRelay, table: Table, clock: Clock
) -> None:
    image = item({"text": {"S": "Hello"}}, sort_key="s1", ExpirationTs={"N": "1"})
    table.put(image)
    relay = new_relay(sender=Script(clock, Killed()))
    with pytest.raises(Killed):
        relay.take(from_stream([stream_record(image)], lambda _: None), deadline=clock() + PLENTY)
    assert table.statuses() == {"s1": "SENDING"}
    assert float(table.row("s1")["ExpirationTs"]) > clock() + 30 * DAY


def test_a_table_that_goes_away_in_the_middle_of_a_split_message_does_not_double_it(
    new_relay: NewRelay, table: Table, clock: Clock
) -> None:
    for calls in range(4):
        sender = Script(clock)
        relay = new_relay(sender=sender, outbox=_outbox_that_fails_after(calls, table))
        with suppress(Unavailable):
            relay.send(Message(text="a" * 4096 + "b" * 10), deadline=clock() + PLENTY, spare_id=f"k{calls}")
        assert len(sender.texts) == len(set(sender.texts)), f"doubled when the table took {calls} calls"


def test_a_queue_that_brings_a_message_again_while_it_is_owed_does_not_send_it(
    new_relay: NewRelay, telegram: FakeTelegram, table: Table, clock: Clock
) -> None:
    telegram.set_fault({"kind": "down", "count": 1})
    record = queue_record(json.dumps({"text": "Hello"}), "m1")
    for _ in range(2):
        new_relay().take(from_queue([record]), deadline=clock() + PLENTY)
    assert telegram.messages == []
    assert table.statuses() == {"m1": "PENDING"}


def test_parameters_that_cannot_be_read_keep_the_message(
    new_relay: NewRelay, telegram: FakeTelegram, table: Table, clock: Clock
) -> None:
    def unreadable(names: object) -> Mapping[str, str]:
        del names
        raise ParametersUnavailable("the Parameter Store cannot be read")

    parameters = Parameters("/botte/local", unreadable)
    relay = new_relay(parameters=parameters, sender=Telegram(telegram.url, parameters.bot_token))
    outcome = relay.send(Message(text="Hello"), deadline=clock() + PLENTY, spare_id="k1")
    assert isinstance(outcome, Accepted)
    assert table.statuses() == {"k1": "PENDING"}


def test_a_group_that_became_a_supergroup_is_followed_by_a_later_process_too(
    new_relay: NewRelay, outbox: Outbox, table: Table, clock: Clock
) -> None:
    moved = ChatMigrated("400 Bad Request: group chat was upgraded to a supergroup chat", -1009)
    sender = Script(clock, moved, Unavailable("down"), moved, None)
    owe(outbox, "Hello", due=clock())
    for _ in range(2):
        new_relay(sender=sender).redeliver(deadline=clock() + PLENTY)
        clock.now += 3600
    assert table.statuses() == {"Hello": "SENT"}
    assert [chat_id for _, chat_id, _ in sender.calls] == [TWIN_CHAT_ID, -1009, TWIN_CHAT_ID, -1009]


@pytest.mark.parametrize("result", [True, [], {}, {"message_id": "x"}])
def test_an_answer_without_a_message_may_be_a_delivery_and_is_tried_again(
    new_relay: NewRelay, parameters: Parameters, table: Table, clock: Clock, result: object
) -> None:
    with RawServer(http_answer(200, {"ok": True, "result": result})) as server:
        relay = new_relay(sender=Telegram(server.url, parameters.bot_token))
        relay.take(from_queue([queue_record(json.dumps({"text": "Hello"}), "m1")]), deadline=clock() + PLENTY)
    row = table.row("m1")
    assert (row["Status"], row["Ambiguous"]) == ("PENDING", "1")


def test_a_message_that_telegram_took_is_told_as_delivered_where_the_table_cannot_note_it(
    new_relay: NewRelay, table: Table, clock: Clock
) -> None:
    sender, client = Script(clock), FailingTable(table, calls=1)
    relay = new_relay(sender=sender, outbox=Outbox(table.name, lambda: client))
    outcome = relay.send(Message(text="Hello", id="k1"), deadline=clock() + PLENTY, spare_id="unused")
    assert isinstance(outcome, Delivered)
    assert sender.texts == ["Hello"]
