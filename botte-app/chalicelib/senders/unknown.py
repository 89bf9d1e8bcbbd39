"""What no sender is recognised in: it is shown as it is, ``name: value`` lines in a quote that opens on a tap."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from ..contract.message import MAX_TEXT_BYTES
from .notice import Fields, Notice

MAX_DEPTH = 6  # what is nested more deeply is shown as JSON


def read(payload: object, title: str = "") -> Fields | None:
    """Any value of JSON; None if there is nothing in it. title: where it comes from, if that is known."""
    if payload is None or payload == "" or payload == {} or payload == []:
        return None
    lines = [f"{name}: {value}" if name else value for name, value in _bounded(payload)]
    if len(lines) <= 3 and sum(map(len, lines)) <= 300:
        return Notice(title=title, body="\n".join(lines)).to_fields()
    return Notice(title=title or "A message in a form that Botte does not know", details="\n".join(lines)).to_fields()


def named_values(payload: object) -> list[tuple[str, str]]:
    """What a payload says, each value with the name of its place, such as ``items[0].name``; nothing that is empty."""
    return [(name, value) for name, value in _bounded(payload) if value.strip() not in ("", "null", "[]", "{}")]


def _bounded(payload: object) -> Iterator[tuple[str, str]]:
    """The values up to the size of a text: a long name that a thousand of them share would make it huge."""
    room = MAX_TEXT_BYTES
    for name, value in _values(payload, "", 0):
        if room <= 0:
            yield "…", "and more"
            return
        room -= len(name) + len(value) + len("\\n")  # as JSON, in which it is kept
        yield name, value


def _values(value: object, name: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth < MAX_DEPTH and isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _values(item, f"{name}.{key}" if name else str(key), depth + 1)
    elif depth < MAX_DEPTH and isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from _values(item, f"{name}[{number}]" if name else "", depth + 1)
    else:
        yield name, value if isinstance(value, str) else _json(value)


def _json(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:  # it could just be parsed
        return "…"
