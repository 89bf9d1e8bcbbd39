"""Messages made for the push services: how urgent they are, what they link to, and what is not to be shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib import senders
from chalicelib.telegram.markup import parse

SAMPLES = Path(__file__).parent / "samples"


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def fields(payload: object) -> dict[str, Any]:
    recognised = senders.recognise(payload)
    assert recognised is not None
    return recognised.fields


def words(payload: object) -> str:
    found = fields(payload)
    return parse(found["text"], found.get("parse_mode")).words


def is_quiet(payload: object) -> bool:
    return fields(payload).get("disable_notification", False) is True


@pytest.mark.parametrize(
    ("payload", "sender"),
    [
        ({"topic": "ops"}, "ntfy"),
        ({"topic": "ops", "message": "hi"}, "ntfy"),
        ({"topic": "ops", "title": "hi", "new in 2030": True}, "ntfy"),
        ({"body": "hi", "type": "info"}, "apprise"),
        ({"body": "hi", "tag": "ops"}, "apprise"),
        ({"body": "hi", "tags": ["ops"]}, "apprise"),
        ({"body": "hi", "urls": "json://example.com"}, "apprise"),
        ({"body": "hi", "format": "markdown"}, "apprise"),
        ({"version": "1.0", "title": "", "message": "hi", "type": "warning"}, "apprise"),
        ({"message": "hi", "priority": 5}, "gotify"),
        ({"title": "hi", "message": "hi", "priority": 0, "extras": {}}, "gotify"),
        ({"token": "a", "user": "b", "message": "hi"}, "pushover"),
        ({"title": "Disk", "message": "full"}, "titled"),
        ({"subject": "Disk", "body": "full"}, "titled"),
        ({"Title": "Disk", "Description": "full"}, "titled"),
        ({"title": "Disk", "text": "full"}, "titled"),
        ({"title": "Disk", "message": "full", "id": 5}, "titled"),
        ({"level": "error", "msg": "cannot connect"}, "titled"),
        ({"severity": "INFO", "message": "started"}, "titled"),
    ],
)
def test_a_message_is_known_by_its_smallest_shape(payload: object, sender: str) -> None:
    recognised = senders.recognise(payload)
    assert recognised is not None
    assert recognised.sender == sender


@pytest.mark.parametrize(
    "payload",
    [
        {"topic": "ops", "message": "hi", "text": "hi"},
        {"topic": "ops", "payload": "hi"},
        {"topic": ["ops"], "message": "hi"},
        {"body": "hi"},
        {"body": "hi", "type": "comment"},
        {"body": ["hi"], "tag": "ops"},
        {"message": "hi"},
        {"message": "hi", "version": "1.0"},
        {"message": "hi", "token": "a"},
        {"title": "hi"},
        {"title": "Disk", "message": ["full"]},
        {"title": "Disk", "message": "full", "chat": "ops"},
        {"title": "Disk", "text": "full", "id": "m-1"},
        {"text": "hi", "type": "error"},
        {"status": "ok"},
        {"status": 200, "message": "OK"},
    ],
)
def test_what_only_resembles_a_message_is_not_taken_for_one(payload: object) -> None:
    assert senders.recognise(payload) is None


@pytest.mark.parametrize(
    ("priority", "head", "quiet"),
    [(1, "", True), (2, "", True), (3, "", False), (None, "", False), (4, "❗ ", False), ("5", "❗ ", False)],
)
def test_the_priority_of_ntfy_decides_on_the_sound(priority: object, head: str, quiet: bool) -> None:
    payload = {"topic": "ops", "message": "hi", "priority": priority}
    assert words(payload) == f"{head}hi"
    assert is_quiet(payload) is quiet


@pytest.mark.parametrize(
    ("tags", "shown"),
    [
        (["rotating_light", "db1"], "🔴 hi\nTags: db1"),
        (["warning"], "🟡 hi"),
        (["db1", "white_check_mark"], "🟢 hi\nTags: db1"),
        (["db1"], "❗ hi\nTags: db1"),
        ("warning", "❗ hi"),
    ],
)
def test_a_tag_of_ntfy_is_a_mark_or_is_shown(tags: object, shown: str) -> None:
    assert words({"topic": "ops", "message": "hi", "priority": 5, "tags": tags}) == shown


@pytest.mark.parametrize(
    ("payload", "head", "quiet"),
    [
        *[({"priority": priority}, "", True) for priority in (0, 1, 3)],
        *[({"priority": priority}, "", False) for priority in (4, 5, 7)],
        *[({"priority": priority}, "❗ ", False) for priority in (8, 10)],
        *[({"token": "a", "user": "b", "priority": priority}, "", True) for priority in (-2, "-1")],
        *[({"token": "a", "user": "b", "priority": priority}, "", False) for priority in (0, None, "high")],
        *[({"token": "a", "user": "b", "priority": priority}, "❗ ", False) for priority in (1, "2")],
    ],
)
def test_a_priority_is_read_on_its_services_scale(payload: dict[str, Any], head: str, quiet: bool) -> None:
    message = {"message": "hi", **payload}
    assert words(message) == f"{head}hi"
    assert is_quiet(message) is quiet


@pytest.mark.parametrize(
    ("level", "head", "quiet"),
    [
        *[(level, "🔴 ", False) for level in ("critical", "ERROR", "down", "firing", "Failed")],
        *[(level, "🟡 ", False) for level in ("warning", "warn")],
        *[(level, "🟢 ", True) for level in ("ok", "Resolved", "success", "up")],
    ],
)
@pytest.mark.parametrize("name", ["severity", "level", "status", "state", "Type"])
def test_a_usual_word_for_a_state_is_a_mark(name: str, level: str, head: str, quiet: bool) -> None:
    message = {"title": "Disk", "message": "full", name: level}
    assert words(message) == f"{head}Disk\nfull"
    assert is_quiet(message) is quiet


def test_an_unusual_word_for_a_state_is_shown() -> None:
    message = {"title": "Disk", "message": "full", "severity": "page", "status": "open", "priority": 3}
    assert words(message) == "Disk\nseverity: page\nstatus: open\npriority: 3\n\nfull"
    assert words(message | {"status": "down"}) == "🔴 Disk\nseverity: page\npriority: 3\n\nfull"


def test_what_else_is_in_an_object_is_shown_once() -> None:
    """A few short values stand below the title, many in a quote that opens on a tap. The chat shows the time itself."""
    message = {"title": "Disk", "message": "Disk", "summary": "Disk", "host": {"name": "db1"}, "timestamp": 1795773600}
    assert words(message) == "Disk\nhost.name: db1"
    many = message | {f"n{number}": number for number in range(5)}
    assert "<blockquote expandable>host.name: db1\nn0: 0\n" in fields(many)["text"]


def test_what_grants_access_is_not_shown() -> None:
    """Whoever knows a topic of ntfy may read it; an address of Apprise has passwords; Pushover takes a token."""
    assert sample("pushover")["token"] not in str(fields(sample("pushover")))
    assert sample("pushover")["user"] not in str(fields(sample("pushover")))
    assert "mytopic" not in str(fields(sample("ntfy")))
    assert "mytopic" not in str(fields({"topic": "mytopic"}))
    assert "user:pass" not in str(fields(sample("apprise_api")))


@pytest.mark.parametrize(
    ("kind", "head", "quiet"),
    [("info", "", False), ("success", "🟢 ", True), ("warning", "🟡 ", False), ("failure", "🔴 ", False)],
)
def test_the_type_of_apprise_is_a_mark(kind: str, head: str, quiet: bool) -> None:
    for payload in (sample("apprise_json") | {"type": kind}, {"title": "Backup failed", "body": "x", "type": kind}):
        assert words(payload).startswith(f"{head}Backup failed\n")
        assert is_quiet(payload) is quiet


def test_words_that_are_not_said_to_be_markdown_stay_as_they_are() -> None:
    markdown = "**a** [b](https://example.com)"
    assert words({"topic": "ops", "message": markdown}) == markdown
    assert words({"body": markdown, "format": "text"}) == markdown
    assert words({"topic": "ops", "message": markdown, "markdown": True}) == "a b"
    assert words({"body": markdown, "format": "Markdown"}) == "a b"
    assert words({"body": "<b>a</b> &lt;", "format": "html"}) == "a <"
