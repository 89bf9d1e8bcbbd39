"""The lines of docs/live.md, pasted into a shell, and what the page says is seen."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.conftest import PARAMETERS
from tests.doors import Doors, load_app, texts
from tests.recipes.page import ROOT
from tools.dev.aws import EmbeddedAws
from tools.dev.fake_telegram import TWIN_CHAT_ID, FakeTelegram
from tools.rehearsal.senders import AWS, run_in_shell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]  # edits of a message are two seconds apart

PAGE = (ROOT / "docs" / "live.md").read_text()
CLOCK = re.compile(r"\d\d:\d\d UTC")


def blocks(title: str, page: str = PAGE) -> list[str]:
    """The lines to paste below a heading."""
    section = page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


Run = Callable[[str], None]


@pytest.fixture
def run(doors: Doors, aws: EmbeddedAws, telegram: FakeTelegram) -> Run:
    """Runs lines that are written for the twin's own ports, while the schedule runs."""
    return _run(doors, aws, telegram)


def _run(doors: Doors, aws: EmbeddedAws, telegram: FakeTelegram) -> Run:
    def run(script: str) -> None:
        for of_page, of_test in {
            "http://127.0.0.1:8000": doors.url,
            "http://127.0.0.1:4566": aws.url,
            "http://127.0.0.1:8081": telegram.url,
            ".venv/bin/aws": str(AWS),
            "curl ": "curl --silent --show-error --fail ",
        }.items():
            script = script.replace(of_page, of_test)
        ended: list[int] = []
        shell = threading.Thread(target=lambda: ended.append(run_in_shell(script, os.environ, ROOT)))
        shell.start()
        while shell.is_alive():
            assert doors.redeliver().function_error is None
            shell.join(0.2)
        assert ended == [0]

    return run


def until(telegram: FakeTelegram, doors: Doors, condition: Callable[[list[dict[str, Any]]], bool]) -> None:
    """Runs the schedule until the chat is as it should be."""
    for _ in range(100):
        assert doors.redeliver().function_error is None
        if telegram.wait_for(condition, 0.2):
            return
    raise AssertionError(texts(telegram.messages))


def test_an_alarm_turns_into_its_end_and_a_renewed_one_is_a_reply(run: Run, telegram: FakeTelegram) -> None:
    [lines] = blocks("Live messages")
    run(lines)
    ended, renewed = telegram.messages
    assert texts([ended, renewed]) == ["🟢 db1: disk fine again", "🔴 db1: disk full"]
    assert ended["edit_date"]
    assert renewed["reply_to_message_id"] == ended["message_id"]
    assert "edit_date" not in renewed


def test_the_lines_of_the_readme_leave_one_message(run: Run, doors: Doors, telegram: FakeTelegram) -> None:
    [lines] = blocks("One key, one message", (ROOT / "README.md").read_text())
    run(lines)
    until(telegram, doors, lambda messages: texts(messages) == ["🟢 Disk of web1 is fine"])


def test_what_comes_again_is_counted(run: Run, doors: Doors, telegram: FakeTelegram) -> None:
    [lines] = blocks("Repeats")
    run(lines)
    until(telegram, doors, lambda messages: "×10" in messages[0]["text"])
    [message] = telegram.messages
    assert CLOCK.sub("10:02 UTC", message["text"]) == "🔴 dns: no answer\n×10, last at 10:02 UTC"


def test_what_is_acknowledged_stays_one_message_and_what_is_not_comes_three_times_more(
    run: Run, webhook: str, doors: Doors, telegram: FakeTelegram
) -> None:
    [lines] = blocks("Acknowledging")
    run(lines.replace("escalate_after=20", "escalate_after=3"))
    first = telegram.messages[0]
    [[acknowledge, snooze]] = first["reply_markup"]["inline_keyboard"]
    assert [acknowledge["text"], snooze["text"]] == ["Acknowledge", "Snooze 1 h"]
    telegram.press(first["message_id"], acknowledge["callback_data"], user={"id": 7, "first_name": "Anna"})
    until(telegram, doors, lambda messages: "3 of 3" in messages[-1]["text"])
    shown = [CLOCK.sub("10:05 UTC", text) for text in texts(telegram.messages)]
    again = [f"🔴 db2 is down\n🔔 not acknowledged, {number} of 3" for number in (1, 2, 3)]
    assert shown == ["🔴 db1 is down\n✅ Anna, 10:05 UTC", "🔴 db2 is down", *again]
    assert [message["disable_notification"] for message in telegram.messages] == [False] * 5


