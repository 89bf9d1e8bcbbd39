"""What the READMEs show, run as it stands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from botte_dynamodb_client import BotteDynamodbClient, NotFound
from tests.clients.conftest import (
    CLIENTS,
    ROOT,
    RunningTwin,
    arrived,
    package,
    readme_blocks,
    shared_client,
    texts_about,
)
from tests.clients.servers import Proxy, answer
from tools.dev.fake_telegram import FakeTelegram

pytestmark = pytest.mark.slow


def statements(name: str) -> list[dict[str, Any]]:
    """The statements of the policy that a client's README shows."""
    [policy] = readme_blocks(name, "json")
    found: list[dict[str, Any]] = json.loads(policy)["Statement"]
    return found


def actions(statement: dict[str, Any]) -> list[str]:
    given: str | list[str] = statement["Action"]
    return [given] if isinstance(given, str) else given


@pytest.mark.parametrize("name", CLIENTS)
def test_the_first_example_sends_a_message_in_three_lines(telegram: FakeTelegram, name: str) -> None:
    example = readme_blocks(name, "python")[0]
    assert len([line for line in example.splitlines() if line]) == 3
    exec(example, {})
    arrived(telegram, "Backup done")


@pytest.mark.parametrize("name", CLIENTS)
def test_what_is_for_the_twin_can_be_pasted(twin: RunningTwin, telegram: FakeTelegram, name: str) -> None:
    """Into a shell without any variable of Botte or AWS."""
    [script] = [block for block in readme_blocks(name, "sh") if "127.0.0.1" in block]
    script = script.replace("http://127.0.0.1:8000", twin.http_url).replace("http://127.0.0.1:4566", twin.aws_url)
    script = script.replace("python3", sys.executable)
    command = ["env", "-i", f"PATH={os.environ['PATH']}", "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.match("(Delivered|Accepted)", done.stdout)
    arrived(telegram, "Hello")


@pytest.mark.parametrize("name", ["dynamodb", "sqs"])
def test_the_second_example_sends_many(telegram: FakeTelegram, capsys: pytest.CaptureFixture[str], name: str) -> None:
    exec(readme_blocks(name, "python")[1], {})
    assert capsys.readouterr().out.splitlines()[-1] == "30 of 30"
    assert len(set(texts_about(telegram, "of 30", 30))) == 30


def test_the_examples_of_the_command_work(telegram: FakeTelegram, tmp_path: Path) -> None:
    command = tmp_path / "botte"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m botte_http_client "$@"\n')
    command.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    [examples] = [block for block in readme_blocks("http", "sh") if block.startswith("botte ")]
    script = f"set -e\n{examples}"
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "SENT" in done.stdout
    for text in ("Backup done", "Report 42"):
        arrived(telegram, text)
    assert texts_about(telegram, "Filesystem", 1)
    assert texts_about(telegram, "hello", 1)


def test_the_file_that_is_written_by_hand_is_found(telegram: FakeTelegram, tmp_path: Path) -> None:
    page = (ROOT / "clients/botte-http-client/COMMAND.md").read_text()
    [script] = re.findall(r"^```sh\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    script += f"env -i HOME=$HOME {sys.executable} -m botte_http_client send 'By hand'"
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(["sh", "-ec", script], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    arrived(telegram, "By hand")


@pytest.mark.parametrize("name", ["lambda", "dynamodb", "sqs"])
def test_the_policy_allows_what_the_client_calls_and_nothing_else(
    aws_proxy: Proxy, telegram: FakeTelegram, name: str
) -> None:
    for example in readme_blocks(name, "python"):
        exec(example, {})
    if name == "dynamodb":
        with suppress(package(name).NotFound):
            shared_client(name).get_status("policy")
    # The permission for SendMessageBatch is SendMessage; Lambda's API names no operation.
    operations = {request.target.removesuffix("Batch") or "InvokeFunction" for request in aws_proxy.requests}
    allowed = [action for statement in statements(name) for action in actions(statement)]
    assert sorted(f"{name}:{operation}" for operation in operations) == sorted(allowed)


def test_a_sender_may_put_tasks_and_read_of_the_outbox_what_its_client_asks_for(aws_proxy: Proxy) -> None:
    client = BotteDynamodbClient("botte-prod-tasks")
    aws_proxy.follow(answer(200, {}), answer(200, {}))
    client.send_message("x")
    with pytest.raises(NotFound):
        client.get_status("x")
    for request, statement in zip(aws_proxy.requests, statements("dynamodb"), strict=True):
        assert actions(statement) == [f"dynamodb:{request.target}"]
        assert statement["Resource"] == f"arn:aws:dynamodb:*:*:table/{request.json['TableName']}"
    put, get = statements("dynamodb")
    assert "Condition" not in put
    asked = aws_proxy.requests[1].json
    names = [asked["ExpressionAttributeNames"][name] for name in asked["ProjectionExpression"].split(", ")]
    # ForAllValues holds of a request that names no attribute, which is one for all of them: Select has to forbid it.
    assert get["Condition"] == {
        "ForAllValues:StringEquals": {"dynamodb:Attributes": names},
        "StringEquals": {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"},
    }


@pytest.mark.parametrize("name", CLIENTS)
def test_a_readme_has_what_belongs_there_on_one_screen(name: str) -> None:
    readme = (ROOT / f"clients/botte-{name}-client/README.md").read_text()
    assert len(readme.splitlines()) <= 60
    assert max(map(len, readme.splitlines())) <= 180
    for public in package(name).__all__:
        assert f"`{public}`" in readme or f"import {public}" in readme
    if name != "http":
        for statement in statements(name):
            assert statement["Effect"] == "Allow"
            assert statement["Resource"].startswith("arn:aws:")
