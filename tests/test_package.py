"""What `chalice package` makes of the project: what would be deployed, and with which rights."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from importlib.util import source_from_cache
from pathlib import Path
from typing import Any

import pytest

from tools.ops.bytecode import compile_package
from tools.ops.package import chalice_package
from tools.ops.stage import Stage, StageError

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
STREAM_ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/botte-prod-tasks/stream/2026-01-01T00:00:00.000"
HANDLERS = {"app.message", "app.dynamodb_message", "app.redeliver", "app.app"}


@pytest.fixture(scope="module", params=[pytest.param("dev", marks=pytest.mark.slow), "prod"])
def package(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp(request.param)
    done = chalice("package", "--stage", request.param, str(out), TASK_STREAM_ARN=STREAM_ARN)
    assert done.returncode == 0, done.stderr
    return out


def chalice(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [str(BIN / "chalice"), *arguments],
        cwd=ROOT / "botte-app",
        env={**environ, "AWS_DEFAULT_REGION": "us-east-1", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


HINT = [
    "TASK_STREAM_ARN has to be the ARN of the task table's stream, or nothing reads it:",
    "export TASK_STREAM_ARN=$(aws dynamodb describe-table --table-name botte-prod-tasks"
    " --query Table.LatestStreamArn --output text)",
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({}, id="not_set"),
        pytest.param({"TASK_STREAM_ARN": "None"}, id="as_aws_says_of_a_table_without_a_stream"),
    ],
)
def test_without_the_streams_arn_chalice_does_not_deploy_and_the_line_that_finds_it_is_told(
    variables: dict[str, str],
) -> None:
    done = chalice("deploy", "--stage", "prod", **variables)
    assert done.returncode == 1
    assert done.stderr.splitlines() == HINT


@pytest.mark.slow
def test_without_the_streams_arn_a_package_is_made_that_aws_refuses_and_this_is_told(tmp_path: Path) -> None:
    done = chalice("package", "--stage", "prod", str(tmp_path))
    assert done.returncode == 0
    assert done.stderr.splitlines() == HINT
    assert (
        "arn:aws:dynamodb:us-east-1:000000000000:table/botte-prod-tasks/stream/not-deployed"
        in (tmp_path / "sam.json").read_text()
    )


def functions(package: Path) -> dict[str, dict[str, Any]]:
    resources = json.loads((package / "sam.json").read_text())["Resources"].values()
    found = [each["Properties"] for each in resources if each["Type"] == "AWS::Serverless::Function"]
    return {each["Handler"]: each for each in found}


def test_a_stage_without_a_queue_has_no_sqs_door(package: Path) -> None:
    assert set(functions(package)) == HANDLERS


@pytest.mark.slow
def test_the_template_is_valid(package: Path) -> None:
    lint = [str(BIN / "cfn-lint"), str(package / "sam.json"), str(ROOT / ".chalice" / "resources.yaml")]
    assert subprocess.run(lint, capture_output=True, text=True, check=False).stdout == ""


def test_the_package_holds_the_app_and_urllib3_and_little_else(package: Path) -> None:
    with zipfile.ZipFile(package / "deployment.zip") as archive:
        names = archive.namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"app.py", "chalice", "chalicelib", "urllib3"}
    assert (package / "deployment.zip").stat().st_size < 800_000


def test_what_make_deploy_packages_also_holds_the_bytecode_of_each_module(tmp_path: Path) -> None:
    package = chalice_package(Stage("prod"), tmp_path / "out")
    with zipfile.ZipFile(package) as archive:
        names = archive.namelist()
    assert {name.split("/")[0].split("-")[0] for name in names if not name.startswith("__pycache__")} == {
        *("app.py", "chalice", "chalicelib", "urllib3"),
    }
    assert not [name for name in names if name.startswith("urllib3/contrib")]
    sources = {name for name in names if name.endswith(".py")}
    assert sources == {source_from_cache(name) for name in names if name.endswith(".pyc")}
    assert len(names) == len(set(names))
    assert package.stat().st_size < 850_000  # a tenth of it is for live messages, buttons, topics and heartbeats


def test_a_requirement_that_is_not_what_its_hash_says_is_not_packaged(tmp_path: Path) -> None:
    requirements = (ROOT / "botte-app" / "requirements.txt").read_text()
    (tmp_path / "requirements.txt").write_text(re.sub("sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", requirements))
    with pytest.raises(StageError, match=r"^pip: .*THESE PACKAGES DO NOT MATCH THE HASHES"):
        compile_package(tmp_path, os.environ)
    assert not (tmp_path / "vendor").exists()


def test_no_secret_is_in_the_environment_of_a_function(package: Path) -> None:
    expected = {"BOTTE_STAGE", "PARAMETERS_PATH", "TASK_TABLE_NAME", "OUTBOX_TABLE_NAME", "TELEGRAM_API_URL"}
    for function in functions(package).values():
        assert set(function["Environment"]["Variables"]) == expected


def test_only_the_http_door_may_read_the_api_tokens() -> None:
    readers = [
        path.name for path in (ROOT / ".chalice" / "policies").glob("*.json") if "http-api-token" in path.read_text()
    ]
    assert sorted(readers) == ["dev-api_handler.json", "prod-api_handler.json"]
