"""Lambda's Invoke API of the local twin, as boto3 and plain HTTP see it."""

from __future__ import annotations

import json
import logging
import logging.handlers
import queue
import threading
from decimal import Decimal
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.twin.conftest import Recorder, small_app
from tools.dev.aws import EmbeddedAws
from tools.dev.functions import Functions, split_function_name

ARN = "arn:aws:lambda:us-east-1:123456789012:function:botte-local-message"


def invoke(aws: EmbeddedAws, payload: bytes = b"{}", function: str = "botte-local-message", **options: Any) -> Any:
    return aws.client("lambda").invoke(FunctionName=function, Payload=payload, **options)


def fail_with(error: BaseException) -> Any:
    def respond(_event: Any, _context: Any) -> Any:
        raise error

    return respond


@pytest.mark.usefixtures("functions")
def test_a_synchronous_invoke_returns_the_handlers_result(aws: EmbeddedAws, recorder: Recorder) -> None:
    recorder.respond["message"] = lambda event, _context: {"echo": event, "price": Decimal("1.5")}
    answer = invoke(aws, json.dumps({"text": "Grüße"}).encode())
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    assert "FunctionError" not in answer
    body = answer["Payload"].read()
    assert "Grüße".encode() in body
    assert json.loads(body) == {"echo": {"text": "Grüße"}, "price": 1.5}


@pytest.mark.usefixtures("functions")
def test_the_context_tells_who_runs_and_how_long(aws: EmbeddedAws, recorder: Recorder) -> None:
    recorder.respond["message"] = lambda _event, context: context.get_remaining_time_in_millis()
    answer = invoke(aws)
    assert 0 < json.load(answer["Payload"]) <= 60_000
    context = recorder.calls("message")[0][1]
    assert context.aws_request_id == answer["ResponseMetadata"]["RequestId"]
    assert context.function_name == "botte-local-message"
    assert context.function_version == "$LATEST"
    assert context.invoked_function_arn == ARN
    assert context.memory_limit_in_mb == "256"
    assert context.log_group_name == "/aws/lambda/botte-local-message"
    assert context.log_stream_name


@pytest.mark.usefixtures("functions")
def test_a_handler_that_raises_is_a_function_error_with_status_200(aws: EmbeddedAws, recorder: Recorder) -> None:
    recorder.respond["message"] = fail_with(ValueError("no text"))
    answer = invoke(aws)
    assert answer["StatusCode"] == 200
    assert answer["FunctionError"] == "Unhandled"
    error = json.load(answer["Payload"])
    assert error["errorMessage"] == "no text"
    assert error["errorType"] == "ValueError"
    assert error["requestId"] == answer["ResponseMetadata"]["RequestId"]
    assert "raise error" in error["stackTrace"][-1]
    assert not any("tools/dev/functions.py" in frame for frame in error["stackTrace"])


@pytest.mark.usefixtures("functions")
def test_a_result_that_is_not_json_is_a_marshal_error(aws: EmbeddedAws, recorder: Recorder) -> None:
    recorder.respond["message"] = lambda _event, _context: {1, 2}
    answer = invoke(aws)
    assert answer["FunctionError"] == "Unhandled"
    assert json.load(answer["Payload"])["errorType"] == "Runtime.MarshalError"


@pytest.mark.usefixtures("functions")
@pytest.mark.parametrize(
    "function",
    [
        "botte-local-message",
        "botte-local-message:$LATEST",
        "123456789012:function:botte-local-message",
        ARN,
        f"{ARN}:$LATEST",
    ],
)
def test_a_function_is_found_by_name_and_by_arn(aws: EmbeddedAws, recorder: Recorder, function: str) -> None:
    assert invoke(aws, function=function)["StatusCode"] == 200
    assert len(recorder.calls("message")) == 1


@pytest.mark.usefixtures("functions")
@pytest.mark.parametrize("function", ["botte-local-nothing", "health", "botte-local-message:prod"])
def test_an_unknown_function_is_not_found(aws: EmbeddedAws, function: str) -> None:
    with pytest.raises(ClientError) as caught:
        invoke(aws, function=function)
    error = caught.value.response
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert error["Error"]["Code"] == "ResourceNotFoundException"
    assert error["Error"]["Message"] == f"Function not found: arn:aws:lambda:us-east-1:123456789012:function:{function}"


