"""Everybody may do what it needs: functions with their own roles, senders with the documented policies."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.doors import event
from tests.ops.conftest import World, eventually
from tools.rehearsal.project import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

WRITTEN = re.findall(r"^### (\w+)$.*?^```json\n(.*?)^```$", (ROOT / "docs" / "deploy.md").read_text(), re.S | re.M)
POLICIES: dict[str, str] = dict(WRITTEN)
KEY = {"PK": {"S": "BOTTE_MESSAGE#policy"}, "SK": {"S": "1"}}
ITEM = {**KEY, "TaskId": {"S": "BOTTE_MESSAGE"}}


def test_each_function_may_write_the_chat_ids_and_no_other_parameter(world: World, first: tuple[int, str]) -> None:
    roles = [role["RoleName"] for role in world.client("iam").list_roles()["Roles"]]
    functions = [role for role in roles if role.startswith("botte-prod")]
    assert len(functions) == 5
    for role in functions:
        ssm = world.client("ssm", f"role.{role}")
        chats = world.parameter("telegram-chats")
        ssm.put_parameter(Name="/botte/prod/telegram-chats", Type="String", Value=chats, Overwrite=True)
        for name in ("telegram-bot-token", "http-api-token", "other"):
            with pytest.raises(ClientError, match="is not authorized"):
                ssm.put_parameter(Name=f"/botte/prod/{name}", Type="String", Value="x", Overwrite=True)


def test_the_roles_are_enough_while_telegram_is_down_and_for_all_that_waits_in_groups_with_ids(
    world: World, first: tuple[int, str]
) -> None:
    aws, dynamodb = world.client("lambda"), world.client("dynamodb")

    def invoke(function: str, payload: object) -> None:
        answer = aws.invoke(FunctionName=function, Payload=json.dumps(payload).encode())
        assert "FunctionError" not in answer, answer["Payload"].read()

    def put(partition: str, sort: str, payload: dict[str, Any]) -> None:
        keys = {"PK": {"S": partition}, "SK": {"S": sort}}
        dynamodb.put_item(TableName="botte-prod-tasks", Item={**ITEM, **keys, "Payload": {"M": payload}})

    world.telegram("PUT", "/inbox/fault", {"kind": "down"})
    invoke("botte-prod-message", {"text": "waits: Lambda", "id": "waits-lambda"})
    invoke("botte-prod-message", {"text": "waits: Lambda without an id"})
    put("BOTTE_MESSAGE#waits", "1", {"text": {"S": "waits: group"}, "id": {"S": "waits-group"}})
    put("BOTTE_MESSAGE#waits", "2", {"text": {"S": "waits: group too"}, "id": {"S": "waits-group-2"}})
    put("BOTTE_MESSAGE#waits", "3", {"text": {"N": "5"}})
    sqs = world.client("sqs")
    queue = sqs.get_queue_url(QueueName="botte-prod-messages")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"text": "waits: queue", "id": "waits-queue"}))
    sqs.send_message(QueueUrl=queue, MessageBody="not JSON")

    def owed() -> list[str]:
        rows = dynamodb.scan(TableName="botte-prod-outbox", ConsistentRead=True)["Items"]
        return [row["Status"]["S"] for row in rows if row.get("Status", {}).get("S") in ("PENDING", "SENDING")]

    def tasks() -> int:
        return int(dynamodb.scan(TableName="botte-prod-tasks", ConsistentRead=True)["Count"])

    assert eventually(lambda: owed().count("PENDING") == 7 and not tasks(), 30.0), owed()
    world.telegram("PUT", "/inbox/fault", {"kind": "none"})

    def redelivered() -> bool:
        invoke("botte-prod-redeliver", event("schedule"))
        return not owed()

    assert eventually(redelivered, 60.0), owed()
    arrived = sorted(text for text in world.texts() if text.startswith("waits: "))
    assert arrived == sorted(
        f"waits: {text}" for text in ("Lambda", "Lambda without an id", "group", "group too", "queue")
    )


@pytest.fixture
def senders(world: World, first: tuple[int, str]) -> World:
    """A user for each documented policy, with no other right."""
    iam = world.client("iam")
    existing = {user["UserName"] for user in iam.list_users()["Users"]}
    for door, policy in POLICIES.items():
        if door not in existing:
            iam.create_user(UserName=door)
        iam.put_user_policy(UserName=door, PolicyName="sender", PolicyDocument=policy)
    return world


def test_the_documented_policies_are_enough_to_send_through_each_door(senders: World) -> None:
    assert set(POLICIES) == {"Lambda", "DynamoDB", "SQS"}
    message = json.dumps({"text": "a sender's Lambda"}).encode()
    invoked = senders.client("lambda", "user.Lambda").invoke(FunctionName="botte-prod-message", Payload=message)
    assert "FunctionError" not in invoked
    put = {**ITEM, "Payload": {"M": {"text": {"S": "a sender's PutItem"}}}}
    dynamodb = senders.client("dynamodb", "user.DynamoDB")
    dynamodb.put_item(TableName="botte-prod-tasks", Item=put)
    names = {"#Status": "Status"}
    row = {"TableName": "botte-prod-outbox", "Key": {"PK": {"S": "BOTTE_MESSAGE#x"}, "SK": {"S": "x"}}}
    read = "PK, SK, #Status, Attempts, TelegramMessageId, LastError, DueTs, OwnerPK, OwnerSK"
    dynamodb.get_item(**row, ProjectionExpression=read, ExpressionAttributeNames=names)
    sqs = senders.client("sqs", "user.SQS")
    sqs.send_message(
        QueueUrl=sqs.get_queue_url(QueueName="botte-prod-messages")["QueueUrl"],
        MessageBody=json.dumps({"text": "a sender's SQS"}),
    )
    for text in ("Lambda", "PutItem", "SQS"):
        assert eventually(lambda text=text: f"a sender's {text}" in senders.texts())  # type: ignore[misc]


@pytest.mark.parametrize(
    ("door", "service", "operation", "arguments"),
    [
        ("Lambda", "lambda", "invoke", {"FunctionName": "botte-prod-redeliver"}),
        ("Lambda", "ssm", "get_parameters", {"Names": ["/botte/prod/telegram-bot-token"]}),
        ("DynamoDB", "dynamodb", "scan", {"TableName": "botte-prod-tasks"}),
        ("DynamoDB", "dynamodb", "delete_item", {"TableName": "botte-prod-tasks", "Key": KEY}),
        ("DynamoDB", "dynamodb", "put_item", {"TableName": "botte-prod-tasks", "Item": {**ITEM, "PK": {"S": "OTHER"}}}),
        (
            *("DynamoDB", "dynamodb", "batch_write_item"),
            {"RequestItems": {"botte-prod-tasks": [{"DeleteRequest": {"Key": KEY}}]}},
        ),
        ("DynamoDB", "dynamodb", "put_item", {"TableName": "other", "Item": ITEM}),
        ("DynamoDB", "dynamodb", "put_item", {"TableName": "botte-prod-outbox", "Item": ITEM}),
        ("DynamoDB", "dynamodb", "get_item", {"TableName": "botte-prod-outbox", "Key": KEY}),
        (
            *("DynamoDB", "dynamodb", "get_item"),
            {"TableName": "botte-prod-outbox", "Key": KEY, "ProjectionExpression": "PK, Message"},
        ),
        ("SQS", "sqs", "receive_message", {"QueueUrl": "http://127.0.0.1/123456789012/botte-prod-messages"}),
    ],
)
def test_the_documented_policies_allow_nothing_else(
    senders: World, door: str, service: str, operation: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ClientError, match="is not authorized"):
        getattr(senders.client(service, f"user.{door}"), operation)(**arguments)
