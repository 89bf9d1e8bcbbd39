"""AWS over signed HTTPS. The SDK would take most of a cold start for the few calls that are made here.

Signature: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from .connections import AnswerLost, Connections, NotSent, split_url

CONNECT_TIMEOUT_SECONDS = 2.0
READ_TIMEOUT_SECONDS = 3.0
MAX_ANSWER_BYTES = 16 << 20  # a page of a table has 1 MB, and grows as JSON
_MIN_PAUSE_SECONDS = 0.1

_SERVICES = {"AmazonSSM": ("ssm", "1.1"), "DynamoDB_20120810": ("dynamodb", "1.0")}  # and their versions of JSON
# What the names of a partition's regions begin with, and its domain.
_DOMAINS = {
    "cn-": "amazonaws.com.cn",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
    "eu-isoe-": "cloud.adc-e.uk",
}
# https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
_TURNED_AWAY = {
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
}
_TRANSIENT_STATUSES = {500, 502, 503, 504}


class AwsError(Exception):
    """A request that failed; its text holds no secret.

    code: AWS's name of the error, or what went wrong on the way. may_pass: the same request may succeed the next
    moment. perhaps_done: it, or a try before it, may have done its work; otherwise it surely did not. answer: AWS's.
    """

    def __init__(
        self, code: str, *, may_pass: bool = False, perhaps_done: bool = False, answer: Mapping[str, Any] = {}
    ) -> None:
        super().__init__(code)
        self.code = code
        self.may_pass = may_pass
        self.perhaps_done = perhaps_done
        self.answer = answer


class Aws:
    """AWS as a Lambda function reaches it.

    environ: has the credentials and the region, under the names that Lambda gives them; ``AWS_ENDPOINT_URL_SSM``,
    ``AWS_ENDPOINT_URL_DYNAMODB`` or ``AWS_ENDPOINT_URL`` is another address, as in the SDKs. clock: epoch seconds.
    """

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._environ = environ
        self._clock = clock
        self._sleep = sleep
        self._connections: dict[str, Connections] = {}  # by the servers

    def call(self, operation: str, arguments: Mapping[str, object], *, patience: float = 0.0) -> dict[str, Any]:
        """The answer of an operation, such as ``AmazonSSM.GetParameters`` or ``DynamoDB_20120810.UpdateItem``.

        patience: for so many seconds, what may pass is tried again. A try takes 5 s at most.
        Raises AwsError.
        """
        body = json.dumps(arguments).encode()
        ends, pause, lost = self._clock() + patience, _MIN_PAUSE_SECONDS, False
        while True:
            try:
                return self._ask(operation, body)
            except AwsError as error:
                lost = error.perhaps_done = lost or error.perhaps_done
                if not error.may_pass or self._clock() + pause > ends:
                    raise
            self._sleep(pause)
            pause *= 2

    def _ask(self, operation: str, body: bytes) -> dict[str, Any]:
        service, json_version = _SERVICES[operation.partition(".")[0]]
        region = self._get("AWS_REGION", "AWS_DEFAULT_REGION")
        server, path = split_url(endpoint_url(service, region, self._environ))
        scheme, _, host = server.partition("://")
        headers = {
            "Content-Type": f"application/x-amz-json-{json_version}",
            "Host": _host(scheme, host),
            "X-Amz-Date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock())),
            "X-Amz-Target": operation,
        }
        if token := self._environ.get("AWS_SESSION_TOKEN"):
            headers["X-Amz-Security-Token"] = token
        path, scope = path or "/", [region, service, "aws4_request"]
        key_id, secret = self._get("AWS_ACCESS_KEY_ID"), self._get("AWS_SECRET_ACCESS_KEY")
        headers["Authorization"] = _authorization(key_id, secret, scope, path, headers, body)
        where = f"{scheme}://{headers['Host']}"
        if where not in self._connections:
            self._connections[where] = Connections(
                where, connect_timeout=CONNECT_TIMEOUT_SECONDS, max_answer_bytes=MAX_ANSWER_BYTES, clock=self._clock
            )
        try:
            answer = self._connections[where].post(path, headers, body, read_timeout=READ_TIMEOUT_SECONDS)
        except NotSent as error:
            raise AwsError(f"{error} at {where}", may_pass=True) from None
        except AnswerLost as error:
            raise AwsError(f"{error} at {where}", may_pass=True, perhaps_done=True) from None
        return _result(answer.status, answer.body)

    def _get(self, *names: str) -> str:
        value = next(filter(None, map(self._environ.get, names)), None)
        if value is None:
            raise AwsError(f"{names[0]} is not set (for make run: chalice local --stage local)")
        return value


def endpoint_url(service: str, region: str, environ: Mapping[str, str]) -> str:
    """Where a service is, such as ``ssm``."""
    if environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() != "true":
        for name in (f"AWS_ENDPOINT_URL_{service.upper()}", "AWS_ENDPOINT_URL"):
            if given := environ.get(name):
                return given
    domain = next((domain for start, domain in _DOMAINS.items() if region.startswith(start)), "amazonaws.com")
    return f"https://{service}.{region}.{domain}"


def _host(scheme: str, netloc: str) -> str:
    return netloc.rpartition("@")[2].removesuffix({"http": ":80", "https": ":443"}.get(scheme, ""))


def _authorization(
    key_id: str, secret: str, scope: Sequence[str], path: str, headers: Mapping[str, str], body: bytes
) -> str:
    """The value of the header of that name, by Signature Version 4, for a POST with these headers.

    scope: region, service and ``aws4_request``.
    """
    date = headers["X-Amz-Date"]
    scope = [date[:8], *scope]
    signed = ";".join(name.lower() for name in sorted(headers))
    lines = [f"{name.lower()}:{headers[name]}" for name in sorted(headers)]
    request = "\n".join(["POST", quote(path, safe="/~"), "", *lines, "", signed, hashlib.sha256(body).hexdigest()])
    digest = hashlib.sha256(request.encode()).hexdigest()
    to_sign = "\n".join(["AWS4-HMAC-SHA256", date, "/".join(scope), digest])
    key = f"AWS4{secret}".encode()
    for part in (*scope, to_sign):
        key = hmac.digest(key, part.encode(), "sha256")
    credential = "/".join([key_id, *scope])
    return f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={signed}, Signature={key.hex()}"


def _result(status: int, body: bytes) -> dict[str, Any]:
    """The answer's fields; everything but success is an error."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if status == 200 and isinstance(answer, dict):
        return answer
    fields = answer if isinstance(answer, dict) else {}
    # Such as com.amazonaws.dynamodb.v20120810#ThrottlingException
    code = str(fields.get("__type") or f"HTTP status {status}").partition(":")[0].rpartition("#")[2]
    is_turned_away = code in _TURNED_AWAY
    raise AwsError(
        code,
        may_pass=is_turned_away or status == 200 or status in _TRANSIENT_STATUSES,
        perhaps_done=not is_turned_away and (status < 300 or status >= 500),
        answer=fields,
    )
