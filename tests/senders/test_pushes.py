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
    ],
)
def test_a_message_is_known_by_its_smallest_shape(payload: object, sender: str) -> None:
    recognised = senders.recognise(payload)
    assert recognised is not None
    assert recognised.sender == sender


@pytest.mark.parametrize(
    "payload",
    [
        {"topic": "ops", "text": "hi"},
        {"topic": "ops", "payload": "hi"},
        {"topic": ["ops"], "message": "hi"},
        {"body": "hi"},
        {"body": "hi", "type": "comment"},
        {"body": ["hi"], "tag": "ops"},
        {"message": "hi"},
        {"message": "hi", "version": "1.0"},
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


def test_what_grants_access_is_not_shown() -> None:
    """Whoever knows a topic of ntfy may read it; an address of Apprise has passwords."""
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
