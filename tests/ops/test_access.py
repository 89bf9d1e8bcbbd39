"""What an operator is told, in a line, where AWS or this Python cannot be used. Nothing here leaves the machine."""

from __future__ import annotations

import json
import os
import socket
from datetime import date
from importlib.resources import files
from pathlib import Path

import pytest

from tools.ops.__main__ import main
from tools.ops.preflight import RUNTIME_ENDS, lambda_runtime, runtime_end
from tools.ops.stage import Stage, StageError
from tools.rehearsal.project import copy_project

COMMANDS = ["deploy", "doctor", "logs", "rotate-token"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("project"), "http://127.0.0.1:1")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials and a region that lead to a port of this machine on which nothing listens."""
    for name in [each for each in os.environ if each.startswith(("AWS_", "TELEGRAM_"))]:
        monkeypatch.delenv(name)
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{closed}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nobody",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)


def told(project: Path, command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The first line of what a command that cannot work says."""
    assert main([command, "--stage", "prod"], project) == 1
    printed = capsys.readouterr()
    assert "Traceback" not in printed.out + printed.err
    return (printed.out + printed.err).splitlines()[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_profile_that_does_not_exist(
    project: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nope")
    assert "The config profile (nope) could not be found" in told(project, command, capsys)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_credentials(
    project: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert "Unable to locate credentials: run aws configure" in told(project, command, capsys)


def test_either_variable_tells_the_region(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert Stage("prod", project).region == "eu-west-1"


@pytest.mark.parametrize("command", [*COMMANDS, "destroy"])
def test_two_regions_are_one_too_many(
    project: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    wanted = "AWS_REGION is eu-west-1 and AWS_DEFAULT_REGION is us-east-1: unset the one that is not meant"
    assert told(project, command, capsys) == wanted
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert Stage("prod", project).region == "eu-west-1"


@pytest.mark.parametrize("command", ["deploy", "doctor"])
def test_no_region(
    project: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert "no AWS region is set: set AWS_REGION, or run aws configure" in told(project, command, capsys)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_aws_that_cannot_be_reached(project: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Could not connect to the endpoint URL" in told(project, command, capsys)


def test_the_doctor_without_credentials_says_so_once(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert main(["doctor", "--stage", "prod"], project) == 1
    assert capsys.readouterr().out.split("\n") == [
        "account             WRONG  sts cannot be used: Unable to locate credentials: run aws configure",
        "                           mend: aws configure, or AWS_PROFILE and AWS_REGION",
        "nothing else can be checked",
        "",
    ]


def test_a_python_that_is_no_lambda_runtime() -> None:
    with pytest.raises(StageError, match=r"python3\.99 is no Lambda runtime .*: make clean, then make PYTHON="):
        lambda_runtime((3, 99))
    assert lambda_runtime((3, 12)) == "python3.12"


def test_a_python_that_aws_supports_no_more_or_not_for_long_is_told() -> None:
    told = " (AWS ends its security updates on 2027-06-30, and takes no change of its functions from 2027-08-31 on)"
    assert runtime_end("python3.11", date(2026, 12, 31)) == ""
    assert runtime_end("python3.11", date(2027, 1, 1)) == told
    assert runtime_end("python3.11", date(2030, 1, 1)) == told
    assert runtime_end("python3.99", date(2030, 1, 1)) == ""


@pytest.mark.slow
def test_the_ends_of_the_runtimes_are_those_that_cfn_lint_has_of_aws() -> None:
    lifecycle = json.loads((files("cfnlint") / "data/AdditionalSpecs/LmbdRuntimeLifecycle.json").read_text())
    for name, ends in RUNTIME_ENDS.items():
        assert [str(each) for each in ends] == [lifecycle[name]["deprecated"], lifecycle[name]["update-block"]]


def test_a_wish_for_alarms_that_cannot_be_met_stops_a_deployment_before_it_begins(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for more in ([], ["--dry-run"]):
        assert main(["deploy", *more, "--stage", "prod", "--alarms", "tpyo"], project) == 1
        told = capsys.readouterr()
        assert (told.out, told.err) == ("", "ALARMS: 'tpyo' is neither on, off nor an address like you@example.org\n")
