"""Alertmanager itself, set up as docs/senders.md says. Debian has it: prometheus-alertmanager."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.doors import Doors, texts
from tests.recipes.page import section
from tools.dev.fake_telegram import FakeTelegram

pytestmark = pytest.mark.slow

TOKEN = "local-hook-token"
[CONFIGURATION] = section("Alertmanager").blocks("yaml")


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    """Skips these tests where it is not installed; .ci/run, which installs it, has them fail instead."""
    for program in ("amtool", "prometheus-alertmanager"):
        if shutil.which(program) is None:
            reason = f"{program} is missing: apt-get install prometheus-alertmanager"
            (pytest.fail if os.environ.get("REQUIRE_ALERTMANAGER") else pytest.skip)(reason)


@pytest.fixture
def alertmanager(doors: Doors, tmp_path: Path) -> Iterator[str]:
    """The address of an Alertmanager that sends to the hook, and waits for no more alerts of a group."""
    token = tmp_path / "token"
    token.write_text(TOKEN)
    configuration = CONFIGURATION
    for of_page, of_test in {
        "https://abc123.execute-api.us-east-1.amazonaws.com/api": doors.url,
        "/etc/prometheus/botte-hook-token": str(token),
        "  receiver: botte\n": "  receiver: botte\n  group_wait: 1ms\n  group_interval: 1ms\n",
    }.items():
        configuration = configuration.replace(of_page, of_test)
    path = tmp_path / "alertmanager.yml"
    path.write_text(configuration)
    command = ["prometheus-alertmanager", f"--config.file={path}", f"--storage.path={tmp_path}"]
    command += ["--web.listen-address=127.0.0.1:0", "--cluster.listen-address="]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            found = next(filter(None, (re.search(r"address=(127\S+)", line) for line in process.stderr)), None)
            assert found, "it ended at once"
            yield f"http://{found[1]}"
        finally:
            process.terminate()
            process.communicate()


def amtool(*arguments: str) -> str:
    done = subprocess.run(["amtool", *arguments], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_its_own_checker_takes_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "alertmanager.yml"
    path.write_text(CONFIGURATION)
    assert "SUCCESS" in amtool("check-config", str(path))


def test_an_alert_that_fires_and_its_end_are_one_message(alertmanager: str, telegram: FakeTelegram) -> None:
    """The alert is made with the line of the page."""
    line = re.search(r"`amtool \S+ (alert add [^`]+)`", section("Alertmanager").text)
    assert line is not None
    add = [f"--alertmanager.url={alertmanager}", *line[1].split()]
    amtool(*add, "--annotation=summary=95 % full")
    assert telegram.wait_for(lambda messages: len(messages) == 1, 20)
    (fires,) = telegram.messages
    amtool(*add, "--annotation=summary=95 % full", "--start=2026-01-01T00:00:00Z", "--end=2026-01-01T00:00:01Z")
    assert telegram.wait_for(lambda messages: "resolved" in messages[0]["text"], 20)
    (ends,) = telegram.messages
    assert [text.splitlines()[:2] for text in texts([fires, ends])] == [
        ["🔴 DiskFull firing", "95 % full"],
        ["🟢 DiskFull resolved", "95 % full"],
    ]
    assert fires["message_id"] == ends["message_id"]
    assert not fires["disable_notification"]
    assert ends["edit_date"]


def test_an_alert_is_one_message_in_three_states_though_telegram_is_away_between_them(
    alertmanager: str, doors: Doors, telegram: FakeTelegram
) -> None:
    add = [f"--alertmanager.url={alertmanager}", "alert", "add", "DiskFull"]
    over = ["--start=2026-01-01T00:00:00Z", "--end=2026-01-01T00:00:01Z"]
    amtool(*add, "instance=db1:9100")
    assert telegram.wait_for(lambda messages: len(messages) == 1, 20)
    shown = [title(telegram.messages)]
    again, ends = [["instance=db2:9100"]], [["instance=db1:9100", *over], ["instance=db2:9100", *over]]
    for state, alerts in (("🔴 DiskFull firing (2 alerts)", again), ("🟢 DiskFull resolved", ends)):
        asked = telegram.requests
        telegram.set_fault({"kind": "down"})
        for alert in alerts:
            amtool(*add, *alert)
        assert eventually(lambda: telegram.requests > asked)  # noqa: B023 - it is called at once
        telegram.set_fault({"kind": "none"})
        assert eventually(lambda: bool(doors.redeliver()) and title(telegram.messages).startswith(state))  # noqa: B023
        shown.append(title(telegram.messages))
    assert [each.removesuffix(" (2 alerts)") for each in shown] == [
        "🔴 DiskFull firing",
        "🔴 DiskFull firing",
        "🟢 DiskFull resolved",
    ]
    assert len(telegram.messages) == 1


def title(messages: list[dict[str, Any]]) -> str:
    """The first line of the last message."""
    return texts(messages)[-1].partition("\n")[0]


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether a condition comes true within twenty seconds."""
    pause = threading.Event()
    return any(condition() or pause.wait(0.2) for _ in range(100))
