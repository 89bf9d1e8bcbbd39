"""What belongs to a stage: found on AWS, part by part, and deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from chalicelib.settings import BOT_TOKEN
from tools.ops.bot import call_bot
from tools.ops.deployed import HANDLERS, find_apis, find_mappings, function_name, rule_name
from tools.ops.roles import delete_role, elsewhere, find_roles
from tools.ops.stack import find_stack, stack_down
from tools.ops.stage import Stage, StageError
from tools.ops.tables import protect
from tools.ops.tuning import log_group
from tools.ops.unsent import count_in_queues
from tools.ops.webhook import PATH, remove_webhook


class Thing(NamedTuple):
    """note: more about it. stays: why it is not deleted, where it is not."""

    id: str
    note: str = ""
    stays: str = ""


@dataclass(frozen=True)
class Part:
    """Things of one kind. delete: takes the id of one; it may be gone already."""

    name: str
    find: Callable[[Stage], Iterator[Thing]]
    delete: Callable[[Stage, str], object]


def parts(*, with_tables: bool) -> tuple[Part, ...]:
    """All parts, in the order in which they are deleted. A role tells its region by its function, or by the stack."""
    tables = Part("tables", _tables if with_tables else _kept_tables, _delete_table)
    return (*_PARTS, tables)


def _webhook(stage: Stage) -> Iterator[Thing]:
    """A webhook to an API that is gone would make the bot useless for anything else."""
    if stage.parameter(BOT_TOKEN) is None:
        return
    try:
        url = call_bot(stage, "getWebhookInfo", {}).get("url")
        if url and url == stage.http_url() + PATH:
            yield Thing(url)
    except StageError as error:
        yield Thing("the bot's webhook", stays=str(error))


def _mappings(stage: Stage) -> Iterator[Thing]:
    for handler in ("dynamodb_message", "sqs_message"):
        for mapping in find_mappings(stage, handler):
            yield Thing(mapping["UUID"], f"from {mapping['EventSourceArn']}")


def _schedule(stage: Stage) -> Iterator[Thing]:
    if stage.find("events", "describe_rule", Name=rule_name(stage)) is not None:
        yield Thing(rule_name(stage))


def _delete_schedule(stage: Stage, name: str) -> None:
    targets = [each["Id"] for each in stage.call("events", "list_targets_by_rule", Rule=name)["Targets"]]
    if targets:
        stage.call("events", "remove_targets", Rule=name, Ids=targets)
    stage.call("events", "delete_rule", Name=name)


def _functions(stage: Stage) -> Iterator[Thing]:
    for name in (function_name(stage, handler) for handler in HANDLERS):
        if stage.find("lambda", "get_function_configuration", FunctionName=name) is not None:
            yield Thing(name)


def _roles(stage: Stage) -> Iterator[Thing]:
    for name, region in find_roles(stage).items():
        yield Thing(name, stays="" if region == stage.region else elsewhere(stage, name, region))


def _logs(stage: Stage) -> Iterator[Thing]:
    for group in (log_group(function_name(stage, handler)) for handler in HANDLERS):
        found = stage.pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=group)
        if any(each["logGroupName"] == group for each in found):
            yield Thing(group)


def _stack(stage: Stage) -> Iterator[Thing]:
    if find_stack(stage) is not None:
        counts = count_in_queues(stage, *stage.queues)
        queues = ", ".join(f"{queue} (messages: {count})" for queue, count in counts.items())
        yield Thing(stage.prefix, f"with its queues {queues}" if queues else "")


def _parameters(stage: Stage) -> Iterator[Thing]:
    path = {"Path": stage.parameters_path, "Recursive": True}
    for each in stage.pages("ssm", "get_parameters_by_path", "Parameters", **path):
        yield Thing(each["Name"])


def _tables(stage: Stage) -> Iterator[Thing]:
    for name in (stage.task_table_name, stage.outbox_table_name):
        if stage.find("dynamodb", "describe_table", TableName=name) is not None:
            yield Thing(name)


def _kept_tables(stage: Stage) -> Iterator[Thing]:
    for table in _tables(stage):
        yield table._replace(stays="make deploy takes it over again, make destroy TABLE=1 deletes it")


def _delete_table(stage: Stage, name: str) -> None:
    protect(stage, name, on=False)
    stage.find("dynamodb", "delete_table", TableName=name)


_PARTS = (
    Part("webhook", _webhook, lambda stage, _: remove_webhook(stage)),
    Part("mappings", _mappings, lambda stage, uuid: stage.find("lambda", "delete_event_source_mapping", UUID=uuid)),
    Part("schedule", _schedule, _delete_schedule),
    Part(
        "API",
        lambda stage: map(Thing, find_apis(stage)),
        lambda stage, id: stage.find("apigateway", "delete_rest_api", restApiId=id),
    ),
    Part("functions", _functions, lambda stage, name: stage.find("lambda", "delete_function", FunctionName=name)),
    Part("roles", _roles, delete_role),
    Part("logs", _logs, lambda stage, group: stage.find("logs", "delete_log_group", logGroupName=group)),
    Part("stack", _stack, lambda stage, _: stack_down(stage)),
    Part("parameters", _parameters, lambda stage, name: stage.call("ssm", "delete_parameters", Names=[name])),
)
