"""API Gateway for what was deployed: HTTP requests become the proxy events of the REST API that moto holds.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs

from moto.apigateway.models import Resource, RestAPI, apigateway_backends

from tools.dev.functions import ACCOUNT_ID, REGION
from tools.dev.wsgi_server import Environ, StartResponse
from tools.rehearsal.functions import DeployedFunctions

_FUNCTION = re.compile(r":function:(?P<name>[^:/]+)/invocations")
_FORBIDDEN = 403, {"message": "Missing Authentication Token"}


class Gateway:
    """A WSGI application: ``/<stage>/<path>`` of the one REST API that is deployed, or else 403."""

    def __init__(self, functions: DeployedFunctions) -> None:
        self._functions = functions

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        _, stage, path = (environ["PATH_INFO"] + "/").split("/", 2)
        path = "/" + path.rstrip("/")
        found = _find(stage, path, environ["REQUEST_METHOD"])
        if found is None:
            return _answer(start_response, *_FORBIDDEN)
        api, resource, parameters, function = found
        event = _event(environ, api, resource, stage, path, parameters)
        answer = self._functions.invoke(function, json.dumps(event).encode())
        if answer.status != 200 or answer.function_error:
            return _answer(start_response, 502, {"message": "Internal server error"})
        return _proxied(start_response, json.loads(answer.body))


def _find(stage: str, path: str, method: str) -> tuple[RestAPI, Resource, dict[str, str], str] | None:
    """The API, the resource, its path's parameters, and the function that is integrated."""
    for api in apigateway_backends[ACCOUNT_ID][REGION].list_apis():
        if stage not in api.stages:
            continue
        for resource in sorted(api.resources.values(), key=lambda each: "{" in each.get_path()):
            pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(resource.get_path()))
            match = re.fullmatch(pattern, path)
            declared = resource.resource_methods.get(method)
            if match and declared is not None and declared.method_integration is not None:
                function = _FUNCTION.search(str(declared.method_integration.uri))
                if function:
                    return api, resource, match.groupdict(), function["name"]
    return None


def _event(
    environ: Environ, api: RestAPI, resource: Resource, stage: str, path: str, parameters: dict[str, str]
) -> dict[str, Any]:
    headers = {name[5:].replace("_", "-").title(): value for name, value in environ.items() if name.startswith("HTTP_")}
    if "CONTENT_TYPE" in environ:
        headers["Content-Type"] = environ["CONTENT_TYPE"]
    headers |= {"X-Forwarded-For": environ["REMOTE_ADDR"], "X-Forwarded-Port": "443", "X-Forwarded-Proto": "https"}
    query = parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
    body: bytes = environ["wsgi.input"].read()
    try:
        text, encoded = body.decode(), False
    except UnicodeDecodeError:
        text, encoded = base64.b64encode(body).decode(), True
    now = time.time()
    return {
        "resource": resource.get_path(),
        "path": path,
        "httpMethod": environ["REQUEST_METHOD"],
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": parameters or None,
        "stageVariables": None,
        "requestContext": {
            "resourceId": resource.id,
            "resourcePath": resource.get_path(),
            "httpMethod": environ["REQUEST_METHOD"],
            "path": f"/{stage}{path}",
            "accountId": ACCOUNT_ID,
            "protocol": environ["SERVER_PROTOCOL"],
            "stage": stage,
            "requestTimeEpoch": int(now * 1000),
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "requestId": str(uuid.uuid4()),
            "identity": {"sourceIp": environ["REMOTE_ADDR"], "userAgent": headers.get("User-Agent")},
            "domainName": f"{api.id}.execute-api.{REGION}.amazonaws.com",
            "domainPrefix": api.id,
            "apiId": api.id,
        },
        "body": text or None,
        "isBase64Encoded": encoded,
    }


def _proxied(start_response: StartResponse, answer: dict[str, Any]) -> Iterable[bytes]:
    body = str(answer.get("body") or "").encode()
    if answer.get("isBase64Encoded"):
        body = base64.b64decode(body)
    headers = {name: str(value) for name, value in (answer.get("headers") or {}).items()}
    for name, values in (answer.get("multiValueHeaders") or {}).items():
        headers[name] = str(values[-1])
    start_response(f"{answer['statusCode']} Proxied", list(headers.items()))
    return [body]


def _answer(start_response: StartResponse, status: int, content: object) -> Iterable[bytes]:
    start_response(f"{status} Gateway", [("Content-Type", "application/json")])
    return [json.dumps(content).encode()]
