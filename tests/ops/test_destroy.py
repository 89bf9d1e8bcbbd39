"""What is deleted, and what is not: nothing of another region, and no message unasked. One stage, told to its end."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.ops.conftest import World, eventually
from tools.ops.stage import Stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

Captured = pytest.CaptureFixture[str]
DEAD = "botte-prod-messages-dead-letter"
ELSEWHERE = "eu-west-1"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An account of its own, with a stage, which this machine did not deploy."""
    made = World(tmp_path_factory.mktemp("project"))
    assert made.run("deploy") == 0
    (made.project / ".chalice" / "deployed" / "prod.json").unlink()
    yield made
    made.stop()


@pytest.fixture
def elsewhere(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment leads to another region."""
    monkeypatch.setitem(world.variables, "AWS_DEFAULT_REGION", ELSEWHERE)


def roles(world: World) -> list[str]:
    return sorted(each["RoleName"] for each in world.client("iam").list_roles()["Roles"])


def queues(world: World) -> set[str]:
    return {url.rpartition("/")[2] for url in world.client("sqs").list_queues().get("QueueUrls", [])}


def url(world: World, queue: str) -> str:
    return str(world.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"])


def send(world: World, queue: str, *texts: str) -> None:
    for text in texts:
        world.client("sqs").send_message(QueueUrl=url(world, queue), MessageBody=json.dumps({"text": text}))


def attributes(world: World, queue: str) -> dict[str, str]:
    found = world.client("sqs").get_queue_attributes(QueueUrl=url(world, queue), AttributeNames=["All"])
    return dict(found["Attributes"])


def count(world: World, queue: str) -> int:
    return sum(int(value) for name, value in attributes(world, queue).items() if "NumberOfMessages" in name)


def policy(world: World) -> Any:
    return attributes(world, "botte-prod-messages").get("Policy")


def everything(world: World) -> list[object]:
    """What a stage is made of, and what its queues hold."""
    aws, dynamodb = world.client("lambda"), world.client("dynamodb")
    return [
        [each["FunctionName"] for each in aws.list_functions()["Functions"]],
        [each["UUID"] for each in aws.list_event_source_mappings()["EventSourceMappings"]],
        [each["id"] for each in world.client("apigateway").get_rest_apis()["items"]],
        [each["Name"] for each in world.client("events").list_rules()["Rules"]],
        [each["logGroupName"] for each in world.client("logs").describe_log_groups()["logGroups"]],
        [each["Name"] for each in world.client("ssm").get_parameters_by_path(Path="/botte/prod")["Parameters"]],
        [each["StackStatus"] for each in world.client("cloudformation").describe_stacks()["Stacks"]],
        [(queue, count(world, queue), attributes(world, queue).get("Policy")) for queue in sorted(queues(world))],
        dynamodb.list_tables()["TableNames"],
        roles(world),
    ]


def take_all(world: World) -> None:
    """Waits until the message of the last deployment has left its queue."""
    assert eventually(lambda: count(world, "botte-prod-messages") == 0)


def set_queue(world: World, *, on: bool) -> None:
    path = world.project / ".chalice" / "config.json"
    config = json.loads(path.read_text())
    variables = config["stages"]["prod"]["environment_variables"]
    variables.pop("QUEUE_NAME", None)
    if on:
        variables["QUEUE_NAME"] = "botte-prod-messages"
    path.write_text(json.dumps(config))


@pytest.mark.parametrize("command", [["destroy", "--yes"], ["destroy", "--dry-run"], ["deploy"], ["doctor"]])
def test_a_stage_has_one_region_and_its_roles_tell_which_on_any_machine(
    world: World, elsewhere: None, command: list[str], capsys: Captured
) -> None:
    before = everything(world)
    assert world.run(*command) == 1
    printed = capsys.readouterr()
    told = "prod is in region us-east-1, as its role botte-prod-api_handler tells, and this is eu-west-1: set"
    assert told in printed.out + printed.err
    assert everything(world) == before


@pytest.mark.parametrize("command", [["destroy", "--yes"], ["deploy"]])
def test_roles_that_tell_no_region_are_not_those_of_one_in_which_nothing_else_is(
    world: World, elsewhere: None, command: list[str], capsys: Captured
) -> None:
    for role in roles(world):
        world.client("iam").untag_role(RoleName=role, TagKeys=["region"])
    before = everything(world)
    assert world.run(*command) == 1
    told = "the role botte-prod-api_handler is there, and nothing else of prod in region eu-west-1: set AWS_REGION"
    assert told in capsys.readouterr().err
    assert everything(world) == before


def test_what_is_left_in_another_region_goes_without_the_roles(world: World, elsewhere: None, capsys: Captured) -> None:
    before = everything(world)
    with world.environment():
        Stage("prod", world.project).put_parameter("telegram-chats", "{}", "String")
    assert world.run("destroy", "--yes") == 0
    printed = capsys.readouterr().out
    assert "1 deleted" in printed
    assert (
        "roles               botte-prod-api_handler stays: the role botte-prod-api_handler is there, and nothing else"
        in printed
    )
    assert everything(world) == before


def test_the_queue_stays_while_a_message_is_in_its_dead_letter_queue(world: World, capsys: Captured) -> None:
    take_all(world)
    send(world, DEAD, "a dead letter")
    set_queue(world, on=False)
    before = everything(world)
    assert world.run("deploy", "--yes", owner=False) == 1
    error = capsys.readouterr().err
    assert f'deploy stopped at "stack": messages would be deleted: 1 in {DEAD}. make redrive STAGE=prod sends' in error
    assert f"aws sqs purge-queue --queue-url {url(world, DEAD)} deletes them" in error
    assert everything(world) == before
    assert world.run("redrive") == 0
    send(world, "botte-prod-messages", "one more", "and another")
    assert world.run("deploy", "--yes", owner=False) == 0
    assert queues(world) == {"botte-prod-failures"}
    assert {"a dead letter", "one more", "and another"} <= set(world.texts())


def test_a_deployment_has_told_the_roles_their_region_again(world: World) -> None:
    assert len(roles(world)) == 4
    for role in roles(world):
        tags = world.client("iam").list_role_tags(RoleName=role)["Tags"]
        found = {each["Key"]: each["Value"] for each in tags}
        assert found.items() >= {"app": "botte", "stage": "prod", "region": "us-east-1"}.items()


def test_a_dry_run_tells_what_would_be_deleted_and_changes_nothing(world: World, capsys: Captured) -> None:
    set_queue(world, on=True)
    assert world.run("deploy", owner=False) == 0
    take_all(world)
    send(world, "botte-prod-failures", "one", "two")
    before = everything(world)
    capsys.readouterr()
    assert world.run("destroy", "--dry-run") == 0
    printed = capsys.readouterr().out
    lines = [line.rstrip() for line in printed.splitlines()]
    assert lines[0] == "This deletes of prod, in account 123456789012, region us-east-1:"
    for line in (
        "schedule            botte-prod-redeliver-event",
        "functions           botte-prod",
        "roles               botte-prod-api_handler",
        "logs                /aws/lambda/botte-prod",
        f"stack               botte-prod, with its queues botte-prod-messages (messages: 0), {DEAD} (messages: 0), "
        "botte-prod-failures (messages: 2)",
        "parameters          /botte/prod/deployment",
        "tables              botte-prod-tasks stays: make deploy takes it over again, make destroy TABLE=1 deletes it",
        "not delivered       nothing in the tables",
    ):
        assert line in lines
    assert lines[-1].startswith("It would stop, as messages would be deleted: 2 in botte-prod-failures. make redrive")
    assert everything(world) == before


def test_destroy_stops_at_a_message_in_a_queue(world: World, capsys: Captured) -> None:
    before = everything(world)
    assert world.run("destroy", "--yes") == 1
    error = capsys.readouterr().err
    assert "messages would be deleted: 2 in botte-prod-failures." in error
    assert "make destroy STAGE=prod MESSAGES=1 deletes them" in error
    assert everything(world) == before
    world.client("sqs").purge_queue(QueueUrl=url(world, "botte-prod-failures"))


def test_destroy_stops_at_a_message_that_nobody_takes_and_senders_may_go_on(
    world: World, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = world.client("lambda")
    mappings = aws.list_event_source_mappings()["EventSourceMappings"]
    (mapping,) = [each for each in mappings if ":sqs:" in each["EventSourceArn"]]
    aws.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    send(world, "botte-prod-messages", "held up")
    before = everything(world)
    assert world.run("destroy", "--yes") == 1
    error = capsys.readouterr().err
    assert 'destroy stopped at "queue": messages would be deleted: 1 in botte-prod-messages. make doctor' in error
    assert everything(world) == before
    aws.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


def test_a_message_that_comes_at_the_last_moment_is_kept(world: World, capsys: Captured) -> None:
    """Once the functions are gone, nobody takes it: it stays until the stage is deployed again, and then goes out."""
    mine = {"Sid": "mine", "Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    allowed = json.dumps({"Version": "2012-10-17", "Statement": [mine]})
    queue = url(world, "botte-prod-messages")
    world.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": allowed})
    world.fail("DeleteRole ")
    assert world.run("destroy", "--yes") == 1
    assert 'destroy stopped at "roles"' in capsys.readouterr().err
    assert "held up" in world.texts()
    send(world, "botte-prod-messages", "late")  # it was under way when the queue was closed
    assert world.run("destroy", "--yes") == 1
    assert "messages would be deleted: 1 in botte-prod-messages. make doctor" in capsys.readouterr().err
    assert [each["Effect"] for each in json.loads(policy(world))["Statement"]] == ["Allow", "Deny"]
    assert world.run("deploy", owner=False) == 0
    assert json.loads(policy(world))["Statement"] == [mine]
    assert eventually(lambda: "late" in world.texts())


def test_tables_with_a_message_that_is_not_delivered_go_only_when_that_is_said(world: World, capsys: Captured) -> None:
    payload = {"text": "tomorrow", "deliver_at": int(time.time()) + 86_400}
    aws = world.client("lambda")
    answer = aws.invoke(FunctionName="botte-prod-message", Payload=json.dumps(payload).encode())
    assert json.load(answer["Payload"])["status"] == "accepted"
    assert world.run("destroy", "--yes", "--table") == 1
    error = capsys.readouterr().err
    assert "messages would be deleted: 1 pending in botte-prod-outbox. " in error
    assert "make destroy STAGE=prod TABLE=1 MESSAGES=1 deletes them" in error
    assert len(aws.list_functions()["Functions"]) == 5
    assert world.run("destroy", "--dry-run", "--messages") == 0
    assert "not delivered       1 pending in botte-prod-outbox, until make deploy" in capsys.readouterr().out
    assert world.run("destroy", "--yes", "--table", "--messages") == 0
    assert world.client("dynamodb").list_tables()["TableNames"] == []
    assert (queues(world), roles(world)) == (set(), [])


def test_where_there_is_nothing_destroy_says_so(world: World, capsys: Captured) -> None:
    assert world.run("destroy", "--yes") == 1
    told = "there is nothing of prod in account 123456789012, region us-east-1: AWS_PROFILE and AWS_REGION say where"
    assert told in capsys.readouterr().err
