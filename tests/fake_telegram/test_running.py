"""Starting and stopping: in process and from the command line."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tools.dev import fake_telegram
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram

ROOT = Path(__file__).parents[2]
SEND = f"/bot{TWIN_BOT_TOKEN}/sendMessage"
MESSAGE = {"chat_id": TWIN_CHAT_ID, "text": "x"}


def command(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tools.dev.fake_telegram", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_what_is_public_is_listed() -> None:
    assert set(fake_telegram.__all__) == {"TWIN_BOT_TOKEN", "TWIN_CHAT_ID", "FakeTelegram", "FaultError", "Pace"}
    assert re.fullmatch(r"\d+:AA[\w-]{33}", TWIN_BOT_TOKEN)


def test_it_listens_on_loopback_only_and_tells_where() -> None:
    with FakeTelegram() as fake:
        assert fake.url == f"http://127.0.0.1:{fake.port}"
        assert requests.post(fake.url + SEND, json=MESSAGE, timeout=5).status_code == 200


def test_a_port_in_use_is_an_os_error() -> None:
    with FakeTelegram() as first, pytest.raises(OSError, match="in use"):
        FakeTelegram(port=first.port).start()


def test_a_stop_closes_open_connections_and_a_start_brings_it_back() -> None:
    fake = FakeTelegram()
    fake.start()
    with requests.Session() as session:
        session.post(fake.url + SEND, json=MESSAGE, timeout=5)
        url = fake.url
        fake.stop()
        with pytest.raises(requests.ConnectionError):
            session.post(url + SEND, json=MESSAGE, timeout=5)
        with fake:
            assert fake.url == url
            assert session.post(url + SEND, json=MESSAGE, timeout=5).json()["result"]["message_id"] == 2
    assert len(fake.messages) == 2


def test_a_stop_without_a_start_does_nothing() -> None:
    FakeTelegram().stop()


def test_a_bot_token_must_look_like_one() -> None:
    with pytest.raises(ValueError, match="bot_token"):
        FakeTelegram(bot_token="nonsense")


def test_another_bot_token_is_taken_instead() -> None:
    with FakeTelegram(bot_token="42:secret") as fake:
        assert requests.get(f"{fake.url}/bot42:secret/getMe", timeout=5).json()["result"]["id"] == 42
        assert requests.get(f"{fake.url}/bot{TWIN_BOT_TOKEN}/getMe", timeout=5).status_code == 401


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_command_cleanly_and_nothing_tells_the_token(ending: signal.Signals) -> None:
    process = command("--port", "0", "--bot-token", "42:secret-part")
    assert process.stdout is not None
    first_line = process.stdout.readline()
    url = re.search(r"http://127\.0\.0\.1:\d+", first_line)
    assert url is not None
    assert requests.get(f"{url[0]}/bot42:secret-part/getMe", timeout=5).status_code == 200
    process.send_signal(ending)
    rest, errors = process.communicate(timeout=5)
    assert process.returncode == 0
    assert errors == ""
    assert "secret-part" not in first_line + rest


def test_a_port_in_use_is_one_clear_line() -> None:
    with FakeTelegram() as fake:
        process = command("--port", str(fake.port))
        output, errors = process.communicate(timeout=5)
    assert process.returncode == 1
    assert output == ""
    assert errors.strip() == f"Cannot listen on 127.0.0.1:{fake.port}: Address already in use"
