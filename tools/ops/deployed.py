"""What Chalice deployed, found again on AWS: the truth is there, not in a file that one machine has.

Chalice goes by ``.chalice/deployed/<stage>.json``. A deployment that fails half way does not write it, and without it
the next one makes a second API. So before each deployment the file is written anew, from what AWS has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tools.ops.stage import Stage

APP_NAME = "botte"
HANDLERS = ("api_handler", "message", "dynamodb_message", "sqs_message", "redeliver")  # with the queue or without it


def write_deployed_file(stage: Stage) -> int:
    """Writes down what of the stage is on AWS, for Chalice; how many resources there are. Raises StageError."""
    resources = list(_resources(stage))
    stage.deployed_file.parent.mkdir(parents=True, exist_ok=True)
    if resources:
        content = {"resources": resources, "schema_version": "2.0", "backend": "api"}
        stage.deployed_file.write_text(json.dumps(content, indent=2) + "\n")
    else:
        stage.deployed_file.unlink(missing_ok=True)
    return len(resources)


def function_name(stage: Stage, handler: str) -> str:
    """As Chalice makes it."""
    return stage.prefix if handler == "api_handler" else f"{stage.prefix}-{handler}"


def role_name(stage: Stage, handler: str) -> str:
    """As Chalice makes it for a function with a policy file of its own."""
    return f"{stage.prefix}-{handler}"


def rule_name(stage: Stage) -> str:
    """As Chalice makes it for the schedule."""
    return f"{stage.prefix}-redeliver-event"


def find_mappings(stage: Stage, handler: str) -> list[Any]:
    """The event source mappings of a function."""
    end = f":function:{function_name(stage, handler)}"
    mappings = stage.pages("lambda", "list_event_source_mappings", "EventSourceMappings")
    return [each for each in mappings if each["FunctionArn"].endswith(end) and each["State"] != "Deleting"]


def may_be_called_by(service: str, stage: Stage, function: str) -> bool:
    """Whether a function's own policy lets a service of AWS call it."""
    policy = stage.find("lambda", "get_policy", FunctionName=function)
    statements = json.loads(policy["Policy"])["Statement"] if policy else []
    return any(each["Principal"] == {"Service": service} for each in statements)


def find_api(stage: Stage) -> str | None:
    """The id of the stage's REST API; None if there is none."""
    return next(find_apis(stage), None)


def find_apis(stage: Stage) -> Iterator[str]:
    """The ids of the stage's REST APIs: all stages' have one name, so those are its that call the stage's function."""
    uri = f":function:{function_name(stage, 'api_handler')}/invocations"
    for api in stage.pages("apigateway", "get_rest_apis", "items"):
        if api["name"] == APP_NAME and any(found.endswith(uri) for found in _integrations(stage, api["id"])):
            yield str(api["id"])


def _integrations(stage: Stage, api_id: str) -> Iterator[str]:
    """What the methods of an API call."""
    arguments = {"restApiId": api_id, "embed": ["methods"]}
    for resource in stage.pages("apigateway", "get_resources", "items", **arguments):
        for method in resource.get("resourceMethods", {}).values():
            yield str(method.get("methodIntegration", {}).get("uri", ""))


def _resources(stage: Stage) -> Iterator[dict[str, str]]:
    for handler in HANDLERS:
        role = stage.find("iam", "get_role", RoleName=role_name(stage, handler))
        if role is not None:
            yield {
                "name": f"{handler}_role",
                "resource_type": "iam_role",
                "role_arn": role["Role"]["Arn"],
                "role_name": role["Role"]["RoleName"],
            }
        function = stage.find("lambda", "get_function_configuration", FunctionName=function_name(stage, handler))
        if function is None:
            continue
        arn = function["FunctionArn"]
        yield {"name": handler, "resource_type": "lambda_function", "lambda_arn": arn}
        if handler in ("dynamodb_message", "sqs_message"):
            for mapping in find_mappings(stage, handler):
                yield _mapping(handler, mapping, arn)
    if stage.find("events", "describe_rule", Name=rule_name(stage)) is not None:
        yield {"name": "redeliver-event", "resource_type": "cloudwatch_event", "rule_name": rule_name(stage)}
    if (api_id := find_api(stage)) is not None:
        url = f"https://{api_id}.execute-api.{stage.region}.amazonaws.com/{stage.config['api_gateway_stage']}/"
        yield {"name": "rest_api", "resource_type": "rest_api", "rest_api_id": api_id, "rest_api_url": url}


def _mapping(handler: str, mapping: Any, function_arn: str) -> dict[str, str]:
    source = mapping["EventSourceArn"]
    common = {"event_uuid": mapping["UUID"], "lambda_arn": function_arn}
    if handler == "dynamodb_message":
        name = f"{handler}-dynamodb-event-source"
        return {"name": name, "resource_type": "dynamodb_event", "stream_arn": source, **common}
    queue = source.rpartition(":")[2]
    name = f"{handler}-sqs-event-source"
    return {"name": name, "resource_type": "sqs_event", "queue": queue, "queue_arn": source, **common}
