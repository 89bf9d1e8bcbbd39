"""What the four clients promise to have in common, and what they are made of."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import CLIENTS, ROOT, make_client, package

COMMON = {
    *("Accepted", "AuthenticationError", "BotteError", "Delivered", "InvalidMessage", "Message"),
    *("NotFound", "Refused", "Status", "Unavailable", "__version__"),
}
OF_HEARTBEATS = ("heartbeat", "every")
MORE_ARGUMENTS = {"dynamodb": ["message_group_id", "expires_in"], "sqs": ["message_group_id"]}
DISTRIBUTIONS = {"botocore": "boto3", "ksuid": "svix-ksuid"}


def client_class(name: str) -> Any:
    return getattr(package(name), f"Botte{name.capitalize()}Client")


def folder(name: str) -> Path:
    return ROOT / f"clients/botte-{name}-client"


def modules(name: str) -> list[Path]:
    """The files of the installed package."""
    return sorted(Path(package(name).__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("name", CLIENTS)
def test_the_public_names_are_the_same_but_for_the_clients_own(name: str) -> None:
    assert set(package(name).__all__) == COMMON | {client_class(name).__name__}
    assert package(name).__all__ == sorted(package(name).__all__)
    assert all(hasattr(package(name), public) for public in package(name).__all__)


@pytest.mark.parametrize("name", CLIENTS)
def test_send_message_takes_every_field_of_the_contract_and_the_same_in_all_clients(name: str) -> None:
    from botte_http_client._contract.message import FIELDS

    taken = [field for field in FIELDS if field not in OF_HEARTBEATS]
    parameters = list(inspect.signature(client_class(name).send_message).parameters.values())[1:]
    reference = list(inspect.signature(client_class("http").send_message).parameters.values())[1:]
    assert parameters[: len(taken)] == reference
    assert [parameter.name for parameter in reference] == taken
    assert [parameter.name for parameter in parameters[len(taken) :]] == MORE_ARGUMENTS.get(name, [])
    assert {parameter.kind for parameter in parameters[1:]} == {inspect.Parameter.KEYWORD_ONLY}
    assert all(parameter.default is None for parameter in parameters)


@pytest.mark.parametrize("name", CLIENTS)
def test_send_heartbeat_takes_the_same_in_all_clients(name: str) -> None:
    from botte_http_client._contract.message import HEARTBEAT_FIELDS

    parameters = inspect.signature(client_class(name).send_heartbeat).parameters
    assert parameters == inspect.signature(client_class("http").send_heartbeat).parameters
    assert [*parameters] == ["self", "name", *HEARTBEAT_FIELDS[1:]]


@pytest.mark.parametrize("name", CLIENTS)
def test_everything_public_is_documented_and_typed(name: str) -> None:
    assert inspect.getdoc(package(name))
    for public in set(package(name).__all__) - {"__version__"}:
        assert inspect.getdoc(getattr(package(name), public))
    for method, function in inspect.getmembers(client_class(name), inspect.isfunction):
        if not method.startswith("_"):
            assert inspect.getdoc(getattr(client_class(name), method)), method
            assert "return" in function.__annotations__, method
    assert Path(package(name).__file__).with_name("py.typed").exists()


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_imports_nothing_but_itself_and_what_it_declares(name: str) -> None:
    declared = set(re.findall(r'"([\w-]+)>=', (folder(name) / "pyproject.toml").read_text())) - {"setuptools"}
    used = set()
    root = Path(package(name).__file__).parent
    for module in modules(name):
        depth = len(module.relative_to(root).parts)
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Import):
                used |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level <= depth, "nothing above the package"
                used |= set() if node.level else {str(node.module).partition(".")[0]}
    foreign = {DISTRIBUTIONS.get(module, module) for module in used - set(sys.stdlib_module_names)}
    assert foreign == declared


@pytest.mark.parametrize("name", CLIENTS)
def test_the_changelog_has_the_version(name: str) -> None:
    assert metadata.version(f"botte-{name}-client") == package(name).__version__
    assert f"## {package(name).__version__}\n" in (folder(name) / "CHANGELOG.md").read_text()


LARGE_KEYBOARD = {"inline_keyboard": [[{"text": "x", "url": "https://example.com/" + "x" * 2000}] * 100]}
INVALID: list[tuple[dict[str, Any], str]] = [
    ({}, "text"),
    ({"text": " \u200b"}, "text"),
    ({"text": "x" * 262_145}, "text"),
    ({"text": "x\n" * 131_000}, "body"),
    ({"text": "x", "id": "two words"}, "id"),
    ({"text": "x", "parse_mode": "Markdown"}, "parse_mode"),
    ({"text": "x", "photo": "http://example.com/x.png"}, "photo"),
    ({"text": "x", "deliver_at": 2**40}, "deliver_at"),
    ({"text": "x", "message_thread_id": "7"}, "message_thread_id"),
    ({"text": "é" * 32_000, "reply_markup": LARGE_KEYBOARD}, "body"),
    ({"text": "x", "collapse_key": "two words"}, "collapse_key"),
    ({"text": "x", "renotify": True}, "renotify"),
    ({"text": "x", "ack": True}, "ack"),
    ({"text": "x", "collapse_key": "k", "escalate_after": 60}, "escalate_after"),
    ({"text": "x", "collapse_key": "k", "ack": True, "escalate_after": "1m"}, "escalate_after"),
    ({"text": "x", "urgent": True, "disable_notification": True}, "urgent"),
]
INVALID_HEARTBEATS: list[tuple[str, dict[str, Any], str]] = [
    ("two words", {"every": 60}, "heartbeat"),
    ("", {"every": 60}, "heartbeat"),
    ("nightly", {"every": "soon"}, "every"),
    ("nightly", {"every": 0}, "every"),
    ("nightly", {"every": None}, "every"),
    ("nightly", {"every": 60, "chat": ""}, "chat"),
]


@pytest.mark.parametrize("name", CLIENTS)
def test_an_invalid_message_is_refused_before_anything_leaves_the_machine(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOTTE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with make_client(name) as client:
        for given, field in INVALID:
            with pytest.raises(package(name).InvalidMessage) as caught:
                client.send_message(**given)
            assert caught.value.field == field
            assert isinstance(caught.value, ValueError)
        for beat, given, field in INVALID_HEARTBEATS:
            with pytest.raises(package(name).InvalidMessage) as caught:
                client.send_heartbeat(beat, **given)
            assert caught.value.field == field


@pytest.mark.parametrize("name", ["dynamodb", "sqs"])
def test_a_batch_has_no_heartbeats(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have no id to be told by; and it says what sends them."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    own = package(name)
    with make_client(name) as client, pytest.raises(own.InvalidMessage, match="heartbeat: is sent by send_heartbeat"):
        client.send_messages([own.Message(text="x"), own.Message(heartbeat="nightly", every=60)])


@pytest.mark.parametrize("name", ["http", "dynamodb"])
@pytest.mark.parametrize("id", ["", "two words", "x" * 256])
def test_the_status_of_what_is_no_id_is_not_asked_for(name: str, id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTTE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with make_client(name) as client, pytest.raises(package(name).InvalidMessage, match="id: must be"):
        client.get_status(id)


@pytest.mark.parametrize(
    ("name", "variable"),
    [("http", "BOTTE_URL"), ("lambda", "BOTTE_FUNCTION"), ("dynamodb", "BOTTE_TABLE"), ("sqs", "BOTTE_QUEUE")],
)
def test_without_an_address_the_error_tells_which_variable_to_set(
    name: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(variable)
    with pytest.raises(package(name).NotFound, match=variable):
        make_client(name)


@pytest.mark.parametrize("name", CLIENTS)
def test_the_errors_are_told_apart_by_what_is_to_be_done(name: str) -> None:
    own = package(name)
    for error in (own.AuthenticationError, own.NotFound, own.Refused, own.Unavailable):
        assert issubclass(error, own.BotteError)
    error = own.Unavailable("no answer", retry_after=3.0)
    assert (error.id, error.unsent, error.retry_after) == (None, (), 3.0)
    assert str(error) == "no answer. Try again later."
    error.id = "k1"
    assert str(error) == "no answer. Send it again later, with the id k1."
