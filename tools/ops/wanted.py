"""What a deployment would make of a stage, as a state (see ``tools.ops.changes``).

Of the functions, their rights and the API ``chalice package`` tells: so Chalice itself reads its configuration, and
what the zip holds is known too.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chalicelib.settings import BOT_TOKEN, CHATS, HTTP_API_TOKEN
from tools.ops.changes import Settings, State, flatten
from tools.ops.deployed import function_name, role_name, rule_name
from tools.ops.mappings import queue_arn, stream_settings
from tools.ops.resources import resources
from tools.ops.stack import planned_parameters, template
from tools.ops.stage import Stage
from tools.ops.there import CALLERS, GIVEN, SOURCES, TAGS, tell_statement
from tools.ops.tuning import BURST, LOGGING, REQUESTS_PER_SECOND, RETENTION_DAYS, async_policies, log_group


def plan_state(stage: Stage, options: Mapping[str, str], package: Path, stream_arn: str) -> State:
    """All that will be there. package: the folder of ``chalice package``. options: further parameters of the stack."""
    state = {**_parameters(stage), **resources(template(stage), planned_parameters(stage, options))}
    made = json.loads((package / "sam.json").read_text())["Resources"]
    code = content_digest(package / "deployment.zip")
    for resource in made.values():
        properties = resource["Properties"]
        match resource["Type"]:
            case "AWS::Serverless::Function":
                handler = properties["Handler"].removeprefix("app.")
                handler = "api_handler" if handler == "app" else handler
                name = function_name(stage, handler)
                role = made[properties["Role"]["Fn::GetAtt"][0]]["Properties"]["Policies"]
                statements = [each for policy in role for each in policy["PolicyDocument"]["Statement"]]
                state[f"role {role_name(stage, handler)}"] = dict.fromkeys(map(tell_statement, statements), "")
                state[f"function {name}"] = _function(stage, handler, properties, code)
                state[f"log group {log_group(name)}"] = {"retention": f"{RETENTION_DAYS} days"}
                for event in properties.get("Events", {}).values():
                    state |= _event(stage, handler, event["Properties"], stream_arn)
            case "AWS::Serverless::Api":
                state["API"] = _api(properties)
    return state


def _parameters(stage: Stage) -> State:
    path, chat_id = stage.parameters_path, os.environ.get("TELEGRAM_CHAT_ID")
    chats = {**stage.chats(), **({"default": chat_id} if chat_id else {})}
    return {
        f"parameter {path}/{BOT_TOKEN}": {"token": GIVEN} if os.environ.get("TELEGRAM_BOT_TOKEN") else {},
        f"parameter {path}/{CHATS}": {name: str(each) for name, each in chats.items()},
        f"parameter {path}/{HTTP_API_TOKEN}": {},
    }


def content_digest(package: Path) -> str:
    """Changes with what a zip holds, and not with the order or the dates of its files."""
    found = hashlib.sha256()
    with zipfile.ZipFile(package) as archive:
        for name in sorted(archive.namelist()):
            found.update(name.encode() + b"\0" + hashlib.sha256(archive.read(name)).digest())
    return found.hexdigest()[:12]


def code_sha256(package: Path) -> str:
    """The CodeSha256 that AWS will tell of a function with this zip."""
    return base64.b64encode(hashlib.sha256(package.read_bytes()).digest()).decode()


def _function(stage: Stage, handler: str, properties: Any, code: str) -> Settings:
    settings = {
        "runtime": str(properties["Runtime"]),
        "memory": f"{properties['MemorySize']} MB",
        "timeout": f"{properties['Timeout']} s",
        "architecture": ", ".join(properties.get("Architectures", ["x86_64"])),
        "code": code,
        **dict(flatten(LOGGING)),
    }
    variables = properties["Environment"]["Variables"]
    settings |= {f"environment {name}": str(value) for name, value in variables.items()}
    if handler in CALLERS:
        settings["called by"] = CALLERS[handler]
    policy = async_policies(stage).get(function_name(stage, handler), {})
    settings |= {f"async {key}": value for key, value in flatten(policy)}
    return settings | {f"tag {key}": str(properties["Tags"][key]) for key in TAGS}


def _event(stage: Stage, handler: str, properties: Any, stream_arn: str) -> State:
    if handler not in SOURCES:
        return {f"schedule {rule_name(stage)}": {"expression": properties["Schedule"], "state": "ENABLED"}}
    settings = {"state": "Enabled", "batch": str(properties["BatchSize"])}
    if handler == "dynamodb_message":
        settings |= {"source": stream_arn, **dict(flatten(stream_settings(stage)))}
    else:
        settings["source"] = queue_arn(stage, str(stage.queue_name))
    return {f"mapping of the {SOURCES[handler]}": settings}


def _api(properties: Any) -> Settings:
    paths = properties["DefinitionBody"]["paths"]
    endpoint = properties["EndpointConfiguration"]
    routes = {f"route {method.upper()} {path}": "" for path, methods in paths.items() for method in methods}
    throttled = {"requests a second": f"{REQUESTS_PER_SECOND:g}", "burst": str(BURST)}
    return {"endpoint": endpoint if isinstance(endpoint, str) else endpoint["Type"], **throttled, **routes}
