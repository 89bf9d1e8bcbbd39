"""`python -m tools.dev`, as a process: it starts, every door delivers, and it leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import pytest
import requests

from tests.doors import RawServer, http_answer
from tools.rehearsal.project import ROOT, copy_project

INHERITED = {name: value for name, value in os.environ.items() if not name.startswith("TELEGRAM_")}
ANY_PORTS = {"BOTTE_HTTP_PORT": "0", "BOTTE_AWS_PORT": "0", "BOTTE_TELEGRAM_PORT": "0"}


class RunningTwin:
    """A twin in a process group of its own; `printed` is what it printed until it was ready."""

    def __init__(
        self, checkout: Path, module: str = "tools.dev", *arguments: str, ready: str = "Botte is running", **env: str
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=checkout,
            env={**INHERITED, **ANY_PORTS, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.printed = ""
        for line in self.process.stdout:
            self.printed += line
            if line.strip().startswith(ready):
                return
        raise AssertionError(f"The twin ended: {self.process.communicate()[1]}")

    def url(self, words: str) -> str:
        found = re.search(words + r"\s*(http://127\.0\.0\.1:\d+)", self.printed)
        assert found, self.printed
        return found[1]

    @property
    def ports(self) -> set[int]:
        return {int(port) for port in re.findall(r"http://127\.0\.0\.1:(\d+)", self.printed)}

    def end(self, number: signal.Signals) -> tuple[int, str, str]:
        """Sends the signal. Returns the exit status and what was printed after."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


StartTwin = Callable[..., RunningTwin]


@pytest.fixture
def start_twin(tmp_path: Path) -> Iterator[StartTwin]:
    """Starts twins in a checkout of their own: in this one somebody may be running one."""
    checkout = copy_project(tmp_path / "checkout", "http://127.0.0.1:8081", queues=())
    (checkout / ".venv").symlink_to(ROOT / ".venv")
    started: list[RunningTwin] = []

    def start(*arguments: str, **options: str) -> RunningTwin:
        started.append(RunningTwin(checkout, *arguments, **options))
        return started[-1]

    yield start
    for twin in started:
        twin.kill()


def assert_nothing_is_left(twin: RunningTwin) -> None:
    with pytest.raises(ProcessLookupError):
        os.killpg(twin.process.pid, 0)
    for port in twin.ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=30)


def wait_for_messages(url: str, count: int) -> list[dict[str, Any]]:
    """The messages of the inbox, as soon as there are `count`; the inbox tells when one has come."""
    with requests.get(f"{url}/inbox/events", stream=True, timeout=30) as events:
        lines = events.iter_lines(chunk_size=1)
        while True:
            messages: list[dict[str, Any]] = requests.get(f"{url}/inbox/messages", timeout=30).json()
            if len(messages) >= count:
                return messages
            next(lines)


def without_ports(text: str) -> str:
    return re.sub(r"127\.0\.0\.1:[0-9]+", "127.0.0.1", text)


