"""The DynamoDB client: what it writes, in which order, and what it does where AWS misbehaves."""

from __future__ import annotations

import subprocess
import sys
import time
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
    Status,
    Unavailable,
)
from botte_dynamodb_client._ksuid import next_ksuid
from botte_http_client import BotteHttpClient
from tests.clients.conftest import RunningTwin, arrived, shared_client, texts_about
from tests.clients.servers import Proxy, Step, answer, cut, forward, hang, swallow
from tools.dev.fake_telegram import FakeTelegram

pytestmark = pytest.mark.slow


ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/"


def error(code: str, status: int = 400) -> Step:
    return answer(status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "Says the test"})


THROTTLED = error("ProvisionedThroughputExceededException")


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


def wait_until_taken(twin: RunningTwin) -> None:
    """Returns when Botte has taken every item out of the task table."""
    ends = time.monotonic() + 20
    while left := twin.boto3("dynamodb").scan(TableName="botte-local-tasks", ConsistentRead=True)["Items"]:
        assert time.monotonic() < ends, left
        time.sleep(0.02)


def test_the_item_is_the_documented_one(aws_proxy: Proxy, telegram: FakeTelegram) -> None:
    client, before = shared_client("dynamodb"), int(time.time())
    result = client.send_message("Hello", sender_app="test", disable_notification=True, expires_in=60)
    client.send_message("Hello", id="item-1")
    client.send_message("Hello", id="item-2", message_group_id="items")
    generated = client.send_message("Hello", message_group_id="items")
    first, second, third, fourth = (request.json for request in aws_proxy.requests)
    assert {tuple(request.json) for request in aws_proxy.requests} == {("TableName", "Item")}
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


def test_the_item_of_a_heartbeat_is_one_of_its_own(aws_proxy: Proxy) -> None:
    """Each beat is another item, and none has an id, also where the partition key looks like one."""
    aws_proxy.follow(answer(200, {}), answer(200, {}))
    for _ in range(2):
        shared_client("dynamodb").send_heartbeat("nightly", every="26h", sender_app="cron")
    first, second = (request.json["Item"] for request in aws_proxy.requests)
    assert first["SK"]["S"] < second["SK"]["S"]
    assert first == {
        "PK": {"S": f"BOTTE_MESSAGE#{first['SK']['S']}"},
        "SK": first["SK"],
        "TaskId": {"S": "BOTTE_MESSAGE"},
        "SenderApp": {"S": "cron"},
        "Payload": {"M": {"heartbeat": {"S": "nightly"}, "every": {"N": "93600"}}},
    }


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
    client = shared_client("dynamodb", read_timeout=1.0)
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
    wait_until_taken(twin)
    for text in ("repeated", "in a group", "behind them"):
        arrived(telegram, text)


def test_an_id_of_the_http_door_is_known(twin: RunningTwin, telegram: FakeTelegram) -> None:
    with BotteHttpClient() as http:
        http.send_message("two doors", id="two-doors", sender_app="a", message_thread_id=5)
    given = {"id": "two-doors", "sender_app": "a", "message_thread_id": 5}
    assert shared_client("dynamodb").send_message("two doors", **given) == Accepted("two-doors")
    wait_until_taken(twin)
    arrived(telegram, "two doors")


def test_an_id_that_names_another_message_is_accepted_and_its_status_is_that_of_the_first(
    twin: RunningTwin, telegram: FakeTelegram
) -> None:
    client = shared_client("dynamodb")
    client.send_message("one", id="named")
    [first] = arrived(telegram, "one")
    for changed in ({"text": "two"}, {"text": "one", "sender_app": "x"}, {"text": "one", "chat": "ops"}):
        assert client.send_message(id="named", **changed) == Accepted("named")
    wait_until_taken(twin)
    assert status_of(client, "named").message_ids == (first["message_id"],)
    assert [message["text"] for message in telegram.messages] == ["one"]


