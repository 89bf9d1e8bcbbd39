"""Takes a stage away. The tables, and with them every message, stay unless they are named; nothing else does."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.settings import BOT_TOKEN
from tools.ops.bot import call_bot
from tools.ops.console import Console
from tools.ops.deployed import HANDLERS, find_api, find_mappings, function_name, role_name, rule_name
from tools.ops.stack import stack_down
from tools.ops.stage import Stage, StageError
from tools.ops.tuning import log_group
from tools.ops.webhook import PATH


def destroy(stage: Stage, console: Console, *, with_tables: bool) -> int:
    """Asks for the stage's name, and deletes what belongs to it. Run again, it goes on where it failed."""
    if stage.is_local:
        raise StageError("STAGE: local is the twin; Ctrl-C ends it, and nothing is left")
    account = stage.call("sts", "get_caller_identity")["Account"]
    tables = "AND its tables with all messages" if with_tables else "but its tables"
    console.say(f"This deletes everything of {stage.name} {tables}, in account {account}, region {stage.region}.")
    if not console.confirm(f"Type {stage.name} to go on:", stage.name):
        console.say("Nothing was deleted. Without a terminal, YES=1 is the answer.")
        return 1
    steps: dict[str, Callable[[Stage], str]] = {
        "webhook": _webhook,
        "mappings": _mappings,
        "schedule": _schedule,
        "API": _api,
        "functions": _functions,
        "roles": _roles,
        "logs": _logs,
        "stack": _stack,
        "parameters": _parameters,
        "tables": _tables if with_tables else _keep_tables,
    }
    for name, step in steps.items():
        _run(stage, console, name, step, with_tables=with_tables)
    stage.deployed_file.unlink(missing_ok=True)
    return 0


def _run(stage: Stage, console: Console, name: str, step: Callable[[Stage], str], *, with_tables: bool) -> None:
    try:
        console.step(name, step(stage))
    except StageError as error:
        again = f"make destroy STAGE={stage.name}{' TABLE=1' if with_tables else ''}"
        told = f'destroy stopped at "{name}": {error}\nRun {again} again: it goes on from there.'
        raise StageError(told) from None


def _webhook(stage: Stage) -> str:
    """A webhook to an API that is gone would make the bot useless for anything else."""
    if stage.parameter(BOT_TOKEN) is None:
        return "no bot token"
    try:
        ours = call_bot(stage, "getWebhookInfo", {}).get("url", "") == stage.http_url() + PATH
        if ours:
            call_bot(stage, "deleteWebhook", {})
    except StageError as error:
        return f"left as it is: {error}"
    return "deleted" if ours else "none of this stage"


def _mappings(stage: Stage) -> str:
    mappings = [each for handler in ("dynamodb_message", "sqs_message") for each in find_mappings(stage, handler)]
    for mapping in mappings:
        stage.call("lambda", "delete_event_source_mapping", UUID=mapping["UUID"])
    return f"{len(mappings)} deleted"


def _schedule(stage: Stage) -> str:
    name = rule_name(stage)
    if stage.find("events", "describe_rule", Name=name) is None:
        return "none"
    targets = [each["Id"] for each in stage.call("events", "list_targets_by_rule", Rule=name)["Targets"]]
    if targets:
        stage.call("events", "remove_targets", Rule=name, Ids=targets)
    stage.call("events", "delete_rule", Name=name)
    return f"{name} deleted"


def _api(stage: Stage) -> str:
    count = 0
    while (api_id := find_api(stage)) is not None:
        stage.call("apigateway", "delete_rest_api", restApiId=api_id)
        count += 1
    return f"{count} deleted"


def _functions(stage: Stage) -> str:
    names = [function_name(stage, handler) for handler in HANDLERS]
    found = [name for name in names if stage.find("lambda", "delete_function", FunctionName=name) is not None]
    return f"{len(found)} deleted"


def _roles(stage: Stage) -> str:
    count = 0
    for name in (role_name(stage, handler) for handler in HANDLERS):
        if stage.find("iam", "get_role", RoleName=name) is None:
            continue
        for policy in list(stage.pages("iam", "list_role_policies", "PolicyNames", RoleName=name)):
            stage.call("iam", "delete_role_policy", RoleName=name, PolicyName=policy)
        for attached in list(stage.pages("iam", "list_attached_role_policies", "AttachedPolicies", RoleName=name)):
            stage.call("iam", "detach_role_policy", RoleName=name, PolicyArn=attached["PolicyArn"])
        stage.call("iam", "delete_role", RoleName=name)
        count += 1
    return f"{count} deleted"


def _logs(stage: Stage) -> str:
    groups = [log_group(function_name(stage, handler)) for handler in HANDLERS]
    found = [group for group in groups if stage.find("logs", "delete_log_group", logGroupName=group) is not None]
    return f"{len(found)} log groups deleted"


def _stack(stage: Stage) -> str:
    stack_down(stage)
    return f"{stage.prefix} deleted, and its queues with it"


def _parameters(stage: Stage) -> str:
    path = {"Path": stage.parameters_path, "Recursive": True}
    names = [each["Name"] for each in stage.pages("ssm", "get_parameters_by_path", "Parameters", **path)]
    for start in range(0, len(names), 10):
        stage.call("ssm", "delete_parameters", Names=names[start : start + 10])
    return f"{len(names)} deleted under {stage.parameters_path}"


def _tables(stage: Stage) -> str:
    names = (stage.task_table_name, stage.outbox_table_name)
    found = [name for name in names if stage.find("dynamodb", "delete_table", TableName=name) is not None]
    return f"{' and '.join(found)} deleted" if found else "were not there"


def _keep_tables(stage: Stage) -> str:
    names = (stage.task_table_name, stage.outbox_table_name)
    found = [name for name in names if stage.find("dynamodb", "describe_table", TableName=name) is not None]
    if not found:
        return "were not there"
    return f"{' and '.join(found)} stay; make deploy takes them over again, make destroy TABLE=1 deletes them"
