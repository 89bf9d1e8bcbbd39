"""A parked message that cannot be sent stays parked when it is sent again, and leaves when its owner discards it."""

from __future__ import annotations

import io
import json

import pytest

from tests.doors import Doors, Table, item, queue_record, stream_record, texts
from tools.dev.aws import EmbeddedAws
from tools.dev.fake_telegram import TWIN_CHAT_ID, FakeTelegram
from tools.ops.__main__ import main

STRAY = '{"text": "Hello", "chat": "opps"}'
BAD = '{"chat_id": 5}'
WHY_STRAY = "chat: unknown chat 'opps'; the chats are default, ops"
WHY_BAD = r"chat_id: raw chat ids are not taken; name a configured chat in 'chat'"
FORGET = "make discard STAGE=local ID=... forgets one"
MEND = f"put a chat that is missing into the parameter /botte/local/telegram-chats; {FORGET}"


@pytest.fixture(autouse=True)
def ports(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTTE_AWS_PORT", str(aws.port))


@pytest.fixture
def parked(doors: Doors, telegram: FakeTelegram, table: Table) -> Table:
    """The outbox with a message that can be sent again, one for a chat that is not configured, and one that is none."""
    telegram.set_fault({"kind": "chat_not_found", "count": 1})
    doors.post({"text": "good", "id": "good"})
    doors.queue(queue_record(STRAY, "stray"), queue_record(BAD, "bad"))
    return table


def run(*arguments: str) -> int:
    return main([*arguments, "--stage", "local"])


def test_what_cannot_be_sent_is_not_sent_again_and_is_told(parked: Table, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("redrive") == 0
    out, err = capsys.readouterr()
    assert out == "1 message is sent again on local, within a minute\n"
    *stay, mend = err.splitlines()
    assert sorted(stay) == [f"bad: stays parked, {WHY_BAD}", f"stray: stays parked, {WHY_STRAY}"]
    assert mend == f"2 messages stay on local: {MEND}"
    assert parked.statuses() == {"good": "PENDING", "stray": "FAILED", "bad": "FAILED"}


@pytest.mark.parametrize(("id", "why", "mend"), [("stray", WHY_STRAY, MEND), ("bad", WHY_BAD, FORGET)])
def test_a_message_that_is_asked_for_and_cannot_be_sent_is_an_error(
    parked: Table, capsys: pytest.CaptureFixture[str], id: str, why: str, mend: str
) -> None:
    assert run("redrive", "--id", id) == 1
    out, err = capsys.readouterr()
    assert out == "0 messages are sent again on local, within a minute\n"
    assert err == f"{id}: stays parked, {why}\n1 message stays on local: {mend}\n"


def test_a_message_goes_once_its_chat_is_configured(
    parked: Table, doors: Doors, aws: EmbeddedAws, telegram: FakeTelegram
) -> None:
    chats = {"Name": "/botte/local/telegram-chats", "Overwrite": True}
    before = aws.client("ssm").get_parameter(Name=chats["Name"])["Parameter"]["Value"]
    aws.client("ssm").put_parameter(Value=json.dumps({"opps": TWIN_CHAT_ID}), **chats)
    try:
        assert run("redrive", "--id", "stray") == 0
        assert parked.row("stray")["Status"] == "PENDING"
    finally:
        aws.client("ssm").put_parameter(Value=before, **chats)


@pytest.mark.parametrize("id", ["good", "stray", "bad"])
def test_a_discarded_message_is_gone_and_its_id_is_free(
    parked: Table, doors: Doors, telegram: FakeTelegram, capsys: pytest.CaptureFixture[str], id: str
) -> None:
    assert run("discard", "--id", id) == 0
    assert capsys.readouterr().out == "1 message is discarded on local\n"
    assert doors.get(f"/message/{id}").status_code == 404
    assert id not in parked.statuses()
    assert set(parked.row(id)) == {"PK", "SK", "ExpirationTs"}
    assert doors.post({"text": "another", "id": id}).status_code == 200
    assert texts(telegram.messages) == ["another"]


def test_the_id_that_a_discarded_message_of_a_group_had_is_free(
    doors: Doors, table: Table, telegram: FakeTelegram
) -> None:
    payload = {"text": {"S": "Hello"}, "id": {"S": "k1"}, "chat": {"S": "opps"}}
    doors.stream(stream_record(item(payload, sort_key="s1", partition_key="BOTTE_MESSAGE#g")))
    (row,) = [row for row in table.items() if "Status" in row]
    assert doors.get("/message/k1").json()["status"] == "FAILED"
    assert run("discard", "--id", row["SK"]["S"]) == 0
    assert run("discard", "--id", row["SK"]["S"]) == 1
    assert doors.get("/message/k1").status_code == 404
    assert doors.post({"text": "another", "id": "k1"}).status_code == 200


def test_all_that_cannot_be_sent_is_shown_and_discarded_when_its_owner_says_yes(
    parked: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("discard", "--yes") == 0
    heads, *lines, count = capsys.readouterr().out.splitlines()
    assert heads.split() == ["when", "id", "why", "message"]
    assert [WHY_BAD in line or WHY_STRAY in line for line in lines] == [True, True]
    assert count == "2 messages are discarded on local"
    assert parked.statuses() == {"good": "FAILED"}
    assert run("discard", "--yes") == 0
    assert capsys.readouterr().out == "0 messages are discarded on local\n"


def test_without_a_yes_nothing_is_discarded(
    parked: Table, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert run("discard") == 1
    assert capsys.readouterr().out.endswith("Nothing was discarded. Without a terminal, YES=1 is the answer.\n")
    assert parked.statuses() == {"good": "FAILED", "stray": "FAILED", "bad": "FAILED"}


def test_an_id_that_is_not_parked_cannot_be_discarded(doors: Doors, capsys: pytest.CaptureFixture[str]) -> None:
    doors.post({"text": "Hello", "id": "sent"})
    for id in ("sent", "nothing"):
        assert run("discard", "--id", id) == 1
        assert capsys.readouterr().err.splitlines()[-1] == f"ID: no message {id!r} is parked on local"
    assert doors.get("/message/sent").json()["status"] == "SENT"