def test_the_status_of_what_telegram_refuses_tells_why_also_after_a_repetition(
    twin: RunningTwin, telegram: FakeTelegram
) -> None:
    client = shared_client("dynamodb")
    telegram.set_fault({"kind": "forbidden"})
    for _ in range(2):
        assert client.send_message("blocked", id="blocked") == Accepted("blocked")
        wait_until_taken(twin)
        assert "bot was blocked" in status_of(client, "blocked", "FAILED").last_error


def test_the_status_is_the_one_that_the_http_door_tells(telegram: FakeTelegram) -> None:
    client = shared_client("dynamodb")
    client.send_message("status", id="status-sent")
    client.send_message("x" * 5000, id="status-split")
    client.send_message("status", id="status-group", message_group_id="statuses")
    client.send_message("status", id="status-later", deliver_at=int(time.time()) + 3600)
    with BotteHttpClient() as http:
        for id, wanted in [("sent", "SENT"), ("split", "SENT"), ("group", "SENT"), ("later", "PENDING")]:
            assert vars(status_of(client, f"status-{id}", wanted)) == vars(http.get_status(f"status-{id}"))
    assert len(client.get_status("status-split").message_ids) == 2
    assert client.get_status("status-later").due_at is not None


def test_what_botte_has_not_taken_is_not_found() -> None:
    with pytest.raises(NotFound, match="'nothing': Botte may not have taken it yet"):
        shared_client("dynamodb").get_status("nothing")


@pytest.mark.parametrize(
    ("given", "variable", "outbox"),
    [
        ({"table": "a-tasks"}, "", "a-outbox"),
        ({"table": f"{ARN}a-tasks"}, "", f"{ARN}a-outbox"),
        ({"table": "a-tasks-tasks"}, "", "a-tasks-outbox"),
        ({"table": "a-tasks"}, "b", "b"),
        ({"table": "messages"}, f"{ARN}b", f"{ARN}b"),
        ({"table": "messages", "outbox": "c"}, "b", "c"),
    ],
)
def test_the_outbox_is_the_one_given_or_follows_from_the_table(
    aws_proxy: Proxy, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], variable: str, outbox: str
) -> None:
    monkeypatch.setenv("BOTTE_OUTBOX_TABLE", variable)
    aws_proxy.follow(answer(200, {}))
    with BotteDynamodbClient(**given) as client, pytest.raises(NotFound):
        client.get_status("x")
    assert aws_proxy.requests[0].json["TableName"] == outbox


def test_an_outbox_that_does_not_follow_from_the_table_is_asked_for(aws_proxy: Proxy) -> None:
    with BotteDynamodbClient("messages") as client, pytest.raises(NotFound, match="set BOTTE_OUTBOX_TABLE"):
        client.get_status("x")
    assert aws_proxy.requests == []


def test_an_id_of_a_group_leads_to_the_row_of_its_message_and_no_further(aws_proxy: Proxy) -> None:
    def reserved(number: int) -> Step:
        return answer(200, {"Item": {"OwnerPK": {"S": "GROUP#g"}, "OwnerSK": {"S": str(number)}}})

    client = shared_client("dynamodb")
    aws_proxy.follow(reserved(1), answer(200, {"Item": {"Status": {"S": "PENDING"}}}))
    assert client.get_status("x") == Status("x", "PENDING", 0, (), None, None)
    aws_proxy.follow(reserved(2), reserved(3))
    with pytest.raises(NotFound):
        client.get_status("x")
    keys = [request.json["Key"] for request in aws_proxy.requests]
    assert [(key["PK"]["S"], key["SK"]["S"]) for key in keys] == [
        *(("BOTTE_MESSAGE#x", "x"), ("GROUP#g", "1")),
        *(("BOTTE_MESSAGE#x", "x"), ("GROUP#g", "2")),
    ]


