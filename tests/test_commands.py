"""What a person asks the bot is answered in one message that can be read, whatever others wrote into it."""

from __future__ import annotations

import json

import pytest
import requests

from chalicelib.contract.message import Message
from chalicelib.doors.commands import COMMANDS, MAX_UNITS, MOST_ENTRIES, Commands
from chalicelib.outbox import states
from chalicelib.outbox.live import Wanted
from chalicelib.outbox.row import Key
from chalicelib.outbox.states import Content
from chalicelib.outbox.table import Outbox
from chalicelib.settings import Parameters
from tests.conftest import PARAMETERS
from tests.doors import Doors, queue_record, texts
from tests.updates import post_update, update
from tools.dev.aws import EmbeddedAws
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram

pytestmark = pytest.mark.outbox("memory")

NOW = 1_795_860_300.0  # 28 November 2026, 10:05 UTC
HOSTILE = "<b>\u202e_*`[x](tg://user?id=1)\n\n\x1b[31m\x00 " + "🔔" * 5000


class Store:
    """A Parameter Store."""

    def __init__(self, **values: str) -> None:
        self.values = {f"/botte/local/{name}": value for name, _, value in PARAMETERS} | {
            f"/botte/local/{name}": value for name, value in values.items()
        }
        self.parameters = Parameters("/botte/local", self._read, self.values.__setitem__, clock=lambda: NOW)

    def _read(self, names: object) -> dict[str, str]:
        return {name: value for name, value in self.values.items() if name in names}  # type: ignore[operator]

    @property
    def mutes(self) -> object:
        return json.loads(self.values["/botte/local/mutes"])


@pytest.fixture
def store() -> Store:
    return Store()


def ask(outbox: Outbox, store: Store, text: str, *, written_ts: float = NOW) -> str:
    return Commands(outbox, store.parameters, NOW).answer(text, written_ts)


def park(
    outbox: Outbox, id: str, *, ago: float = 0.0, error: str = "400 no", sender_app: str | None = "backup"
) -> None:
    content = Content.of(Message(text="words", id=None, sender_app=sender_app), NOW - ago)
    outbox.apply(Key.of_id(id), states.park(content, error=error))


def keep(outbox: Outbox, id: str, *, ago: float = 0.0, error: str | None = None, deliver_at: int | None = None) -> None:
    content = Content.of(Message(text="words", sender_app="cron", deliver_at=deliver_at), NOW - ago)
    outbox.apply(Key.of_id(id), states.wait(content, error=error))


def test_failed_lists_what_was_parked_the_latest_first(outbox: Outbox, store: Store) -> None:
    park(outbox, "one", ago=7200, error="400 Bad Request: no")
    outbox.apply(Key.of_id("bad"), states.park(Content.of_bad_input("{", NOW), error="body: is not JSON", raw="{"))
    assert ask(outbox, store, "/failed") == (
        "2 messages are parked\n\n"
        "28 Nov 10:05 UTC · bad\nbody: is not JSON\n\n"
        "28 Nov 08:05 UTC · backup · one\n400 Bad Request: no"
    )


def test_pending_lists_what_waits_and_why_the_oldest_first(outbox: Outbox, store: Store) -> None:
    keep(outbox, "new")
    keep(outbox, "old", ago=3 * 3600, error="Telegram says 502")
    keep(outbox, "later", ago=90, deliver_at=int(NOW) + 3600)
    assert ask(outbox, store, "/pending@botte_bot") == (
        "3 messages wait\n\n"
        "3 h · cron · to default · old\nTelegram says 502\n\n"
        "1 min 30 s · cron · to default · later\nnot before 28 Nov 11:05 UTC\n\n"
        "0 s · cron · to default · new\nit waits for its turn"
    )


