"""The DynamoDB client: what it writes, in which order, and what it does where AWS misbehaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from ksuid import Ksuid

from botte_dynamodb_client import (
    Accepted,
    AuthenticationError,
    BotteDynamodbClient,
    InvalidMessage,
    Message,
    NotFound,
    Refused,
    Unavailable,
)
from botte_dynamodb_client._ksuid import next_ksuid
from botte_http_client import BotteHttpClient
from tests.clients.conftest import SOURCES, RunningTwin, arrived, shared_client, texts_about
from tests.clients.servers import Proxy, Request, Step, answer, cut, forward, hang, swallow
from tools.dev.fake_telegram import FakeTelegram

pytestmark = pytest.mark.slow

TABLE = "botte-local-tasks"
HURRY = {"retries": 2, "backoff": 0.01}


def error(code: str, status: int = 400) -> Step:
    return answer(status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "Says the test"})


THROTTLED = error("ProvisionedThroughputExceededException")


def leave_out(count: int) -> Step:
    """BatchWriteItem processes all but some items."""

    def step(request: Request) -> None:
        asked = request.json["RequestItems"][TABLE]
        status, body = request.pass_on(json.dumps({"RequestItems": {TABLE: asked[count:]}}).encode())
        request.answer(status, json.dumps({**json.loads(body), "UnprocessedItems": {TABLE: asked[:count]}}).encode())

    return step


def texts(count: int, prefix: str) -> list[str]:
    return [f"{prefix} {number:03}" for number in range(count)]


def status_of(client: BotteDynamodbClient, id: str, wanted: str = "SENT") -> Any:
    """The status of a message, when it is what is wanted."""
    ends = time.monotonic() + 10
    while True:
        try:
            status = client.get_status(id)
        except NotFound:
            status = None
        if status is not None and status.status == wanted:
            return status
        assert time.monotonic() < ends, status
        time.sleep(0.02)


def test_the_item_is_the_documented_one(aws_proxy: Proxy, telegram: FakeTelegram) -> None:
    client, before = shared_client("dynamodb"), int(time.time())
    result = client.send_message("Hello", sender_app="test", disable_notification=True, expires_in=60)
    client.send_message("Hello", id="item-1")
    client.send_message("Hello", id="item-2", message_group_id="items")
    generated = client.send_message("Hello", message_group_id="items")
    first, second, third, fourth = (request.json for request in aws_proxy.requests)
    assert first["ConditionExpression"] == "attribute_not_exists(PK)"
    assert before + 60 <= int(first["Item"].pop("ExpirationTs")["N"]) <= before + 70
    assert first["Item"] == {
        "PK": {"S": f"BOTTE_MESSAGE#{result.id}"},
        "SK": {"S": result.id},
        "TaskId": {"S": "BOTTE_MESSAGE"},
        "SenderApp": {"S": "test"},
        "Payload": {"M": {"text": {"S": "Hello"}, "id": {"S": result.id}, "disable_notification": {"BOOL": True}}},
    }
    assert Ksuid.from_base62(result.id).timestamp == pytest.approx(before, abs=10)
    assert (second["Item"]["PK"]["S"], second["Item"]["SK"]["S"]) == ("BOTTE_MESSAGE#item-1", "item-1")
    assert third["Item"]["PK"] == fourth["Item"]["PK"] == {"S": "BOTTE_MESSAGE#items"}
    assert third["Item"]["Payload"]["M"]["id"] == {"S": "item-2"}
    assert fourth["Item"]["SK"]["S"] == generated.id > third["Item"]["SK"]["S"] > result.id


def test_ksuids_rise_across_threads_also_within_a_second() -> None:
    def make(_: int) -> list[str]:
        return [next_ksuid() for _ in range(2000)]

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(make, range(8)))
    assert all(each == sorted(each) for each in made)
    everything = {ksuid for each in made for ksuid in each}
    assert len(everything) == 8 * 2000
    assert {len(ksuid) for ksuid in everything} == {27}
    assert Ksuid.from_base62(max(everything)).timestamp == pytest.approx(time.time(), abs=10)


def test_a_group_arrives_in_order(telegram: FakeTelegram) -> None:
    client, expected = shared_client("dynamodb"), texts(15, "in order")
    for text in expected[:10]:
        client.send_message(text, message_group_id="ordered")
    client.send_messages([Message(text=text) for text in expected[10:]], message_group_id="ordered")
    assert texts_about(telegram, "in order", 15) == expected


@pytest.mark.parametrize("fault", [THROTTLED, cut, swallow, hang(3)], ids=["throttled", "cut", "swallow", "hang"])
def test_what_boto3_puts_again_arrives_once(aws_proxy: Proxy, telegram: FakeTelegram, fault: Step) -> None:
    text = f"put again, {id(fault)}"
    aws_proxy.follow(fault)
    client = shared_client("dynamodb", **HURRY, read_timeout=1.0)
    result = client.send_message(text)
    arrived(telegram, text)
    assert status_of(client, result.id).attempts == 1


def test_a_repeated_id_is_neither_an_error_nor_a_second_message(twin: RunningTwin, telegram: FakeTelegram) -> None:
    client = shared_client("dynamodb")
    for _ in range(2):
        assert client.send_message("repeated", id="repeated", sender_app="a") == Accepted("repeated")
    arrived(telegram, "repeated")
    status_of(client, "repeated")
    assert client.send_message("repeated", id="repeated", sender_app="a") == Accepted("repeated")
    for _ in range(2):
        client.send_message("in a group", id="repeated-group", message_group_id="repeated")
    client.send_message("behind them", message_group_id="repeated")
    arrived(telegram, "behind them")
    arrived(telegram, "in a group")
    arrived(telegram, "repeated")


def test_an_id_of_the_http_door_is_known(telegram: FakeTelegram) -> None:
    with BotteHttpClient() as http:
        http.send_message("two doors", id="two-doors", sender_app="a", message_thread_id=5)
    given = {"id": "two-doors", "sender_app": "a", "message_thread_id": 5}
    assert shared_client("dynamodb").send_message("two doors", **given) == Accepted("two-doors")
    arrived(telegram, "two doors")


def test_an_id_that_names_another_message_is_invalid(telegram: FakeTelegram) -> None:
    client = shared_client("dynamodb")
    client.send_message("one", id="named")
    for changed in ({"text": "two"}, {"text": "one", "sender_app": "x"}, {"text": "one", "chat": "ops"}):
        with pytest.raises(InvalidMessage, match="new id") as caught:
            client.send_message(id="named", **changed)
        assert caught.value.field == "id"
    arrived(telegram, "one")


def test_an_id_whose_message_failed_is_refused_with_the_reason(telegram: FakeTelegram) -> None:
    client = shared_client("dynamodb")
    telegram.set_fault({"kind": "forbidden"})
    client.send_message("blocked", id="blocked")
    assert "bot was blocked" in status_of(client, "blocked", "FAILED").last_error
    with pytest.raises(Refused, match="bot was blocked"):
        client.send_message("blocked", id="blocked")


def test_an_id_whose_time_is_over_is_not_taken_for_sent(twin: RunningTwin) -> None:
    # DynamoDB deletes such a row up to two days late, and Botte would not look at it again.
    client = shared_client("dynamodb")
    client.send_message("long ago", id="long-ago")
    status_of(client, "long-ago")
    twin.boto3("dynamodb").update_item(
        TableName=TABLE,
        Key={"PK": {"S": "BOTTE_MESSAGE#long-ago"}, "SK": {"S": "long-ago"}},
        UpdateExpression="SET ExpirationTs = :past",
        ExpressionAttributeValues={":past": {"N": "1"}},
    )
    with pytest.raises(InvalidMessage, match="long ago"):
        client.send_message("long ago", id="long-ago")


def test_the_status_is_the_one_that_the_http_door_tells(telegram: FakeTelegram) -> None:
    client = shared_client("dynamodb")
    client.send_message("status", id="status-sent")
    client.send_message("x" * 5000, id="status-split")
    client.send_message("status", id="status-group", message_group_id="statuses")
    client.send_message("status", id="status-later", deliver_at=int(time.time()) + 3600)
    telegram.set_fault({"kind": "none"})
    with BotteHttpClient() as http:
        for id, wanted in [("sent", "SENT"), ("split", "SENT"), ("group", "SENT"), ("later", "PENDING")]:
            status = status_of(client, f"status-{id}", wanted)
            while status.status == "PENDING" and status.due_at is None:
                status = client.get_status(f"status-{id}")
            assert vars(status) == vars(http.get_status(f"status-{id}"))
    assert len(client.get_status("status-split").message_ids) == 2
    assert client.get_status("status-later").due_at is not None


def test_an_item_that_botte_has_not_taken_yet_is_pending(twin: RunningTwin) -> None:
    key = {"PK": {"S": "BOTTE_MESSAGE#untaken"}, "SK": {"S": "untaken"}}
    twin.boto3("dynamodb").put_item(TableName=TABLE, Item={**key, "TaskId": {"S": "somebody else's"}})
    status = shared_client("dynamodb").get_status("untaken")
    assert (status.status, status.attempts, status.message_ids, status.due_at) == ("PENDING", 0, (), None)
    with pytest.raises(NotFound, match="'nothing'"):
        shared_client("dynamodb").get_status("nothing")


def test_it_connects_to_dynamodb_and_to_nothing_else(aws_proxy: Proxy, telegram: FakeTelegram) -> None:
    script = """
