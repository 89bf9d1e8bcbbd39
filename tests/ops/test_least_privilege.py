"""No function may do more than it needs: what `chalice package` makes of a stage, and the reviewed policy files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.ops.deployed import HANDLERS
from tools.ops.new_stage import policy
from tools.rehearsal.project import ROOT, copy_project

BIN = Path(sys.executable).parent
LOGS = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
STREAM = {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}
QUEUE = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
# All that any function may do, and on what of the stage's.
MAY: dict[str, set[str]] = {
    "log-group:/aws/lambda/botte-prod": LOGS,
    "parameter/botte/prod/": {"ssm:GetParameter", "ssm:GetParameters"},
    "parameter/botte/prod/telegram-chats": {"ssm:GetParameter", "ssm:GetParameters", "ssm:PutParameter"},
    "parameter/botte/prod/mutes": {"ssm:GetParameter", "ssm:GetParameters", "ssm:PutParameter"},
    "table/botte-prod-tasks": {"dynamodb:Scan", "dynamodb:DeleteItem"},
    "table/botte-prod-tasks/stream/": STREAM,
    "table/botte-prod-outbox": {"dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:Query", "dynamodb:Scan"},
    "table/botte-prod-outbox/index/due": {"dynamodb:Query", "dynamodb:Scan"},
    "table/botte-prod-outbox/index/unsent": {"dynamodb:Query"},
    "botte-prod-messages": QUEUE,
    "botte-prod-failures": {"sqs:SendMessage"},
    # AWS offers no resource for it.
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
    "*": {"dynamodb:ListStreams"},
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `chalice package` makes of a stage with all its doors."""
    project = copy_project(tmp_path_factory.mktemp("package"), "https://api.telegram.org")
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [str(BIN / "chalice"), "package", "--stage", "prod", str(project / "out")]
    environ["AWS_DEFAULT_REGION"] = "us-east-1"
    environ["TASK_STREAM_ARN"] = "arn:aws:dynamodb:us-east-1:123456789012:table/botte-prod-tasks/stream/2026-01-01"
    subprocess.run(command, cwd=project / "botte-app", env=environ, check=True, capture_output=True)
    return project / "out" / "sam.json"


@pytest.fixture(scope="module")
def package(template: Path) -> dict[str, Any]:
    """Its resources."""
    resources: dict[str, Any] = json.loads(template.read_text())["Resources"]
    return resources


@pytest.mark.slow
def test_the_template_with_all_doors_is_valid(template: Path) -> None:
    lint = [str(BIN / "cfn-lint"), str(template)]
    assert subprocess.run(lint, capture_output=True, text=True, check=False).stdout == ""


def roles(package: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The statements of each role."""
    return {
        name: [
            statement
            for policy in resource["Properties"]["Policies"]
            for statement in policy["PolicyDocument"]["Statement"]
        ]
        for name, resource in package.items()
        if resource["Type"] == "AWS::IAM::Role"
    }


def test_each_function_of_the_package_has_a_role_that_no_other_has(package: dict[str, Any]) -> None:
    functions = [each for each in package.values() if each["Type"] == "AWS::Serverless::Function"]
    used = [json.dumps(each["Properties"]["Role"]) for each in functions]
    assert len(functions) == 5
    assert len(set(used)) == 5
    assert len(roles(package)) == 5


def test_no_role_has_policies_of_others_attached(package: dict[str, Any]) -> None:
    for resource in package.values():
        if resource["Type"] == "AWS::IAM::Role":
            assert not resource["Properties"].get("ManagedPolicyArns")


def test_a_role_may_do_what_its_reviewed_file_says_and_nothing_else(package: dict[str, Any]) -> None:
    files = {path.name: json.loads(path.read_text()) for path in (ROOT / ".chalice" / "policies").glob("prod-*.json")}
    granted = sorted(json.dumps(each) for each in roles(package).values())
    assert granted == sorted(json.dumps(file["Statement"]) for file in files.values())


def test_each_action_is_one_that_some_function_needs_on_what_belongs_to_the_stage(package: dict[str, Any]) -> None:
    for name, statements in roles(package).items():
        for statement in statements:
            assert set(statement) == {"Effect", "Action", "Resource"}, name
            for resource in statement["Resource"]:
                place = resource.split(":", 5)[-1]
                owner = max((each for each in MAY if place.startswith(each)), key=len)
                assert set(statement["Action"]) <= MAY[owner], (name, resource)


def test_a_pattern_stands_only_for_accounts_regions_log_streams_and_streams(package: dict[str, Any]) -> None:
    for statements in roles(package).values():
        for resource in {each for statement in statements for each in statement["Resource"]} - {"*"}:
            _, _, _, region, account, place = resource.split(":", 5)
            assert (region, account) == ("*", "*")
            assert re.fullmatch(r"[^*?]*|log-group:[^*?]*:\*|[^*?]*/stream/\*", place), place


def test_a_role_writes_to_its_own_log_group_only(package: dict[str, Any]) -> None:
    groups = [
        tuple(statement["Resource"])
        for statements in roles(package).values()
        for statement in statements
        if statement["Action"][0].startswith("logs:")
    ]
    assert len(set(groups)) == len(groups) == 5


def test_every_stage_has_the_rights_of_prod_each_on_its_own() -> None:
    """After a change of one of prod's files, `make stage` writes those of the others."""
    stages = json.loads((ROOT / ".chalice" / "config.json").read_text())["stages"].keys() - {"local"}
    files = {path.name: path.read_text() for path in (ROOT / ".chalice" / "policies").iterdir()}
    assert files == {f"{stage}-{name}.json": policy(stage, name, ROOT) for stage in stages for name in HANDLERS}
    for stage in stages - {"prod"}:
        assert not [name for name, text in files.items() if name.startswith(f"{stage}-") and "prod" in text]


def test_the_rights_are_the_same_in_every_partition(package: dict[str, Any]) -> None:
    for statements in roles(package).values():
        for resource in {each for statement in statements for each in statement["Resource"]} - {"*"}:
            assert resource.startswith("arn:*:")
