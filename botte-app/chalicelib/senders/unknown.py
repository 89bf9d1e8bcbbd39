"""What no sender is recognised in: it is shown as it is, ``name: value`` lines in a quote that opens on a tap."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from .notice import Fields, Notice

MAX_DEPTH = 6  # what is nested more deeply is shown as JSON


def read(payload: object, title: str = "") -> Fields | None:
    """Any value of JSON; None if there is nothing in it. title: where it comes from, if that is known."""
    if payload is None or payload == "" or payload == {} or payload == []:
        return None
    lines = list(_lines(payload, "", 0))
    if len(lines) <= 3 and sum(map(len, lines)) <= 300:
        return Notice(title=title, body="\n".join(lines)).to_fields()
    return Notice(title=title or "A message in a form that Botte does not know", details="\n".join(lines)).to_fields()


def _lines(value: object, name: str, depth: int) -> Iterator[str]:
    if depth < MAX_DEPTH and isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _lines(item, f"{name}.{key}" if name else str(key), depth + 1)
    elif depth < MAX_DEPTH and isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from _lines(item, f"{name}[{number}]" if name else "", depth + 1)
    else:
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield f"{name}: {shown}" if name else shown
