"""The document of the HTTP door: it says what the code does, and the door does what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chalice.deploy.validate import validate_route_content_types
from jsonschema_rs import Draft202012Validator
from openapi_spec_validator import validate

from chalicelib.contract.message import FIELDS, PARSE_MODES, InvalidMessage, Message
from chalicelib.doors.http import answer
from chalicelib.doors.openapi import document
from chalicelib.errors import BotteError, IdReused, MessageInFlight, Refused, Unavailable
from chalicelib.settings import VERSION
from tests.doors import TOKEN, Doors

DOCUMENT = document(VERSION)
SCHEMA = DOCUMENT["components"]["schemas"]["Message"]
CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance"),
    *("response_schema_conformance", "unsupported_method", "ignored_auth"),
)


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def test_it_is_openapi() -> None:
    validate(DOCUMENT)


def test_it_is_served_without_a_token(doors: Doors) -> None:
    served = doors.get("/openapi.json", token=None)
    assert served.status_code == 200
    assert served.json() == DOCUMENT


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
    assert tuple(SCHEMA["properties"]) == FIELDS
    assert tuple(DOCUMENT["components"]["schemas"]["Form"]["properties"]) == FIELDS


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("id", "~" * 255, "~" * 256),
        ("chat", "c" * 64, "c" * 65),
        ("photo", "https://a.example/" + "a" * 2030, "https://a.example/" + "a" * 2031),
        ("message_thread_id", 2**53 - 1, 2**53),
        ("message_thread_id", 1, 0),
        ("deliver_at", 0, -1),
        *(("parse_mode", mode.swapcase(), mode + "x") for mode in PARSE_MODES),
    ],
)
def test_the_limits_are_those_of_the_contract(field: str, good: Any, bad: Any) -> None:
    valid = Draft202012Validator(SCHEMA).is_valid
    assert valid({"text": "a", field: good})
    assert Message.from_fields({"text": "a", field: good}, now=0.0)
    assert not valid({"text": "a", field: bad})
    with pytest.raises(InvalidMessage):
        Message.from_fields({"text": "a", field: bad}, now=0.0)


@pytest.mark.parametrize(
    "error",
    [
        InvalidMessage("text", "is required"),
        InvalidMessage("chat_id", "not taken"),
        MessageInFlight("now"),
        IdReused("another"),
        Refused("403"),
        Unavailable("down"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_it_has_each_error_that_the_door_can_answer(error: BotteError | InvalidMessage) -> None:
    def fail() -> Any:
        raise error

    given = answer(fail)
    for path in ("/message", "/hook/{name}"):
        told = DOCUMENT["paths"][path]["post"]["responses"][str(given.status_code)]
        assert isinstance(given.body, dict)
        assert told["content"]["application/json"]["example"]["Code"] == given.body["Code"]
        assert set(told.get("headers", {})) == set(given.headers)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_door_answers_whatever_comes_as_the_document_says(doors: Doors) -> None:
    """Hundreds of requests, valid and not, by a tool that knows nothing of Botte but its document."""
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{doors.url}/openapi.json", "--url", doors.url),
        *("--header", f"Authorization: {TOKEN}", "--checks", ",".join(CHECKS)),
        *("--seed", "1", "--max-examples", "40", "--phases", "examples,coverage,fuzzing", "--no-color"),
    ]
    report = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False).stdout
    assert re.search(r"Test cases:\s+(\d{3,}) generated, \1 passed", report), report
