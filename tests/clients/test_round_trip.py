"""Each field of the contract, through each client and the running app, to Telegram."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from chalicelib.contract.message import FIELDS
from tests.clients.conftest import CLIENTS, OPS_CHAT_ID, RunningTwin, arrived, package, shared_client
from tools.dev.fake_telegram import FakeTelegram

KEYBOARD = {"inline_keyboard": [[{"text": "Open", "url": "https://example.com/"}]]}
PREVIEW = {"url": "https://example.com/", "prefer_small_media": True, "show_above_text": True}
PICTURE = "https://example.com/chart.png"

# What is sent with the text, and what Telegram then has.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "text": ({}, {"method": "sendMessage"}),
    "sender_app": ({"sender_app": "backup"}, {}),
    "id": ({"id": "round-trip-{client}"}, {}),
    "chat": ({"chat": "ops"}, {"chat_id": OPS_CHAT_ID}),
    "parse_mode": ({"parse_mode": "HTML"}, {"entities": [{"type": "bold", "offset": 0, "length": 4}]}),
    "disable_notification": ({"disable_notification": True}, {"disable_notification": True}),
    "protect_content": ({"protect_content": True}, {"protect_content": True}),
    "message_thread_id": ({"message_thread_id": 7}, {"message_thread_id": 7}),
    "link_preview_options": ({"link_preview_options": PREVIEW}, {"link_preview_options": PREVIEW}),
    "reply_markup": ({"reply_markup": KEYBOARD}, {"reply_markup": KEYBOARD}),
    "photo": ({"photo": PICTURE}, {"method": "sendPhoto"}),
    "document": ({"document": PICTURE}, {"method": "sendDocument"}),
    "deliver_at": ({"deliver_at": int(time.time()) - 5}, {}),
    "collapse_key": ({"collapse_key": "key-{client}"}, {}),
    "renotify": ({"collapse_key": "renotify-{client}", "renotify": True}, {}),
    "ack": ({"collapse_key": "ack-{client}", "ack": True}, {}),
    "escalate_after": ({"collapse_key": "escalate-{client}", "ack": True, "escalate_after": 3600}, {}),
    "urgent": ({"urgent": True}, {}),
}


def test_every_field_has_a_case() -> None:
    assert tuple(CASES) == tuple(field for field in FIELDS if field not in ("heartbeat", "every"))


@pytest.mark.parametrize("field", CASES)
@pytest.mark.parametrize("name", CLIENTS)
def test_a_field_arrives(twin: RunningTwin, telegram: FakeTelegram, name: str, field: str) -> None:
    given, expected = CASES[field]
    given = {key: value.format(client=name) if isinstance(value, str) else value for key, value in given.items()}
    text = f"{field} through {name}, Grüße 🎉 & more"
    written = f"<b>{text[:4]}</b>{text[4:]}".replace("&", "&amp;") if field == "parse_mode" else text
    result = shared_client(name).send_message(written, **given)
    [message] = arrived(telegram, text)
    assert {key: message[key] for key in expected} == expected
    if isinstance(result, package(name).Delivered):
        assert result.message_id == result.message["message_id"] == message["message_id"]
        id = given.get("id")
    else:
        id = result.id
        assert id == given.get("id", id)
    if id is not None and "collapse_key" not in given:  # what is shown under a key has a row of its own
        kept = json.loads(twin.row(f"BOTTE_MESSAGE#{id}", id)["Message"]["S"])
        assert kept == {"text": written, "id": id, **given}


@pytest.mark.parametrize("name", CLIENTS)
def test_a_time_to_come_is_kept(twin: RunningTwin, telegram: FakeTelegram, name: str) -> None:
    at = int(time.time()) + 3600
    result = shared_client(name).send_message("later", id=f"later-{name}", deliver_at=at)
    assert result == package(name).Accepted(f"later-{name}")
    row: dict[str, Any] = {}
    ends = time.monotonic() + 10
    while "DueTs" not in row and time.monotonic() < ends:
        row = twin.row(f"BOTTE_MESSAGE#later-{name}", f"later-{name}")
    assert (row["Status"]["S"], float(row["DueTs"]["N"])) == ("PENDING", at)


@pytest.mark.parametrize("name", CLIENTS)
def test_a_heartbeat_arrives(twin: RunningTwin, telegram: FakeTelegram, name: str) -> None:
    """It is noted when the next one is due, and nothing is in the chat."""
    due_at = shared_client(name).send_heartbeat(f"beat/{name}", every="26h", chat="ops", sender_app="cron")
    row: dict[str, Any] = {}
    ends = time.monotonic() + 10
    while not row and time.monotonic() < ends:
        row = twin.row("HEARTBEATS", f"beat/{name}")
    kept = {key: row[key] for key in ("Chat", "Every", "SenderApp")}
    assert kept == {"Chat": {"S": "ops"}, "Every": {"N": "93600"}, "SenderApp": {"S": "cron"}}
    assert float(row["DueTs"]["N"]) == pytest.approx(time.time() + 93_600, abs=20)
    assert due_at is None or due_at == pytest.approx(float(row["DueTs"]["N"]), abs=1)
    assert (due_at is None) == (name in ("dynamodb", "sqs"))
    assert not telegram.messages


@pytest.mark.parametrize("name", CLIENTS)
def test_an_id_is_delivered_once_whatever_the_client(telegram: FakeTelegram, name: str) -> None:
    for each in (name, *CLIENTS, name):
        shared_client(each).send_message(f"once, first by {name}", id=f"once-{name}")
        arrived(telegram, f"once, first by {name}")
