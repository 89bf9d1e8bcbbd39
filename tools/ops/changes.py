"""What is different between two states of a stage, told in lines.

A state is what a stage consists of: ``{resource: {setting: value}}``, all of it text, such as
``{"function botte-prod-message": {"memory": "1024 MB"}}``. A value is empty where the setting says all by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Settings = dict[str, str]
State = dict[str, Settings]

_MOST = 100  # characters of a value that are shown


@dataclass(frozen=True)
class Changes:
    """What has to change. lines: for people; ``+`` is made, ``~`` changed, ``-`` taken away. taken: only the last."""

    lines: tuple[str, ...]
    taken: tuple[str, ...]
    summary: str

    def __bool__(self) -> bool:
        return bool(self.lines)


def compare(there: State, wanted: State, *, with_new_rights: bool) -> Changes:
    """What has to change for what is there to become what is wanted.

    with_new_rights: also what a role may do that is not there yet; of other new things only the name is told.
    """
    lines: list[str] = []
    taken: list[str] = []
    counts = {"+": 0, "~": 0, "-": 0}
    for resource in sorted({*there, *wanted}):
        if there.get(resource) == wanted.get(resource):
            continue
        sign = "+" if resource not in there else "-" if resource not in wanted else "~"
        counts[sign] += 1
        lines.append(f"{sign} {resource}")
        if sign == "-":
            taken.append(f"- {resource}")
        elif sign == "~" or (with_new_rights and resource.startswith("role ")):
            settings = list(_settings(there.get(resource, {}), wanted[resource]))
            lines += [f"    {each}" for each in settings]
            taken += [f"{each} ({resource})" for each in settings if each.startswith("-")]
    words = (("+", "made"), ("~", "changed"), ("-", "taken away"))
    summary = ", ".join(f"{counts[sign]} {word}" for sign, word in words if counts[sign])
    return Changes(tuple(lines), tuple(taken), summary or "nothing would change")


def flatten(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The settings of nested JSON: ``{"a": {"b": 1}}`` is ``("a.b", "1")``. What is empty is left out."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flatten(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        for number, inner in enumerate(value):
            yield from flatten(inner, f"{name}.{number}")
    elif value not in (None, []):
        yield name, value if isinstance(value, str) else json.dumps(value)


def _settings(there: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*there, *wanted}):
        if name not in there:
            yield f"+ {name}{_told(wanted[name])}"
        elif name not in wanted:
            # A variable that nobody wants may be a secret, put there by hand.
            yield f"- {name}{'' if name.startswith('environment ') else _told(there[name])}"
        elif there[name] != wanted[name]:
            yield f"~ {name}{_told(there[name])} -> {_short(wanted[name])}"


def _told(value: str) -> str:
    return f": {_short(value)}" if value else ""


def _short(value: str) -> str:
    return value if len(value) <= _MOST else value[: _MOST - 3] + "..."