import sys
sys.addaudithook(lambda event, given: print(*given[:2]) if event == "socket.getaddrinfo" else None)
from botte_dynamodb_client import BotteDynamodbClient, Message
with BotteDynamodbClient() as client:
    client.send_message("alone", id="alone")
    client.send_messages([Message(text="alone in a batch")])
    client.get_status("alone")
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, SOURCES))}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    address = urlsplit(aws_proxy.url)
    assert set(done.stdout.splitlines()) == {f"{address.hostname} {address.port}"}
    assert [request.target for request in aws_proxy.requests] == ["PutItem", "BatchWriteItem", "GetItem"]
    assert sorted(texts_about(telegram, "alone", 2)) == ["alone", "alone in a batch"]


@pytest.mark.parametrize("group", ["", "two words", "x" * 129, 5])
def test_a_group_that_is_none_is_invalid(group: Any) -> None:
    with pytest.raises(InvalidMessage) as caught:
        shared_client("dynamodb").send_message("x", message_group_id=group)
    assert caught.value.field == "message_group_id"


@pytest.mark.parametrize("seconds", [0, -1, 1.5, True, "60"])
def test_an_expiry_that_is_none_is_invalid(seconds: Any) -> None:
    with pytest.raises(InvalidMessage) as caught:
        shared_client("dynamodb").send_message("x", expires_in=seconds)
    assert caught.value.field == "expires_in"