def test_it_connects_to_dynamodb_and_to_nothing_else(aws_proxy: Proxy, telegram: FakeTelegram) -> None:
    script = """
import sys
sys.addaudithook(lambda event, given: print(*given[:2]) if event == "socket.getaddrinfo" else None)
from botte_dynamodb_client import BotteDynamodbClient, Message, NotFound
with BotteDynamodbClient() as client:
    client.send_message("alone", id="alone")
    client.send_messages([Message(text="alone among many")])
    while True:
        try:
            client.get_status("alone")
            break
        except NotFound:
            pass
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    address = urlsplit(aws_proxy.url)
    assert set(done.stdout.splitlines()) == {f"{address.hostname} {address.port}"}
    assert [request.target for request in aws_proxy.requests][:3] == ["PutItem", "PutItem", "GetItem"]
    assert {request.target for request in aws_proxy.requests} == {"PutItem", "GetItem"}
    assert sorted(texts_about(telegram, "alone", 2)) == ["alone", "alone among many"]


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


@pytest.mark.parametrize("fault", [forward, THROTTLED, swallow, cut], ids=["none", "throttled", "answer lost", "cut"])
def test_many_messages_arrive_once_whatever_dynamodb_does(
    twin: RunningTwin, aws_proxy: Proxy, telegram: FakeTelegram, fault: Step
) -> None:
    expected = texts(7, word := f"many {id(fault)}")
    progress: list[tuple[int, int]] = []
    aws_proxy.follow(forward, fault)
    results = shared_client("dynamodb").send_messages(
        (Message(text=text) for text in expected), on_progress=lambda done, total: progress.append((done, total))
    )
    wait_until_taken(twin)
    assert sorted(texts_about(telegram, word, 7)) == expected
    assert len({result.id for result in results}) == 7
    assert progress == [(done, 7) for done in range(1, 8)]
    assert {request.target for request in aws_proxy.requests} == {"PutItem"}


def test_of_many_messages_each_id_arrives_once(twin: RunningTwin, telegram: FakeTelegram) -> None:
    client = shared_client("dynamodb")
    client.send_message("with id 0", id="many-0")
    many = [Message(text=f"with id {number}", id=f"many-{number}") for number in range(3)]
    results = client.send_messages([*many, many[1], Message(text="without")])
    assert [result.id for result in results[:4]] == ["many-0", "many-1", "many-2", "many-1"]
    wait_until_taken(twin)
    assert sorted(texts_about(telegram, "with", 4)) == ["with id 0", "with id 1", "with id 2", "without"]


def test_a_boto3_client_of_the_callers_is_used_and_left_open(telegram: FakeTelegram) -> None:
    given = boto3.Session().client("dynamodb")
    for text in ("mine 0", "mine 1"):
        with BotteDynamodbClient(client=given) as client:
            client.send_message(text)
    assert sorted(texts_about(telegram, "mine", 2)) == ["mine 0", "mine 1"]


def test_many_messages_that_fail_tell_what_to_send_again(aws_proxy: Proxy, telegram: FakeTelegram) -> None:
    expected = texts(7, "again")
    # The first two are in, then the table is gone.
    aws_proxy.follow(forward, forward, *[THROTTLED] * 3)
    client = shared_client("dynamodb")
    with pytest.raises(Unavailable, match="unsent") as caught:
        client.send_messages([Message(text=text) for text in expected])
    assert [message.text for message in caught.value.unsent] == expected[2:]
    assert all(message.id for message in caught.value.unsent)
    client.send_messages(caught.value.unsent)
    assert sorted(texts_about(telegram, "again", 7)) == expected


def test_an_invalid_message_keeps_all_of_many_back(aws_proxy: Proxy) -> None:
    with pytest.raises(InvalidMessage, match="30 days"):
        shared_client("dynamodb").send_messages([Message(text="fine"), Message(text="x", deliver_at=2**40)])
    assert aws_proxy.requests == []


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
    with pytest.raises(NotFound, match="the table nothing does not exist"):
        BotteDynamodbClient(outbox="nothing").get_status("x")
    aws_proxy.follow(*[error("AccessDeniedException")] * 2)
    with pytest.raises(AuthenticationError, match="permissions"):
        shared_client("dynamodb").send_message("x")
    with pytest.raises(AuthenticationError, match=r"table botte-local-outbox: .* permissions"):
        shared_client("dynamodb").get_status("x")
    aws_proxy.follow(*[THROTTLED] * 3)
    with pytest.raises(Unavailable, match="ProvisionedThroughput") as caught:
        shared_client("dynamodb").send_message("x")
    assert caught.value.id
