"""Requests of AWS over sockets: signed as botocore signs them, sent where it sends them, understood as it does."""

from __future__ import annotations

import json
import logging
import time
import traceback
from collections.abc import Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.model import OperationModel
from botocore.parsers import create_parser
from botocore.retries.standard import RetryContext, StandardRetryConditions, ThrottledRetryableChecker
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.aws import Aws, AwsError, endpoint_url
from chalicelib.dynamodb import ConditionFailed, DynamoTable
from chalicelib.errors import TableAnswerLost, TableUnavailable, WriteRefused
from tests.doors import CREDENTIALS, Clock, RawServer, closed_port, http_answer

SERVICES = {"ssm": "AmazonSSM", "dynamodb": "DynamoDB_20120810"}
READ, WRITE = "AmazonSSM.GetParameters", "DynamoDB_20120810.UpdateItem"
SECRETS = {"AWS_SECRET_ACCESS_KEY": "a-secret-canary", "AWS_SESSION_TOKEN": "a-session-canary"}
DONE = http_answer(200, {"Attributes": {}})


@cache
def sdk() -> boto3.Session:
    return boto3.Session()


def aws(url: str, **environ: str) -> Aws:
    return Aws({**CREDENTIALS, **SECRETS, "AWS_ENDPOINT_URL": url, **environ})


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever happens in a test here: at the level DEBUG no record of any logger has a credential."""
    caplog.set_level(logging.DEBUG)
    yield
    for record in caplog.get_records("call"):
        assert "canary" not in f"{record.getMessage()} {vars(record)}"


def error_of(aws: Aws, operation: str = WRITE, **options: float) -> AwsError:
    """The error of a call, which must not hold a credential anywhere."""
    with pytest.raises(AwsError) as caught:
        aws.call(operation, {}, **options)
    assert "canary" not in "".join(traceback.format_exception(caught.value))
    return caught.value


words = st.text(st.characters(codec="utf-8"), max_size=20)
visible = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


@pytest.fixture(scope="module")
def echo() -> Iterator[RawServer]:
    with RawServer(http_answer(200, {})) as server:
        yield server


@given(
    operation=st.sampled_from([f"{target}.{name}" for target in SERVICES.values() for name in ("Get", "Put")]),
    arguments=st.dictionaries(words, words | st.integers() | st.lists(words, max_size=2), max_size=3),
    key_id=visible,
    secret=visible,
    token=st.none() | visible,
    region=st.sampled_from(["us-east-1", "cn-north-1", "us-gov-west-1", "eu-isoe-west-1"]),
    epoch=st.integers(0, 4_000_000_000),
    path=st.sampled_from(["", "/", "/aws", "/a-b_c~d/e.f", "/a%20b/"]),
)
@settings(deadline=None)
def test_a_request_is_signed_as_botocore_signs_it(
    echo: RawServer,
    operation: str,
    arguments: dict[str, Any],
    key_id: str,
    secret: str,
    token: str | None,
    region: str,
    epoch: int,
    path: str,
) -> None:
    environ = {"AWS_ACCESS_KEY_ID": key_id, "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": region}
    environ |= {"AWS_ENDPOINT_URL": echo.url + path} | ({"AWS_SESSION_TOKEN": token} if token else {})
    Aws(environ, clock=lambda: epoch).call(operation, arguments)
    head, _, body = echo.requests[-1].partition(b"\r\n\r\n")
    request_line, *lines = head.decode("latin-1").split("\r\n")
    headers = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    unsigned = {"Authorization", "Accept-Encoding", "Content-Length", "User-Agent"}
    request = AWSRequest(
        "POST",
        echo.url + request_line.split()[1],
        {name: value for name, value in headers.items() if name not in unsigned},
        body,
    )
    request.context["timestamp"] = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(epoch))
    service = next(name for name, target in SERVICES.items() if operation.startswith(target))
    signer = SigV4Auth(Credentials(key_id, secret, token), service, region)
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    signed = signer.signed_headers(signer.headers_to_sign(request))
    assert headers["Authorization"] == (
        f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={signed}, Signature={signature}"
    )
    assert json.loads(body) == arguments
    assert headers.get("X-Amz-Security-Token") == token
    assert headers["X-Amz-Target"] == operation
    assert headers["X-Amz-Date"] == request.context["timestamp"]


@pytest.mark.parametrize("service", SERVICES)
def test_the_version_of_json_is_the_one_of_the_service(echo: RawServer, service: str) -> None:
    aws(echo.url).call(f"{SERVICES[service]}.Get", {})
    version = sdk()._session.get_service_model(service).metadata["jsonVersion"]
    assert f"Content-Type: application/x-amz-json-{version}\r\n".encode() in echo.requests[-1]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_where_botocore_has_it_in_every_region(service: str) -> None:
    session = sdk()
    endpoints = session._session.get_component("endpoint_resolver")
    regions = [
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions(service, partition)
    ]
    assert {"eu-central-1", "cn-north-1", "us-gov-west-1"} <= set(regions)
    expected = {region: f"https://{endpoints.construct_endpoint(service, region)['hostname']}" for region in regions}
    assert {region: endpoint_url(service, region, {}) for region in regions} == expected


@pytest.mark.parametrize(
    ("environ", "endpoint"),
    [
        ({"AWS_ENDPOINT_URL": "http://all"}, "http://all"),
        ({"AWS_ENDPOINT_URL": "http://all", "AWS_ENDPOINT_URL_SSM": "http://ssm"}, "http://ssm"),
        ({"AWS_ENDPOINT_URL_SSM": "http://ssm"}, "http://ssm"),
        ({"AWS_ENDPOINT_URL_DYNAMODB": "http://table"}, "https://ssm.eu-west-1.amazonaws.com"),
        ({"AWS_ENDPOINT_URL": ""}, "https://ssm.eu-west-1.amazonaws.com"),
        (
            {"AWS_ENDPOINT_URL_SSM": "http://ssm", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "TRUE"},
            "https://ssm.eu-west-1.amazonaws.com",
        ),
    ],
)
def test_another_endpoint_can_be_given_as_to_the_sdks(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], endpoint: str
) -> None:
    assert endpoint_url("ssm", "eu-west-1", environ) == endpoint
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    client = sdk().client("ssm", "eu-west-1", aws_access_key_id="key", aws_secret_access_key="secret")
    assert client.meta.endpoint_url == endpoint


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_what_is_not_set_is_named_and_nothing_is_asked(echo: RawServer, name: str) -> None:
    before = len(echo.requests)
    error = error_of(aws(echo.url, **{name: ""}))
    assert (error.code, error.may_pass, error.perhaps_done) == (
        f"{name} is not set (for make run: chalice local --stage local)",
        False,
        False,
    )
    assert len(echo.requests) == before


def test_the_region_may_have_either_name(echo: RawServer) -> None:
    aws(echo.url, AWS_REGION="", AWS_DEFAULT_REGION="eu-north-1").call(READ, {})
    assert b"/eu-north-1/ssm/aws4_request" in echo.requests[-1]


GENERAL = [*ThrottledRetryableChecker._THROTTLED_ERROR_CODES, "RequestTimeout", "RequestTimeoutException"]
GENERAL += ["AccessDeniedException", "ExpiredTokenException", "UnrecognizedClientException", "ValidationException"]
GENERAL += ["SerializationException", "InvalidSignatureException", "UnknownOperationException"]


def errors_of(service: str) -> dict[tuple[str, int], OperationModel]:
    """Each error of the service's model, by its name and status, and what AWS says of any; with who may answer so."""
    model = sdk()._session.get_service_model(service)
    operations = [model.operation_model(name) for name in model.operation_names]
    return {
        **{
            (shape.name, 500 if shape.name.startswith("Internal") else 400): operation
            for operation in operations
            for shape in operation.error_shapes
        },
        **{(code, 400): operations[0] for code in GENERAL},
        **{("InternalFailure", status): operations[0] for status in (500, 501, 502, 503, 504)},
    }


