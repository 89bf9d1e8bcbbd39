"""What an operator sees and does, against the outbox of a stage."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
import requests

from chalicelib.contract.message import Message
from chalicelib.doors.commands import COMMANDS
from chalicelib.outbox import states
from chalicelib.outbox.row import Key
from chalicelib.outbox.states import Content
from chalicelib.outbox.table import Outbox
from chalicelib.settings import WEBHOOK_SECRET
from tests.conftest import OPS_CHAT_ID
from tests.doors import Clock, Doors, Table, queue_record, texts
from tools.dev.aws import EmbeddedAws
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram
from tools.ops.__main__ import main
from tools.ops.checks import check_backlog, check_bot, check_clock, check_parameters, check_webhook
from tools.ops.console import Console
from tools.ops.enrol import ensure_chat
from tools.ops.stage import Stage
from tools.ops.webhook import PATH, delete_webhook, offer_webhook, preview_webhook, set_webhook, show_webhook


@pytest.fixture(autouse=True)
def ports(aws: EmbeddedAws, telegram: FakeTelegram, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTTE_AWS_PORT", str(aws.port))
    monkeypatch.setenv("BOTTE_TELEGRAM_PORT", str(telegram.port))


def run(*arguments: str) -> int:
    return main([*arguments, "--stage", "local"])


def park(doors: Doors, telegram: FakeTelegram, *ids: str) -> None:
    telegram.set_fault({"kind": "chat_not_found"})
    for id in ids:
        doors.post({"text": f"message {id}", "id": id})
    telegram.set_fault({"kind": "none"})


def test_failed_lists_each_parked_message_with_its_reason(
    doors: Doors, telegram: FakeTelegram, capsys: pytest.CaptureFixture[str]
) -> None:
    park(doors, telegram, "one")
    doors.queue(queue_record('{"chat_id": 5}', "another"))
    assert run("failed") == 0
    heads, first, second, count = capsys.readouterr().out.splitlines()
    columns = [heads.index(head) for head in ("when", "id", "why", "message")]
    cells = [[line[start:end].strip() for start, end in pairwise([*columns, None])] for line in (first, second)]
    assert sorted(line[1:] for line in cells) == [
        ["another", "chat_id: raw chat ids are not taken; name a configured chat in 'chat'", """'{"chat_id": 5}'"""],
        ["one", "400 Bad Request: chat not found", "'message one'"],
    ]
    assert count == "2 messages are parked on local"


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ({"photo": "https://example.com/a.png"}, "photo 'https://example.com/a.png'"),
        ({"document": "https://example.com/a.pdf"}, "document 'https://example.com/a.pdf'"),
        ({"photo": "https://example.com/a.png", "text": "the words"}, "'the words'"),
    ],
)
def test_failed_shows_the_media_of_a_message_without_words(
    doors: Doors, telegram: FakeTelegram, capsys: pytest.CaptureFixture[str], sent: dict[str, str], shown: str
) -> None:
    telegram.set_fault({"kind": "chat_not_found"})
    doors.post({**sent, "id": "one"})
    assert run("failed") == 0
    heads, line, _ = capsys.readouterr().out.splitlines()
    assert line[heads.index("message") :] == shown


def test_failed_lists_the_earliest_first(
    outbox: Outbox, clock: Clock, doors: Doors, capsys: pytest.CaptureFixture[str]
) -> None:
    for id, age in (("a", 100), ("b", 300), ("c", 200)):
        content = Content.of(Message(text=id), clock() - age)
        outbox.apply(Key.of_id(id), states.park(content, error="no"))
    assert run("failed") == 0
    _, *lines, _ = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines] == ["b", "c", "a"]


def test_words_that_a_sender_chose_forge_no_line(doors: Doors, capsys: pytest.CaptureFixture[str]) -> None:
    doors.queue(queue_record('{"text": "x\\n2026-01-01  forged", "chat": "nobody"}', "one"))
    doors.queue(queue_record('{"chat_id":\n"2026-01-01  forged\x9b31m"}', "two"))
    assert run("failed") == 0
    _, first, second, _ = capsys.readouterr().out.splitlines()
    assert r"'x\n2026-01-01  forged'" in first
    assert r'{"chat_id":\n"2026-01-01  forged\x9b31m"}' in second


def test_redrive_sends_all_parked_messages_again(
    doors: Doors, telegram: FakeTelegram, capsys: pytest.CaptureFixture[str]
) -> None:
    park(doors, telegram, "one", "two")
    assert run("redrive") == 0
    assert capsys.readouterr().out == "2 messages are sent again on local, within a minute\n"
    doors.redeliver()
    assert sorted(texts(telegram.messages)) == ["message one", "message two"]
    assert run("failed") == 0
    assert capsys.readouterr().out == "0 messages are parked on local\n"


def test_redrive_takes_one_message_by_its_id(
    doors: Doors, telegram: FakeTelegram, table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    park(doors, telegram, "one", "two")
    assert run("redrive", "--id", "two") == 0
    assert capsys.readouterr().out == "1 message is sent again on local, within a minute\n"
    assert [table.row(id)["Status"] for id in ("one", "two")] == ["FAILED", "PENDING"]


def test_an_id_that_is_not_parked_is_an_error(doors: Doors, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("redrive", "--id", "nothing") == 1
    assert capsys.readouterr().err == "ID: no message 'nothing' is parked on local\n"


def test_an_unknown_stage_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["failed", "--stage", "moon"]) == 1
    expected = "STAGE: 'moon' is not in .chalice/config.json; the stages are local, dev, prod\n"
    assert capsys.readouterr().err == expected


def test_a_table_that_cannot_be_reached_is_an_error_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert main(["failed", "--stage", "dev"]) == 1
    expected = "the table botte-dev-outbox cannot be used: EndpointConnectionError at http://127.0.0.1:1\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("command", ["failed", "redrive", "discard"])
def test_where_no_twin_runs_a_command_says_where_it_looked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    for name, port in {"HTTP": "2", "AWS": "1", "TELEGRAM": "3"}.items():
        monkeypatch.setenv(f"BOTTE_{name}_PORT", port)
    assert run(command) == 1
    door, aws, telegram = (f"http://127.0.0.1:{port}" for port in (2, 1, 3))
    looked = f"HTTP door {door}, AWS {aws}, Telegram {telegram}"
    assert capsys.readouterr() == ("", f"no twin runs ({looked}): make run starts one\n")


def test_the_backlog_tells_what_waits_long_and_what_is_parked(
    outbox: Outbox, doors: Doors, telegram: FakeTelegram
) -> None:

    def told() -> list[tuple[str, str | None]]:
        return [(found.told, found.mend) for found in check_backlog(Stage("local"))]

    assert told() == [("0 messages are waiting", None), ("0 messages are parked", None)]
    telegram.set_fault({"kind": "down"})
    doors.post({"text": "x", "id": "new"})
    assert told()[0] == ("1 message is waiting", None)
    content = Content.of(Message(text="y", id="old"), time.time() - 7200)
    outbox.apply(Key.of_id("old"), states.wait(content, error="502 Bad Gateway"))
    late = "1 message is waiting for more than 5 minutes, the first for 120"
    assert told()[0] == (late, "read what make run printed")
    park(doors, telegram, "one", "two")
    again = "make failed STAGE=local, then make redrive STAGE=local or make discard STAGE=local"
    assert told()[1] == ("2 messages are parked", again)


@pytest.mark.parametrize(("off", "mend"), [(0.0, None), (-120.0, "timedatectl set-ntp true")])
def test_the_doctor_compares_the_clock_with_that_of_aws(doors: Doors, off: float, mend: str | None) -> None:
    (found,) = check_clock(Stage("local"), lambda: time.time() + off)
    assert found.mend == mend


@pytest.fixture
def put_chats(aws: EmbeddedAws, doors: Doors) -> Iterator[Callable[[object], None]]:
    """Writes the parameter telegram-chats; afterwards it is as it was."""
    del doors
    ssm, name = aws.client("ssm", counted=False), "/botte/local/telegram-chats"
    before = ssm.get_parameter(Name=name)["Parameter"]["Value"]

    def put(chats: object) -> None:
        ssm.put_parameter(Name=name, Type="String", Value=json.dumps(chats), Overwrite=True)

    yield put
    put(json.loads(before))


def test_the_doctor_tells_which_setting_of_a_chat_cannot_be_used(put_chats: Callable[[object], None]) -> None:
    put_chats({"default": TWIN_CHAT_ID, "ops": {"id": OPS_CHAT_ID, "quiet": "22:00-07:00", "time_zone": "Europe/Rome"}})
    assert {found.mend for found in check_parameters(Stage("local"))} == {None}
    assert {found.mend for found in check_bot(Stage("local"))} == {None}
    put_chats({"default": TWIN_CHAT_ID, "ops": {"id": OPS_CHAT_ID, "quiet": "10pm-7am", "topic": True}})
    wrong = [found for found in check_parameters(Stage("local")) if found.mend is not None]
    assert [found.told for found in wrong] == [
        "ops: topic is none of id, quiet, time_zone, topics",
        'ops: quiet must be like "22:00-07:00", not "10pm-7am"',
    ]
    mend = "aws ssm put-parameter --overwrite --type String --name /botte/local/telegram-chats --value '...'"
    assert {found.mend for found in wrong} == {mend}


def test_the_doctor_tells_of_a_chat_that_shall_have_topics_and_is_no_forum(put_chats: Callable[[object], None]) -> None:
    put_chats({"default": {"id": TWIN_CHAT_ID, "topics": True}, "ops": {"id": OPS_CHAT_ID, "topics": True}})
    wrong = [(found.told, found.mend) for found in check_bot(Stage("local")) if found.mend is not None]
    assert wrong == [
        ("default shall have topics, and is no forum: messages appear without", "switch on its topics at @BotFather"),
        ("ops shall have topics, and is no forum: messages appear without", "switch on Topics in the group's settings"),
    ]


def test_a_deployment_that_is_given_another_chat_leaves_what_else_is_wanted_of_it(
    aws: EmbeddedAws, put_chats: Callable[[object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    put_chats({"default": {"id": 5, "quiet": "22:00-07:00"}, "ops": {"id": OPS_CHAT_ID, "topics": True}})
    monkeypatch.setenv("TELEGRAM_CHAT_ID", str(TWIN_CHAT_ID))
    assert ensure_chat(Stage("local"), Console()) == f"default {TWIN_CHAT_ID}, ops {OPS_CHAT_ID}: stored"
    stored = aws.client("ssm").get_parameter(Name="/botte/local/telegram-chats")["Parameter"]["Value"]
    wanted = {"default": {"id": TWIN_CHAT_ID, "quiet": "22:00-07:00"}, "ops": {"id": OPS_CHAT_ID, "topics": True}}
    assert json.loads(stored) == wanted


def test_the_webhook_is_set_shown_and_deleted(doors: Doors, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("webhook", "set", "--url", doors.url) == 0
    assert run("webhook", "info") == 0
    assert run("webhook", "delete") == 0
    assert run("webhook", "info") == 0
    assert capsys.readouterr().out.splitlines() == [
        f"Telegram brings what is written to the bot to {doors.url}/telegram-webhook",
        f"{doors.url}/telegram-webhook, 0 updates wait",
        "no webhook is set on local any more",
        "no webhook is set on local",
    ]


def bot(telegram: FakeTelegram, method: str, **fields: object) -> Any:
    return requests.post(f"{telegram.url}/bot{TWIN_BOT_TOKEN}/{method}", json=fields, timeout=10).json()["result"]


@pytest.fixture
def stage(doors: Doors, telegram: FakeTelegram, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """The local stage, with its HTTP door where the tests have it; its bot has no webhook."""
    monkeypatch.setenv("BOTTE_HTTP_PORT", doors.url.rpartition(":")[2])
    made = Stage("local")
    secret = made.parameter(WEBHOOK_SECRET)
    yield made
    made.put_secret(WEBHOOK_SECRET, str(secret))
    bot(telegram, "setWebhook", url=doors.url, allowed_updates=[])
    for method in ("deleteWebhook", "deleteMyCommands"):
        bot(telegram, method)


def test_with_the_webhook_telegram_shows_the_commands_and_brings_presses(stage: Stage, telegram: FakeTelegram) -> None:
    assert set_webhook(stage, None) == 0
    assert bot(telegram, "getWebhookInfo")["allowed_updates"] == ["callback_query", "message"]
    assert [each["command"] for each in bot(telegram, "getMyCommands")] == list(COMMANDS)
    assert delete_webhook(stage) == 0
    assert bot(telegram, "getMyCommands") == []


def test_a_deployment_sets_the_webhook_when_its_owner_says_yes(stage: Stage, telegram: FakeTelegram) -> None:
    """Also anew: the one that was set by an earlier version brings no presses."""
    assert preview_webhook(stage) == "is asked for, where none is set; YES=1 sets it"
    assert offer_webhook(stage, Console(assume_yes=True)) == f"commands and buttons, by {stage.http_url()}{PATH}"
    bot(telegram, "setWebhook", url=stage.http_url() + PATH, allowed_updates=["message"])
    assert preview_webhook(stage) == f"is set anew, to {stage.http_url()}{PATH}"
    assert offer_webhook(stage, Console()) == f"commands and buttons, by {stage.http_url()}{PATH}"
    assert bot(telegram, "getWebhookInfo")["allowed_updates"] == ["callback_query", "message"]


def test_without_a_terminal_a_deployment_sets_no_webhook_and_tells_how(stage: Stage, telegram: FakeTelegram) -> None:
    told = offer_webhook(stage, Console())
    assert told.startswith("none is set: .venv/bin/python -m tools.ops webhook set --stage local sets it")
    assert bot(telegram, "getWebhookInfo")["url"] == ""


def test_a_webhook_of_another_program_is_left_to_it(stage: Stage, telegram: FakeTelegram) -> None:
    bot(telegram, "setWebhook", url="http://127.0.0.1:1/other")
    for told in (preview_webhook(stage), offer_webhook(stage, Console(assume_yes=True))):
        assert told.startswith("leads to http://127.0.0.1:1/other, not to this stage: ")
    assert bot(telegram, "getWebhookInfo")["url"] == "http://127.0.0.1:1/other"


def test_a_webhook_that_telegram_does_not_take_stops_no_deployment(stage: Stage) -> None:
    stage.put_secret(WEBHOOK_SECRET, "ü")
    told = offer_webhook(stage, Console(assume_yes=True))
    assert told == "cannot be set: setWebhook: 400 Bad Request: secret token contains unallowed characters"


def test_the_doctor_tells_of_a_webhook_that_brings_no_presses(
    stage: Stage, telegram: FakeTelegram, capsys: pytest.CaptureFixture[str]
) -> None:
    set_webhook(stage, None)
    bot(telegram, "setWebhook", url=stage.http_url() + PATH, allowed_updates=["message"])
    (found,) = check_webhook(stage)
    mend = ".venv/bin/python -m tools.ops webhook set --stage local"
    assert (found.told, found.mend) == ("brings no presses of buttons", mend)
    show_webhook(stage)
    assert capsys.readouterr().err == f"it brings no presses of buttons: {mend} mends that\n"
    set_webhook(stage, None)
    assert [found.mend for found in check_webhook(stage)] == [None]


def test_heartbeats_lists_each_and_fails_where_one_did_not_come(
    doors: Doors, capsys: pytest.CaptureFixture[str], outbox: Outbox
) -> None:
    assert run("heartbeats") == 0
    assert capsys.readouterr().out == "0 heartbeats on local\n"
    for name, ago in (("nightly", 2 * 86_400), ("weekly", 3600)):
        beat = states.beat("default", now=time.time() - ago, every=86_400, sender_app=None)
        outbox.apply(Key.of_heartbeat(name), beat)
    assert doors.redeliver().function_error is None
    assert run("heartbeats") == 1
    missed, there, count = capsys.readouterr().out.splitlines()
    assert missed == "🔴 nightly: the last one came 2 d ago, the next one was due 1 d ago"
    assert there.startswith("🟢 weekly: the last one came 1 h ago, the next one is due in 2")
    assert count == "2 heartbeats on local"
