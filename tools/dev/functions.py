"""AWS Lambda's Invoke API in front of the app's handlers, in this process.

What a caller sees is what https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html says: statuses, headers, error
bodies, retries of asynchronous invocations. What is missing is isolation: all handlers run as threads of one process,
and one that takes longer than the function's timeout is not killed (its context does tell it that its time is over).
"""

from __future__ import annotations

import datetime
import decimal
import json
import logging
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chalice.app import Chalice

from tools.dev.delayed import DelayedCalls

ACCOUNT_ID = "123456789012"
REGION = "us-east-1"
MAX_SYNC_PAYLOAD = 6 * 1024 * 1024
MAX_ASYNC_PAYLOAD = 1024 * 1024

_logger = logging.getLogger("twin.lambda")

Handler = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Answer:
    """What Invoke answers: the HTTP status, headers, and the body as it goes over the wire."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def function_error(self) -> str | None:
        """`Unhandled` when the function failed; a failed function is still answered with status 200."""
        return self.headers.get("X-Amz-Function-Error")


class LambdaContext:
    """The second argument of a handler.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    identity = None
    client_context = None
    function_version = "$LATEST"

    def __init__(self, function_name: str, request_id: str, timeout_seconds: float, memory_limit_in_mb: int) -> None:
        self.aws_request_id = request_id
        self.function_name = function_name
        self.memory_limit_in_mb = str(memory_limit_in_mb)
        self.invoked_function_arn = function_arn(function_name)
        self.log_group_name = f"/aws/lambda/{function_name}"
        today = datetime.datetime.now(datetime.timezone.utc)
        self.log_stream_name = f"{today:%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}"
        self._ends = time.monotonic() + timeout_seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._ends - time.monotonic()) * 1000))


class Functions:
    """Invokes the handlers of a Chalice app under the names that Chalice deploys them with.

    `<app>-<stage>` is the HTTP handler and takes API Gateway proxy events, `<app>-<stage>-<handler>` are the others.

    Args:
        timeout_seconds: the functions' timeout, which the context counts down from.
        async_retry_delays: seconds before each retry of an asynchronous invocation that failed.

    Attributes:
        on_failure: is given the record, as JSON, of an asynchronous invocation that failed each time; it may not raise.
    """

    def __init__(
        self,
        app: Chalice,
        stage: str,
        *,
        timeout_seconds: float = 60.0,
        memory_limit_in_mb: int = 256,
        async_retry_delays: tuple[float, ...] = (60.0, 120.0),
    ) -> None:
        self.on_failure: Callable[[str], None] | None = None
        self.prefix = f"{app.app_name}-{stage}"
        names = [function.name for function in app.pure_lambda_functions] + [
            source.name for source in app.event_sources
        ]
        self._handlers: dict[str, Handler] = {f"{self.prefix}-{name}": app.handler_map[name] for name in names}
        self._handlers[self.prefix] = app
        self._timeout_seconds = timeout_seconds
        self._memory_limit_in_mb = memory_limit_in_mb
        self._async_retry_delays = async_retry_delays
        self._delayed = DelayedCalls(workers=8)
        self._running = 0
        self._idle = threading.Condition()

    def stop(self, timeout: float = 1.0) -> None:
        """Takes no more asynchronous work and waits up to `timeout` seconds for what runs now."""
        dropped = self._delayed.stop()
        if dropped:
            _logger.warning("%d asynchronous invocations were still waiting and are dropped", dropped)
        with self._idle:
            self._idle.wait_for(lambda: not self._running, timeout)

    def invoke(
        self,
        function: str,
        payload: bytes,
        *,
        invocation_type: str = "RequestResponse",
        qualifier: str | None = None,
    ) -> Answer:
        """Answers as the Invoke API does; never raises for what a caller or a handler did.

        Args:
            function: the name, `name:qualifier`, partial or full ARN.
            invocation_type: RequestResponse, Event or DryRun.
        """
        name, own_qualifier = split_function_name(function)
        qualifier = qualifier or own_qualifier
        handler = self._handlers.get(name)
        if handler is None or qualifier not in (None, "", "$LATEST"):
            return function_not_found(name, qualifier)
        if invocation_type == "DryRun":
            return Answer(204)
        if invocation_type not in ("RequestResponse", "Event"):
            return _refusal(400, "InvalidParameterValueException", f"Unknown InvocationType: {invocation_type}")
        limit = MAX_ASYNC_PAYLOAD if invocation_type == "Event" else MAX_SYNC_PAYLOAD
        if len(payload) > limit:
            message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
            return _refusal(413, "RequestTooLargeException", message)
        try:
            text = payload.decode()
            event = json.loads(text) if text else None
        except (UnicodeDecodeError, json.JSONDecodeError) as exc:
            message = f"Could not parse request body into json: Could not parse payload into json: {exc}"
            return _refusal(400, "InvalidRequestContentException", message)
        except (ValueError, RecursionError) as exc:
            # JSON, but more than Python takes (nesting, a number of 5000 digits): the runtime fails, not the API.
            return _failure(str(uuid.uuid4()), "Runtime.UnmarshalError", f"Unable to unmarshal input: {exc}")
        request_id = str(uuid.uuid4())
        if invocation_type == "Event":
            self._run_async(name, handler, text, request_id, retries=0)
            return Answer(202, {"X-Amz-Request-Id": request_id, "x-amzn-RequestId": request_id})
        return self._run(name, handler, event, request_id)

    def _run_async(self, name: str, handler: Handler, text: str, request_id: str, *, retries: int) -> None:
        def attempt() -> None:
            # Each attempt gets an event of its own: a handler may change what it was given.
            answer = self._run(name, handler, json.loads(text) if text else None, request_id)
            if answer.function_error and retries < len(self._async_retry_delays):
                self._run_async(name, handler, text, request_id, retries=retries + 1)
            elif answer.function_error:
                _logger.error("%s: request %s is given up after %d attempts", name, request_id, retries + 1)
                if self.on_failure is not None:
                    self.on_failure(_failure_record(name, text, request_id, retries + 1, answer))

        self._delayed.submit(attempt, self._async_retry_delays[retries - 1] if retries else 0.0)

    def _run(self, name: str, handler: Handler, event: Any, request_id: str) -> Answer:
        with self._idle:
            self._running += 1
        try:
            context = LambdaContext(name, request_id, self._timeout_seconds, self._memory_limit_in_mb)
            try:
                result = handler(event, context)
            except (Exception, SystemExit) as exc:
                _logger.error("%s failed: %s", name, type(exc).__name__, exc_info=exc)
                # Lambda leaves its own frames out of the stack trace; the first one here is this method.
                frames = traceback.format_tb(exc.__traceback__)[1:]
                return _failure(request_id, type(exc).__name__, str(exc), frames)
            return _result(name, request_id, result)
        finally:
            with self._idle:
                self._running -= 1
                self._idle.notify_all()