@pytest.mark.parametrize("service", SERVICES)
def test_every_error_is_understood_as_botocore_understands_it(service: str) -> None:
    expected, answers = {}, []
    errors = errors_of(service)
    for (code, status), operation in errors.items():
        body = {"__type": f"com.amazonaws.{service}#{code}:", "message": "Because"}
        answers.append(http_answer(status, body))
        response = {"status_code": status, "headers": {}, "body": json.dumps(body).encode()}
        parsed = create_parser("json").parse(response, operation.output_shape)
        context = RetryContext(1, operation, parsed, SimpleNamespace(status_code=status, headers={}))
        expected[code, status] = (parsed["Error"]["Code"], StandardRetryConditions(3).is_retryable(context), body)
    with RawServer(*answers) as server:
        one = aws(server.url)
        found = {case: error_of(one) for case in errors}
    assert {case: (error.code, error.may_pass, error.answer) for case, error in found.items()} == expected
    assert len(expected) > 40


SURELY_NOT = [
    pytest.param(http_answer(400, {"__type": "x#ValidationException"}), id="refused"),
    pytest.param(http_answer(400, {"__type": "x#ThrottlingException"}), id="throttled"),
    pytest.param(http_answer(503, {"__type": "x#ThrottlingException"}), id="throttled with 503"),
    pytest.param(http_answer(400, {"__type": "RequestTimeout"}), id="request not read"),
    pytest.param(http_answer(403, b"<html>"), id="a proxy that refuses"),
    pytest.param(http_answer(302, b"", "Location: http://127.0.0.1:9/"), id="a proxy that sends elsewhere"),
]
PERHAPS = [
    pytest.param(http_answer(500, {"__type": "x#InternalServerError"}), id="internal error"),
    pytest.param(http_answer(500, b""), id="empty"),
    pytest.param(http_answer(502, b"<html>"), id="bad gateway"),
    pytest.param(http_answer(503, {"__type": "x#ServiceUnavailable"}), id="unavailable"),
    pytest.param(http_answer(504, b""), id="gateway timeout"),
    pytest.param(http_answer(200, b""), id="success without a word"),
    pytest.param(http_answer(200, b'{"Attributes": {'), id="success cut short"),
    pytest.param(http_answer(200, b"[1]"), id="success of another shape"),
    pytest.param(http_answer(202, {}), id="success of another kind"),
    pytest.param(http_answer(200, b"[" * 100_000), id="success too deep"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{}", id="cut in the body"),
    pytest.param(b"HTTP/1.1 200", id="cut in the head"),
    pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", id="not http"),
    pytest.param(None, id="no answer"),
]


@pytest.mark.parametrize("answer", SURELY_NOT)
def test_what_aws_turned_away_is_surely_not_done(answer: bytes) -> None:
    with RawServer(answer) as server:
        assert not error_of(aws(server.url)).perhaps_done


@pytest.mark.parametrize("answer", PERHAPS)
def test_what_aws_may_have_done_is_perhaps_done(answer: bytes | None) -> None:
    with RawServer(answer, hangs_up=True) as server:
        error = error_of(aws(server.url))
        assert error.perhaps_done
        assert len(server.requests) == 1


@pytest.mark.slow
def test_an_answer_that_does_not_come_in_time_is_perhaps_a_success() -> None:
    with RawServer(b"", dripping=b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 9) as server:
        error = error_of(aws(server.url))
    assert (error.code, error.perhaps_done) == (f"ReadTimeoutError at {server.url}", True)


@pytest.mark.parametrize(
    ("url", "may_pass"),
    [
        pytest.param("http://127.0.0.1:{port}", True, id="refused"),
        pytest.param("https://127.0.0.1:{port}", True, id="refused, TLS"),
        pytest.param("http://nosuchhost.invalid", True, id="dns"),
        pytest.param("ftp://127.0.0.1", True, id="scheme"),
        pytest.param("http://[::1", True, id="no address"),
        pytest.param("127.0.0.1", True, id="no scheme"),
        pytest.param("http://127.0.0.1:99999", True, id="port"),
    ],
)
def test_what_was_never_asked_is_surely_not_done(url: str, may_pass: bool) -> None:
    error = error_of(aws(url.format(port=closed_port())))
    assert (error.perhaps_done, error.may_pass) == (False, may_pass)


def test_a_page_of_a_table_may_have_a_megabyte_and_more_as_json() -> None:
    items = [{"Message": {"S": '"\n' * 200_000}}] * 3
    with RawServer(http_answer(200, {"Items": items})) as server:
        assert aws(server.url).call("DynamoDB_20120810.Scan", {}) == {"Items": items}


def test_a_credential_that_no_header_can_hold_is_an_error_that_does_not_show_it(echo: RawServer) -> None:
    error_of(aws(echo.url, AWS_SESSION_TOKEN="a canary \n"))


def test_a_password_in_an_endpoint_is_not_shown() -> None:
    assert error_of(aws(f"http://user:canary@127.0.0.1:{closed_port()}")).code.endswith(f"127.0.0.1:{closed_port()}")


BUSY, LOST, REFUSED = http_answer(400, {"__type": "ThrottlingException"}), None, http_answer(400, {"__type": "Refused"})


@pytest.mark.parametrize(
    ("answers", "code", "perhaps_done"),
    [
        ([BUSY, BUSY, REFUSED], "Refused", False),
        ([BUSY, LOST, REFUSED], "Refused", True),
        ([LOST, BUSY], "ThrottlingException", True),
        ([BUSY], "ThrottlingException", False),
    ],
)
def test_an_error_tells_whether_any_try_may_have_done_it(
    clock: Clock, answers: list[bytes | None], code: str, perhaps_done: bool
) -> None:
    with RawServer(*answers) as server:
        one = Aws({**CREDENTIALS, "AWS_ENDPOINT_URL": server.url}, clock=clock, sleep=clock.sleep)
        error = error_of(one, patience=10.0)
    assert (error.code, error.perhaps_done) == (code, perhaps_done)


@pytest.mark.parametrize(("patience", "tries"), [(0.0, 1), (0.1, 2), (2.0, 5), (10.0, 7)])
def test_what_may_pass_is_tried_again_until_the_time_is_over(clock: Clock, patience: float, tries: int) -> None:
    with RawServer(BUSY) as server:
        one = Aws({**CREDENTIALS, "AWS_ENDPOINT_URL": server.url}, clock=clock, sleep=clock.sleep)
        error_of(one, patience=patience)
        assert len(server.requests) == tries
    assert sum(clock.slept) <= patience


def test_the_last_try_may_succeed(clock: Clock) -> None:
    with RawServer(BUSY, LOST, DONE) as server:
        one = Aws({**CREDENTIALS, "AWS_ENDPOINT_URL": server.url}, clock=clock, sleep=clock.sleep)
        assert one.call(WRITE, {}, patience=2.0) == {"Attributes": {}}


def test_one_connection_carries_a_hundred_requests_and_refusals() -> None:
    with RawServer(*[DONE, BUSY] * 50) as server:
        one = aws(server.url)
        for _ in range(50):
            one.call(WRITE, {})
            error_of(one)
        assert (len(server.requests), server.connections) == (100, 1)


def test_a_connection_that_aws_closed_meanwhile_is_replaced() -> None:
    with RawServer(DONE) as server:
        one = aws(server.url)
        for _ in range(3):
            one.call(WRITE, {})
            server.drop_connections()
        assert len(server.requests) == 3


def write(answer: bytes | None, hangs_up: bool = False) -> Exception:
    with RawServer(answer, hangs_up=hangs_up) as server, pytest.raises((ConditionFailed, TableUnavailable)) as caught:
        DynamoTable(aws(server.url), "outbox").call("UpdateItem", Key={})
    assert json.loads(server.requests[0].partition(b"\r\n\r\n")[2]) == {"TableName": "outbox", "Key": {}}
    return caught.value


@pytest.mark.parametrize(
    ("code", "status", "kind", "retry_after"),
    [
        ("ValidationException", 400, WriteRefused, None),
        ("SerializationException", 400, WriteRefused, None),
        ("ItemCollectionSizeLimitExceededException", 400, WriteRefused, None),
        ("ThrottlingException", 400, TableUnavailable, 0.0),
        ("ProvisionedThroughputExceededException", 400, TableUnavailable, 0.0),
        ("AccessDeniedException", 400, TableUnavailable, None),
        ("ResourceNotFoundException", 400, TableUnavailable, None),
        ("InternalServerError", 500, TableAnswerLost, 0.0),
        ("ServiceUnavailable", 503, TableAnswerLost, 0.0),
    ],
)
def test_a_table_says_what_became_of_a_write(
    code: str, status: int, kind: type[TableUnavailable], retry_after: float | None
) -> None:
    error = write(http_answer(status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}"}))
    assert type(error) is kind
    assert (error.reason, error.retry_after) == (f"the table outbox cannot be used: {code}", retry_after)


@pytest.mark.parametrize("item", [{}, {"PK": {"S": "a"}}])
def test_a_condition_that_does_not_hold_shows_what_is_there(item: dict[str, Any]) -> None:
    code = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"
    error = write(http_answer(400, {"__type": code, **({"Item": item} if item else {})}))
    assert isinstance(error, ConditionFailed)
    assert error.item == item


def test_an_answer_of_a_table_that_is_lost_may_be_a_write() -> None:
    assert type(write(None)) is TableAnswerLost