@pytest.mark.parametrize(
    ("faults", "calls"),
    [
        ([], {"BatchWriteItem": 2}),
        ([leave_out(7), leave_out(3)], {"BatchWriteItem": 4}),
        ([leave_out(1)] * 3, {"BatchWriteItem": 4, "PutItem": 1}),
        ([THROTTLED], {"BatchWriteItem": 2, "PutItem": 25}),
        ([swallow], {"BatchWriteItem": 2, "PutItem": 25}),
        ([forward, cut], {"BatchWriteItem": 2, "PutItem": 2}),
    ],
    ids=["none", "partial", "partial for long", "throttled", "answer lost", "no connection"],
)
def test_a_batch_arrives_once_whatever_dynamodb_does(
    aws_proxy: Proxy, telegram: FakeTelegram, faults: list[Step], calls: dict[str, int]
) -> None:
    expected = texts(27, word := f"batch {calls} {len(faults)}")
    progress: list[tuple[int, int]] = []
    aws_proxy.follow(*faults)
    client = shared_client("dynamodb", **HURRY)
    results = client.send_messages(
        (Message(text=text) for text in expected), on_progress=lambda done, total: progress.append((done, total))
    )
    assert sorted(texts_about(telegram, word, 27)) == expected
    assert len({result.id for result in results}) == 27
    assert progress == sorted(progress)
    assert progress[-1] == (27, 27)
    assert Counter(request.target for request in aws_proxy.requests) == calls
    assert status_of(client, results[-1].id).attempts == 1
    assert len(texts_about(telegram, word, 27)) == 27