def test_a_live_message_that_waits_has_the_key_that_its_sender_gave_it(outbox: Outbox, store: Store) -> None:
    message = Message(text="words", collapse_key="disk-db1")
    content = Content.of(message, NOW - 60)
    key = Key.of_live("default", "disk-db1")
    outbox.apply(key, states.name_live(content, Wanted.of(message, 1), 1, due=NOW - 60))
    assert ask(outbox, store, "/pending") == "1 message waits\n\n1 min · to default · disk-db1\nit waits for its turn"


def test_heartbeats_are_listed_with_those_that_were_missed_first(outbox: Outbox, store: Store) -> None:
    for name, ago in (("a", 60), ("b", 7200)):
        outbox.apply(Key.of_heartbeat(name), states.beat("ops", now=NOW - ago, every=3600, sender_app=None))
    outbox.apply(Key.of_heartbeat("b"), states.miss_heartbeat(NOW - 3600, now=NOW, until=NOW + 60))
    assert [line.partition(":")[0] for line in ask(outbox, store, "/heartbeats").splitlines()[2::2]] == ["🔴 b", "🟢 a"]


@pytest.mark.parametrize("command", ["/failed", "/pending"])
def test_where_there_is_nothing_to_list_it_says_so(outbox: Outbox, store: Store, command: str) -> None:
    assert ask(outbox, store, command).startswith("No messages ")


@pytest.mark.parametrize(
    ("command", "rest"), [("/failed", "; make failed lists all"), ("/pending", ", accepted later")]
)
def test_a_list_is_no_longer_than_a_screen(outbox: Outbox, store: Store, command: str, rest: str) -> None:
    for number in range(100):
        park(outbox, f"parked-{number}")
        keep(outbox, f"kept-{number}")
    said = ask(outbox, store, command)
    assert said.startswith("100 messages ")
    assert said.endswith(f"\n\nand {100 - MOST_ENTRIES} more{rest}")


@pytest.mark.parametrize("command", ["/failed", "/pending"])
def test_hostile_words_stay_in_their_line_and_in_one_message(outbox: Outbox, store: Store, command: str) -> None:
    for number in range(20):
        park(outbox, f"parked-{number}", error=HOSTILE, sender_app=HOSTILE)
        keep(outbox, f"kept-{number}", error=HOSTILE)
    said = ask(outbox, store, command)
    assert len(said.encode("utf-16-le")) // 2 <= MAX_UNITS + 40
    assert all(line.isprintable() for line in said.splitlines())
    assert all(len(entry.splitlines()) == 2 for entry in said.split("\n\n")[1:-1])
    assert "<b> _*`[x](tg://user?id=1)" in said


@pytest.mark.parametrize(
    ("text", "sender_app", "seconds"),
    [
        ("/mute backup 2h", "backup", 7200),
        ("/mute nightly backup  90M", "nightly backup", 5400),
        ("/mute b 45", "b", 45),
    ],
)
def test_a_sender_is_muted_for_so_long(outbox: Outbox, store: Store, text: str, sender_app: str, seconds: int) -> None:
    said = ask(outbox, store, text, written_ts=NOW - 10)
    assert store.mutes == {sender_app: NOW - 10 + seconds}
    assert said.startswith(f"{sender_app} makes no sound until 28 Nov ")


def test_the_same_mute_once_more_is_no_longer(outbox: Outbox, store: Store) -> None:
    for _ in range(10):
        ask(outbox, store, "/mute backup 2h", written_ts=NOW - 60)
    assert store.mutes == {"backup": NOW - 60 + 7200}


@pytest.mark.parametrize("text", ["/mute", "/mute backup", "/mute 2h", "/mute backup 2y", "/mute backup 9999d"])
def test_a_mute_that_cannot_be_read_tells_how_and_who_is_muted(outbox: Outbox, text: str) -> None:
    store = Store(mutes=json.dumps({"cron\n": NOW + 60, "over": NOW - 60}))
    assert ask(outbox, store, text) == "Say who, and for how long: /mute backup 2h\ncron until 28 Nov 10:06 UTC"


