"""What a healthy deployment looks like on AWS; the local twin has none of this."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

from tools.ops.alarms import alarm_names, is_confirmed, topic_arn
from tools.ops.checks import Finding, make
from tools.ops.deployed import find_mappings, may_be_called_by, role_name, rule_name
from tools.ops.mappings import differences, is_within, stream_settings
from tools.ops.preflight import runtime_end
from tools.ops.roles import find_statements
from tools.ops.stack import stack_parameters
from tools.ops.stage import Stage
from tools.ops.tuning import BURST, LOGGING, REQUESTS_PER_SECOND, async_policies, throttling

_ALARMS = ("cloudwatch", "describe_alarms", "MetricAlarms")
_SECRET_WORDS = ("token", "secret", "password")


def check_functions(stage: Stage) -> Iterator[Finding]:
    """Whether all functions are there and active, log as JSON, and have no secret in their environment."""
    mend = make("deploy", stage)
    for name in stage.handlers.values():
        found = stage.find("lambda", "get_function_configuration", FunctionName=name)
        if found is None:
            yield Finding("function", f"{name} does not exist", mend)
            continue
        variables = found.get("Environment", {}).get("Variables", {})
        secrets = [each for each in variables if any(word in each.lower() for word in _SECRET_WORDS)]
        if secrets:
            yield Finding("function", f"{name} has secrets in its environment: {', '.join(secrets)}", mend)
        elif variables != stage.environment:
            yield Finding("function", f"{name} has other settings than .chalice/config.json", mend)
        elif found.get("State", "Active") != "Active":
            yield Finding("function", f"{name} is {found['State']}: {found.get('StateReason', '')}", mend)
        elif not is_within(LOGGING, found.get("LoggingConfig", {})):
            yield Finding("function", f"{name} does not log as JSON", mend)
        else:
            runtime = found["Runtime"]
            yield Finding(
                "function", f"{name}, {runtime}{runtime_end(runtime, date.today())}, {found['MemorySize']} MB"
            )


def check_async(stage: Stage) -> Iterator[Finding]:
    """Whether an async invoke of a message that fails is kept, and one of the schedule that has to wait is not."""
    for function, wanted in async_policies(stage).items():
        found = stage.find("lambda", "get_function_event_invoke_config", FunctionName=function)
        retries, seconds = wanted["MaximumRetryAttempts"], wanted["MaximumEventAgeInSeconds"]
        kept = ", then the failures queue" if "DestinationConfig" in wanted else ""
        if is_within(wanted, found):
            yield Finding("async", f"{function}: {retries} retries within {seconds} s{kept}")
        else:
            told = f"{function} has not {retries} retries within {seconds} s{kept}"
            yield Finding("async", told, make("deploy", stage))


def check_roles(stage: Stage) -> Iterator[Finding]:
    """Whether each function has its own role, with exactly the rights of its policy file."""
    mend = make("deploy", stage)
    for handler, function in stage.handlers.items():
        name = role_name(stage, handler)
        if stage.find("iam", "get_role", RoleName=name) is None:
            yield Finding("role", f"{name} does not exist", mend)
            continue
        configuration = stage.find("lambda", "get_function_configuration", FunctionName=function)
        attached = list(stage.pages("iam", "list_attached_role_policies", "AttachedPolicies", RoleName=name))
        if configuration is not None and configuration["Role"].rpartition("/")[2] != name:
            yield Finding("role", f"{function} runs as {configuration['Role']}", mend)
        elif attached:
            arn = attached[0]["PolicyArn"]
            told = f"{name} also has the policy {attached[0]['PolicyName']}"
            yield Finding("role", told, f"aws iam detach-role-policy --role-name {name} --policy-arn {arn}")
        elif find_statements(stage, name) != _reviewed(stage, handler):
            yield Finding("role", f"{name} has other rights than its policy file", mend)
        else:
            yield Finding("role", f"{name}, as in its policy file")


def check_mappings(stage: Stage) -> Iterator[Finding]:
    """Whether the stream and the queue have one mapping each, which is on and as it should be."""
    mend = make("deploy", stage)
    answer = stage.find("dynamodb", "describe_table", TableName=stage.task_table_name)
    arn = answer["Table"].get("LatestStreamArn") if answer else None
    found = find_mappings(stage, "dynamodb_message")
    right = [each for each in found if each["EventSourceArn"] == arn]
    if not right:
        where = f"reads {found[0]['EventSourceArn']}" if found else "does not exist"
        yield Finding("mapping", f"the one of the stream {where}, and the stream is {arn}", mend)
    elif len(found) > 1:
        yield Finding("mapping", f"{len(found) - 1} more to a stream that is gone", mend)
    elif right[0]["State"] != "Enabled":
        command = f"aws lambda update-event-source-mapping --enabled --uuid {right[0]['UUID']}"
        yield Finding("mapping", f"the one of the stream is {right[0]['State']}", command)
    elif wrong := differences(right[0], stream_settings(stage)):
        yield Finding("mapping", f"the one of the stream lacks {', '.join(wrong)}", mend)
    else:
        yield Finding("mapping", "the one of the stream is enabled, on the right stream, and filtered")
    queue = find_mappings(stage, "sqs_message")
    if stage.queue_name:
        on = [each["State"] for each in queue] == ["Enabled"]
        yield Finding("mapping", f"the one of the queue is {'enabled' if on else 'not there'}", None if on else mend)
    elif queue:
        yield Finding("mapping", "a queue is polled all month, and the stage names none", mend)


def check_schedule(stage: Stage) -> Iterator[Finding]:
    """Whether redeliver runs every minute."""
    mend, name = make("deploy", stage), rule_name(stage)
    rule = stage.find("events", "describe_rule", Name=name)
    if rule is None:
        yield Finding("schedule", f"{name} does not exist", mend)
        return
    targets = [each["Arn"] for each in stage.call("events", "list_targets_by_rule", Rule=name)["Targets"]]
    if rule["State"] != "ENABLED":
        yield Finding("schedule", f"{name} is {rule['State']}", f"aws events enable-rule --name {name}")
    elif not any(target.endswith(f":{stage.handlers['redeliver']}") for target in targets):
        yield Finding("schedule", f"{name} does not call {stage.handlers['redeliver']}", mend)
    elif not may_be_called_by("events.amazonaws.com", stage, stage.handlers["redeliver"]):
        yield Finding("schedule", f"{name} is not allowed to call {stage.handlers['redeliver']}", mend)
    else:
        yield Finding("schedule", f"{stage.handlers['redeliver']}, {rule['ScheduleExpression']}")


def check_throttling(stage: Stage) -> Iterator[Finding]:
    """Whether the API is throttled."""
    rate, burst = throttling(stage)
    right = (rate, burst) == (REQUESTS_PER_SECOND, BURST)
    told = f"{rate:g} requests a second, bursts of {burst}" if rate and burst else "none"
    yield Finding("throttling", told, None if right else make("deploy", stage))


def check_queues(stage: Stage) -> Iterator[Finding]:
    """Whether anything was given up by AWS."""
    names = {stage.failures_queue: "failures queue"}
    if stage.queue_name:
        names[stage.dead_letter_queue] = "dead-letter queue"
    for name, told in names.items():
        url = stage.find("sqs", "get_queue_url", QueueName=name)
        if url is None:
            yield Finding("queue", f"the {told} {name} does not exist", make("deploy", stage))
            continue
        arguments: dict[str, Any] = {"QueueUrl": url["QueueUrl"], "AttributeNames": ["ApproximateNumberOfMessages"]}
        count = int(stage.call("sqs", "get_queue_attributes", **arguments)["Attributes"]["ApproximateNumberOfMessages"])
        yield Finding("queue", f"{count} in the {told} {name}", make("redrive", stage) if count else None)


def check_alarms(stage: Stage) -> Iterator[Finding]:
    """Whether the alarms that were asked for are there and quiet, and whether somebody is told."""
    deploy, parameters = make("deploy", stage), stack_parameters(stage)
    if parameters.get("WithAlarms") != "true":
        yield Finding("alarms", f"none were asked for; {deploy} ALARMS=you@example.org makes them")
        return
    email, wanted = parameters.get("AlarmEmail"), alarm_names(stage)
    found = {each["AlarmName"]: each for each in stage.pages(*_ALARMS, AlarmNames=wanted)}
    raised = [name for name in wanted if name in found and found[name]["StateValue"] == "ALARM"]
    for name in raised:
        yield Finding("alarm", f"{name}: {found[name]['AlarmDescription']}", make("logs", stage))
    if missing := [name for name in wanted if name not in found]:
        # CloudFormation makes nothing again that it believes to be there.
        again = f"{deploy} ALARMS=off && {deploy} ALARMS={email or 'on'}"
        yield Finding("alarms", f"{', '.join(missing)} not there, though asked for", again)
    else:
        yield Finding("alarms", f"{len(wanted)} are there, {len(raised)} raised")
    if email and not is_confirmed(stage, email):
        again = f"aws sns subscribe --topic-arn {topic_arn(stage)} --protocol email --notification-endpoint {email}"
        yield Finding("alarms", f"{email} is told nothing, as the link in AWS's mail was not opened", again)
    else:
        yield Finding("alarms", f"told to {email}" if email else f"told to nobody; {deploy} ALARMS=you@example.org")


def _reviewed(stage: Stage, handler: str) -> list[Any]:
    file = stage.config["lambda_functions"][handler]["iam_policy_file"]
    statements: list[Any] = json.loads((stage.root / ".chalice" / file).read_text())["Statement"]
    return statements
