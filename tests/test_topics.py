"""A topic for each sender, where the chat wants it: one, remembered, and never worth more than the message."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from chalicelib.contract.message import Message
from chalicelib.errors import Ambiguous, TableAnswerLost, TableUnavailable, Unavailable
from chalicelib.outbox.row import Key
from chalicelib.outbox.table import Outbox
from chalicelib.relay import Accepted, Delivered, Relay
from chalicelib.settings import Parameters
from chalicelib.telegram.bot_api import Telegram
from tests.conftest import NewOutbox
from tests.doors import Clock
from tests.outbox.memory_table import FlakyTable, MemoryTable
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram

FORUM, PLAIN_GROUP = -1005, -1006
CHATS = {
    "default": {"id": FORUM, "topics": True},
    "private": {"id": TWIN_CHAT_ID, "topics": True},
    "group": {"id": PLAIN_GROUP, "topics": True},
    "same": {"id": FORUM},
}

pytestmark = pytest.mark.outbox("memory")


class Calls:
    """A way to Telegram that notes what is called, and does something of ours before a call."""

    def __init__(self, telegram: FakeTelegram) -> None:
        self._telegram = Telegram(telegram.url, lambda fresh=False: TWIN_BOT_TOKEN)
        self.methods: list[str] = []
        self.before: dict[str, Callable[[], object]] = {}

    def call(self, method: str, fields: Mapping[str, object], file: tuple[str, bytes] | None = None) -> Any:
        self.methods.append(method)
        self.before.get(method, lambda: None)()
        return self._telegram.call(method, fields, file)

    @property
    def made(self) -> int:
        return self.methods.count("createForumTopic") - self.methods.count("deleteForumTopic")


@pytest.fixture(scope="module")
def forum() -> Iterator[FakeTelegram]:
    chats = {TWIN_CHAT_ID: "You", FORUM: "Forum", PLAIN_GROUP: "Group"}
    with FakeTelegram(pace=None, chats=chats) as fake:
        fake.make_forum(FORUM)
        fake.make_forum(TWIN_CHAT_ID)
        # The first message of a forum tells that it was made, and is no topic.
        Calls(fake).call("sendMessage", {"chat_id": FORUM, "text": "made"})
        yield fake


@pytest.fixture
def telegram(forum: FakeTelegram) -> FakeTelegram:
    forum.set_fault({"kind": "none"})
    forum.clear()
    return forum


@pytest.fixture
def calls(telegram: FakeTelegram) -> Calls:
    return Calls(telegram)


@pytest.fixture
def parameters(clock: Clock) -> Parameters:
    values = {"/p/telegram-bot-token": TWIN_BOT_TOKEN, "/p/telegram-chats": json.dumps(CHATS)}
    return Parameters("/p", lambda _: values, clock=clock)


NewProcess = Callable[..., Relay]


@pytest.fixture
def new_process(parameters: Parameters, calls: Calls, outbox: Outbox, clock: Clock) -> NewProcess:
    def start(sender: Calls = calls, outbox: Outbox = outbox) -> Relay:
        return Relay(sender, outbox, parameters, clock=clock, sleep=clock.sleep)

    return start


@pytest.fixture
def relay(new_process: NewProcess) -> Relay:
    return new_process()


def send(relay: Relay, text: str, sender_app: str | None = "backup", *, seconds: float = 60.0, **fields: Any) -> Any:
    """What became of it, within so many seconds of the clock that the relay has."""
    message = Message(text=text, sender_app=sender_app, **fields)
    return relay.accept(message, deadline=relay._clock() + seconds, spare_id=text)


def threads(telegram: FakeTelegram) -> dict[str, int | None]:
    """The topic of each message in the chat."""
    return {sent["text"]: sent.get("message_thread_id") for sent in telegram.messages}


def remembered(memory: MemoryTable, chat_id: int = FORUM, sender_app: str = "backup") -> int | None:
    row = memory.get(Key.of_topic(chat_id, sender_app))
    return row.thread_id if row else None


def delete_topic(telegram: FakeTelegram, thread_id: int | None) -> None:
    Calls(telegram).call("deleteForumTopic", {"chat_id": FORUM, "message_thread_id": thread_id})


@pytest.mark.parametrize(("chat", "chat_id"), [("default", FORUM), ("private", TWIN_CHAT_ID)])
def test_each_sender_has_a_topic_of_its_own_which_is_made_once(
    relay: Relay, telegram: FakeTelegram, calls: Calls, memory: MemoryTable, chat: str, chat_id: int
) -> None:
    for text, sender_app in (("one", "backup"), ("two", "disk"), ("three", "backup")):
        assert isinstance(send(relay, text, sender_app, chat=chat), Delivered)
    found = threads(telegram)
    assert found["one"] == found["three"] == remembered(memory, chat_id)
    assert found["two"] == remembered(memory, chat_id, "disk")
    assert len({None, *found.values()}) == 3
    assert calls.methods == ["createForumTopic", "sendMessage"] * 2 + ["sendMessage"]


def test_the_next_process_finds_it_with_one_read(
    new_process: NewProcess, telegram: FakeTelegram, calls: Calls, memory: MemoryTable
) -> None:
    send(new_process(), "one")
    relay = new_process()
    send(relay, "two")
    memory.items.clear()  # it is not read again
    send(relay, "three")
    assert len(set(threads(telegram).values())) == 1
    assert calls.made == 1


def test_whoever_names_a_topic_or_has_no_name_or_is_in_another_chat_gets_none(
    relay: Relay, telegram: FakeTelegram, calls: Calls, memory: MemoryTable
) -> None:
    send(relay, "nameless", None)
    send(relay, "same chat, without topics", chat="same")
    assert memory.items == {}
    send(relay, "first")
    thread_id = remembered(memory)
    send(relay, "named", "disk", message_thread_id=thread_id)
    expected = {"nameless": None, "same chat, without topics": None, "first": thread_id, "named": thread_id}
    assert threads(telegram) == expected
    assert calls.made == 1


def test_all_parts_are_in_the_topic_and_it_is_made_once_for_them(
    relay: Relay, telegram: FakeTelegram, calls: Calls
) -> None:
    send(relay, "word " * 2000, id="long")
    assert len(telegram.messages) == 3
    assert len({sent["message_thread_id"] for sent in telegram.messages}) == calls.made == 1


def test_a_topic_that_was_deleted_is_made_anew_and_the_message_is_not_mended(
    relay: Relay, telegram: FakeTelegram, calls: Calls, memory: MemoryTable
) -> None:
    send(relay, "one")
    gone = remembered(memory)
    delete_topic(telegram, gone)
    outcome = send(relay, "two")
    assert "botte" not in outcome.result
    send(relay, "three")
    assert threads(telegram) == {"two": remembered(memory), "three": remembered(memory)}
    assert remembered(memory) not in (None, gone)
    assert calls.made == 2


def test_a_live_message_is_edited_in_its_topic_and_sent_anew_in_the_next_one(
    relay: Relay, telegram: FakeTelegram, calls: Calls, memory: MemoryTable, clock: Clock
) -> None:
    for text in ("🔴 one", "🟢 two"):
        send(relay, text, collapse_key="disk")
        clock.now += 5
    assert threads(telegram) == {"🟢 two": remembered(memory)}
    delete_topic(telegram, remembered(memory))
    send(relay, "🔴 three", collapse_key="disk")
    assert threads(telegram) == {"🔴 three": remembered(memory)}
    assert calls.made == 2


def test_a_process_that_knows_a_deleted_topic_takes_the_one_that_another_has_made_since(
    new_process: NewProcess, telegram: FakeTelegram, calls: Calls, memory: MemoryTable
) -> None:
    first, second = new_process(), new_process()
    send(first, "one")
    send(second, "two")
    delete_topic(telegram, remembered(memory))
    send(first, "three")
    send(second, "four")
    assert threads(telegram) == {"three": remembered(memory), "four": remembered(memory)}
    assert calls.made == 2


@pytest.mark.parametrize("anew", [False, True])
def test_of_two_processes_that_make_it_at_once_one_uses_the_other_s_and_deletes_its_own(
    new_process: NewProcess, telegram: FakeTelegram, calls: Calls, memory: MemoryTable, anew: bool
) -> None:
    slow = Calls(telegram)
    first, second = new_process(), new_process(slow)
    if anew:
        send(first, "gone")
        send(second, "gone too")
        delete_topic(telegram, remembered(memory))
    slow.before["createForumTopic"] = lambda: send(first, "one")
    send(second, "two")
    send(second, "three")
    assert set(threads(telegram).values()) == {remembered(memory)}
    assert slow.methods.count("deleteForumTopic") == slow.methods.count("createForumTopic") == 1
    assert list(threads(telegram)) == ["one", "two", "three"]


def test_a_topic_that_cannot_be_deleted_stays_and_the_message_goes_on(
    new_process: NewProcess, telegram: FakeTelegram, memory: MemoryTable
) -> None:
    slow = Calls(telegram)
    first, second = new_process(), new_process(slow)
    slow.before["createForumTopic"] = lambda: send(first, "one")
    slow.before["deleteForumTopic"] = _raise(Unavailable("Telegram cannot be reached"))
    assert isinstance(send(second, "two"), Delivered)
    assert set(threads(telegram).values()) == {remembered(memory)}


def test_where_telegram_makes_no_topic_the_message_goes_without_and_the_log_tells_once(
    relay: Relay, telegram: FakeTelegram, calls: Calls, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for text, sender_app in (("one", "backup"), ("two", "backup"), ("three", "disk")):
        assert isinstance(send(relay, text, sender_app, chat="group"), Delivered)
    assert threads(telegram) == {"one": None, "two": None, "three": None}
    (told,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert (vars(told)["chat_id"], vars(told)["reason"]) == (PLAIN_GROUP, "400 Bad Request: the chat is not a forum")
    assert calls.methods.count("createForumTopic") == 2
    clock.now += 300  # perhaps its owner has given the bot the right to
    send(relay, "four", chat="group")
    assert calls.methods.count("createForumTopic") == 3


def test_a_topic_that_takes_no_message_costs_the_message_nothing(
    relay: Relay, telegram: FakeTelegram, calls: Calls
) -> None:
    """Made anew once, and then it appears without: in a forum whose topics are all closed, for one."""
    telegram.set_fault({"kind": "thread_not_found", "count": 2, "method": "sendMessage"})
    assert isinstance(send(relay, "one"), Delivered)
    assert threads(telegram) == {"one": None}
    assert calls.methods == ["createForumTopic", "sendMessage"] * 2 + ["sendMessage"]


@pytest.mark.parametrize(
    "error", [Unavailable("Telegram says 500"), Ambiguous("Telegram's answer was lost")], ids=["broken", "lost"]
)
def test_a_message_does_not_wait_for_its_topic(
    relay: Relay, telegram: FakeTelegram, calls: Calls, memory: MemoryTable, error: Exception
) -> None:
    calls.before["createForumTopic"] = _raise(error)
    outcome = send(relay, "one", id="k1")
    assert isinstance(outcome, Delivered)
    row = memory.get(Key.of_id("k1"))
    assert (row.status, row.ambiguous) == ("SENT", 0)  # type: ignore[union-attr]
    calls.before.clear()
    send(relay, "two")
    assert threads(telegram) == {"one": None, "two": remembered(memory)}


def test_while_telegram_wants_the_chat_left_alone_the_message_waits_for_its_topic(
    relay: Relay, telegram: FakeTelegram, calls: Calls, memory: MemoryTable, clock: Clock
) -> None:
    telegram.set_fault({"kind": "rate_limit", "retry_after": 30, "count": 1, "method": "createForumTopic"})
    assert isinstance(send(relay, "one"), Accepted)
    assert calls.methods == ["createForumTopic"]
    clock.now += 30
    relay.redeliver(deadline=clock() + 90)
    assert threads(telegram) == {"one": remembered(memory)}


def test_no_topic_is_made_without_time_to_send_the_message(
    relay: Relay, telegram: FakeTelegram, calls: Calls, clock: Clock, memory: MemoryTable
) -> None:
    assert isinstance(send(relay, "one", seconds=14.0), Accepted)
    assert calls.methods == []
    relay.redeliver(deadline=clock() + 90)
    assert threads(telegram) == {"one": remembered(memory)}


@pytest.mark.parametrize("error", [TableUnavailable("down"), TableUnavailable("busy", retry_after=1.0)])
def test_while_the_outbox_cannot_be_read_messages_go_without_a_topic(
    new_process: NewProcess, telegram: FakeTelegram, calls: Calls, memory: MemoryTable, clock: Clock, error: Exception
) -> None:
    class Unreadable(MemoryTable):
        def get(self, key: Key) -> Any:
            raise error

    relay = new_process(outbox=Outbox(Unreadable(), clock=clock, sleep=clock.sleep))
    assert isinstance(send(relay, "one"), Delivered)
    assert threads(telegram) == {"one": None}
    assert calls.made == 0


def test_a_topic_that_cannot_be_noted_serves_the_process_that_made_it(
    new_process: NewProcess, telegram: FakeTelegram, calls: Calls, memory: MemoryTable, clock: Clock
) -> None:
    table = FlakyTable(memory, *[TableUnavailable("down")] * 2)
    relay = new_process(outbox=Outbox(table, clock=clock, sleep=clock.sleep))
    send(relay, "one")
    send(relay, "two")
    assert len({*threads(telegram).values(), None}) == 2
    assert calls.made == 1


def test_a_note_whose_answer_is_lost_is_recognised(
    new_outbox: NewOutbox, new_process: NewProcess, telegram: FakeTelegram, calls: Calls, memory: MemoryTable
) -> None:
    relay = new_process(outbox=new_outbox(script=[TableAnswerLost("lost", retry_after=0.1)]))
    send(relay, "one")
    assert threads(telegram) == {"one": remembered(memory)}
    assert calls.made == 1


def _raise(error: Exception) -> Callable[[], object]:
    def fail() -> None:
        raise error

    return fail
