"""The embedded AWS: one winner per condition, counters, long polls, Botte's own resources."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
import requests
from botocore.exceptions import ClientError

from tools.dev.aws import EmbeddedAws, Resources
from tools.dev.calls import Calls
from tools.dev.changes import Changes

KEY = {"PK": {"S": "BOTTE_MESSAGE"}, "SK": {"S": "1"}}


def test_the_stack_and_the_parameters_are_those_of_the_project(aws: EmbeddedAws, resources: Resources) -> None:
    table = aws.client("dynamodb").describe_table(TableName="botte-local-tasks")["Table"]
    assert (resources.table_name, resources.outbox_table_name) == ("botte-local-tasks", "botte-local-outbox")
    assert resources.stream_arn == table["LatestStreamArn"]
    assert table["StreamSpecification"]["StreamViewType"] == "NEW_IMAGE"
    assert resources.queue_url.startswith(aws.url)
    ssm = aws.client("ssm")
    found = ssm.get_parameters_by_path(Path="/botte/local", WithDecryption=True)["Parameters"]
    assert {parameter["Name"]: (parameter["Type"], parameter["Value"]) for parameter in found} == {
        "/botte/local/telegram-bot-token": ("SecureString", "42:local"),
        "/botte/local/http-api-token": ("SecureString", "local-token"),
        "/botte/local/hook-tokens": ("SecureString", "local-hook-token"),
        "/botte/local/telegram-webhook-secret": ("SecureString", "local-webhook-secret"),
        "/botte/local/telegram-chats": ("String", json.dumps({"default": 2137200685})),
    }


def test_of_eight_threads_that_put_on_one_condition_one_wins(aws: EmbeddedAws, resources: Resources) -> None:
    rounds, threads = 10, 8
    start = threading.Barrier(threads)

    def put(writer: int) -> list[int]:
        won = []
        for number in range(rounds):
            start.wait(30)
            item = {"PK": {"S": "race"}, "SK": {"S": str(number)}, "Writer": {"N": str(writer)}}
            try:
                aws.client("dynamodb").put_item(
                    TableName=resources.table_name, Item=item, ConditionExpression="attribute_not_exists(PK)"
                )
            except ClientError as exc:
                assert exc.response["Error"]["Code"] == "ConditionalCheckFailedException"  # noqa: PT017
            else:
                won.append(number)
        return won

    with ThreadPoolExecutor(threads) as pool:
        won = [number for numbers in pool.map(put, range(threads)) for number in numbers]
    assert sorted(won) == list(range(rounds))


def test_calls_are_counted_by_operation(aws: EmbeddedAws, resources: Resources) -> None:
    assert aws.calls.by_operation() == {}
    aws.client("dynamodb").put_item(TableName=resources.table_name, Item=KEY)
    aws.client("dynamodb").get_item(TableName=resources.table_name, Key=KEY)
    aws.client("ssm").get_parameters(Names=["/botte/local/telegram-chats"])
    aws.client("sqs").send_message(QueueUrl=resources.queue_url, MessageBody="{}")
    aws.client("dynamodbstreams").list_streams()
    aws.client("sts").get_caller_identity()
    aws.client("cloudformation").describe_stacks()
    with pytest.raises(ClientError):
        aws.client("lambda").invoke(FunctionName="nobody")
    expected = {
        "CloudFormation.DescribeStacks": 1,
        "DynamoDB.GetItem": 1,
        "DynamoDB.PutItem": 1,
        "DynamoDBStreams.ListStreams": 1,
        "Lambda.Invoke": 1,
        "SQS.SendMessage": 1,
        "SSM.GetParameters": 1,
        "STS.GetCallerIdentity": 1,
    }
    assert aws.calls.by_operation() == expected
    assert aws.calls.of("DynamoDB") == 2
    assert aws.calls.of("DynamoDB", resources.table_name) == 2
    assert aws.calls.of("DynamoDB", resources.outbox_table_name) == 0
    assert requests.get(f"{aws.url}/_botte/calls", timeout=30).json() == expected
    assert requests.delete(f"{aws.url}/_botte/calls", timeout=30).status_code == 204
    assert aws.calls.by_operation() == {}


def test_the_twins_own_calls_are_not_counted(aws: EmbeddedAws, resources: Resources) -> None:
    aws.client("dynamodb", counted=False).scan(TableName=resources.table_name)
    assert aws.calls.by_operation() == {}


def test_counting_loses_nothing_between_threads() -> None:
    calls = Calls()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(calls.count, ["A.B", "A.C"] * 2000))
    assert calls.of("A") == 4000


def test_any_sdk_is_led_there_by_environment_variables(
    aws: EmbeddedAws, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    tables = boto3.Session().client("dynamodb").list_tables()["TableNames"]
    assert set(tables) == {resources.outbox_table_name, resources.table_name}


def test_a_long_poll_waits_for_a_message_and_holds_up_nobody(aws: EmbeddedAws, resources: Resources) -> None:
    sqs = aws.client("sqs")
    with ThreadPoolExecutor(1) as pool:
        poll = pool.submit(sqs.receive_message, QueueUrl=resources.queue_url, WaitTimeSeconds=20)
        aws.client("dynamodb").list_tables()
        assert not poll.done()
        sqs.send_message(QueueUrl=resources.queue_url, MessageBody="{}")
        assert [message["Body"] for message in poll.result(30)["Messages"]] == ["{}"]


def test_a_long_poll_ends_without_a_message(aws: EmbeddedAws, resources: Resources) -> None:
    started = time.monotonic()
    answer = aws.client("sqs").receive_message(QueueUrl=resources.queue_url, WaitTimeSeconds=1)
    assert "Messages" not in answer
    assert time.monotonic() - started >= 0.99


def test_a_wait_ends_at_once_when_the_change_came_before_it() -> None:
    changes = Changes()
    seen = changes.seen("SQS")
    changes.mark("SQS")
    assert changes.wait("SQS", seen, timeout=3600) != seen


def test_a_wait_is_not_ended_by_another_service() -> None:
    changes = Changes()
    changes.mark("DynamoDB")
    assert changes.wait("SQS", 0, timeout=0.01) == 0


def test_connections_are_kept_alive_until_the_end(aws: EmbeddedAws) -> None:
    request = b"GET /_botte/calls HTTP/1.1\r\nHost: aws\r\n\r\n"
    with socket.create_connection(("127.0.0.1", aws.port), timeout=30) as connection:
        for _ in range(2):
            connection.sendall(request)
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
        aws.stop()
        assert connection.recv(4096) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", aws.port), timeout=30)


def test_a_chunked_body_is_read_to_its_end(aws: EmbeddedAws) -> None:
    with requests.Session() as session:
        for _ in range(2):
            answer = session.post(
                f"{aws.url}/2015-03-31/functions/nobody/invocations", data=iter([b"{", b"}"]), timeout=30
            )
            assert answer.status_code == 404


def test_a_new_embedded_aws_starts_empty(aws: EmbeddedAws) -> None:
    aws.create_resources(bot_token="42:local", chat_id=1)
    aws.stop()
    with EmbeddedAws() as other:
        assert other.client("dynamodb").list_tables()["TableNames"] == []


def test_a_port_that_is_in_use_is_an_error(aws: EmbeddedAws) -> None:
    with pytest.raises(OSError, match="in use"):
        EmbeddedAws(aws.port)
