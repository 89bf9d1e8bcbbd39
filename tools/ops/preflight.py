"""What has to be right before anything is changed: credentials, region, and the Python that runs this."""

from __future__ import annotations

import sys

import boto3

from tools.ops.stage import AwsRefused, Stage, StageError


def check_preflight(stage: Stage) -> str:
    """Who and where this is, in a line. Raises StageError."""
    runtime = lambda_runtime()
    try:
        account = stage.call("sts", "get_caller_identity")["Account"]
    except AwsRefused as error:
        raise StageError(f"the AWS credentials are not valid: {error.reason}") from None
    if stage.queue_name not in (None, f"{stage.prefix}-messages"):
        raise StageError(
            f"QUEUE_NAME of {stage.name} in .chalice/config.json must be that of the stack, {stage.prefix}-messages"
        )
    return f"account {account}, region {stage.region}, {runtime}"


def lambda_runtime() -> str:
    """The Lambda runtime that is this interpreter's; Chalice deploys with it.

    Raises StageError if there is none. The list is the one of the Lambda API:
    https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
    """
    shape = boto3.Session()._session.get_service_model("lambda").shape_for("Runtime")
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    known = sorted((each for each in shape.enum if each.startswith("python3.")), key=lambda each: int(each[8:]))
    if name not in known:
        raise StageError(f"{name} is no Lambda runtime (the newest is {known[-1]}): make clean, then make PYTHON=...")
    return name