def test_a_message_of_a_batch_that_telegram_refused_meanwhile_keeps_no_other_back(
    aws_proxy: Proxy, telegram: FakeTelegram
) -> None:
    def swallow_until_refused(request: Request) -> None:
        request.pass_on()
        key = request.json["RequestItems"][TABLE][0]["PutRequest"]["Item"]["SK"]["S"]
        status_of(shared_client("dynamodb"), key, "FAILED")
        request.cut()

    aws_proxy.follow(swallow_until_refused)
    telegram.set_fault({"kind": "forbidden"})
    client = shared_client("dynamodb", **HURRY)
    with pytest.raises(Refused, match="bot was blocked") as caught:
        client.send_messages([Message(text="refused meanwhile"), Message(text="not held back", id="not-held-back")])
    assert caught.value.unsent == ()
    assert status_of(client, "not-held-back", "FAILED")


def test_messages_with_an_id_are_put_one_by_one_on_condition(aws_proxy: Proxy, telegram: FakeTelegram) -> None:
    client = shared_client("dynamodb", **HURRY)
    client.send_message("with id 0", id="batch-0")
    batch = [Message(text=f"with id {number}", id=f"batch-{number}") for number in range(3)]
    results = client.send_messages([*batch, batch[1], Message(text="without")])
    assert [result.id for result in results[:4]] == ["batch-0", "batch-1", "batch-2", "batch-1"]
    assert sorted(texts_about(telegram, "with", 4)) == ["with id 0", "with id 1", "with id 2", "without"]
    assert [request.target for request in aws_proxy.requests] == ["PutItem", "BatchWriteItem", *["PutItem"] * 4]


def test_a_boto3_client_of_the_callers_puts_one_by_one(aws_proxy: Proxy, telegram: FakeTelegram) -> None:
    with BotteDynamodbClient(client=boto3.Session().client("dynamodb")) as client:
        client.send_messages([Message(text="mine 0"), Message(text="mine 1")])
    assert sorted(texts_about(telegram, "mine", 2)) == ["mine 0", "mine 1"]
    assert [request.target for request in aws_proxy.requests] == ["PutItem"] * 2


def test_a_batch_that_fails_tells_what_to_send_again(aws_proxy: Proxy, telegram: FakeTelegram) -> None:
    expected = texts(27, "again")
    # The first 25 are in, then the table is gone.
    aws_proxy.follow(forward, *[THROTTLED] * 4)
    client = shared_client("dynamodb", **HURRY)
    with pytest.raises(Unavailable, match="unsent") as caught:
        client.send_messages([Message(text=text) for text in expected])
    assert [message.text for message in caught.value.unsent] == expected[25:]
    assert all(message.id for message in caught.value.unsent)
    client.send_messages(caught.value.unsent)
    assert sorted(texts_about(telegram, "again", 27)) == expected


def test_an_invalid_message_keeps_the_whole_batch_back(aws_proxy: Proxy) -> None:
    with pytest.raises(InvalidMessage, match="30 days"):
        shared_client("dynamodb").send_messages([Message(text="fine"), Message(text="x", deliver_at=2**40)])
    assert aws_proxy.requests == []


def test_an_id_in_a_batch_that_names_another_message_is_told_when_the_others_are_sent(telegram: FakeTelegram) -> None:
    client = shared_client("dynamodb")
    client.send_message("taken", id="taken")
    with pytest.raises(InvalidMessage, match="new id"):
        client.send_messages([Message(text="not taken", id="taken"), Message(text="behind it", id="behind-it")])
    arrived(telegram, "behind it")


def test_a_table_with_another_key_and_a_region_that_is_none_are_not_found(twin: RunningTwin) -> None:
    twin.boto3("dynamodb").create_table(
        TableName="another-key",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with pytest.raises(NotFound, match="the table another-key takes no message"):
        BotteDynamodbClient("another-key").send_message("x")
    with pytest.raises(NotFound, match="us esat"):
        BotteDynamodbClient(session=boto3.Session(region_name="us esat"))


def test_a_missing_table_and_a_missing_permission_are_told(aws_proxy: Proxy) -> None:
    with pytest.raises(NotFound, match="the table nothing does not exist"):
        BotteDynamodbClient("nothing").send_message("x")
    aws_proxy.follow(error("AccessDeniedException"))
    with pytest.raises(AuthenticationError, match="permissions"):
        shared_client("dynamodb").send_message("x")
    aws_proxy.follow(*[THROTTLED] * 3)
    with pytest.raises(Unavailable, match="ProvisionedThroughput") as caught:
        shared_client("dynamodb").send_message("x")
    assert caught.value.id