@pytest.mark.parametrize(
    ("text", "said", "left"),
    [
        ("/unmute cron", "cron makes sounds again", {"two words": NOW + 60}),
        ("/unmute two words", "two words makes sounds again", {"cron": NOW + 60}),
        ("/unmute", "Whoever was muted makes sounds again", {}),
        ("/unmute other", "other is not muted", {"cron": NOW + 60, "two words": NOW + 60}),
    ],
)
def test_a_mute_is_ended(outbox: Outbox, text: str, said: str, left: dict[str, float]) -> None:
    store = Store(mutes=json.dumps({"cron": NOW + 60, "two words": NOW + 60}))
    assert ask(outbox, store, text).startswith(said)
    assert store.mutes == left


@pytest.mark.parametrize("text", ["/mute backup 2h", "/unmute"])
def test_where_the_mutes_cannot_be_written_it_says_so(outbox: Outbox, parameters: Parameters, text: str) -> None:
    said = Commands(outbox, parameters, NOW).answer(text, NOW)
    assert said == "It cannot be done: the Parameter Store cannot be written: AccessDeniedException"


def test_help_tells_of_each_command_and_telegram_takes_the_list(
    outbox: Outbox, store: Store, telegram: FakeTelegram
) -> None:
    lines = ask(outbox, store, "/help").splitlines()[2:]
    assert [line.split()[0] for line in lines] == [f"/{name}" for name in COMMANDS]
    commands = [{"command": name, "description": of.description} for name, of in COMMANDS.items()]
    url = f"{telegram.url}/bot{TWIN_BOT_TOKEN}/setMyCommands"
    assert requests.post(url, json={"commands": commands}, timeout=10).json() == {"ok": True, "result": True}


@pytest.mark.outbox("dynamodb")
def test_what_is_listed_is_what_is_in_the_table(webhook: str, doors: Doors, telegram: FakeTelegram) -> None:
    doors.queue(queue_record('{"chat_id": 5, "text": "https://example.com"}', "bad"))
    telegram.set_fault({"kind": "server_error", "chat_id": TWIN_CHAT_ID})
    doors.post({"text": "later", "sender_app": "cron", "id": "later"})
    doors.post({"heartbeat": "nightly", "every": "26h"})
    telegram.set_fault({"kind": "none"})
    for number, command in enumerate(("/failed", "/pending", "/heartbeats"), start=1):
        post_update(webhook, update(command, update_id=number))
    failed, pending, heartbeats = telegram.messages[-3:]
    assert failed["text"].startswith("1 message is parked\n\n")
    assert failed["text"].endswith("bad\nchat_id: raw chat ids are not taken; name a configured chat in 'chat'")
    assert "cron · to default · later\nTelegram says 5" in pending["text"]
    assert heartbeats["text"].startswith("1 heartbeat\n\n🟢 nightly: the last one came ")
    assert failed["link_preview_options"] == {"is_disabled": True}


@pytest.mark.outbox("dynamodb")
def test_a_mute_is_kept_and_messages_of_the_sender_make_no_sound(
    webhook: str, doors: Doors, telegram: FakeTelegram, aws: EmbeddedAws
) -> None:
    post_update(webhook, update("/mute backup 2h", update_id=1))
    doors.post({"text": "quiet", "sender_app": "backup"})
    post_update(webhook, update("/unmute backup", update_id=2))
    doors.post({"text": "loud", "sender_app": "backup"})
    shown = {message["text"]: message["disable_notification"] for message in telegram.messages}
    assert (shown["quiet"], shown["loud"]) == (True, False)
    assert texts(telegram.messages)[0].startswith("backup makes no sound until ")


@pytest.mark.parametrize("sender_app", ["two   spaces", "long " * 12])
def test_who_was_muted_is_unmuted_by_the_name_that_was_shown(outbox: Outbox, store: Store, sender_app: str) -> None:
    said = ask(outbox, store, f"/mute {sender_app} 2h")
    ask(outbox, store, said[said.index("/unmute") :].removesuffix(" ends it"))
    assert store.mutes == {}