def test_a_heartbeat_that_does_not_come_is_told_and_its_return_where_that_stands(
    run: Run, telegram: FakeTelegram
) -> None:
    [lines] = blocks("Heartbeats")
    before, sleep, after = lines.splitlines()
    assert sleep.startswith("sleep ")
    run(f"{before}\nsleep 7\n")
    [missed] = telegram.messages
    assert re.match(r"🔴 nightly has been silent for \d+ s\n", missed["text"])
    run(after)
    [back] = telegram.messages
    assert back["message_id"] == missed["message_id"]
    assert back["text"].startswith("🟢 nightly is back, ")


@pytest.fixture
def started_anew(
    monkeypatch: pytest.MonkeyPatch, doors: Doors, aws: EmbeddedAws, telegram: FakeTelegram
) -> Iterator[Callable[[], Run]]:
    """Runs lines at doors that have just been started: the others read the parameters anew within five minutes."""
    started: list[Doors] = []

    def start() -> Run:
        monkeypatch.delitem(sys.modules, "app")
        anew = Doors(load_app({**aws.environment, "TELEGRAM_API_URL": telegram.url})).__enter__()
        started.append(anew)
        return _run(anew, aws, telegram)

    yield start
    for each in started:
        each.__exit__()
    for name, kind, value in PARAMETERS:
        if name == "telegram-chats":
            aws.client("ssm").put_parameter(Name=f"/botte/local/{name}", Type=kind, Value=value, Overwrite=True)


def test_in_quiet_hours_only_what_is_urgent_has_a_sound(
    run: Run, started_anew: Callable[[], Run], telegram: FakeTelegram
) -> None:
    settings, lines = blocks("Quiet hours")
    assert json.dumps(TWIN_CHAT_ID) in settings
    run(settings)
    started_anew()(lines)
    assert [message["disable_notification"] for message in telegram.messages] == [True, False]


def test_a_muted_sender_makes_no_sound(
    run: Run, webhook: str, doors: Doors, aws: EmbeddedAws, telegram: FakeTelegram
) -> None:
    mute, message = blocks("Mutes")
    run(mute)
    assert telegram.wait_for(lambda messages: bool(messages) and "backup makes no sound" in messages[-1]["text"])
    run(message)
    assert telegram.messages[-1]["disable_notification"]
    requests.post(f"{telegram.url}/inbox/updates", json={"text": "/unmute backup"}, timeout=10).raise_for_status()
    assert telegram.wait_for(lambda messages: "makes sounds again" in messages[-1]["text"])


def test_a_sender_has_a_topic_of_its_name(run: Run, started_anew: Callable[[], Run], telegram: FakeTelegram) -> None:
    settings, line = blocks("Topics")
    run(settings)
    started_anew()(line)
    assert texts(telegram.messages) == ["The backup is done"]
    assert telegram.messages[0]["message_thread_id"]


def test_while_telegram_is_away_the_later_words_take_the_place_of_the_earlier(
    run: Run, doors: Doors, telegram: FakeTelegram, capfd: pytest.CaptureFixture[str]
) -> None:
    telegram.set_fault({"kind": "down"})
    [lines] = blocks("When Telegram is away")
    run(lines)
    *accepted, first = capfd.readouterr().out.strip().replace("}{", "}\n{").splitlines()
    assert [json.loads(each)["status"] for each in accepted] == ["accepted"] * 2
    assert json.loads(first).items() >= {"status": "SENT", "message_ids": []}.items()
    assert "superseded" in json.loads(first)["last_error"]
    assert telegram.messages == []
    telegram.set_fault({"kind": "none"})
    until(telegram, doors, lambda messages: texts(messages) == ["🟢 api is up"])
    assert "edit_date" not in telegram.messages[0]