@pytest.mark.usefixtures("functions")
def test_the_qualifier_may_be_a_parameter(aws: EmbeddedAws) -> None:
    assert invoke(aws, Qualifier="$LATEST")["StatusCode"] == 200
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        invoke(aws, Qualifier="prod")


def test_before_the_app_is_there_every_function_is_unknown(aws: EmbeddedAws) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        invoke(aws)


@pytest.mark.usefixtures("functions")
@pytest.mark.parametrize("kind", ["RequestResponse", "Event"])
@pytest.mark.parametrize("payload", [b"{", b"\xff", b"text"])
def test_a_payload_that_is_not_json_is_refused(aws: EmbeddedAws, recorder: Recorder, payload: bytes, kind: str) -> None:
    with pytest.raises(ClientError) as caught:
        invoke(aws, payload, InvocationType=kind)
    assert caught.value.response["Error"]["Code"] == "InvalidRequestContentException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert recorder.calls("message") == []


@pytest.mark.usefixtures("functions")
def test_no_payload_is_null(aws: EmbeddedAws, recorder: Recorder) -> None:
    aws.client("lambda").invoke(FunctionName="botte-local-message")
    assert recorder.calls("message")[0][0] is None


@pytest.mark.usefixtures("functions")
def test_nan_reaches_the_handler(aws: EmbeddedAws, recorder: Recorder) -> None:
    invoke(aws, b'{"n": NaN, "i": -Infinity}')
    event = recorder.calls("message")[0][0]
    assert event["n"] != event["n"]
    assert event["i"] == float("-inf")


@pytest.mark.usefixtures("functions")
@pytest.mark.parametrize("payload", [b"[" * 200_000 + b"]" * 200_000, b"1" * 5000], ids=["deep", "long number"])
def test_json_that_the_runtime_cannot_read_is_a_function_error(aws: EmbeddedAws, payload: bytes) -> None:
    answer = invoke(aws, payload)
    assert answer["FunctionError"] == "Unhandled"
    assert json.load(answer["Payload"])["errorType"] == "Runtime.UnmarshalError"


@pytest.mark.usefixtures("functions")
@pytest.mark.parametrize(("kind", "limit"), [("RequestResponse", 6_291_456), ("Event", 1_048_576)])
def test_a_payload_over_the_limit_is_refused(aws: EmbeddedAws, kind: str, limit: int) -> None:
    invoke(aws, b'"' + b"x" * (limit - 2) + b'"', InvocationType=kind)
    with pytest.raises(ClientError) as caught:
        invoke(aws, b'"' + b"x" * (limit - 1) + b'"', InvocationType=kind)
    assert caught.value.response["Error"]["Code"] == "RequestTooLargeException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


@pytest.mark.usefixtures("functions")
def test_a_dry_run_calls_nothing(aws: EmbeddedAws, recorder: Recorder) -> None:
    assert invoke(aws, InvocationType="DryRun")["StatusCode"] == 204
    assert recorder.calls("message") == []


@pytest.mark.usefixtures("functions")
def test_an_asynchronous_invoke_answers_before_the_handler_ends(aws: EmbeddedAws, recorder: Recorder) -> None:
    release = threading.Event()
    recorder.respond["message"] = lambda _event, _context: release.wait(30)
    answer = invoke(aws, b'{"text": "later"}', InvocationType="Event")
    assert answer["StatusCode"] == 202
    assert answer["Payload"].read() == b""
    [(event, context)] = recorder.wait_for("message", lambda calls: len(calls) == 1)
    release.set()
    assert event == {"text": "later"}
    assert context.aws_request_id == answer["ResponseMetadata"]["RequestId"]


