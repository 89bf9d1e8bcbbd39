"""The doctor on the local twin, as `make run` starts it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.settings import HTTP_API_TOKEN
from tools.ops.__main__ import main
from tools.ops.enrol import show_token_command
from tools.ops.stage import Stage
from tools.rehearsal.project import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

PORTS = {
    "BOTTE_HTTP_PORT": r"http://127.0.0.1:(\d+)/message",
    "BOTTE_AWS_PORT": r"--endpoint-url http://127.0.0.1:(\d+)",
    "BOTTE_TELEGRAM_PORT": r"http://127.0.0.1:(\d+)/\n",
}


@pytest.fixture(scope="module")
def twin() -> Iterator[subprocess.Popen[str]]:
    """A running twin, whose ports are in the environment."""
    environ = {**os.environ, **dict.fromkeys(PORTS, "0")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.dev"], cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if "Botte is running" in line:
            break
    with pytest.MonkeyPatch.context() as patch:
        for name, pattern in PORTS.items():
            patch.setenv(name, re.findall(pattern, printed)[0])
        yield process
        process.send_signal(signal.SIGINT)
        process.communicate()


def test_the_doctor_finds_nothing_wrong_on_a_running_twin(
    twin: subprocess.Popen[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--stage", "local"]) == 0
    printed = capsys.readouterr().out
    assert printed.endswith("all is well on the local twin\n")
    for door in ("HTTP", "Lambda", "DynamoDB", "SQS"):
        assert f"{door} door".ljust(20) + "ok" in printed


def test_the_doctor_says_so_where_no_twin_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tools.ops.doctor.PATIENCE_SECONDS", 0.0)
    for name in PORTS:
        monkeypatch.setenv(name, "1")
    assert main(["doctor", "--stage", "local"]) == 1
    printed = capsys.readouterr().out
    assert "WRONG  sts cannot be used" in printed
    assert "mend: make run" in printed


def test_the_line_that_shows_the_token_prints_the_newest_alone_on_the_twin_too(twin: subprocess.Popen[str]) -> None:
    stage = Stage("local")
    stage.put_secret(HTTP_API_TOKEN, "2026-11-28T13:00:00Z old-token\n2026-11-28T14:00:00Z new-token\n")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", show_token_command(stage)], env={"PATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "new-token\n"
