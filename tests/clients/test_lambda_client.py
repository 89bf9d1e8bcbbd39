"""The Lambda client where AWS, or the function, misbehaves."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from botte_lambda_client import (
    Accepted,
    AuthenticationError,
    BotteLambdaClient,
    Delivered,
    InvalidMessage,
    NotFound,
    Refused,
    Unavailable,
)
from tests.clients.conftest import arrived, shared_client, texts_about
from tests.clients.servers import Proxy, Step, answer, cut, half, hang, swallow
from tools.dev.fake_telegram import FakeTelegram

pytestmark = pytest.mark.slow

THROTTLED = answer(429, {"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "message": "Rate Exceeded."},
                   x_amzn_ErrorType="TooManyRequestsException")  # fmt: skip
DENIED = answer(403, {"Message": "User: x is not authorized to perform: lambda:InvokeFunction"},
                x_amzn_ErrorType="AccessDeniedException")  # fmt: skip


def failed(error: object) -> Step:
    return answer(200, error, X_Amz_Function_Error="Unhandled")


def test_an_asynchronous_invoke_is_accepted_at_once(telegram: FakeTelegram, aws_proxy: Proxy) -> None:
    result = shared_client("lambda", asynchronous=True).send_message("asynchronous")
    assert isinstance(result, Accepted)
    arrived(telegram, "asynchronous")
    [request] = aws_proxy.requests
    assert request.headers["X-Amz-Invocation-Type"] == "Event"
    assert request.json == {"text": "asynchronous", "id": result.id}


def test_a_heartbeat_tells_when_the_next_is_due_if_the_function_is_waited_for(aws_proxy: Proxy) -> None:
    due = answer(200, {"heartbeat": "nightly", "due_at": 1_800_000_000})
    aws_proxy.follow(cut, due, answer(202, b""), answer(200, {"status": "accepted"}))
    assert shared_client("lambda").send_heartbeat("nightly", every="26h") == 1_800_000_000
    assert shared_client("lambda", asynchronous=True).send_heartbeat("nightly", every="26h") is None
    with pytest.raises(NotFound, match="not answer as Botte"):
        shared_client("lambda").send_heartbeat("nightly", every="26h")
    assert [request.json for request in aws_proxy.requests] == [{"heartbeat": "nightly", "every": 93_600}] * 4


@pytest.mark.parametrize("fault", [THROTTLED, cut, swallow], ids=["throttled", "cut", "swallow"])
def test_what_boto3_sends_again_arrives_once(aws_proxy: Proxy, telegram: FakeTelegram, fault: Step) -> None:
    text = f"again, {id(fault)}"
    aws_proxy.follow(fault)
    assert isinstance(shared_client("lambda").send_message(text), Delivered)
    arrived(telegram, text)
    first, second = aws_proxy.requests
    assert first.json == second.json
    assert first.json["id"]


def test_half_an_answer_is_not_a_success_and_the_id_goes_on(aws_proxy: Proxy, telegram: FakeTelegram) -> None:
    aws_proxy.follow(half)
    with pytest.raises(Unavailable) as caught:
        shared_client("lambda").send_message("half an answer")
    assert isinstance(shared_client("lambda").send_message("half an answer", id=caught.value.id), Delivered)
    arrived(telegram, "half an answer")


def test_an_answer_that_does_not_come_is_unavailable(aws_proxy: Proxy) -> None:
    aws_proxy.follow(*[hang(2)] * 3)
    with BotteLambdaClient(read_timeout=0.3) as client, pytest.raises(Unavailable, match="timeout"):
        client.send_message("slow answer")


def test_throttled_for_long_is_unavailable(aws_proxy: Proxy) -> None:
    aws_proxy.follow(*[THROTTLED] * 3)
    with pytest.raises(Unavailable, match="TooManyRequests"):
        shared_client("lambda").send_message("throttled")


@pytest.mark.parametrize(
    ("error", "expected", "text"),
    [
        ({"errorType": "InvalidMessage", "errorMessage": "chat: unknown"}, InvalidMessage, "chat: unknown"),
        ({"errorType": "Refused", "errorMessage": "Forbidden: blocked"}, Refused, "Forbidden: blocked"),
        ({"errorType": "TableUnavailable", "errorMessage": "x"}, Unavailable, "TableUnavailable"),
        ({"errorType": "Runtime.ExitError", "errorMessage": "x"}, Unavailable, "Runtime.ExitError"),
        ({"errorMessage": "2026-11-23 Task timed out after 60.00 seconds"}, Unavailable, "no error type"),
        ("text", Unavailable, "no error type"),
    ],
)
def test_a_function_error_is_an_exception(aws_proxy: Proxy, error: Any, expected: type[Exception], text: str) -> None:
    aws_proxy.follow(failed(error))
    with pytest.raises(expected, match=text):
        shared_client("lambda").send_message("fails")


@pytest.mark.parametrize("result", [None, "ok", [], {"statusCode": 200}, {"status": "accepted"}], ids=json.dumps)
def test_the_result_of_another_function_is_not_a_success(aws_proxy: Proxy, result: Any) -> None:
    aws_proxy.follow(answer(200, result))
    with pytest.raises(NotFound, match="not answer as Botte"):
        shared_client("lambda").send_message("x")


def test_what_the_running_function_says_is_told(telegram: FakeTelegram) -> None:
    client = shared_client("lambda")
    with pytest.raises(InvalidMessage) as caught:
        client.send_message("x", chat="nowhere")
    assert caught.value.field == "chat"
    telegram.set_fault({"kind": "forbidden"})
    with pytest.raises(Refused, match="bot was blocked"):
        client.send_message("blocked")
    telegram.set_fault({"kind": "down"})
    assert client.send_message("down", id="lambda-down") == Accepted("lambda-down")


def test_a_name_that_no_function_can_have_is_not_found(aws_proxy: Proxy) -> None:
    aws_proxy.follow(answer(400, {"message": "1 validation error detected"}, x_amzn_ErrorType="ValidationException"))
    with BotteLambdaClient("bad name!") as client, pytest.raises(NotFound, match="takes no message"):
        client.send_message("x")


def test_an_unknown_function_is_not_found() -> None:
    with BotteLambdaClient("botte-local-nothing") as client, pytest.raises(NotFound, match="botte-local-nothing"):
        client.send_message("x")


def test_missing_permission_credentials_and_region_are_told(aws_proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    aws_proxy.follow(DENIED)
    with pytest.raises(AuthenticationError, match="lambda:InvokeFunction"):
        shared_client("lambda").send_message("x")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(AuthenticationError, match="credentials"):
        BotteLambdaClient().send_message("x")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(NotFound, match="the region is missing") as caught:
        BotteLambdaClient()
    variable = re.search(r"set (\w+)", str(caught.value))
    assert variable
    monkeypatch.setenv(variable[1], "us-east-1")
    assert BotteLambdaClient()


def test_dns_failure_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://no-such-host.invalid")
    with BotteLambdaClient() as client, pytest.raises(Unavailable, match="endpoint"):
        client.send_message("x")


def test_a_client_may_be_shared_by_threads(telegram: FakeTelegram) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(shared_client("lambda").send_message, [f"lambda {number}" for number in range(16)]))
    assert sorted(texts_about(telegram, "lambda", 16)) == sorted(f"lambda {number}" for number in range(16))


def test_a_boto3_client_that_was_passed_in_is_used_and_left_open() -> None:
    class Recorder:
        closed = False

        def close(self) -> None:
            self.closed = True

    given = Recorder()
    with BotteLambdaClient("f", client=given) as client:
        assert repr(client) == "BotteLambdaClient('f')"
    assert not given.closed
