"""What has to be right before anything is changed: credentials, region, and the Python that runs this."""

from __future__ import annotations

import json
import sys
from datetime import date, timedelta

import boto3

from tools.ops.new_stage import check_name
from tools.ops.roles import check_region
from tools.ops.stage import AwsRefused, Stage, StageError

# When AWS deprecates a runtime, and from when on it refuses to update functions that have it; cfn-lint 1.58 has it from
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
RUNTIME_ENDS = {
    "python3.10": (date(2026, 10, 31), date(2027, 3, 3)),
    "python3.11": (date(2027, 6, 30), date(2027, 8, 31)),
    "python3.12": (date(2028, 10, 31), date(2029, 1, 10)),
    "python3.13": (date(2029, 6, 30), date(2029, 8, 31)),
    "python3.14": (date(2029, 6, 30), date(2029, 8, 31)),
}
_NOTICE = timedelta(days=180)


def check_preflight(stage: Stage) -> str:
    """Who and where this is, in a line. Raises StageError."""
    check_name(stage.name)
    runtime = lambda_runtime(sys.version_info[:2])
    where = check_access(stage)
    if stage.queue_name not in (None, f"{stage.prefix}-messages"):
        raise StageError(
            f"QUEUE_NAME of {stage.name} in .chalice/config.json must be that of the stack, {stage.prefix}-messages"
        )
    _check_owner(stage)
    end = runtime_end(runtime, date.today())
    return f"{where}, {runtime}{end and end + ': a newer Python by make clean, then make PYTHON=...'}"


def check_access(stage: Stage) -> str:
    """The account and the region that the credentials lead to, in a line. Raises StageError where the stage is not."""
    where = check_place(stage)
    if not stage.is_local:
        check_region(stage)
    return where


def check_place(stage: Stage) -> str:
    """As ``check_access``, by what was deployed from this machine alone."""
    region = stage.region
    try:
        account = str(stage.call("sts", "get_caller_identity")["Account"])
    except AwsRefused as error:
        raise StageError(f"the AWS credentials are not valid: {error.reason}") from None
    for before in _deployed_places(stage) - {(account, region)}:
        raise StageError(
            f"{stage.name} was deployed from here to account {before[0]}, region {before[1]}, and this is account "
            f"{account}, region {region}: set AWS_PROFILE or AWS_REGION; if that one is gone, remove "
            f"{stage.deployed_file.relative_to(stage.root)}"
        )
    return f"account {account}, region {region}"


def _check_owner(stage: Stage) -> None:
    """Raises StageError where the functions belong to a CloudFormation stack, which would undo what is changed."""
    found = stage.find("lambda", "get_function", FunctionName=stage.handlers["message"])
    stack = found and found.get("Tags", {}).get("aws:cloudformation:stack-name")
    if stack:
        raise StageError(
            f"the functions of {stage.name} belong to the stack {stack}: deploy that one; or take it away, with "
            f"aws cloudformation delete-stack --stack-name {stack}, and run this again. The tables stay"
        )


def lambda_runtime(version: tuple[int, int]) -> str:
    """The Lambda runtime of a version of Python; Chalice deploys with that of the interpreter.

    Raises StageError if there is none. The list is the one of the Lambda API:
    https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
    """
    shape = boto3.Session()._session.get_service_model("lambda").shape_for("Runtime")
    name = f"python{version[0]}.{version[1]}"
    known = sorted((each for each in shape.enum if each.startswith("python3.")), key=lambda each: int(each[8:]))
    if name not in known:
        raise StageError(f"{name} is no Lambda runtime (the newest is {known[-1]}): make clean, then make PYTHON=...")
    return name


def runtime_end(name: str, today: date) -> str:
    """What there is to know of a runtime that AWS supports no more, or not for long; empty for all others."""
    if name not in RUNTIME_ENDS or today < RUNTIME_ENDS[name][0] - _NOTICE:
        return ""
    end, block = RUNTIME_ENDS[name]
    return f" (AWS ends its security updates on {end}, and takes no change of its functions from {block} on)"


def _deployed_places(stage: Stage) -> set[tuple[str, str]]:
    """The accounts and regions of what was deployed from this machine. Raises StageError."""
    if not stage.deployed_file.exists():
        return set()
    try:
        resources = json.loads(stage.deployed_file.read_text())["resources"]
        arns = [each["lambda_arn"].split(":") for each in resources if "lambda_arn" in each]
        return {(account, region) for _, _, _, region, account, *_ in arns}
    except (ValueError, LookupError, TypeError, AttributeError):
        where = stage.deployed_file.relative_to(stage.root)
        raise StageError(f"{where} cannot be read: remove it, make deploy writes it anew") from None
