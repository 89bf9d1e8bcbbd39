"""What watches whether something is up: its end is told where its beginning was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib import senders

SAMPLES = Path(__file__).parent / "samples"


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def fields(payload: object) -> dict[str, Any]:
    recognised = senders.recognise(payload)
    assert recognised is not None
    return recognised.fields


@pytest.mark.parametrize("sender", ["uptime_kuma", "uptime_robot"])
def test_what_is_up_again_takes_the_place_of_what_was_down(sender: str) -> None:
    """It comes without a sound."""
    down, up = fields(sample(sender)), fields(sample(f"{sender}_up"))
    assert down["collapse_key"] == up["collapse_key"]
    assert "disable_notification" not in down
    assert up["disable_notification"] is True


@pytest.mark.parametrize("sender", ["uptime_kuma", "uptime_robot"])
def test_a_certificate_that_expires_takes_nobodys_place(sender: str) -> None:
    assert "collapse_key" not in fields(sample(f"{sender}_certificate"))


def test_a_monitor_without_its_number_stands_for_itself() -> None:
    down = sample("uptime_kuma")
    assert "collapse_key" not in fields(down | {"monitor": down["monitor"] | {"id": None}})
    assert "collapse_key" not in fields(sample("uptime_robot") | {"monitorID": None, "monitorURL": ""})


@pytest.mark.parametrize(
    ("status", "head"),
    [
        (0, "🔴 <b>Website is down</b>"),
        (1, "🟢 <b>Website is up</b>"),
        (2, "🟡 <b>Website is pending</b>"),
        (3, "🟡 <b>Website is in maintenance</b>"),
        (4, "<b>[Website] [🔴 Down] timeout of 48000ms exceeded</b>"),
    ],
)
def test_the_first_line_tells_the_state_of_a_monitor(status: int, head: str) -> None:
    """A state that is new in Uptime Kuma is shown in its own words."""
    down = sample("uptime_kuma")
    assert fields(down | {"heartbeat": down["heartbeat"] | {"status": status}})["text"].splitlines()[0] == head


def test_a_password_in_a_monitors_address_is_not_shown() -> None:
    """Nor is what it signs in with."""
    down = sample("uptime_kuma")
    secrets = {"url": "https://ann:secret@example.com/", "basic_auth_pass": "secret", "headers": '{"x": "secret"}'}
    assert "secret" not in str(fields(down | {"monitor": down["monitor"] | secrets}))


@pytest.mark.parametrize("kind", ["1", 1, None, "*alertType*"])
def test_uptimerobot_tells_the_state_by_number_or_by_name(kind: object) -> None:
    assert fields(sample("uptime_robot") | {"alertType": kind})["text"].startswith("🔴 <b>Shop is down</b>")


@pytest.mark.parametrize(
    "payload",
    [
        {"heartbeat": {}, "monitor": {}},
        {"monitor": {"name": "cpu"}, "msg": "hi", "status": 1},
        {"monitorFriendlyName": "Shop"},
        {"monitorFriendlyName": "*monitorFriendlyName*", "alertType": "1"},
        {"alertType": "1", "alertDetails": "HTTP 503"},
    ],
)
def test_what_only_resembles_a_monitor_is_not_taken_for_one(payload: object) -> None:
    assert senders.recognise(payload) is None
