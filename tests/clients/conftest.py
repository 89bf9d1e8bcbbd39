"""The installed clients, against the twin in another process, which sends to a fake Telegram in this one."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.clients.servers import Proxy
from tools.dev.fake_telegram import TWIN_CHAT_ID, FakeTelegram

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ("http", "lambda", "dynamodb", "sqs")
OPS_CHAT_ID = -1001234567890
TOKEN = "local-token"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "install: installs the clients, each in a clean environment")


@dataclass(frozen=True)
class RunningTwin:
    http_url: str
    aws_url: str

    @property
    def environment(self) -> dict[str, str]:
        """What a user of the clients has in the environment."""
        return {
            "BOTTE_URL": self.http_url,
            "BOTTE_TOKEN": TOKEN,
            "BOTTE_FUNCTION": "botte-local-message",
            "BOTTE_TABLE": "botte-local-tasks",
            "BOTTE_QUEUE": "botte-local-messages",
            "AWS_ENDPOINT_URL": self.aws_url,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1",
            "XDG_CONFIG_HOME": "/no/such/folder",
        }

    @cache  # noqa: B019 - there is one twin
    def boto3(self, service: str) -> Any:
        return boto3.Session("local", "local", region_name="us-east-1").client(service, endpoint_url=self.aws_url)

    def row(self, partition: str, sort: str) -> dict[str, Any]:
        """A row of the outbox, as DynamoDB has it; empty if there is none."""
        key = {"PK": {"S": partition}, "SK": {"S": sort}}
        row: dict[str, Any] = self.boto3("dynamodb").get_item(TableName="botte-local-outbox", Key=key).get("Item", {})
        return row


@pytest.fixture(scope="session")
def fake_telegram() -> Iterator[FakeTelegram]:
    with FakeTelegram(pace=None, chats={TWIN_CHAT_ID: "You", OPS_CHAT_ID: "Ops"}) as fake:
        yield fake


@pytest.fixture(scope="session")
def twin(fake_telegram: FakeTelegram) -> Iterator[RunningTwin]:
    any_port = {f"BOTTE_{name}_PORT": "0" for name in ("HTTP", "AWS", "TELEGRAM")}
    environment = {**os.environ, **any_port, "TELEGRAM_API_URL": fake_telegram.url, "PYTHONUNBUFFERED": "1"}
    for name in ("TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID", "MAKELEVEL"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "tools.dev"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            assert process.stdout is not None
            printed = ""
            while "Botte is running" not in printed:
                line = process.stdout.readline().decode()
                assert line, f"the twin does not start: {printed}"
                printed += line
            http_url = re.search(r"POST (\S+)/message", printed)
            aws_url = re.search(r"--endpoint-url (\S+)", printed)
            assert http_url
            assert aws_url
            twin = RunningTwin(http_url[1], aws_url[1])
            chats = json.dumps({"default": TWIN_CHAT_ID, "ops": OPS_CHAT_ID})
            put = twin.boto3("ssm").put_parameter
            put(Name="/botte/local/telegram-chats", Type="String", Value=chats, Overwrite=True)
            yield twin
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


@pytest.fixture(scope="session")
def _proxies(twin: RunningTwin) -> Iterator[tuple[Proxy, Proxy]]:
    with Proxy(twin.http_url) as http, Proxy(twin.aws_url) as aws:
        yield http, aws


@pytest.fixture
def http_proxy(_proxies: tuple[Proxy, Proxy]) -> Proxy:
    """Stands in front of the HTTP door."""
    _proxies[0].reset()
    return _proxies[0]


@pytest.fixture
def aws_proxy(_proxies: tuple[Proxy, Proxy]) -> Proxy:
    """Stands in front of the embedded AWS; boto3 always goes through it."""
    _proxies[1].reset()
    return _proxies[1]


@pytest.fixture(autouse=True)
def _environment(twin: RunningTwin, aws_proxy: Proxy, telegram: FakeTelegram, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "BOTTE_"))]:
        monkeypatch.delenv(name)
    for name, value in {**twin.environment, "AWS_ENDPOINT_URL": aws_proxy.url}.items():
        monkeypatch.setenv(name, value)


def package(name: str) -> Any:
    return import_module(f"botte_{name}_client")


def make_client(name: str, **options: Any) -> Any:
    """The client of a door, made from the environment."""
    return getattr(package(name), f"Botte{name.capitalize()}Client")(**options)


@cache
def shared_client(name: str, **options: Any) -> Any:
    """One client of a door for all tests that want the same options: to make one takes boto3 a moment."""
    return make_client(name, **options)


def readme_blocks(name: str, language: str) -> list[str]:
    """The examples of a client's README."""
    readme = (ROOT / f"clients/botte-{name}-client/README.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)


def arrived(telegram: FakeTelegram, text: str, times: int = 1) -> list[dict[str, Any]]:
    """The messages with a text, when so many are there; fails if they do not come."""

    def of(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [message for message in messages if message["text"] == text]

    assert telegram.wait_for(lambda messages: len(of(messages)) >= times, 20), f"{text!r} has not arrived"
    found = of(telegram.messages)
    assert len(found) == times
    return found


def the_one(telegram: FakeTelegram, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The one message that fits, when it is there; others of an earlier test may come as late."""
    assert telegram.wait_for(lambda messages: any(map(fits, messages)), 20), telegram.messages
    [message] = filter(fits, telegram.messages)
    return message


def texts_about(telegram: FakeTelegram, word: str, count: int) -> list[str]:
    """The texts with a word in them, in the order of their arrival, when so many are there."""

    def of(messages: list[dict[str, Any]]) -> list[str]:
        return [message["text"] for message in messages if word in message["text"]]

    assert telegram.wait_for(lambda messages: len(of(messages)) >= count, 30), of(telegram.messages)
    return of(telegram.messages)
