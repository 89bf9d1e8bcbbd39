"""Nobody waits for somebody else: no row, no group and no chat delays another by more than its own lane explains.

Hours and days pass here, so the outbox is the one in memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from chalicelib.contract.message import Message
from chalicelib.doors.queue import read_queue
from chalicelib.doors.stream import Tasks
from chalicelib.errors import Ambiguous, Unavailable
from chalicelib.outbox.table import Outbox
from chalicelib.relay import Relay
from chalicelib.settings import Parameters
from tests.conftest import OPS_CHAT_ID, NewRelay
from tests.doors import Clock, Picky, Script, item, owe, queue_record, stream_record
from tests.outbox.memory_table import MemoryTable
from tools.dev.fake_telegram import TWIN_CHAT_ID

DAY = 86_400
MINUTE = 60.0
RUN = 90.0

pytestmark = pytest.mark.outbox("memory")


def states_of(memory: MemoryTable) -> dict[str, str | None]:
    """The statuses of the messages that senders sent, by their texts."""
    rows = [row for row in memory.scan() if row.status and not row.key.is_notice]
    return {row.read_message(0).message.text or "": row.status for row in rows}


def fifo_record(text: str, number: int, group: str = "g", chat: str = "default") -> dict[str, Any]:
    attributes = {"MessageGroupId": group, "SequenceNumber": str(10**19 + number)}
    return queue_record(json.dumps({"text": text, "chat": chat}), text, **attributes)


def minutes_until(sender: Picky, text: str, relay: Relay, clock: Clock, limit: int = 60) -> int:
    """After how many runs of the schedule, a minute apart, a message was delivered."""
    for minutes in range(limit):
        began = clock()
        relay.redeliver(deadline=began + RUN)
        if text in sender.delivered:
            return minutes
        clock.now = max(clock(), began + MINUTE)
    raise AssertionError(f"not delivered in {limit} minutes")


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix} {number:03d}" for number in range(count)]


@pytest.mark.parametrize("seconds", [5.0, 6.0, 60.0, 3600.0])
@pytest.mark.parametrize("count", [1, 11, 150])
def test_a_chat_that_has_to_wait_delays_no_other(
    new_relay: NewRelay, outbox: Outbox, clock: Clock, count: int, seconds: float
) -> None:
    for text in names("busy", count):
        owe(outbox, text, due=clock() - 600, chat="ops")
    owe(outbox, "free", due=clock() - 1)
    sender = Picky(clock, busy=Unavailable("429", retry_after=seconds))
    began = clock()
    assert minutes_until(sender, "free", new_relay(sender=sender), clock) == 0
    assert clock() - began <= MINUTE


@pytest.mark.parametrize(
    "error", [Unavailable("500"), Ambiguous("the answer was lost")], ids=lambda error: type(error).__name__
)
@pytest.mark.parametrize(("count", "minutes"), [(1, 0), (4, 0), (15, 4), (20, 5), (60, 15)])
def test_messages_that_always_fail_delay_a_healthy_one_by_minutes_at_most_and_another_chat_not_at_all(
    new_relay: NewRelay, outbox: Outbox, clock: Clock, count: int, minutes: int, error: Exception
) -> None:
    for number, text in enumerate(names("ill", count)):
        owe(outbox, text, due=clock() - 600 + number)
    owe(outbox, "healthy", due=clock() - 1)
    owe(outbox, "elsewhere", due=clock() - 1, chat="ops")
    sender = Picky(clock, ill=error)
    relay = new_relay(sender=sender)
    began = clock()
    relay.redeliver(deadline=clock() + RUN)
    assert "elsewhere" in sender.delivered
    clock.now = began + MINUTE
    assert minutes_until(sender, "healthy", relay, clock) <= minutes


def test_a_reminder_among_messages_that_always_fail_arrives_in_the_minute_of_its_time(
    new_relay: NewRelay, outbox: Outbox, clock: Clock
) -> None:
    for number, text in enumerate(names("ill", 60)):
        owe(outbox, text, due=clock() - 600 + number)
    sender = Picky(clock, ill=Unavailable("500"))
    relay = new_relay(sender=sender)
    for hours in range(1, 4):
        relay.accept(
            Message(text=f"{hours}", deliver_at=int(clock()) + 1800), deadline=clock() + 27, spare_id=f"{hours}"
        )
        for _ in range(30):
            relay.redeliver(deadline=clock() + RUN)
            clock.now += MINUTE
        assert minutes_until(sender, f"{hours}", relay, clock) <= 1


def test_messages_that_always_fail_are_given_up_after_three_days_and_not_asked_for_all_the_time(
    new_relay: NewRelay, outbox: Outbox, clock: Clock
) -> None:
    for text in names("ill", 3):
        owe(outbox, text, due=clock())
    sender = Picky(clock, ill=Unavailable("500"))
    relay = new_relay(sender=sender)
    for number in range(3 * 24 * 4 + 20):
        owe(outbox, f"healthy {number}", due=clock())
        relay.redeliver(deadline=clock() + RUN)
        clock.now += 900
    failed = {row.last_error for row in outbox.scan("FAILED")}
    assert failed == {"for 3 days: 500"}
    assert list(outbox.scan("PENDING", "SENDING")) == []
    assert len(sender.texts) - len(sender.delivered) < 3 * 4 * 24 * 4


@pytest.mark.parametrize("error", [Unavailable("500"), Unavailable("429", retry_after=60.0)], ids=["500", "429"])
@pytest.mark.parametrize("count", [2, 150])
def test_a_group_whose_head_does_not_go_delays_nothing_else_in_its_chat(
    new_relay: NewRelay, outbox: Outbox, clock: Clock, count: int, error: Unavailable
) -> None:
    sender = Picky(clock, ill=Unavailable("500"))
    relay = new_relay(sender=sender)
    records = [fifo_record(text, number) for number, text in enumerate(names("ill", count))]
    relay.take(read_queue(records), deadline=clock() + 60)
    owe(outbox, "healthy", due=clock())
    owe(outbox, "elsewhere", due=clock(), chat="ops")
    if error.retry_after is None:
        assert minutes_until(sender, "healthy", relay, clock) == 0
    else:
        sender.errors = {"ill": error}
        assert minutes_until(sender, "elsewhere", relay, clock) == 0


@pytest.mark.parametrize("partition_key", ["BOTTE_MESSAGE", "BOTTE_MESSAGE#g"])
def test_one_message_for_next_month_holds_up_nobody(
    new_relay: NewRelay, tasks: Tasks, clock: Clock, partition_key: str
) -> None:
    sender = Script(clock)
    later = {"text": {"S": "later"}, "deliver_at": {"N": str(int(clock()) + 29 * DAY)}}
    images = [item(later, sort_key="a", partition_key=partition_key)]
    images += [item({"text": {"S": text}}, sort_key=text, partition_key=partition_key) for text in ("b", "c")]
    new_relay(sender=sender).take(tasks.read_stream(map(stream_record, images)), deadline=clock() + 60)
    assert sender.texts == ["b", "c"]


def test_the_documented_partition_is_no_group_so_one_that_fails_delays_no_other_application(
    new_relay: NewRelay, tasks: Tasks, clock: Clock
) -> None:
    sender = Picky(clock, ill=Unavailable("500"))
    images = [item({"text": {"S": text}}, sort_key=text) for text in ("ill", "healthy")]
    new_relay(sender=sender).take(tasks.read_stream(map(stream_record, images)), deadline=clock() + 60)
    assert sender.delivered == ["healthy"]


@pytest.mark.parametrize("minutes", [1, 5, 9])
def test_a_lone_message_goes_as_soon_as_its_chat_is_back(
    new_relay: NewRelay, outbox: Outbox, clock: Clock, minutes: int
) -> None:
    owe(outbox, "lone", due=clock())
    sender = Picky(clock, lone=Unavailable("500"))
    relay = new_relay(sender=sender)
    for _ in range(minutes):
        relay.redeliver(deadline=clock() + RUN)
        clock.now += MINUTE
    sender.errors = {}
    assert minutes_until(sender, "lone", relay, clock) == 0


def test_a_lone_message_waits_at_most_15_minutes_for_a_chat_that_was_away_for_long(
    new_relay: NewRelay, outbox: Outbox, clock: Clock
) -> None:
    owe(outbox, "lone", due=clock())
    sender = Picky(clock, lone=Unavailable("500"))
    relay = new_relay(sender=sender)
    for _ in range(300):
        relay.redeliver(deadline=clock() + RUN)
        clock.now += MINUTE
    sender.errors = {}
    assert minutes_until(sender, "lone", relay, clock) <= 15


def test_all_that_is_owed_to_a_chat_keeps_its_order_through_an_outage_of_that_chat(
    new_relay: NewRelay, outbox: Outbox, clock: Clock
) -> None:
    for number, text in enumerate(names("message", 8)):
        owe(outbox, text, due=clock() - 100 + number)
    sender = Picky(clock, message=Unavailable("500"))
    relay = new_relay(sender=sender)
    for _ in range(30):
        relay.redeliver(deadline=clock() + RUN)
        clock.now += MINUTE
    sender.errors = {}
    relay.redeliver(deadline=clock() + RUN)
    assert sorted(sender.delivered) == names("message", 8)
    assert sender.delivered == names("message", 8)


def chats_of(**chats: int) -> Parameters:
    return Parameters("/p", lambda asked: {name: value for name, value in _values(chats).items() if name in asked})


def _values(chats: Mapping[str, int]) -> dict[str, str]:
    pairs = ", ".join(f'"{name}": {id}' for name, id in chats.items())
    return {"/p/telegram-chats": f"{{{pairs}}}", "/p/telegram-bot-token": "1:a"}


@pytest.mark.parametrize("count", [1, 30])
def test_what_is_owed_to_a_chat_that_is_configured_no_more_fails_with_that_reason(
    new_relay: NewRelay, outbox: Outbox, memory: MemoryTable, clock: Clock, count: int
) -> None:
    both = new_relay(sender=Script(clock, *[Unavailable("down")] * 99), parameters=chats_of(default=1, old=2))
    for number, text in enumerate(names("message", count)):
        owe(outbox, text, due=clock(), chat="old")
        both.take(read_queue([fifo_record(f"group {text}", number, chat="old")]), deadline=clock() + 60)
    owe(outbox, "other", due=clock())
    sender = Script(clock)
    relay = new_relay(sender=sender, parameters=chats_of(default=1))
    for _ in range(3):
        relay.redeliver(deadline=clock() + RUN)
        clock.now += MINUTE
    assert sender.texts == ["other"]
    assert {row.last_error for row in outbox.scan("FAILED")} == {"unknown chat 'old'; the chats are default"}
    assert sorted(map(str, states_of(memory).values())) == ["FAILED"] * 2 * count + ["SENT"]


def test_the_chats_are_written_to_in_turn(new_relay: NewRelay, outbox: Outbox, clock: Clock) -> None:
    chats: Sequence[tuple[str, int]] = (("default", TWIN_CHAT_ID), ("ops", OPS_CHAT_ID))
    for chat, _ in chats:
        for text in names(chat, 100):
            owe(outbox, text, due=clock() - 600, chat=chat)
    sender = Script(clock)
    new_relay(sender=sender).redeliver(deadline=clock() + RUN)
    counts = [sum(chat_id == id for _, chat_id, _ in sender.calls) for _, id in chats]
    assert counts == [pytest.approx(60, abs=2), pytest.approx(20, abs=1)]  # at their own pace, for a minute
