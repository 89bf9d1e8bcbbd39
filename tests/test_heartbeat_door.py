"""``POST /heartbeat/<name>``: a heartbeat in the address, as a shell sends it."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.contract.message import Message
from chalicelib.doors.http import Answer, post_heartbeat
from chalicelib.relay import Delivered
from chalicelib.settings import Parameters
from tests.doors import request

NOW = 1_800_000_000.0

pytestmark = pytest.mark.outbox("memory")


class Noted:
    """Stands for the relay: notes the heartbeats, and tells when the next are due."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def new_id(self) -> str:
        return "spare"

    def accept(self, message: Message, **_: object) -> Delivered:
        self.messages.append(message)
        return Delivered({"heartbeat": message.heartbeat, "due_at": NOW + (message.every or 0)})


@pytest.fixture
def noted() -> Noted:
    return Noted()


def post(noted: Any, parameters: Parameters, name: str, query: str, body: str = "", **headers: str) -> Answer:
    return post_heartbeat(noted, parameters, request(body, query, headers), name, NOW)


@pytest.mark.parametrize(
    ("name", "query", "message"),
    [
        ("nightly", "every=26h", Message(heartbeat="nightly", every=93_600)),
        ("7", "every=60", Message(heartbeat="7", every=60)),
        ("db%2F1", "every=1d", Message(heartbeat="db/1", every=86_400)),
        (
            "nightly",
            "every=26h&chat=ops&sender_app=cron",
            Message(heartbeat="nightly", every=93_600, chat="ops", sender_app="cron"),
        ),
    ],
)
def test_a_heartbeat_stands_in_the_address(
    noted: Noted, parameters: Parameters, name: str, query: str, message: Message
) -> None:
    due = NOW + (message.every or 0)
    assert post(noted, parameters, name, query) == ({"heartbeat": message.heartbeat, "due_at": due}, {}, 200)
    assert noted.messages == [message]


@pytest.mark.parametrize(
    ("name", "query", "reason"),
    [
        ("nightly", "", "every: is required with a heartbeat: when the next one comes at the latest"),
        ("nightly", "every=soon", "every: must be a number of seconds, or a text such as 45s, 90m, 26h or 2d"),
        ("nightly", "every=1h&every=2h", "every: must be an integer, not a list"),
        ("nightly", "every=26h&text=a", "text: a heartbeat has no text; it takes every, chat, sender_app"),
        ("nightly", "every=26h&urgent=true", "urgent: a heartbeat has no urgent; it takes every, chat, sender_app"),
        ("nightly", "every=26h&tset=a", "tset: unknown field; the fields are "),
        ("nightly", "every=26h&heartbeat=hourly", "heartbeat: is given in the query and in the path"),
        ("two%20words", "every=26h", "heartbeat: must be 1 to 64 visible ASCII characters, without spaces"),
    ],
)
def test_what_is_wrong_with_it_is_told(
    noted: Noted, parameters: Parameters, name: str, query: str, reason: str
) -> None:
    answer = post(noted, parameters, name, query)
    assert answer.status_code == 400
    assert isinstance(answer.body, dict)
    assert answer.body["Message"].startswith(reason)
    assert noted.messages == []


@pytest.mark.parametrize(("token", "status"), [("", 401), ("wrong", 403), ("local-hook-token", 403)])
def test_it_needs_an_api_token(noted: Noted, parameters: Parameters, token: str, status: int) -> None:
    assert post(noted, parameters, "nightly", "every=26h", Authorization=token).status_code == status
    assert noted.messages == []


def test_a_raw_chat_id_is_forbidden(noted: Noted, parameters: Parameters) -> None:
    assert post(noted, parameters, "nightly", "every=26h&chat_id=7").status_code == 403
    assert noted.messages == []