@pytest.mark.slow
def test_every_line_that_it_prints_can_be_pasted_what_is_typed_is_answered_and_sigterm_leaves_nothing(
    start_twin: StartTwin,
) -> None:
    twin = start_twin()
    assert len(twin.ports) == 3
    commands = [line.strip() for line in twin.printed.splitlines() if re.match("  (curl|export|echo|.*aws) ", line)]
    assert len(commands) == 6
    readme = without_ports((ROOT / "README.md").read_text())
    assert all(without_ports(command) in readme for command in commands)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    script = "\n".join(commands).replace(".venv/bin/aws", shlex.quote(str(Path(sys.executable).with_name("aws"))))
    done = subprocess.run(["sh", "-e"], input=script, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
    url = twin.url("inbox page:")
    texts = [message["text"] for message in wait_for_messages(url, 5)]
    assert texts.count("Hello World") == 4
    assert any("no stock" in text for text in texts)
    alarm = {"text": "Disk full", "collapse_key": "disk-db1", "ack": True, "escalate_after": 600}
    door, authorization = twin.url("HTTP door:\n  curl -X POST"), {"Authorization": "local-token"}
    requests.post(f"{door}/message", json=alarm, headers=authorization, timeout=30).raise_for_status()
    counts = requests.get(f"{url}/inbox/status", timeout=30).json()
    assert counts == {"sent": 6, "pending": 0, "failed": 0}  # what waits to be acknowledged is in the chat
    requests.post(f"{url}/inbox/updates", json={"text": "/echo typed"}, timeout=30).raise_for_status()
    assert [message["text"] for message in wait_for_messages(url, 7)][6:] == ["typed"]
    status, out, err = twin.end(signal.SIGTERM)
    assert status == 0
    assert out.splitlines()[-1] == "Botte has stopped"
    assert "Traceback" not in err
    assert_nothing_is_left(twin)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_the_start_ends_it_at_once(number: signal.Signals) -> None:
    code = "from tools.dev.stopping import *; StopSignals('Bye'); print('Starting', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "Starting\n"
        process.send_signal(number)
        assert process.wait(30) == 0
        assert process.stdout.read() == "Bye\n"


def test_a_port_in_use_is_one_line_and_status_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "tools.dev"],
            cwd=ROOT,
            env={**INHERITED, **ANY_PORTS, "BOTTE_HTTP_PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=50,
        )
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert re.fullmatch(
        rf"Port {port} \(HTTP door\) is in use. Stop the program that uses it, "
        r"or choose another: BOTTE_HTTP_PORT=\d+ make run",
        line,
    )


@pytest.mark.slow
def test_the_embedded_aws_runs_alone(start_twin: StartTwin) -> None:
    aws = start_twin("tools.dev.aws", "--port", "0", "--chat-id", "7", ready="Embedded AWS is ready")
    url = aws.url("Embedded AWS is ready at")
    client = boto3.client(
        "ssm", endpoint_url=url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    chats = client.get_parameter(Name="/botte/local/telegram-chats")["Parameter"]["Value"]
    assert json.loads(chats) == {"default": 7}
    assert aws.end(signal.SIGINT)[0] == 0
    assert_nothing_is_left(aws)


@pytest.mark.slow
def test_a_hostile_bot_api_makes_the_twin_tell_no_token(start_twin: StartTwin) -> None:
    token = "987654321:AAE-the-token-of-a-real-bot-0123456789"
    echo = f"/bot{quote(token)}/sendMessage {token.upper()} {token}"
    with RawServer(http_answer(400, {"ok": False, "error_code": 400, "description": echo})) as server:
        given = {"TELEGRAM_API_URL": server.url, "TELEGRAM_BOT_TOKEN": token, "TELEGRAM_CHAT_ID": "1"}
        twin = start_twin(**given)
        door = twin.url("curl -X POST")
        aws = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
        store = boto3.client("ssm", endpoint_url=twin.url("--endpoint-url"), **aws)
        kept = {each["Name"] for each in store.get_parameters_by_path(Path="/botte/local")["Parameters"]}
        answers = [
            requests.post(f"{door}/hook/shop?token=local-hook-token", json={"order": 1}, timeout=30),
            requests.post(f"{door}/message", json={"text": "x"}, headers={"Authorization": "local-token"}, timeout=30),
        ]
        _, out, err = twin.end(signal.SIGTERM)
    told = "".join([twin.printed, out, err, *(f"{each.headers} {each.text}" for each in answers)])
    assert [each.status_code for each in answers] == [502, 502]
    assert "/botte/local/telegram-webhook-secret" not in kept  # nobody would hear of the presses of buttons
    assert "[bot token]" in told
    assert token.partition(":")[2].lower() not in told.lower()
    assert "POST /hook/shop" in err
    assert "local-hook-token" not in err
