"""The document of the HTTP door: it says what the code does, and the door does what it says."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest
import requests
from chalice.deploy.validate import validate_route_content_types
from jsonschema_rs import Draft202012Validator
from openapi_spec_validator import validate

from chalicelib.contract.message import FIELDS, MAX_BODY_BYTES, PARSE_MODES, InvalidMessage, Message
from chalicelib.doors import bodies, hook
from chalicelib.doors.http import Answer, answer
from chalicelib.doors.openapi import document, get_document
from chalicelib.errors import BotteError, IdReused, MessageInFlight, Refused, Unavailable
from chalicelib.outbox.states import EVENTS
from chalicelib.settings import VERSION
from tests.conftest import WEBHOOK_SECRET
from tests.doors import APP_DIR, TOKEN, Doors, event
from tools.dev.fake_telegram import FakeTelegram

DOCUMENT = document(VERSION, "/")
SCHEMAS = DOCUMENT["components"]["schemas"]
PATHS = {
    "/message": "/message",
    "/heartbeat/{name}": "/heartbeat/nightly?every=26h",
    "/hook/{name}": "/hook/cron",
    "/message/{id}": "/message/k1",
}
HOOK_TOKEN = "local-hook-token"
Operation: TypeAlias = dict[str, Any]


def operations() -> Iterator[tuple[str, str, Operation]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def faults(schema: Mapping[str, Any], value: object) -> list[str]:
    """What a schema of the document has against a value."""
    validator = Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    return [error.message for error in validator.iter_errors(value)]


def check_answer(told: Mapping[str, Any], body: object, headers: Mapping[str, str]) -> None:
    """An answer, against what the document tells of its status."""
    assert faults(told["content"][bodies.JSON]["schema"], body) == []
    for name, header in told.get("headers", {}).items():
        assert faults(header["schema"], headers[name]) == []


def check_response(operation: Operation, response: requests.Response) -> None:
    """The same of an answer that came over a socket."""
    told = operation["responses"][str(response.status_code)]
    assert response.headers["Content-Type"] in told["content"]
    check_answer(told, response.json(), response.headers)


def test_it_is_openapi() -> None:
    validate(DOCUMENT)


def test_it_is_served_without_a_token(doors: Doors) -> None:
    served = doors.get("/openapi.json", token=None)
    assert served.status_code == 200
    assert served.json() == DOCUMENT


def test_its_server_is_the_stage_that_serves_it(doors: Doors) -> None:
    """A tool may take "." for the root of the host, so the path is told as a whole."""
    asked = event("apigateway_post")
    here = {"httpMethod": "GET", "resourcePath": "/openapi.json", "path": "/api/openapi.json"}
    asked |= {"requestContext": {**asked["requestContext"], **here}, "headers": {}, "body": None}
    answer = doors.rest(asked)
    assert answer["statusCode"] == 200, answer["body"]
    assert answer["body"] == document(VERSION, "/api")


def test_it_is_made_when_it_is_asked_for() -> None:
    """It costs no cold start."""
    program = "import app, json, sys; print(json.dumps(sorted(sys.modules)))"
    shown = subprocess.run(
        [sys.executable, "-c", program], cwd=APP_DIR, capture_output=True, text=True, timeout=30, check=True
    )
    loaded = json.loads(shown.stdout)
    assert "chalicelib.doors.http" in loaded
    assert not {"chalicelib.doors.openapi", "chalicelib.doors.schemas"} & {*loaded}


def test_it_has_the_routes_of_the_app_with_their_methods_and_types(doors: Doors) -> None:
    routes = {(path, method): route for path, methods in doors.app.routes.items() for method, route in methods.items()}
    assert {(path, method) for path, method, _ in operations()} == set(routes)
    for path, method, operation in operations():
        if "requestBody" in operation:
            assert sorted(operation["requestBody"]["content"]) == sorted(routes[path, method].content_types)


def test_chalice_deploys_routes_with_such_types(doors: Doors) -> None:
    """It refuses a route whose types are bytes in part."""
    validate_route_content_types(doors.app.routes, doors.app.api.binary_types)


def test_it_has_the_fields_of_a_message() -> None:
    assert tuple(SCHEMAS["Message"]["properties"]) == FIELDS
    assert tuple(SCHEMAS["Form"]["properties"]) == FIELDS


LIVE = {"text": "a", "collapse_key": "disk-db1"}
BEAT = {"heartbeat": "nightly", "every": "26h"}
BUTTON = [{"text": "Open", "url": "https://example.org"}]
KEYBOARD = {"inline_keyboard": [[{"text": "Open", "url": "https://example.org/@a?b#c"}], []]}


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("text", " a ", " "),
        ("id", "~" * 255, "~" * 256),
        ("id", "!", ""),
        ("chat", "c" * 64, "c" * 65),
        ("photo", "https://a.example/" + "a" * 2030, "https://a.example/" + "a" * 2031),
        ("photo", "HTTPS://a.example/@b", "http://a.example"),
        ("document", "https://a.example", "https://b@a.example"),
        ("message_thread_id", 2**53 - 1, 2**53),
        ("message_thread_id", 1, 0),
        ("deliver_at", 0, -1),
        ("disable_notification", True, "true"),
        ("link_preview_options", {"url": "http://grafana:3000/"}, {"url": "grafana:3000"}),
        ("link_preview_options", {}, {"is_disabled": None}),
        ("reply_markup", KEYBOARD, {"inline_keyboard": [[], []]}),
        ("reply_markup", KEYBOARD, {"inline_keyboard": [[{"text": "Open"}]]}),
        ("reply_markup", {"inline_keyboard": [BUTTON * 100]}, {"inline_keyboard": [BUTTON * 101]}),
        ("reply_markup", KEYBOARD, {"inline_keyboard": [[{"text": "a" * 257, "url": "https://example.org"}]]}),
        *(("parse_mode", mode.swapcase(), mode + "x") for mode in PARSE_MODES),
        ("collapse_key", "~" * 255, "~" * 256),
        ("collapse_key", "!", "a b"),
        ("renotify", False, "false"),
        ("ack", False, 0),
        ("urgent", True, "true"),
    ],
)
def test_the_limits_are_those_of_the_contract(field: str, good: Any, bad: Any) -> None:
    schema = SCHEMAS["Message"]
    assert faults(schema, {"text": "a", field: good}) == []
    assert Message.from_fields({"text": "a", field: good}, now=0.0)
    assert faults(schema, {"text": "a", field: bad}) != []
    with pytest.raises(InvalidMessage):
        Message.from_fields({"text": "a", field: bad}, now=0.0)


@pytest.mark.parametrize(
    ("given", "is_valid"),
    [
        ({"text": "a", **dict.fromkeys(set(FIELDS) - {"text"})}, True),
        ({"text": "a", "sender_app": [7]}, True),
        ({"photo": "https://a.example", "document": None}, True),
        ({"photo": "https://a.example", "document": "https://a.example"}, False),
        ({"text": None}, False),
        ({"text": "a", "chat_id": 7}, False),
        ({}, False),
        ([], False),
        ({**LIVE, "renotify": True, "ack": True, "escalate_after": 86_400, "urgent": True}, True),
        ({**LIVE, "renotify": False, "ack": False, "escalate_after": None, "disable_notification": True}, True),
        ({"text": "a", "renotify": False, "ack": False, "urgent": False, "disable_notification": True}, True),
        ({"text": "a", "urgent": True, "disable_notification": False}, True),
        ({"text": "a", "renotify": True}, False),
        ({"text": "a", "renotify": True, "collapse_key": None}, False),
        ({"text": "a", "ack": True}, False),
        ({**LIVE, "escalate_after": 600}, False),
        ({**LIVE, "escalate_after": 600, "ack": False}, False),
        ({**LIVE, "escalate_after": 0, "ack": True}, False),
        ({**LIVE, "escalate_after": 86_401, "ack": True}, False),
        ({**LIVE, "renotify": True, "disable_notification": True}, False),
        ({"text": "a", "urgent": True, "disable_notification": True}, False),
        (BEAT, True),
        ({**BEAT, "chat": "ops", "sender_app": [7], "text": None, "urgent": None}, True),
        ({**BEAT, "heartbeat": "~" * 64, "every": 31_622_400}, True),
        ({**BEAT, "every": " 90 M "}, True),
        ({**BEAT, "heartbeat": "~" * 65}, False),
        ({**BEAT, "heartbeat": "two words"}, False),
        ({**BEAT, "every": 31_622_401}, False),
        ({**BEAT, "every": 0}, False),
        ({**BEAT, "every": "1w"}, False),
        ({**BEAT, "every": True}, False),
        ({**BEAT, "every": None}, False),
        ({**BEAT, "text": "a"}, False),
        ({**BEAT, "urgent": False}, False),
        ({**BEAT, "id": "k1"}, False),
        ({"heartbeat": "nightly"}, False),
        ({"text": "a", "every": 60}, False),
        ({"text": "a", "heartbeat": None, "every": 60}, False),
    ],
)
def test_which_fields_are_needed_is_as_in_the_contract(given: Any, is_valid: bool) -> None:
    assert (faults(SCHEMAS["Message"], given) == []) is is_valid
    if isinstance(given, dict):  # a form has no null
        form = {name: value for name, value in given.items() if value is not None and name != "sender_app"}
        assert (faults(SCHEMAS["Form"], form) == []) is is_valid
    if is_valid:
        assert Message.from_fields(given, now=0.0)
    else:
        with pytest.raises(InvalidMessage):
            Message.from_fields(given, now=0.0)


def examples() -> Iterator[Any]:
    """Each example of a body that may be sent: path, media type, body."""
    for path, method, operation in operations():
        for media_type, content in operation.get("requestBody", {"content": {}})["content"].items():
            named = content.get("examples", {"example": {"value": content.get("example")}})
            for name, example in named.items():
                id = f"{method} {path} {media_type} {name}"
                yield pytest.param(operation, path, media_type, content["schema"], example["value"], id=id)


def sent(media_type: str, body: Any) -> dict[str, Any]:
    """A body of a type, as requests takes it."""
    if media_type in (bodies.FORM, bodies.MULTIPART):
        fields = {name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()}
        multipart = {name: (None, value) for name, value in fields.items()}
        return {"data": fields} if media_type == bodies.FORM else {"files": multipart}
    content = json.dumps(body) if media_type.endswith("json") else body
    return {"data": content, "headers": {"Content-Type": media_type}}


@pytest.mark.parametrize(("operation", "path", "media_type", "schema", "body"), [*examples()])
def test_its_examples_are_valid_and_the_door_takes_them(
    doors: Doors, operation: Operation, path: str, media_type: str, schema: Mapping[str, Any], body: Any
) -> None:
    assert faults(schema, body) == []
    arguments = sent(media_type, body)
    headers = {"Authorization": TOKEN, "X-Telegram-Bot-Api-Secret-Token": WEBHOOK_SECRET} | arguments.pop("headers", {})
    response = requests.post(doors.url + PATHS.get(path, path), headers=headers, timeout=30, **arguments)
    assert response.status_code == 200, response.text
    check_response(operation, response)


def test_the_examples_of_its_answers_are_valid() -> None:
    for _, _, operation in operations():
        for told in operation["responses"].values():
            content = told["content"][bodies.JSON]
            assert faults(content["schema"], content["example"]) == []


SIGNATURES = {"githubSignature": "sha256=", "sentrySignature": ""}


def with_token(name: str, token: str, body: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """The headers and the query that a security scheme of the document asks for, by its name."""
    scheme = DOCUMENT["components"]["securitySchemes"][name]
    if scheme["type"] == "http":
        credentials = {"bearer": token, "basic": b64encode(f"any:{token}".encode()).decode()}[scheme["scheme"]]
        return {"Authorization": f"{scheme['scheme'].title()} {credentials}"}, {}
    if name in SIGNATURES:
        token = SIGNATURES[name] + hmac.new(token.encode(), body, hashlib.sha256).hexdigest()
    given = {scheme["name"]: token}
    return (given, {}) if scheme["in"] == "header" else ({}, given)


@pytest.mark.parametrize(
    ("path", "scheme"),
    [
        (path, name)
        for path, _, operation in operations()
        if path in PATHS
        for each in operation.get("security") or DOCUMENT["security"]
        for name in each
    ],
)
def test_each_of_its_schemes_opens_the_door(doors: Doors, path: str, scheme: str) -> None:
    doors.post({"text": "Hello", "id": "k1"})
    body = b'{"text": "Hello"}'
    token = TOKEN if scheme in ("token", "bearer", "basic") else HOOK_TOKEN
    headers, query = with_token(scheme, token, body)
    method = "GET" if "get" in DOCUMENT["paths"][path] else "POST"
    response = requests.request(
        method,
        doors.url + PATHS[path],
        params=query,
        data=body,
        headers={**headers, "Content-Type": bodies.JSON},
        timeout=30,
    )
    assert response.status_code == 200, response.text


def test_it_has_each_header_that_the_hook_reads() -> None:
    schemes = DOCUMENT["components"]["securitySchemes"].values()
    given = {scheme["name"].lower() for scheme in schemes if scheme.get("in") == "header"}
    assert {*hook.TOKEN_HEADERS, *hook.SIGNATURE_HEADERS} < given
    parameters = DOCUMENT["paths"]["/hook/{name}"]["post"]["parameters"]
    assert hook.SNS_ID in [parameter["name"].lower() for parameter in parameters]


LARGE = "a" * (MAX_BODY_BYTES + 1)
HELLO = '{"text": "Hello"}'
# What is sent to have an answer: its status, the body, headers, and what is wrong with Telegram.
CASES: list[tuple[int, str, dict[str, str], str]] = [
    (200, HELLO, {}, "none"),
    (200, json.dumps({"text": "a" * 5000}), {}, "none"),
    (200, '{"text": "<b", "parse_mode": "HTML"}', {}, "none"),
    (202, HELLO, {}, "down"),
    (400, '{"text": ""}', {}, "none"),
    (401, HELLO, {"Authorization": ""}, "none"),
    (403, HELLO, {"Authorization": "wrong"}, "none"),
    (403, '{"text": "Hello", "chat_id": 7}', {}, "none"),
    (413, LARGE, {}, "none"),
    (415, "<text/>", {"Content-Type": "text/xml"}, "none"),
    (415, HELLO, {"Content-Encoding": "gzip"}, "none"),
    (422, '{"text": "Other", "id": "k1"}', {}, "none"),
    (502, HELLO, {}, "forbidden"),
]
GET_CASES: list[tuple[int, str, dict[str, str]]] = [
    (200, "k1", {}),
    (401, "k1", {"Authorization": ""}),
    (403, "k1", {"Authorization": "wrong"}),
    (404, "k2", {}),
    (415, "k1", {"Content-Type": "text/xml"}),
]
BEAT_CASES: list[tuple[int, str, dict[str, str]]] = [
    (200, "?every=26h", {}),
    (400, "", {}),
    (401, "?every=26h", {"Authorization": ""}),
    (403, "?every=26h", {"Authorization": "wrong"}),
    (415, "?every=26h", {"Content-Type": "text/xml"}),
]
ERRORS: list[BotteError | InvalidMessage] = [
    InvalidMessage("text", "is required"),
    InvalidMessage("chat_id", "not taken"),
    MessageInFlight("now"),
    IdReused("another"),
    Refused("403"),
    Unavailable("down"),
]


def answer_to(error: Exception) -> Answer:
    def fail() -> Answer:
        raise error

    return answer(fail)


@pytest.mark.parametrize(("status", "body", "headers", "fault"), CASES)
@pytest.mark.parametrize("path", ["/message", "/hook/{name}"])
def test_a_message_is_answered_as_it_says(
    doors: Doors, telegram: FakeTelegram, path: str, status: int, body: str, headers: dict[str, str], fault: str
) -> None:
    doors.post({"text": "Hello", "id": "k1"})
    telegram.set_fault({"kind": fault})
    given = {"Authorization": TOKEN, "Content-Type": bodies.JSON, **headers}
    response = requests.post(doors.url + PATHS[path], data=body, headers=given, timeout=30)
    assert response.status_code == status, response.text
    check_response(DOCUMENT["paths"][path]["post"], response)


@pytest.mark.parametrize(("status", "id", "headers"), GET_CASES)
def test_a_question_for_a_message_is_answered_as_it_says(
    doors: Doors, status: int, id: str, headers: dict[str, str]
) -> None:
    doors.post({"text": "Hello", "id": "k1"})
    response = requests.get(f"{doors.url}/message/{id}", headers={"Authorization": TOKEN, **headers}, timeout=30)
    assert response.status_code == status, response.text
    check_response(DOCUMENT["paths"]["/message/{id}"]["get"], response)


@pytest.mark.parametrize(("status", "query", "headers"), BEAT_CASES)
def test_a_heartbeat_is_answered_as_it_says(doors: Doors, status: int, query: str, headers: dict[str, str]) -> None:
    given = {"Authorization": TOKEN, **headers}
    response = requests.post(f"{doors.url}/heartbeat/nightly{query}", headers=given, timeout=30)
    assert response.status_code == status, response.text
    check_response(DOCUMENT["paths"]["/heartbeat/{name}"]["post"], response)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_it_has_each_error_that_the_door_can_answer(error: BotteError | InvalidMessage) -> None:
    given = answer_to(error)
    for path in ("/message", "/hook/{name}", "/heartbeat/{name}"):
        responses = DOCUMENT["paths"][path]["post"]["responses"]
        if path == "/heartbeat/{name}" and not isinstance(error, (InvalidMessage, Unavailable)):
            continue  # it is noted, and neither sent nor named by an id
        told = responses[str(given.status_code)]
        check_answer(told, given.body, {name: str(value) for name, value in given.headers.items()})
        assert isinstance(given.body, dict)
        assert told["content"][bodies.JSON]["example"]["Code"] == given.body["Code"]
        assert set(told.get("headers", {})) == set(given.headers)


def test_it_has_the_statuses_that_are_answered_and_no_other() -> None:
    raised = {str(answer_to(error).status_code) for error in ERRORS}
    gateway = {"429", "500", "502", "504"}
    posts = raised | {str(case[0]) for case in CASES} | gateway
    assert {(path, method): {*operation["responses"]} for path, method, operation in operations()} == {
        ("/message", "POST"): posts,
        ("/hook/{name}", "POST"): posts,
        ("/heartbeat/{name}", "POST"): {str(case[0]) for case in BEAT_CASES} | {"413", "503"} | gateway,
        ("/message/{id}", "GET"): {str(case[0]) for case in GET_CASES} | {"503"} | gateway,
        ("/telegram-webhook", "POST"): {"200", "401", "403", "413", "415", "503"} | gateway,
        **{(path, "GET"): {"200", "415"} | gateway for path in ("/health", "/version", "/openapi.json")},
    }


def test_it_has_what_opens_each_path() -> None:
    api_token = ["token", "bearer", "basic"]
    hook_token = [*api_token, "hookToken", "gitlabToken", "gotifyKey", "githubSignature", "sentrySignature"]
    opens = {
        path: [name for each in (operation if "security" in operation else DOCUMENT)["security"] for name in each]
        for path, _, operation in operations()
    }
    assert opens == {
        "/message": api_token,
        "/message/{id}": api_token,
        "/heartbeat/{name}": api_token,
        "/hook/{name}": hook_token,
        "/telegram-webhook": ["webhookSecret"],
        "/health": [],
        "/version": [],
        "/openapi.json": [],
    }


def test_it_has_the_parameters_of_a_message_and_of_a_hook() -> None:
    options = {"chat", "disable_notification", "protect_content", "message_thread_id", "deliver_at"}
    options |= {"collapse_key", "renotify", "ack", "escalate_after", "urgent"}
    found = {
        path: {parameter["name"] for parameter in DOCUMENT["paths"][path]["post"]["parameters"]}
        for path in ("/message", "/hook/{name}", "/heartbeat/{name}")
    }
    assert found == {
        "/message": {"Idempotency-Key", "sender_app", "parse_mode", *options},
        "/hook/{name}": {"name", "Idempotency-Key", "X-Amz-Sns-Message-Id", *options},
        "/heartbeat/{name}": {"name", "every", "chat", "sender_app"},
    }


def test_it_has_the_states_of_a_message() -> None:
    targets = {event.target for event in EVENTS.values() if event.target}
    assert sorted(SCHEMAS["Status"]["properties"]["status"]["enum"]) == sorted(targets)


def test_a_path_may_end_in_a_slash() -> None:
    assert get_document(SimpleNamespace(context={"path": "/api/openapi.json/"})) == document(VERSION, "/api")


@pytest.mark.parametrize("path", ["/health", "/version", "/openapi.json"])
def test_what_needs_no_token_is_answered_as_it_says(doors: Doors, path: str) -> None:
    for headers, status in (({}, 200), ({"Content-Type": "text/xml"}, 415)):
        response = requests.get(doors.url + path, headers=headers, timeout=30)
        assert response.status_code == status
        check_response(DOCUMENT["paths"][path]["get"], response)


def test_a_body_that_api_gateway_does_not_let_through_is_answered_as_it_says(doors: Doors) -> None:
    head = b"POST /message HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"
    status, body = doors.raw(head)
    check_answer(DOCUMENT["paths"]["/message"]["post"]["responses"][str(status)], body, {})


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_door_answers_whatever_comes_as_the_document_says(doors: Doors, telegram: FakeTelegram) -> None:
    """Hundreds of requests, valid and not, by a tool that knows nothing of Botte but its document."""
    root = APP_DIR.parent
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(root / "tests/schemathesis.toml")),
        *("run", f"{doors.url}/openapi.json", "--no-color", "--header", f"Authorization: {TOKEN}"),
        *("--header", f"X-Telegram-Bot-Api-Secret-Token: {WEBHOOK_SECRET}"),
    ]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=290, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"Test cases:\s+(\d{3,}) generated, \1 passed", run.stdout), run.stdout
    assert len(telegram.messages) > 100