def test_an_asynchronous_invoke_that_fails_is_tried_three_times_with_one_request_id(
    recorder: Recorder, request: pytest.FixtureRequest
) -> None:
    functions = Functions(small_app(recorder, "arn:t"), "local", async_retry_delays=(0.01, 0.02))
    log: queue.Queue[logging.LogRecord] = queue.Queue()
    handler = logging.handlers.QueueHandler(log)
    logging.getLogger("twin").addHandler(handler)
    request.addfinalizer(lambda: logging.getLogger("twin").removeHandler(handler))

    def spoil(event: Any, _context: Any) -> Any:
        event["text"] = "spoiled"
        raise RuntimeError("always")

    recorder.respond["message"] = spoil
    given_up: queue.Queue[str] = queue.Queue()
    functions.on_failure = given_up.put
    functions.invoke("botte-local-message", b'{"text": "as it came", "n": 1}', invocation_type="Event")
    calls = recorder.wait_for("message", lambda calls: len(calls) == 3)
    last_line = [log.get(timeout=30).getMessage() for _ in range(4)][-1]
    record = json.loads(given_up.get(timeout=30))
    functions.stop()
    assert len({context.aws_request_id for _, context in calls}) == 1
    assert len(recorder.calls("message")) == 3
    assert "given up after 3 attempts" in last_line
    assert record["requestContext"] == {
        "requestId": calls[0][1].aws_request_id,
        "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:botte-local-message:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    }
    assert record["requestPayload"] == {"text": "as it came", "n": 1}
    assert (record["responsePayload"]["errorType"], record["responsePayload"]["errorMessage"]) == (
        "RuntimeError",
        "always",
    )


def test_an_asynchronous_invoke_stops_at_its_first_success(recorder: Recorder) -> None:
    functions = Functions(small_app(recorder, "arn:t"), "local", async_retry_delays=(0.0, 0.0))
    attempts = iter([RuntimeError("once"), None])

    def fail_once(_event: Any, _context: Any) -> None:
        if error := next(attempts):
            raise error

    recorder.respond["message"] = fail_once
    functions.invoke("botte-local-message", b"{}", invocation_type="Event")
    recorder.wait_for("message", lambda calls: len(calls) == 2)
    functions.stop()
    assert len(recorder.calls("message")) == 2


def test_stop_waits_for_what_runs(recorder: Recorder) -> None:
    functions = Functions(small_app(recorder, "arn:t"), "local")
    release, ended = threading.Event(), threading.Event()

    def work(_event: Any, _context: Any) -> None:
        release.wait(30)
        ended.set()

    recorder.respond["message"] = work
    functions.invoke("botte-local-message", b"{}", invocation_type="Event")
    recorder.wait_for("message", lambda calls: len(calls) == 1)
    threading.Timer(0.05, release.set).start()
    functions.stop(timeout=30)
    assert ended.is_set()


@pytest.mark.usefixtures("functions")
def test_an_invocation_does_not_hold_up_the_table(aws: EmbeddedAws, recorder: Recorder) -> None:
    recorder.respond["message"] = lambda _event, _context: aws.client("dynamodb").list_tables()["TableNames"]
    assert json.load(invoke(aws)["Payload"]) == []


def test_the_http_handler_takes_an_api_gateway_event(functions: Functions) -> None:
    event = {
        "requestContext": {"httpMethod": "GET", "resourcePath": "/health", "identity": {}, "path": "/health"},
        "headers": {},
        "multiValueQueryStringParameters": None,
        "pathParameters": {},
        "stageVariables": None,
        "body": None,
        "isBase64Encoded": False,
    }
    answer = json.loads(functions.invoke("botte-local", json.dumps(event).encode()).body)
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"]) == {"status": "ok"}


@pytest.mark.usefixtures("functions")
def test_an_error_is_in_lambdas_own_form_on_the_wire(aws: EmbeddedAws) -> None:
    answer = requests.post(f"{aws.url}/2015-03-31/functions/nobody/invocations", data=b"{}", timeout=30)
    assert answer.status_code == 404
    assert answer.headers["x-amzn-ErrorType"] == "ResourceNotFoundException"
    assert answer.json() == {
        "Type": "User",
        "Message": "Function not found: arn:aws:lambda:us-east-1:123456789012:function:nobody",
    }


def test_function_names_are_split_as_lambda_does() -> None:
    assert split_function_name("f") == ("f", None)
    assert split_function_name("f:$LATEST") == ("f", "$LATEST")
    assert split_function_name("1:function:f:7") == ("f", "7")
    assert split_function_name("arn:aws:lambda:eu-west-1:1:function:f") == ("f", None)
