"""A stage on the AWS of a rehearsal, which runs in a process of its own: moto has one state in a process."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID
from tools.ops.__main__ import main
from tools.rehearsal.people import hire
from tools.rehearsal.project import ROOT, copy_project, environment


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes more than ten seconds; left out with -m 'not slow'")


class World:
    """An AWS, a Telegram and a copy of the project, with commands that are run as an owner runs them."""

    def __init__(self, folder: Path, queues: tuple[str, ...] = ("prod",)) -> None:
        self._backend = subprocess.Popen(
            [sys.executable, "-m", "tools.rehearsal.backend"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self._backend.stdout is not None
        self.addresses: dict[str, str] = json.loads(self._backend.stdout.readline())
        self.variables = environment(self.addresses)
        self.project = copy_project(folder, self.addresses["telegram"], queues=queues)
        self._session = boto3.Session()

    def stop(self) -> None:
        self._backend.communicate("")

    @contextmanager
    def environment(self, **added: str) -> Iterator[None]:
        """The variables that lead to this world, and no others that could lead elsewhere."""
        with pytest.MonkeyPatch.context() as patch:
            for name in ("TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID", "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
                patch.delenv(name, raising=False)
            for name, value in {**self.variables, **added}.items():
                patch.setenv(name, value)
            patch.setattr("tools.ops.unsent._CLOSING_SECONDS", 0.0)  # moto is one place
            yield

    def run(self, *arguments: str, stage: str = "prod", owner: bool = True) -> int:
        """Runs a command of `tools.ops`, with the rights that are documented for it and no others.

        owner: the bot token and the chat are in the environment.
        """
        known = {"TELEGRAM_BOT_TOKEN": TWIN_BOT_TOKEN, "TELEGRAM_CHAT_ID": str(TWIN_CHAT_ID)} if owner else {}
        with self.environment(AWS_ACCESS_KEY_ID=self.hire(arguments[0], stage), **known):
            return main([*arguments, "--stage", stage], self.project)

    def hire(self, command: str, stage: str = "prod") -> str:
        """The access key id of who runs a command."""
        return hire(self.client("iam"), command, stage)

    def rights(self) -> dict[str, list[Any]]:
        """Which rights were used so far, and which were lacking (see ``tools.rehearsal.iam.Rights``)."""
        found: dict[str, list[Any]] = self._request("GET", self.addresses["aws"] + "/_botte/rights")
        return found

    def client(self, service: str, access_key_id: str = "rehearsal") -> Any:
        return self._session.client(
            service,
            endpoint_url=self.addresses["aws"],
            aws_access_key_id=access_key_id,
            aws_secret_access_key="rehearsal",
            region_name="us-east-1",
        )

    def fail(self, call: str, times: int = 1) -> None:
        """Makes the next calls fail that match a regular expression on `Operation METHOD /path`."""
        self._request("PUT", self.addresses["aws"] + "/_botte/fault", {"call": call, "times": times})

    def telegram(self, method: str, path: str, body: object = None) -> Any:
        return self._request(method, self.addresses["telegram"] + path, body)

    def texts(self) -> list[str]:
        """What arrived on the phone."""
        return [str(message["text"]) for message in self.telegram("GET", "/inbox/messages")]

    def parameter(self, name: str, stage: str = "prod") -> str:
        answer = self.client("ssm").get_parameter(Name=f"/botte/{stage}/{name}", WithDecryption=True)
        return str(answer["Parameter"]["Value"])

    def _request(self, method: str, url: str, body: object = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, content, {"Content-Type": "application/json"}, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A new account for each file of tests, which holds whatever ran before."""
    made = World(tmp_path_factory.mktemp("project"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def first(world: World) -> tuple[int, str]:
    """The exit status of the first deployment, and what it printed."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        status = world.run("deploy")
    return status, printed.getvalue()


def delete_table(dynamodb: Any, name: str) -> None:
    """Deletes a table that is protected."""
    dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName=name)
