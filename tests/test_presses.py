"""A press of a button does what it says, once, for those who may; of all others nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.doors.http import ANSWER_SECONDS
from chalicelib.doors.queue import read_queue
from chalicelib.errors import Refused, TableUnavailable
from chalicelib.outbox.row import Key, Row
from chalicelib.outbox.states import Change, Check
from chalicelib.outbox.table import Outbox
from chalicelib.relay.chats import Chats
from chalicelib.relay.courier import Courier
from chalicelib.relay.presses import WORK_SECONDS, Press, Presses
from chalicelib.settings import Parameters
from chalicelib.telegram.buttons import sign
from tests.conftest import OPS_CHAT_ID, PARAMETERS, WEBHOOK_SECRET, NewRelay
from tests.doors import Clock, Doors, Table, queue_record
from tests.notices import is_notice
from tests.outbox.memory_table import MemoryTable
from tests.updates import post_update, press_update
from tools.dev.fake_telegram import TWIN_CHAT_ID, FakeTelegram

STALE = "This button does nothing any more"
BAD = '{"chat_id": 5}'
ANNA = {"id": 7, "first_name": "Anna"}


@pytest.fixture
def parked(webhook: str, doors: Doors, telegram: FakeTelegram, table: Table) -> Table:
    """Two messages are parked that can be sent again, and the owner was told of them."""
    telegram.set_fault({"kind": "chat_not_found", "count": 2})
    doors.queue(queue_record('{"text": "one"}', "one"), queue_record('{"text": "two"}', "two"))
    doors.redeliver()
    return table


def notice(telegram: FakeTelegram) -> dict[str, Any]:
    (found,) = [message for message in telegram.messages if is_notice(message["text"])]
    return found


def buttons(telegram: FakeTelegram) -> dict[str, str]:
    """What the buttons of the notice bring, by their words."""
    rows = notice(telegram).get("reply_markup", {}).get("inline_keyboard", [])
    return {button["text"]: button["callback_data"] for row in rows for button in row}


def press(telegram: FakeTelegram, data: str, *, message_id: int | None = None) -> dict[str, Any]:
    """Anna presses a button, and sees the answer."""
    count = len(telegram.callback_answers)
    made = telegram.press(message_id or notice(telegram)["message_id"], data, user=ANNA)
    assert telegram.wait_for(lambda _: len(telegram.callback_answers) > count)
    return made


def last_line(telegram: FakeTelegram) -> str:
    return re.sub("[0-9]{2}:[0-9]{2} UTC", "10:05 UTC", notice(telegram)["text"].splitlines()[-1])


def test_what_was_parked_is_sent_again_by_a_button(parked: Table, doors: Doors, telegram: FakeTelegram) -> None:
    assert list(buttons(telegram)) == ["Send again", "Discard"]
    press(telegram, buttons(telegram)["Send again"])
    assert [answer["text"] for answer in telegram.callback_answers] == ["2 messages are sent again"]
    assert telegram.wait_for(lambda _: buttons(telegram) == {})
    assert last_line(telegram) == "2 messages are sent again (Anna, 10:05 UTC)"
    assert parked.statuses() == {"one": "PENDING", "two": "PENDING"}
    doors.redeliver()
    assert [message["text"] for message in telegram.messages if not is_notice(message["text"])] == ["one", "two"]


def test_what_was_parked_is_discarded_by_a_button(parked: Table, telegram: FakeTelegram) -> None:
    press(telegram, buttons(telegram)["Discard"])
    assert telegram.wait_for(lambda _: buttons(telegram) == {})
    assert last_line(telegram) == "2 messages are discarded (Anna, 10:05 UTC)"
    assert parked.statuses() == {}


def test_what_cannot_be_sent_stays_and_can_still_be_discarded(
    webhook: str, doors: Doors, telegram: FakeTelegram, table: Table
) -> None:
    telegram.set_fault({"kind": "chat_not_found", "count": 1})
    doors.queue(queue_record('{"text": "good"}', "good"), queue_record(BAD, "bad"))
    doors.redeliver()
    press(telegram, buttons(telegram)["Send again"])
    assert telegram.wait_for(lambda _: list(buttons(telegram)) == ["Discard"])
    assert last_line(telegram) == "1 message is sent again, 1 cannot be sent and stays parked (Anna, 10:05 UTC)"
    press(telegram, buttons(telegram)["Discard"])
    assert telegram.wait_for(lambda _: buttons(telegram) == {})
    assert table.statuses() == {"good": "PENDING"}


def test_an_update_that_is_repeated_does_nothing_more(
    webhook: str, parked: Table, doors: Doors, telegram: FakeTelegram, caplog: pytest.LogCaptureFixture
) -> None:
    made = press(telegram, buttons(telegram)["Send again"])
    assert telegram.wait_for(lambda _: buttons(telegram) == {})
    before = notice(telegram)["text"]
    doors.redeliver()
    for _ in range(9):
        assert post_update(webhook, made).status_code == 200
    doors.redeliver()
    assert notice(telegram)["text"] == before
    assert len(telegram.messages) == 3
    assert set(parked.statuses().values()) == {"SENT"}
    given_up = {record.__dict__["method"] for record in caplog.records if record.msg == "a call is given up"}
    assert given_up == {"answerCallbackQuery"}  # Telegram takes one answer


def test_what_is_parked_after_the_notice_is_not_touched(webhook: str, parked: Table, telegram: FakeTelegram) -> None:
    data = sign(WEBHOOK_SECRET, "redrive", str(int(float(parked.row("one")["ExpirationTs"])) - 31 * 86_400))
    press(telegram, data)
    assert telegram.callback_answers[-1]["text"] == "They were sent again, or discarded, before"
    assert parked.statuses() == {"one": "FAILED", "two": "FAILED"}


@pytest.mark.slow  # each waits for two messages at their pace
@pytest.mark.parametrize(
    "data",
    [
        pytest.param("redrive:9999999999:AAAAAAAAAAAAAAAA", id="forged"),
        pytest.param(sign("another-secret", "redrive", "9999999999"), id="signed with another secret"),
        pytest.param(sign(WEBHOOK_SECRET, "unheard-of", "1"), id="action that is not known"),
        pytest.param("x", id="nonsense"),
    ],
)
def test_a_press_that_was_not_signed_here_does_nothing(parked: Table, telegram: FakeTelegram, data: str) -> None:
    before = notice(telegram)
    press(telegram, data)
    assert [answer["text"] for answer in telegram.callback_answers] == [STALE]
    assert parked.statuses() == {"one": "FAILED", "two": "FAILED"}
    assert notice(telegram) == before


def test_a_press_in_a_chat_that_is_not_configured_does_nothing(
    webhook: str, parked: Table, telegram: FakeTelegram, caplog: pytest.LogCaptureFixture
) -> None:
    requests = telegram.requests
    assert post_update(webhook, press_update(buttons(telegram)["Discard"], chat_id=666)).status_code == 200
    assert parked.statuses() == {"one": "FAILED", "two": "FAILED"}
    assert telegram.requests == requests


def test_a_press_that_is_answered_too_late_does_what_it_says(
    webhook: str, parked: Table, telegram: FakeTelegram
) -> None:
    """Telegram refuses the answer; the notice shows what was done all the same."""
    message = {"message_id": notice(telegram)["message_id"], "text": "2 messages"}
    assert post_update(webhook, press_update(buttons(telegram)["Discard"], message=message)).status_code == 200
    assert telegram.callback_answers == []
    assert parked.statuses() == {}
    assert telegram.messages[-1]["text"].startswith("2 messages\n2 messages are discarded (Anna, ")


@pytest.mark.slow  # each waits for two messages at their pace
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("<b>Anna</b>", "<b>Anna</b>"),
        ("An\u202ena\n\n\x00", "An na"),
        ("A" * 64, "A" * 31 + "…"),
        ("\u200b", "somebody"),
        ("\ud800", "somebody"),
    ],
)
def test_a_name_is_shown_as_it_is_and_breaks_nothing(
    webhook: str, parked: Table, telegram: FakeTelegram, name: str, shown: str
) -> None:
    user: dict[str, Any] = {"from": {"id": 7, "first_name": name}}
    message = {"message_id": notice(telegram)["message_id"], "text": "2 messages"}
    post_update(webhook, press_update(buttons(telegram)["Discard"], message=message, **user))
    assert f" are discarded ({shown}, " in telegram.messages[-1]["text"]


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({"message": None}, id="below no message"),
        pytest.param({"data": 5, "from": None}, id="by nobody"),
        pytest.param({"message": {"chat": {"id": TWIN_CHAT_ID}}}, id="below a message without an id"),
    ],
)
def test_a_press_of_another_shape_is_ignored(webhook: str, telegram: FakeTelegram, query: dict[str, Any]) -> None:
    requests = telegram.requests
    made = press_update("x")
    assert post_update(webhook, {**made, "callback_query": {**made["callback_query"], **query}}).status_code == 200
    assert telegram.requests == requests


class Answers:
    """A Telegram that refuses what is sent to ``ops``, and notes all else that is asked of it."""

    def __init__(self, clock: Clock, *, seconds: float = 0.0) -> None:
        self.clock = clock
        self.seconds = seconds
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def call(self, method: str, fields: Any, file: object = None) -> Any:
        if fields.get("chat_id") == OPS_CHAT_ID:
            raise Refused("400 Bad Request: no")
        self.clock.sleep(self.seconds)
        self.calls.append((method, dict(fields)))
        return {"message_id": 1}


class SlowTable(MemoryTable):
    """Each change of a parked message takes so long; it takes ``most`` of them at all."""

    def __init__(self, clock: Clock, *, seconds: float = 0.0, most: int = 99) -> None:
        super().__init__()
        self.clock = clock
        self.seconds = seconds
        self.most = most

    def apply(self, key: Key, change: Change) -> Row:
        if any(check == Check("Status", "=", "FAILED") for line in change.when for check in line):
            self.clock.sleep(self.seconds)
            self.most -= 1
            if self.most < 0:
                raise TableUnavailable("throttled", retry_after=0.0)
        return super().apply(key, change)


@pytest.mark.outbox("memory")
@pytest.mark.parametrize("action", ["redrive", "discard"])
@pytest.mark.parametrize(
    "given",
    [pytest.param({"seconds": WORK_SECONDS / 2}, id="slow"), pytest.param({"most": 2}, id="not there any more")],
)
def test_what_the_time_does_not_allow_is_left_for_another_press(
    new_relay: NewRelay, clock: Clock, action: str, given: dict[str, Any]
) -> None:
    table, telegram = SlowTable(clock, **given), Answers(clock)
    relay = new_relay(sender=telegram, outbox=Outbox(table, clock=clock, sleep=clock.sleep))
    bodies = [json.dumps({"text": str(number), "chat": "ops"}) for number in range(5)]
    relay.take(read_queue([queue_record(body, body) for body in bodies]), deadline=clock() + 60)
    telegram.calls.clear()

    def press() -> tuple[str, list[str]]:
        """What is said, and the buttons that are left."""
        data = sign(WEBHOOK_SECRET, action, str(int(clock())))
        relay.press(Press(1, "1", TWIN_CHAT_ID, 1, "words", data, "Anna"), deadline=clock() + ANSWER_SECONDS)
        (_, answer), (_, edit) = telegram.calls[-2:]
        return answer["text"], [each["text"] for row in edit["reply_markup"]["inline_keyboard"] for each in row]

    done = "sent again" if action == "redrive" else "discarded"
    assert press() == (f"2 messages are {done}, 3 are left, press again", ["Send again", "Discard"])
    table.seconds, table.most = 0.0, 99
    assert press() == (f"3 messages are {done}", [])
    assert [method for method, _ in telegram.calls] == ["answerCallbackQuery", "editMessageText"] * 2


@pytest.mark.outbox("memory")
def test_no_call_is_begun_that_could_last_longer_than_the_webhook_has(new_relay: NewRelay, clock: Clock) -> None:
    telegram = Answers(clock, seconds=13.0)
    data = sign(WEBHOOK_SECRET, "discard", "1")
    new_relay(sender=telegram).press(Press(1, "1", 1, 1, "", data, "Anna"), deadline=clock() + ANSWER_SECONDS)
    assert [method for method, _ in telegram.calls] == ["answerCallbackQuery"]


@pytest.mark.outbox("memory")
def test_an_act_is_told_who_pressed_and_tells_what_to_say(outbox: Outbox, parameters: Parameters, clock: Clock) -> None:
    acted: list[tuple[str, dict[str, Any]]] = []
    shown: list[int] = []

    def acknowledge(digest: str, **given: Any) -> tuple[str, Callable[[], object]] | None:
        acted.append((digest, given))
        return ("Acknowledged", lambda: shown.append(len(telegram.calls))) if digest == "known" else None

    telegram = Answers(clock)
    chats = Chats(parameters, clock=clock)
    courier = Courier(telegram, outbox, chats, clock=clock, sleep=clock.sleep)
    presses = Presses(courier, chats, outbox, parameters, {"ack": acknowledge}, clock=clock)
    for digest in ("known", "gone"):
        data = sign(WEBHOOK_SECRET, "ack", digest)
        presses.press(Press(7, "1", TWIN_CHAT_ID, 1, "", data, "Anna"), deadline=clock() + ANSWER_SECONDS)
    given = {"update_id": 7, "who": "Anna", "deadline": clock() + ANSWER_SECONDS}
    assert acted == [("known", given), ("gone", given)]
    assert shown == [1]  # after the answer, for which there is less time
    assert [fields["text"] for _, fields in telegram.calls] == ["Acknowledged", STALE]


@pytest.mark.outbox("memory")
def test_without_a_webhook_a_notice_has_no_buttons(new_relay: NewRelay, clock: Clock) -> None:
    """Nobody would bring the presses."""
    known = {f"/botte/local/{name}": value for name, _, value in PARAMETERS if name != "telegram-webhook-secret"}
    parameters = Parameters("/botte/local", lambda names: {name: known[name] for name in names if name in known})
    telegram = Answers(clock)
    relay = new_relay(sender=telegram, parameters=parameters)
    relay.take(read_queue([queue_record(BAD, "bad")]), deadline=clock() + 60)
    relay.redeliver(deadline=clock() + 60)
    assert [(method, "reply_markup" in fields) for method, fields in telegram.calls] == [
        ("getMe", False),
        ("sendMessage", False),
    ]
