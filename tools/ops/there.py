"""What of a stage is on AWS, as a state (see ``tools.ops.changes``). It only reads."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.settings import BOT_TOKEN, CHATS, HTTP_API_TOKEN
from tools.ops.changes import Settings, State, flatten
from tools.ops.deployed import (
    HANDLERS,
    find_api,
    find_mappings,
    function_name,
    may_be_called_by,
    role_name,
    rule_name,
)
from tools.ops.mappings import stream_settings
from tools.ops.resources import resources
from tools.ops.roles import as_list, find_statements
from tools.ops.stack import standing_stack
from tools.ops.stage import Stage
from tools.ops.tuning import LOGGING, async_policies, log_group, throttling

# Who has to be allowed to call a function; whom else the owner allows is no matter of a deployment.
CALLERS = {"api_handler": "apigateway.amazonaws.com", "redeliver": "events.amazonaws.com"}
TAGS = ("app", "stage")  # whatever else an owner writes there is no matter of a deployment
SOURCES = {"dynamodb_message": "stream", "sqs_message": "queue"}
GIVEN = "that of TELEGRAM_BOT_TOKEN"
_ON_THEIR_WAY = ("Creating", "Enabling", "Updating")


def find_state(stage: Stage, codes: Mapping[str, str]) -> State:
    """All that is there, but for what another owner added. codes: names for CodeSha256s. Raises StageError."""
    state = dict(_parameters(stage))
    if (stack := standing_stack(stage)) is not None:
        state |= resources(*stack)
    for handler in HANDLERS:
        if (statements := find_statements(stage, role_name(stage, handler))) is not None:
            state[f"role {role_name(stage, handler)}"] = dict.fromkeys(map(tell_statement, statements), "")
        name = function_name(stage, handler)
        configuration = stage.find("lambda", "get_function_configuration", FunctionName=name)
        if configuration is None:
            continue
        state[f"function {name}"] = _function(stage, handler, configuration, codes)
        if handler in SOURCES and (mappings := find_mappings(stage, handler)):
            state[f"mapping of the {SOURCES[handler]}"] = _mapping(mappings, handler, stage)
        retention = _retention(stage, log_group(name))
        if handler in stage.handlers and retention is not None:
            state[f"log group {log_group(name)}"] = {"retention": f"{retention} days"}
    rule = stage.find("events", "describe_rule", Name=rule_name(stage))
    if rule is not None:
        state[f"schedule {rule_name(stage)}"] = {"expression": rule["ScheduleExpression"], "state": rule["State"]}
    return state | dict(_api(stage))


def tell_statement(statement: Mapping[str, Any]) -> str:
    """A statement of a policy, in a line."""
    if not set(statement) <= {"Sid", "Effect", "Action", "Resource", "Condition"}:
        return json.dumps(statement, sort_keys=True)
    actions, where = (", ".join(sorted(as_list(statement[each]))) for each in ("Action", "Resource"))
    condition = f" if {json.dumps(statement['Condition'], sort_keys=True)}" if "Condition" in statement else ""
    return f"{str(statement['Effect']).lower()} {actions} on {where}{condition}"


def restrict(found: Any, wanted: Any) -> Any:
    """What is found of what is wanted: AWS tells of more than it was asked for."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return {name: restrict(found[name], value) for name, value in wanted.items() if name in found}
    return found


def _parameters(stage: Stage) -> Iterator[tuple[str, Settings]]:
    given = (os.environ.get("TELEGRAM_BOT_TOKEN") or "").strip()
    for name in (BOT_TOKEN, CHATS, HTTP_API_TOKEN):
        if (value := stage.parameter(name)) is None:
            continue
        settings: Settings = {}
        if name == BOT_TOKEN and given:
            settings["token"] = GIVEN if value == given else "another"
        if name == CHATS:
            settings = {chat: str(chat_id) for chat, chat_id in stage.chats().items()}
        yield f"parameter {stage.parameters_path}/{name}", settings


def _function(stage: Stage, handler: str, found: Any, codes: Mapping[str, str]) -> Settings:
    settings = {
        "runtime": str(found["Runtime"]),
        "memory": f"{found['MemorySize']} MB",
        "timeout": f"{found['Timeout']} s",
        "architecture": ", ".join(found.get("Architectures", ["x86_64"])),
        "code": codes.get(found["CodeSha256"], found["CodeSha256"][:12]),
        **dict(flatten(restrict(found.get("LoggingConfig", {}), LOGGING))),
    }
    variables = found.get("Environment", {}).get("Variables", {})
    settings |= {f"environment {name}": str(value) for name, value in variables.items()}
    name = found["FunctionName"]
    if handler in CALLERS and may_be_called_by(CALLERS[handler], stage, name):
        settings["called by"] = CALLERS[handler]
    if policy := async_policies(stage).get(name):
        retries = stage.find("lambda", "get_function_event_invoke_config", FunctionName=name) or {}
        settings |= {f"async {key}": value for key, value in flatten(restrict(retries, policy))}
    tags = stage.call("lambda", "list_tags", Resource=found["FunctionArn"])["Tags"]
    return settings | {f"tag {key}": str(value) for key, value in tags.items() if key in TAGS}


def _mapping(mappings: list[Any], handler: str, stage: Stage) -> Settings:
    found = mappings[0]
    state = "Enabled" if found["State"] in _ON_THEIR_WAY else found["State"]
    settings = {"source": ", ".join(each["EventSourceArn"] for each in mappings), "state": str(state)}
    settings["batch"] = str(found["BatchSize"])
    if handler == "dynamodb_message":
        settings |= dict(flatten(restrict(found, stream_settings(stage))))
    return settings


def _retention(stage: Stage, group: str) -> int | None:
    groups = stage.pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=group)
    return next((int(each.get("retentionInDays", 0)) for each in groups if each["logGroupName"] == group), None)


def _api(stage: Stage) -> Iterator[tuple[str, Settings]]:
    api_id = find_api(stage)
    if api_id is None:
        return
    api = stage.call("apigateway", "get_rest_api", restApiId=api_id)
    settings = {"endpoint": ", ".join(api["endpointConfiguration"]["types"])}
    for resource in stage.pages("apigateway", "get_resources", "items", restApiId=api_id, embed=["methods"]):
        settings |= {f"route {method} {resource['path']}": "" for method in resource.get("resourceMethods", {})}
    if stage.find("apigateway", "get_stage", restApiId=api_id, stageName=stage.config["api_gateway_stage"]):
        rate, burst = throttling(stage)
        settings |= {"requests a second": f"{rate or 0:g}", "burst": str(burst)}
    yield "API", settings
