"""What the READMEs show, run as it stands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from botte_dynamodb_client import BotteDynamodbClient, NotFound
from tests.clients.conftest import CLIENTS, ROOT, arrived, package, readme_blocks, shared_client, texts_about
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
    script = "set -e\n" + readme_blocks("http", "sh")[1]
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "SENT" in done.stdout
    for text in ("Backup done", "Report 42"):
        arrived(telegram, text)
    assert texts_about(telegram, "Filesystem", 1)
    assert texts_about(telegram, "hello", 1)


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
    errors = [public for public in package(name).__all__ if isinstance(getattr(package(name), public), type(Exception))]
    for public in errors:
        if issubclass(getattr(package(name), public), Exception):
            assert f"`{public}`" in readme
    if name != "http":
        for statement in statements(name):
            assert statement["Effect"] == "Allow"
            assert statement["Resource"].startswith("arn:aws:")
