"""What Chalice cannot set on functions and on the API: log format, log retention, async retries, throttling."""

from __future__ import annotations

from typing import Any

from tools.ops.deployed import find_api
from tools.ops.mappings import is_within, queue_arn
from tools.ops.stage import AwsRefused, Stage, StageError

RETENTION_DAYS = 30
REQUESTS_PER_SECOND = 10.0
BURST = 20
LOGGING = {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"}


def log_group(function: str) -> str:
    return f"/aws/lambda/{function}"


def tune_functions(stage: Stage) -> str:
    """Sets log format and retention of each function, and what becomes of async invokes; a line on it."""
    for function in stage.handlers.values():
        configuration = stage.call("lambda", "get_function_configuration", FunctionName=function)
        if not is_within(LOGGING, configuration.get("LoggingConfig", {})):
            stage.wait("lambda", "function_updated_v2", FunctionName=function)
            stage.call("lambda", "update_function_configuration", FunctionName=function, LoggingConfig=LOGGING)
            stage.wait("lambda", "function_updated_v2", FunctionName=function)
        _keep_logs(stage, log_group(function))
    for function, policy in async_policies(stage).items():
        stage.call("lambda", "put_function_event_invoke_config", FunctionName=function, **policy)
    return (
        f"JSON logs, kept {RETENTION_DAYS} days; "
        f"async invokes of {stage.handlers['message']}: 2 retries within 6 h; of {stage.handlers['redeliver']}: none"
    )


def async_policies(stage: Stage) -> dict[str, dict[str, Any]]:
    """What becomes of an async invoke that fails or waits, by the names of the functions.

    A message is tried again, and then kept, with its payload, in the failures queue. The schedule's are dropped: the
    next one comes in a minute, and in an account whose functions are throttled they would pile up for six hours.
    https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
    """
    return {
        stage.handlers["message"]: {
            "MaximumRetryAttempts": 2,
            "MaximumEventAgeInSeconds": 6 * 3600,
            "DestinationConfig": {"OnFailure": {"Destination": queue_arn(stage, stage.failures_queue)}},
        },
        stage.handlers["redeliver"]: {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
    }


def throttle(stage: Stage) -> str:
    """Limits the rate of the whole HTTP door, against a bill that others could run up; a line on it."""
    api_id, name = _api(stage)
    path = "/*/*/throttling"
    changes = [
        {"op": "replace", "path": f"{path}/rateLimit", "value": str(REQUESTS_PER_SECOND)},
        {"op": "replace", "path": f"{path}/burstLimit", "value": str(BURST)},
    ]
    stage.call("apigateway", "update_stage", restApiId=api_id, stageName=name, patchOperations=changes)
    return f"{stage.http_url()}, at most {REQUESTS_PER_SECOND:g} requests a second"


def throttling(stage: Stage) -> tuple[float | None, int | None]:
    """The rate and the burst that the API's stage has."""
    api_id, name = _api(stage)
    settings = stage.call("apigateway", "get_stage", restApiId=api_id, stageName=name).get("methodSettings", {})
    found = settings.get("*/*", {})
    return found.get("throttlingRateLimit"), found.get("throttlingBurstLimit")


def _api(stage: Stage) -> tuple[str, str]:
    api_id = find_api(stage)
    if api_id is None:
        raise StageError(f"the REST API of {stage.name} does not exist")
    return api_id, str(stage.config["api_gateway_stage"])


def _keep_logs(stage: Stage, group: str) -> None:
    try:
        stage.call("logs", "create_log_group", logGroupName=group)
    except AwsRefused as error:
        if error.code != "ResourceAlreadyExistsException":
            raise
    stage.call("logs", "put_retention_policy", logGroupName=group, retentionInDays=RETENTION_DAYS)
