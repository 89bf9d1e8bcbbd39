"""What an operator does with the local twin, as `make run` starts it: it is found without its ports."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from chalicelib.settings import HTTP_API_TOKEN
from tools.ops.__main__ import main
from tools.ops.enrol import show_token_command
from tools.ops.stage import Stage
from tools.rehearsal.project import copy_project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

PORTS = ("BOTTE_HTTP_PORT", "BOTTE_AWS_PORT", "BOTTE_TELEGRAM_PORT")
HEADERS = {"Authorization": "local-token"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of its own: in this one somebody may be running a twin."""
    return copy_project(tmp_path_factory.mktemp("project"), "http://127.0.0.1:8081", queues=())


@pytest.fixture(autouse=True)
def _no_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PORTS:
        monkeypatch.delenv(name, raising=False)


def start(project: Path) -> tuple[subprocess.Popen[str], str]:
    """A twin on any ports, and what it printed until it was ready."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TELEGRAM_")}
    environ = {**inherited, **dict.fromkeys(PORTS, "0")}
    command = [sys.executable, "-m", "tools.dev"]
    twin = subprocess.Popen(command, cwd=project, env=environ, stdout=subprocess.PIPE, text=True)
    assert twin.stdout is not None
    printed = ""
    for line in twin.stdout:
        printed += line
        if "Botte is running" in line:
            return twin, printed
    raise AssertionError(printed)


def end(twin: subprocess.Popen[str], number: signal.Signals = signal.SIGINT) -> None:
    twin.send_signal(number)
    twin.communicate()


@pytest.fixture(scope="module")
def noted(project: Path) -> Iterator[dict[str, str]]:
    """The addresses that a running twin has noted."""
    twin, _ = start(project)
    yield json.loads((project / ".chalice" / "twin.json").read_text())
    end(twin)
    assert not (project / ".chalice" / "twin.json").exists()


def inbox(noted: dict[str, str]) -> list[Any]:
    found: list[Any] = requests.get(f"{noted['telegram']}/inbox/messages", timeout=5).json()
    return found


def test_the_doctor_finds_nothing_wrong_on_a_running_twin(
    noted: dict[str, str], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--stage", "local"], project) == 0
    printed = capsys.readouterr().out
    assert printed.endswith("all is well on the local twin\n")
    assert "a message goes through each, to the default chat" in printed
    for door in ("HTTP", "Lambda", "DynamoDB", "SQS"):
        assert f"{door} door".ljust(20) + "ok" in printed


def test_what_is_parked_is_found_and_is_not_called_well(
    noted: dict[str, str], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fault = {"kind": "refuse", "description": "Bad Request: no", "count": 1}
    requests.put(f"{noted['telegram']}/inbox/fault", json=fault, timeout=5)
    message = {"photo": "https://example.com/a.png", "id": "parked"}
    requests.post(f"{noted['http']}/message", json=message, headers=HEADERS, timeout=30)
    assert main(["failed", "--stage", "local"], project) == 0
    assert "photo 'https://example.com/a.png'" in capsys.readouterr().out
    assert main(["doctor", "--stage", "local"], project) == 1
    printed = capsys.readouterr().out
    assert "WRONG  1 message is parked" in printed
    assert "make logs" not in printed
    assert printed.endswith("1 wrong on the local twin\n")
    assert main(["discard", "--stage", "local", "--id", "parked"], project) == 0


def test_the_page_is_told_what_botte_mended(noted: dict[str, str]) -> None:
    message = {"text": "<b>5", "parse_mode": "HTML"}
    answer = requests.post(f"{noted['http']}/message", json=message, headers=HEADERS, timeout=30).json()
    (shown,) = [each for each in inbox(noted) if each["message_id"] == answer["message_id"]]
    assert shown["mended"] == answer["botte"]["mended"] == ["parse_mode"]


def test_a_second_twin_tells_of_the_first_which_stays_the_one_that_is_found(
    noted: dict[str, str], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second, printed = start(project)
    assert f"reach the twin at {noted['http']}, and this one with\n  BOTTE_HTTP_PORT=" in printed
    end(second)
    assert json.loads((project / ".chalice" / "twin.json").read_text()) == noted
    assert main(["webhook", "info", "--stage", "local"], project) == 0
    assert capsys.readouterr().out.startswith(f"{noted['http']}/telegram-webhook, ")


def test_chalice_local_finds_it(noted: dict[str, str], project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    chalice = str(Path(sys.executable).with_name("chalice"))
    command = [chalice, "local", "--stage", "local", "--port", port, "--no-autoreload"]
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=project / "botte-app", env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as local:
        assert local.stdout is not None
        assert local.stdout.readline() == f"Serving on http://127.0.0.1:{port}\n"
        url = f"http://127.0.0.1:{port}/message"
        answer = requests.post(url, json={"text": "through chalice local"}, headers=HEADERS, timeout=30)
        local.terminate()
        local.communicate()
    assert answer.status_code == 200
    assert inbox(noted)[-1]["text"] == "through chalice local"


def test_the_note_of_a_twin_that_was_killed_leads_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = copy_project(tmp_path / "project", "http://127.0.0.1:8081", queues=())
    first, _ = start(project)
    end(first, signal.SIGKILL)
    note = project / ".chalice" / "twin.json"
    killed = json.loads(note.read_text())
    assert main(["failed", "--stage", "local"], project) in (0, 1)  # 0 where a twin runs on the usual ports
    assert killed["aws"] not in capsys.readouterr().err
    second, printed = start(project)
    assert "reach the twin at" not in printed
    assert json.loads(note.read_text()) != killed
    end(second)


def test_the_doctor_says_so_where_no_twin_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tools.ops.doctor.PATIENCE_SECONDS", 0.0)
    for name in PORTS:
        monkeypatch.setenv(name, "1")
    assert main(["doctor", "--stage", "local"]) == 1
    printed = capsys.readouterr().out
    assert "WRONG  no twin runs (HTTP door http://127.0.0.1:1, AWS http://127.0.0.1:1" in printed
    assert "mend: make run" in printed


def test_the_line_that_shows_the_token_prints_the_newest_alone_on_the_twin_too(
    noted: dict[str, str], project: Path
) -> None:
    stage = Stage("local", project)
    kept = stage.parameter(HTTP_API_TOKEN)
    stage.put_secret(HTTP_API_TOKEN, "2026-11-28T13:00:00Z old-token\n2026-11-28T14:00:00Z new-token\n")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", show_token_command(stage)], env={"PATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "new-token\n"
    stage.put_secret(HTTP_API_TOKEN, str(kept))
