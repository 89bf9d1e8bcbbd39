"""`make stage`: a stage that Chalice and AWS take, or a word on why not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.ops.template import template
from tools.ops.__main__ import main
from tools.ops.deployed import HANDLERS, function_name, role_name, rule_name
from tools.ops.new_stage import LONGEST_NAME, NAME, check_name, entry
from tools.ops.stage import ROOT, Stage, StageError
from tools.rehearsal.project import copy_project

CONFIG = json.loads((ROOT / ".chalice" / "config.json").read_text())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    copy = copy_project(tmp_path, "https://api.telegram.org", queues=())
    (copy / ".chalice" / "config.json").write_text((ROOT / ".chalice" / "config.json").read_text())
    return copy


def make_stage(project: Path, *arguments: str) -> int:
    return main(["stage", *arguments], project)


def config(project: Path) -> Any:
    return json.loads((project / ".chalice" / "config.json").read_text())


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_stages_that_are_there_are_as_a_new_one_would_be(name: str) -> None:
    assert CONFIG["stages"][name] == entry(name, with_queue=False)


def test_a_new_stage_is_added_behind_the_others_and_the_file_is_as_it_was(project: Path) -> None:
    before = (project / ".chalice" / "config.json").read_text()
    assert make_stage(project, "--name", "ops") == 0
    after = (project / ".chalice" / "config.json").read_text()
    assert after.startswith(before[: before.rindex("}\n    }\n  }\n}\n")].rstrip())
    assert list(config(project)["stages"]) == ["local", "dev", "prod", "ops"]
    assert Stage("ops", project).queue_name is None


@pytest.mark.slow
def test_chalice_makes_a_new_stage_with_its_own_rights_and_names(project: Path) -> None:
    assert make_stage(project, "--name", "ops", "--queue") == 0
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [str(Path(sys.executable).with_name("chalice")), "package", "--stage", "ops", str(project / "out")]
    environ["AWS_DEFAULT_REGION"] = "us-east-1"
    subprocess.run(command, cwd=project / "botte-app", env=environ, check=True, capture_output=True)
    text = (project / "out" / "sam.json").read_text()
    resources = json.loads(text)["Resources"]
    functions = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::Serverless::Function"]
    assert "botte-prod" not in text
    assert "/botte/prod" not in text
    assert len(functions) == len(HANDLERS)
    for function in functions:
        assert function["Environment"]["Variables"]["QUEUE_NAME"] == "botte-ops-messages"
        assert (function["Tags"]["app"], function["Tags"]["stage"]) == ("botte", "ops")
    (redeliver,) = [each for each in functions if each["Handler"] == "app.redeliver"]
    assert (redeliver["MemorySize"], redeliver["Timeout"]) == (256, 90)


def test_the_policies_are_written_anew_from_those_of_prod(project: Path) -> None:
    policies = project / ".chalice" / "policies"
    prod, dev = policies / "prod-message.json", policies / "dev-message.json"
    prod.write_text(prod.read_text().replace("dynamodb:GetItem", "dynamodb:Query"))
    assert make_stage(project) == 0
    assert "dynamodb:Query" in dev.read_text()
    assert "prod" not in dev.read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--name", "prod"], "stage 'prod' is in .chalice/config.json already"),
        (["--name", "local"], "stage 'local': that is the twin"),
        (["--name", "Ops"], "stage 'Ops': a name begins with a-z"),
        (["--name", "9to5"], "stage '9to5': a name begins with a-z"),
        (["--name", "my_stage"], "stage 'my_stage': a name begins with a-z"),
        (["--name", "ops\n"], r"stage 'ops\n': a name begins with a-z"),
        (["--name", "a" * 42], "42 characters, where 41 are the most"),
        (["--name", "prod-message"], "botte-prod-message is the name of a function of the stage prod"),
        (["--name", "prod-redeliver"], "botte-prod-redeliver is the name of a function of the stage prod"),
        (["--queue"], "QUEUE: is for a new stage"),
    ],
)
def test_a_stage_that_aws_would_refuse_is_refused_and_nothing_is_written(
    project: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = config(project), sorted((project / ".chalice" / "policies").iterdir())
    assert make_stage(project, *arguments) == 1
    assert told in capsys.readouterr().err
    assert (config(project), sorted((project / ".chalice" / "policies").iterdir())) == before


def test_the_template_takes_the_names_that_a_stage_may_have() -> None:
    assert template()["Parameters"]["Stage"]["AllowedPattern"] == NAME


def test_aws_takes_all_names_of_the_stage_with_the_longest_name(project: Path) -> None:
    """64 characters for functions, roles and rules, 80 for queues: as their APIs' pages say."""
    name = "a" * LONGEST_NAME
    assert make_stage(project, "--name", name, "--queue") == 0
    stage = Stage(name, project)
    names = [function_name(stage, each) for each in HANDLERS] + [role_name(stage, each) for each in HANDLERS]
    assert max(map(len, [*names, rule_name(stage)])) == 64
    assert max(map(len, [stage.dead_letter_queue, stage.failures_queue, str(stage.queue_name)])) <= 80
    with pytest.raises(StageError):
        check_name(name + "a")


def test_a_stage_that_was_written_by_hand_is_checked_when_it_is_deployed(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project / ".chalice" / "config.json"
    path.write_text(path.read_text().replace('"prod": {', '"prod_2": {'))
    assert main(["deploy", "--stage", "prod_2"], project) == 1
    assert "stage 'prod_2': a name begins with a-z" in capsys.readouterr().err
