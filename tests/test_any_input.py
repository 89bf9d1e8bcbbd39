"""Whatever comes through a queue door is delivered, or parked for one of five reasons; it never breaks the door."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib.contract.message import FIELDS
from chalicelib.contract.task import to_attribute
from chalicelib.doors.stream import Tasks
from chalicelib.outbox.table import Outbox
from chalicelib.relay import Relay
from chalicelib.settings import Parameters
from chalicelib.telegram.bot_api import Telegram
from tests.conftest import PARAMETERS
from tests.doors import Clock, MemoryRows, RelaySources, item, queue_record, stream_record, texts
from tests.outbox.memory_table import MemoryTable
from tests.outbox.steps import TasksInMemory
from tools.dev.fake_telegram import FakeTelegram

EXAMPLES = 50
REASONS = re.compile(
    r"""
    # There are no words, or none that anybody can read, or none that Telegram sees.
    text:\ (is\ required|has\ nothing\ to\ show) | Payload[^:]*:\ | 400\ Bad\ Request:\ message\ text\ is\ empty
    | body:\ must\ be\ at\ most | text:\ has\ [0-9,]+\ bytes  # too large
    | chat:\ must\ be | unknown\ chat;  # no chat of that name
    | chat_id:\ raw\ chat\ ids\ are\ not\ taken
    | id:\ names\ another\ message
    """,
    re.VERBOSE,
)

STRINGS = st.text(st.characters(codec=None), max_size=20)  # lone surrogates, too
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | STRINGS
URLS = st.builds("{}://{}".format, st.sampled_from(["http", "https", "file", "x"]), st.text(max_size=20))
BUTTONS = st.dictionaries(st.sampled_from(["text", "url", "callback_data"]), URLS | SCALARS)
KEYBOARDS = st.fixed_dictionaries({"inline_keyboard": st.lists(st.lists(BUTTONS, max_size=3), max_size=3)})
MODES = st.sampled_from(["HTML", "html", "MarkdownV2", "markdown"])
MARKUP = st.lists(st.sampled_from(["<b>", "</b>", "*", "_", "\\", "&lt;", "a", " ", "\n"]), max_size=6).map("".join)
LEAVES = SCALARS | URLS | KEYBOARDS | MODES | MARKUP
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
NAMES = st.sampled_from([*FIELDS, "chat_id", "Type", "Message", "Records", "detail-type"]) | st.text(max_size=3)
ANYTHING = VALUES | st.dictionaries(NAMES, VALUES, max_size=4)
OPTIONS = st.dictionaries(
    st.sampled_from([name for name in FIELDS if name not in ("text", "chat")]), VALUES, max_size=6
)

TYPES = st.sampled_from(["S", "N", "BOOL", "NULL", "M", "L", "B", "SS", "NS", "BS", "ZZ"])
ATTRIBUTES = st.recursive(
    VALUES.map(to_attribute) | st.dictionaries(TYPES, SCALARS, max_size=2),
    lambda inner: (
        st.fixed_dictionaries({"L": st.lists(inner, max_size=3)})
        | st.fixed_dictionaries({"M": st.dictionaries(NAMES, inner, max_size=4)})
    ),
    max_leaves=6,
)


class Door:
    """The queue doors of a relay of its own, on a table of its own."""

    def __init__(self, telegram: FakeTelegram) -> None:
        telegram.clear()
        self._telegram = telegram
        values = {f"/p/{name}": value for name, _, value in PARAMETERS}
        clock, memory = Clock(), MemoryTable()
        parameters = Parameters("/p", lambda _: values, clock=clock)
        outbox = Outbox(memory, clock=clock, sleep=clock.sleep)
        sender = Telegram(telegram.url, parameters.bot_token)
        relay = Relay(sender, outbox, parameters, clock=clock, sleep=clock.sleep)
        tasks = Tasks(TasksInMemory(), clock=clock)  # type: ignore[arg-type]
        self._sources = RelaySources(relay, tasks, clock)
        self._rows = MemoryRows(memory)

    def queue(self, body: str) -> tuple[dict[str, Any], str]:
        """What became of a queue's message: its row, and what the chat shows."""
        self._sources.queue(queue_record(body, "m1"))
        return self._end()

    def stream(self, image: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """What became of an item: its row, and what the chat shows."""
        self._sources.stream(stream_record(image))
        return self._end()

    def _end(self) -> tuple[dict[str, Any], str]:
        (row,) = (each for each in self._rows.items() if "Status" in each)
        return row, "\n".join(texts(self._telegram.messages))


def assert_ended_well(row: dict[str, Any]) -> None:
    assert row["Status"]["S"] in ("SENT", "PENDING", "FAILED")
    if row["Status"]["S"] == "PENDING":
        assert float(row["DueTs"]["N"]) > float(row["AcceptedTs"]["N"])
    if row["Status"]["S"] == "FAILED":
        assert REASONS.match(row["LastError"]["S"]), row["LastError"]


@settings(max_examples=EXAMPLES, deadline=None)
@given(ANYTHING.map(json.dumps) | STRINGS)
@example('{"text": "<b></b>", "parse_mode": "HTML"}')
@example('{"text": "\\u2800", "parse_mode": "HTML"}')
@example('{"text": "a", "reply_markup": ' + "[" * 255 + "]" * 255 + "}")
@example('{"Type": "Notification", "Message": ' * 128 + "1" + "}" * 128)
@example('{"text": {"a": "\\ud800"}, "sender_app": {"\\ud800": 1e308}}')
def test_any_body_of_the_queue_is_delivered_or_parked_for_a_known_reason(
    fake_telegram: FakeTelegram, body: str
) -> None:
    """JSON or not, Botte's or not."""
    row, _ = Door(fake_telegram).queue(body)
    assert_ended_well(row)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.none() | ATTRIBUTES | st.dictionaries(NAMES, ATTRIBUTES, max_size=5).map(lambda payload: {"M": payload}))
