"""The documented rights are enough for a whole life of a stage, and none of them is unused."""

from __future__ import annotations

import json
import re
import sys
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.ops.conftest import World, delete_table
from tools.dev.functions import function_arn
from tools.ops.stack import stack_down
from tools.ops.stage import Stage
from tools.rehearsal.people import documented_policies
from tools.rehearsal.project import ROOT, commit_project, narrow_policy, take_commit_back
from tools.rehearsal.senders import run_in_shell

(WRITTEN,) = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "SECURITY.md").read_text(), re.DOTALL | re.MULTILINE)
ROTATION = WRITTEN.replace(".venv/bin/python", sys.executable)
# What a whole life does not come to, and where it is shown.
ELSEWHERE = {
    "cloudformation:DescribeStackEvents",  # of a stack that fails: test_stack.py
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def rights(world: World) -> dict[str, list[Any]]:
    """What was used and what was lacking in the life of a stage, from its first deployment to its end.

    Each command is run by somebody who has the rights for it.
    """
    commit_project(world.project, "as it is")
    done = {
        "preview": world.run("deploy", "--dry-run"),
        "deploy": world.run("deploy", "--alarms", "you@example.org", "--recovery", "on"),
    }
    _wait_and_park(world)
    world.run("doctor")  # which finds what waits and is parked, and what moto does not make
    _give_up(world)
    done |= {name: world.run(name) for name in ("failed", "redrive")}
    _give_up(world)
    done["discard"] = world.run("discard", "--id", "given-up")
    done["discard what cannot be sent"] = world.run("discard", "--yes")
    done |= {f"webhook {action}": world.run("webhook", action) for action in ("set", "info", "delete")}
    done["rotate-token"] = world.run("rotate-token", "--yes")
    done["rotate the others"] = run_in_shell(ROTATION, _operator(world), world.project)
    done["logs"] = world.run("logs")
    _show_the_token(world)
    _lose_the_tables(world)
    narrow_policy(world.project, "prod", "message", "ssm:PutParameter")
    commit_project(world.project, "narrower")
    done["deploy again"] = world.run("deploy", "--alarms", "off", "--recovery", "off", "--yes")
    done["rollback"] = world.run("rollback", "--yes")
    take_commit_back(world.project)
    with world.environment(AWS_ACCESS_KEY_ID=world.hire("deploy")):
        stack_down(Stage("prod", world.project))  # as where its first creation failed
    done["deploy anew"] = world.run("deploy", "--alarms", "you@example.org")
    done["destroy with the queue"] = world.run("destroy", "--yes")
    done["deploy after it"] = world.run("deploy", "--alarms", "you@example.org")
    _turn_the_queue_off(world)
    done["deploy without the queue"] = world.run("deploy", "--yes")
    world.client("iam").attach_role_policy(RoleName="botte-prod-message", PolicyArn=_foreign_policy(world))
    done["destroy"] = world.run("destroy", "--yes", "--table", "--messages")
    rights = world.rights()
    assert done == dict.fromkeys(done, 0), rights["lacking"]
    return rights


def _operator(world: World) -> dict[str, str]:
    return {**world.variables, "AWS_ACCESS_KEY_ID": world.hire("doctor")}


def _wait_and_park(world: World) -> None:
    """A message that waits for its time, and one that cannot be sent."""
    for message in ({"text": "later", "deliver_at": int(time.time()) + 86_400}, {"text": "lost", "chat": "nobody"}):
        payload = json.dumps(message).encode()
        world.client("lambda").invoke(FunctionName="botte-prod-message", Payload=payload)


def _give_up(world: World) -> None:
    context = {
        "requestId": "given-up",
        "condition": "EventAgeExceeded",
        "functionArn": function_arn("botte-prod-message"),
    }
    told = {"requestContext": context, "requestPayload": {"text": "an invocation that was given up"}}
    sqs = world.client("sqs")
    for queue, body in (("failures", told), ("messages-dead-letter", {"text": "a dead letter"})):
        url = sqs.get_queue_url(QueueName=f"botte-prod-{queue}")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))


def _show_the_token(world: World) -> None:
    show = "aws ssm get-parameter --with-decryption --name /botte/prod/http-api-token --query Parameter.Name"
    assert run_in_shell(show, _operator(world)) == 0


