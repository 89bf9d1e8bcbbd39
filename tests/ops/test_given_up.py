"""What AWS gave up is listed, and taken back: nothing of it is lost, and what the outbox has is not sent twice."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.outbox import states
from chalicelib.outbox.row import Key
from tests.doors import Doors, Table, queue_record, texts
from tools.dev.aws import EmbeddedAws
from tools.dev.fake_telegram import FakeTelegram
from tools.dev.functions import Answer, function_arn
from tools.ops.__main__ import main
from tools.ops.stage import Stage

pytestmark = pytest.mark.slow  # each waits for a queue several times

REQUEST_ID = "e4b46cbf-b738-4c5a-8880-a18cdf61200e"


class Invoked:
    """Notes the invocations of functions, instead of making them."""

    def __init__(self) -> None:
        self.payloads: list[tuple[str, str, Any]] = []
        self.status = 202

    def invoke(
        self, function: str, payload: bytes, *, invocation_type: str = "", qualifier: str | None = None
    ) -> Answer:
        self.payloads.append((function, invocation_type, json.loads(payload)))
        return Answer(self.status)


class Queues:
    """The queues of the local stage, by what follows ``botte-local-`` in their names."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self._sqs = aws.client("sqs")

    def url(self, name: str) -> str:
        return str(self._sqs.get_queue_url(QueueName=f"botte-local-{name}")["QueueUrl"])

    def put(self, name: str, body: object, **arguments: Any) -> str:
        text = body if isinstance(body, str) else json.dumps(body)
        return str(self._sqs.send_message(QueueUrl=self.url(name), MessageBody=text, **arguments)["MessageId"])

    def bodies(self, name: str) -> list[str]:
        return [str(each["Body"]) for each in self.messages(name)]

    def messages(self, name: str) -> list[Any]:
        """What can be received now."""
        found: list[Any] = []
        options = {"MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["All"]}
        while new := self._sqs.receive_message(QueueUrl=self.url(name), **options).get("Messages", []):
            found += new
        for each in found:
            self._sqs.change_message_visibility(
                QueueUrl=self.url(name), ReceiptHandle=each["ReceiptHandle"], VisibilityTimeout=0
            )
        return found

    def empty(self, name: str) -> None:
        for each in self.messages(name):
            self._sqs.delete_message(QueueUrl=self.url(name), ReceiptHandle=each["ReceiptHandle"])


@pytest.fixture
def queues(aws: EmbeddedAws, table: Table, monkeypatch: pytest.MonkeyPatch) -> Queues:
    """The queues and the outbox, empty."""
    monkeypatch.setenv("BOTTE_AWS_PORT", str(aws.port))
    made = Queues(aws)
    for name in ("messages", "messages-dead-letter", "failures"):
        made.empty(name)
    return made


@pytest.fixture
def invoked(aws: EmbeddedAws, queues: Queues) -> Iterator[Invoked]:
    before, aws.functions = aws.functions, Invoked()
    yield aws.functions
    aws.functions = before


def run(*arguments: str) -> int:
    return main([*arguments, "--stage", "local"])


def failed_invocation(payload: object, *, function: str = "botte-local-message", **more: Any) -> dict[str, Any]:
    """As https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html shows it."""
    return {
        "version": "1.0",
        "timestamp": "2026-11-14T18:16:05.568Z",
        "requestContext": {
            "requestId": REQUEST_ID,
            "functionArn": function_arn(function, "$LATEST"),
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": payload,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorMessage": "no table", "errorType": "TableUnavailable"},
        **more,
    }


BATCH = {
    "requestContext": {
        "requestId": REQUEST_ID,
        "functionArn": function_arn("botte-local-dynamodb_message"),
        "condition": "RecordAgeExceeded",
        "approximateInvokeCount": 700,
    },
    "version": "1.0",
    "timestamp": "2026-11-14T00:38:06.021Z",
    "DDBStreamBatchInfo": {
        "shardId": "shardId-00000001573689847184-864758bb",
        "startSequenceNumber": "800000000003126276362",
        "endSequenceNumber": "800000000003126276364",
        "batchSize": 3,
        "streamArn": "arn:aws:dynamodb:us-east-1:123456789012:table/botte-local-tasks/stream/2026",
    },
}


def park(id: str, text: str, chat: str = "default") -> None:
    """A row of the outbox that failed."""
    message = json.dumps({"text": text, "chat": chat})
    content = states.Content("default", message, "hash", time.time(), time.time())
    Stage("local").outbox().apply(Key.of_id(id), states.park(content, error="no chat"))


def test_failed_lists_what_lies_in_both_queues_and_leaves_it_there(
    queues: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    dead = queues.put("messages-dead-letter", {"text": "from the queue"})
    queues.put("failures", failed_invocation({"text": "from an invoke"}))
    queues.put("failures", BATCH)
    queues.put("failures", "what is this?\x1b[31m")
    for _ in range(2):  # it can be listed again at once
        assert run("failed") == 0
        printed = re.sub(" {2,}", "  ", capsys.readouterr().out)
        assert printed.startswith(
            "0 messages are parked on local\n\nGiven up by AWS, in botte-local-failures:\nwhen  id"
        )
        assert f"{REQUEST_ID}  TableUnavailable: no table  'from an invoke'" in printed
        assert f"{REQUEST_ID}  RecordAgeExceeded  '3 records of the stream'" in printed
        assert r"it is not of Lambda  'what is this?\x1b[31m'" in printed
        assert "3 messages lie in botte-local-failures; make redrive STAGE=local takes them back\n" in printed
        assert f"{dead}  its function failed, however often it came from botte-local-messages  'from the qu" in printed
        assert "1 message lies in botte-local-messages-dead-letter; make redrive STAGE=local takes it back\n" in printed
    assert len(queues.bodies("failures")) == 3


def test_all_of_many_messages_are_listed(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(23):
        queues.put("messages-dead-letter", {"text": f"message {number}"})
    assert run("failed") == 0
    assert "23 messages lie in botte-local-messages-dead-letter" in capsys.readouterr().out


def test_a_dead_letter_goes_back_into_its_queue_as_it_was(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    attributes = {
        "kind": {"DataType": "String", "StringValue": "test"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    queues.put("messages-dead-letter", '{"text": "ä"}', MessageAttributes=attributes)
    assert run("redrive") == 0
    assert capsys.readouterr().out == "1 message is sent again on local, within a minute\n"
    assert queues.bodies("messages-dead-letter") == []
    (message,) = queues.messages("messages")
    assert message["Body"] == '{"text": "ä"}'
    assert message["MessageAttributes"] == attributes


def test_a_dead_letter_of_a_message_group_goes_back_into_its_group(
    aws: EmbeddedAws, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, sqs = ("group.fifo", "group-dead-letter.fifo"), aws.client("sqs")
    for name in names:
        sqs.create_queue(QueueName=f"botte-local-{name}", Attributes={"FifoQueue": "true"})
    monkeypatch.setattr(Stage, "dead_letter_queue", "botte-local-group-dead-letter.fifo")
    stage = Stage("local")
    stage.queue_name = "botte-local-group.fifo"
    monkeypatch.setattr("tools.ops.__main__.Stage", lambda *_: stage)
    for number in range(5):
        options = {"MessageGroupId": "one", "MessageDeduplicationId": str(number)}
        queues.put("group.fifo", "known already", **options)  # so that SQS would drop another one with this id
        queues.put("group-dead-letter.fifo", str(number), **options)
    queues.empty("group.fifo")
    assert run("redrive") == 0
    found = queues.messages("group.fifo")
    assert [each["Body"] for each in found] == [str(number) for number in range(5)]
    assert {each["Attributes"]["MessageGroupId"] for each in found} == {"one"}
    for name in names:
        sqs.delete_queue(QueueUrl=queues.url(name))


def test_a_message_that_cannot_be_sent_stays_in_the_dead_letter_queue(
    queues: Queues, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    queues.put("messages-dead-letter", "one")
    call = Stage.call

    def refuse(self: Stage, service: str, operation: str, **arguments: object) -> Any:
        return call(
            self, service, operation, **{**arguments, **({"QueueUrl": "x"} if operation == "send_message" else {})}
        )

    monkeypatch.setattr(Stage, "call", refuse)
    assert run("redrive") == 1
    assert capsys.readouterr().err.startswith("sqs send_message: ")
    assert queues.bodies("messages-dead-letter") == ["one"]


@pytest.mark.parametrize("id", [{}, {"id": None}])
def test_a_failed_invocation_is_made_again_with_an_id_so_that_it_is_sent_once(
    queues: Queues, invoked: Invoked, id: dict[str, None]
) -> None:
    queues.put("failures", failed_invocation({"text": "hello", **id}))
    assert run("redrive") == 0
    assert invoked.payloads == [("botte-local-message", "Event", {"text": "hello", "id": REQUEST_ID})]
    assert queues.bodies("failures") == []


@pytest.mark.parametrize("payload", [{"text": "hello", "id": "mine"}, "no mapping", ["nor", "this"], None])
def test_what_has_an_id_or_can_have_none_is_invoked_as_it_was(queues: Queues, invoked: Invoked, payload: Any) -> None:
    queues.put("failures", failed_invocation(payload))
    assert run("redrive") == 0
    assert invoked.payloads == [("botte-local-message", "Event", payload)]


def test_an_invocation_that_lambda_refuses_stays(queues: Queues, invoked: Invoked) -> None:
    invoked.status = 500
    queues.put("failures", failed_invocation({"text": "hello"}))
    assert run("redrive") == 1
    assert len(queues.bodies("failures")) == 1


def test_a_batch_of_the_stream_needs_nothing_sent_and_is_deleted(
    queues: Queues, invoked: Invoked, capsys: pytest.CaptureFixture[str]
) -> None:
    queues.put("failures", BATCH)
    assert run("redrive") == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{REQUEST_ID}: nothing is sent, the sweep of the task table finds the items",
        "0 messages are sent again on local, within a minute",
    ]
    assert (invoked.payloads, queues.bodies("failures")) == ([], [])


def test_what_the_outbox_has_is_not_sent_a_second_time(
    queues: Queues, invoked: Invoked, capsys: pytest.CaptureFixture[str]
) -> None:
    dead = queues.put("messages-dead-letter", {"text": "from the queue"})
    queues.put("failures", failed_invocation({"text": "from an invoke"}))
    park(dead, "from the queue")
    park(REQUEST_ID, "from an invoke")
    assert run("redrive") == 0
    assert sorted(capsys.readouterr().out.splitlines()) == sorted(
        [
            f"{REQUEST_ID}: nothing is sent, the outbox has it: PENDING",
            f"{dead}: nothing is sent, the outbox has it: PENDING",
            "2 messages are sent again on local, within a minute",
        ]
    )
    assert invoked.payloads == []
    assert [queues.bodies(name) for name in ("messages", "messages-dead-letter", "failures")] == [[], [], []]


@pytest.mark.parametrize(
    "body", [failed_invocation({}, function="somebody-elses"), {"requestContext": {}}, "[]", "no JSON", "[" * 9999]
)
def test_what_cannot_be_read_stays_and_stops_nobody(
    queues: Queues, invoked: Invoked, body: object, capsys: pytest.CaptureFixture[str]
) -> None:
    queues.put("failures", body)
    queues.put("failures", failed_invocation({"text": "hello"}))
    assert run("redrive") == 0
    assert len(invoked.payloads) == 1
    assert len(queues.bodies("failures")) == 1
    assert ": stays in botte-local-failures, " in capsys.readouterr().err


def test_one_of_them_is_taken_back_by_its_id(
    queues: Queues, invoked: Invoked, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (queues.put("messages-dead-letter", text) for text in ("first", "second"))
    queues.put("failures", failed_invocation({"text": "hello"}))
    assert run("redrive", "--id", second) == 0
    assert capsys.readouterr().out == "1 message is sent again on local, within a minute\n"
    assert (queues.bodies("messages"), queues.bodies("messages-dead-letter")) == (["second"], ["first"])
    assert len(queues.bodies("failures")) == 1
    assert run("redrive", "--id", "nothing") == 1
    assert first in [each["MessageId"] for each in queues.messages("messages-dead-letter")]


def test_a_message_that_was_given_up_is_discarded_by_its_id(
    queues: Queues, invoked: Invoked, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (queues.put("messages-dead-letter", text) for text in ("first", "second"))
    queues.put("failures", failed_invocation({"text": "hello"}))
    for id in (second, REQUEST_ID):
        assert run("discard", "--id", id) == 0
        assert capsys.readouterr().out == "1 message is discarded on local\n"
        assert run("discard", "--id", id) == 1
    assert (queues.bodies("messages-dead-letter"), queues.bodies("failures")) == (["first"], [])
    assert (queues.bodies("messages"), invoked.payloads) == ([], [])
    assert run("redrive", "--id", first) == 0


@pytest.mark.parametrize("wanted", [("--id", REQUEST_ID), ("--yes",)])
def test_an_invocation_that_was_parked_too_is_discarded_in_both_places_and_counts_once(
    queues: Queues, invoked: Invoked, capsys: pytest.CaptureFixture[str], wanted: tuple[str, ...]
) -> None:
    park(REQUEST_ID, "hello", chat="nobody's")
    queues.put("failures", failed_invocation({"text": "hello", "chat": "nobody's"}))
    kept = queues.put("messages-dead-letter", "kept")
    assert run("discard", *wanted) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 message is discarded on local"
    assert queues.bodies("failures") == []
    assert [each["MessageId"] for each in queues.messages("messages-dead-letter")] == [kept]


def test_what_can_only_be_read_is_an_error_where_it_is_asked_for(
    queues: Queues, invoked: Invoked, capsys: pytest.CaptureFixture[str]
) -> None:
    id = queues.put("failures", "what is this?")
    assert run("redrive", "--id", id) == 1
    assert capsys.readouterr().err.startswith(f"{id}: stays in botte-local-failures, it is not of Lambda\n")
    assert run("discard", "--id", id) == 0
    assert queues.bodies("failures") == []


def test_what_was_given_up_arrives_once(queues: Queues, doors: Doors, telegram: FakeTelegram, invoked: Invoked) -> None:
    for _ in range(2):  # SQS may bring a message twice
        queues.put("failures", failed_invocation({"text": "invoked"}))
    queues.put("messages-dead-letter", {"text": "queued"})
    assert run("redrive") == 0
    for _, _, payload in invoked.payloads:
        assert doors.invoke(payload).function_error is None
    (message,) = queues.messages("messages")
    doors.queue(queue_record(message["Body"], message["MessageId"]))
    assert sorted(texts(telegram.messages)) == ["invoked", "queued"]