@example({"M": {"text": {"N": "1" * 38}, "photo": {"B": "YQ=="}}})
@example({"S": "\ud800"})
def test_any_payload_of_a_task_is_delivered_or_parked_for_a_known_reason(
    fake_telegram: FakeTelegram, payload: dict[str, Any] | None
) -> None:
    """Of DynamoDB's types or of none."""
    image = item({}, sort_key="s1", Payload=payload)
    row, _ = Door(fake_telegram).stream({name: value for name, value in image.items() if value is not None})
    assert_ended_well(row)


@pytest.mark.parametrize("door", ["queue", "stream"])
@settings(max_examples=EXAMPLES, deadline=None)
@given(OPTIONS, st.dictionaries(st.text(max_size=3), VALUES, max_size=2))
@example({"deliver_at": 10**400}, {})
@example({"id": "", "photo": "http://x/", "document": "https://a.example/b"}, {"chat_id": None})
@example({"parse_mode": "MarkdownV2", "reply_markup": [{"url": "http://a_b/", "text": "*"}]}, {})
def test_words_go_out_whatever_stands_beside_them(
    fake_telegram: FakeTelegram, door: str, options: dict[str, Any], more: dict[str, Any]
) -> None:
    """No option is a reason to park a message."""
    fields = {**more, **options, "text": "disk full"}
    if door == "queue":
        row, shown = Door(fake_telegram).queue(json.dumps(fields))
    else:
        payload = {name: to_attribute(value) for name, value in fields.items()}
        row, shown = Door(fake_telegram).stream(item(payload, sort_key="s1"))
    assert row["Status"]["S"] in ("SENT", "PENDING"), row["LastError"]
    assert_ended_well(row)
    assert shown.startswith("disk full") or row["Status"]["S"] == "PENDING"