def _lose_the_tables(world: World) -> None:
    """The one is deleted; the other is as after a restore."""
    dynamodb = world.client("dynamodb")
    delete_table(dynamodb, "botte-prod-tasks")
    off = {"Enabled": False, "AttributeName": "ExpirationTs"}
    dynamodb.update_time_to_live(TableName="botte-prod-outbox", TimeToLiveSpecification=off)


def _turn_the_queue_off(world: World) -> None:
    path = world.project / ".chalice" / "config.json"
    config: Any = json.loads(path.read_text())
    del config["stages"]["prod"]["environment_variables"]["QUEUE_NAME"]
    path.write_text(json.dumps(config))


def _foreign_policy(world: World) -> str:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    made = world.client("iam").create_policy(PolicyName="foreign", PolicyDocument=json.dumps(document))
    return str(made["Policy"]["Arn"])


def test_the_documented_rights_are_enough(rights: dict[str, list[Any]]) -> None:
    assert rights["lacking"] == []


def test_none_of_the_documented_rights_is_unused(rights: dict[str, list[Any]]) -> None:
    unused = []
    for policy, document in documented_policies().items():
        for statement in document["Statement"]:
            of_statement = [each for each in rights["used"] if each[1] == statement["Sid"]]
            for kind, place in (("Action", 2), ("Resource", 3)):
                found = {each[place] for each in of_statement} | ELSEWHERE
                unused += [f"{policy}, {statement['Sid']}: {each}" for each in statement[kind] if each not in found]
    assert unused == []


MAPPING = {"EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:other", "FunctionName": "other"}
CODE = {"ZipFile": b"x"}
FUNCTION = {"Runtime": "python3.13", "Handler": "app.app", "Code": CODE}
ROLE = "arn:aws:iam::123456789012:role/"


@pytest.mark.parametrize(
    ("command", "call", "arguments", "lacking"),
    [
        ("doctor", "lambda update_function_code", {"FunctionName": "botte-prod", **CODE}, "lambda:UpdateFunctionCode"),
        (
            *("doctor", "lambda update_function_configuration"),
            {"FunctionName": "botte-prod", "Layers": ["arn:aws:lambda:us-east-1:999999999999:layer:code:1"]},
            "lambda:UpdateFunctionConfiguration",
        ),
        (
            *("doctor", "lambda update_function_configuration"),
            {"FunctionName": "botte-prod", "Role": f"{ROLE}botte-prod-other"},
            "iam:PassRole",
        ),
        ("doctor", "ssm put_parameter", {"Name": "/botte/prod/telegram-bot-token", "Value": "x"}, "ssm:PutParameter"),
        ("doctor", "ssm get_parameter", {"Name": "/other/secret"}, "ssm:GetParameter"),
        ("doctor", "dynamodb delete_table", {"TableName": "botte-prod-outbox"}, "dynamodb:DeleteTable"),
        ("deploy", "dynamodb delete_table", {"TableName": "botte-prod-outbox"}, "dynamodb:DeleteTable"),
        ("deploy", "lambda create_event_source_mapping", MAPPING, "lambda:CreateEventSourceMapping"),
        (
            *("deploy", "lambda create_function"),
            {"FunctionName": "other", "Role": f"{ROLE}botte-prod-message", **FUNCTION},
            "lambda:CreateFunction",
        ),
        (
            *("deploy", "lambda create_function"),
            {"FunctionName": "botte-prod-new", "Role": f"{ROLE}administrator", **FUNCTION},
            f"iam:PassRole on resource: {ROLE}administrator",
        ),
        (
            *("deploy", "iam attach_role_policy"),
            {"RoleName": "botte-prod-message", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
            "iam:AttachRolePolicy",
        ),
        ("destroy", "lambda update_function_code", {"FunctionName": "botte-prod", **CODE}, "lambda:UpdateFunctionCode"),
        ("destroy", "cloudformation delete_stack", {"StackName": "botte-dev"}, "cloudformation:DeleteStack"),
    ],
)
def test_who_has_a_part_of_the_rights_has_no_more(
    world: World, command: str, call: str, arguments: dict[str, Any], lacking: str
) -> None:
    service, _, operation = call.partition(" ")
    with pytest.raises(ClientError, match=f"is not authorized to perform: {re.escape(lacking)}"):
        getattr(world.client(service, world.hire(command)), operation)(**arguments)