def _failure_record(name: str, text: str, request_id: str, attempts: int, answer: Answer) -> str:
    """What an on-failure destination is told.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    now = datetime.datetime.now(datetime.timezone.utc)
    record = {
        "version": "1.0",
        "timestamp": now.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn(name, "$LATEST"),
            "condition": "RetriesExhausted",
            "approximateInvokeCount": attempts,
        },
        "requestPayload": json.loads(text) if text else None,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": answer.function_error},
        "responsePayload": json.loads(answer.body),
    }
    return json.dumps(record)


def split_function_name(function: str) -> tuple[str, str | None]:
    """The name and the qualifier of `name`, `name:qualifier`, `account:function:name` or a full ARN.

    >>> split_function_name("arn:aws:lambda:us-east-1:123456789012:function:botte-local-message:$LATEST")
    ('botte-local-message', '$LATEST')
    """
    _, found, rest = function.rpartition("function:")
    name, _, qualifier = (rest if found else function).partition(":")
    return name, qualifier or None


def function_arn(name: str, qualifier: str | None = None) -> str:
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{name}"
    return f"{arn}:{qualifier}" if qualifier else arn


def function_not_found(name: str, qualifier: str | None = None) -> Answer:
    message = f"Function not found: {function_arn(name, qualifier)}"
    return _refusal(404, "ResourceNotFoundException", message)


def _refusal(status: int, error: str, message: str) -> Answer:
    # The API model calls the field "Message" in this one error and "message" in the others.
    key = "Message" if error == "ResourceNotFoundException" else "message"
    body = json.dumps({"Type": "User", key: message}).encode()
    request_id = str(uuid.uuid4())
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": error, "x-amzn-RequestId": request_id}
    return Answer(status, headers, body)


def _headers(request_id: str) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "X-Amz-Executed-Version": "$LATEST",
        "X-Amz-Request-Id": request_id,
        "x-amzn-RequestId": request_id,
    }


def _failure(request_id: str, error_type: str, message: str, stack_trace: list[str] | None = None) -> Answer:
    error = {
        "errorMessage": message,
        "errorType": error_type,
        "requestId": request_id,
        "stackTrace": stack_trace or [],
    }
    body = json.dumps(error).encode()
    return Answer(200, {**_headers(request_id), "X-Amz-Function-Error": "Unhandled"}, body)


def _result(name: str, request_id: str, result: Any) -> Answer:
    try:
        body = json.dumps(result, ensure_ascii=False, default=_decimal_to_float).encode()
    except (TypeError, ValueError, RecursionError) as exc:
        _logger.error("%s: the result cannot be sent: %s", name, exc)
        return _failure(request_id, "Runtime.MarshalError", f"Unable to marshal response: {exc}")
    if len(body) > MAX_SYNC_PAYLOAD:
        message = f"Response payload size exceeded maximum allowed payload size ({MAX_SYNC_PAYLOAD} bytes)."
        return _failure(request_id, "Function.ResponseSizeTooLarge", message)
    return Answer(200, _headers(request_id), body)


def _decimal_to_float(value: Any) -> float:
    """What the runtime does with the numbers that boto3 reads from DynamoDB."""
    if isinstance(value, decimal.Decimal):
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
