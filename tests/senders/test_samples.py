"""Each sample of a sender, as it looks in the chat, and what is left of it when its fields are not what they should be.

``samples/<name>.json`` is a payload with the sender's true field names, ``samples/<name>.txt`` what
``python -m tools.senders`` prints of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from chalicelib import senders
from chalicelib.contract.message import Message
from chalicelib.telegram.markup import parse
from tools.senders import show

SAMPLES = sorted(Path(__file__).parent.glob("samples/*.json"))
ODD: list[Any] = [None, "", 0, True, ["x"], {"a": {"b": None}}, "<b>&</b>", "x" * 40_000, "\ud800 \x00"]


def changed(payload: Any, value: object) -> Iterator[Any]:
    """The payload with one of its values replaced, at every place in turn."""
    places = payload.items() if isinstance(payload, dict) else enumerate(payload) if isinstance(payload, list) else ()
    for place, item in places:
        copy = payload.copy()
        copy[place] = value
        yield copy
        for inner in changed(item, value):
            copy = payload.copy()
            copy[place] = inner
            yield copy


def shortened(payload: Any) -> Iterator[Any]:
    """The payload without one of its keys, at every place in turn."""
    places = payload.items() if isinstance(payload, dict) else enumerate(payload) if isinstance(payload, list) else ()
    for place, item in places:
        if isinstance(payload, dict):
            yield {key: value for key, value in payload.items() if key != place}
        for inner in shortened(item):
            copy = payload.copy()
            copy[place] = inner
            yield copy


def message(fields: dict[str, Any]) -> Message:
    """The message of a sender's fields; its markup is sure to be understood by Telegram."""
    given = Message.from_fields(fields, now=0.0, ignore_unknown=True)
    if given.parse_mode is not None:
        parse(given.text or "", given.parse_mode)
    return given


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_shown_as_its_text_says(sample: Path) -> None:
    assert "\n".join(show(sample.read_text())) + "\n" == sample.with_suffix(".txt").read_text()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_recognised_by_its_sender_alone(sample: Path) -> None:
    """Files are named after the sender's module: ``github_push.json`` is for ``github``."""
    payload = json.loads(sample.read_text())
    takers = [name for name in senders.SENDERS if senders.read_as(name, payload) is not None]
    assert [name for name in takers if sample.stem.startswith(name)] == takers[:1]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_whatever_a_field_holds_the_rest_is_shown(sample: Path, caplog: pytest.LogCaptureFixture) -> None:
    payload = json.loads(sample.read_text())
    for number, value in enumerate(ODD):
        for other in islice(changed(payload, value), number % 5, None, 5):  # each place has some of them
            recognised = senders.recognise(other)
            assert recognised is None or message(recognised.fields)
    for other in shortened(payload):
        recognised = senders.recognise(other)
        assert recognised is None or message(recognised.fields)
    assert not caplog.records  # no sender broke


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_nothing_in_a_payload_becomes_markup(sample: Path) -> None:
    payload = json.loads(sample.read_text())
    for other in changed(payload, '<u>&amp;</u> <a href="https://evil.example/">x</a>'):
        recognised = senders.recognise(other)
        if recognised is not None and recognised.fields.get("parse_mode"):
            assert "<u>" not in recognised.fields["text"]
            assert "<a " not in recognised.fields["text"]
