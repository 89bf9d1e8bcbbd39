"""What the READMEs show, run as it stands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.conftest import CLIENTS, ROOT, SOURCES, arrived, package, readme_blocks, shared_client, texts_about
from tests.clients.servers import Proxy
from tools.dev.fake_telegram import FakeTelegram

pytestmark = pytest.mark.slow


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
    environment = {**os.environ, "PYTHONPATH": str(SOURCES[0]), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
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
        shared_client(name).send_message("for its status", id="policy")
        shared_client(name).get_status("policy")
    [statement] = json.loads(readme_blocks(name, "json")[0])["Statement"]
    # The permission for SendMessageBatch is SendMessage; Lambda's API names no operation.
    operations = {request.target.removesuffix("Batch") or "InvokeFunction" for request in aws_proxy.requests}
    allowed = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
    assert {f"{name}:{operation}" for operation in operations} == set(allowed)


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
        [policy] = readme_blocks(name, "json")
        [statement] = json.loads(policy)["Statement"]
        assert statement["Effect"] == "Allow"
        assert statement["Resource"].startswith("arn:aws:")
