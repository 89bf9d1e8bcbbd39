"""What a deployment would do, and what its functions would be allowed to, without doing it."""

from __future__ import annotations

import json

from chalicelib.settings import BOT_TOKEN, CHATS, HTTP_API_TOKEN
from tools.ops.console import Console
from tools.ops.deploy import STEPS
from tools.ops.deployed import find_api, find_mappings
from tools.ops.preflight import check_preflight
from tools.ops.stack import find_stack
from tools.ops.stage import Stage


def show_plan(stage: Stage, console: Console) -> int:
    """Prints the steps, what is there already, and the IAM policy of each function. Changes nothing."""
    console.step("now", check_preflight(stage))
    for told in _now(stage):
        console.step("", told)
    for name, told in STEPS:
        console.step(name, told)
    for handler, function in stage.handlers.items():
        file = stage.config["lambda_functions"][handler]["iam_policy_file"]
        console.say(f"\n{function} (.chalice/{file}) may")
        for statement in json.loads((stage.root / ".chalice" / file).read_text())["Statement"]:
            console.say(f"  {', '.join(statement['Action'])}")
            for resource in statement["Resource"]:
                console.say(f"      on {resource}")
    return 0


def _now(stage: Stage) -> list[str]:
    stack, api = find_stack(stage), find_api(stage)
    parameters = [name for name in (BOT_TOKEN, CHATS, HTTP_API_TOKEN) if stage.parameter(name) is not None]
    mappings = [each["EventSourceArn"] for each in find_mappings(stage, "dynamodb_message")]
    return [
        f"stack {stage.prefix}: {stack['StackStatus'] if stack else 'will be made'}",
        f"queue: {stage.queue_name or 'none, as the stage has no QUEUE_NAME'}",
        f"parameters that are there: {', '.join(parameters) or 'none'}",
        f"API: {api or 'will be made'}",
        f"stream mapping: {', '.join(mappings) or 'will be made'}",
    ]
