"""What a mutation is, the list of all, and the first seed that found each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

Patched = AbstractContextManager[Any]

FOUND = Path(__file__).with_name("found.json")


class Mutation(NamedTuple):
    """What is wrong, in one sentence."""

    what: str
    apply: Callable[[], Patched]


MUTATIONS: dict[str, Mutation] = {}


def mutation(make: Callable[[], Patched]) -> Callable[[], Patched]:
    """Enters a mutation: its name is the function's, its sentence the docstring."""
    MUTATIONS[make.__name__.replace("_", " ")] = Mutation(str(make.__doc__), make)
    return make


def read_found() -> dict[str, int]:
    """The first seed that found each mutation, as the simulator noted them. A change of the relay moves them."""
    seeds: dict[str, int] = json.loads(FOUND.read_text()) if FOUND.exists() else {}
    return seeds


def note_found(seeds: Mapping[str, int]) -> None:
    FOUND.write_text(json.dumps(seeds, indent=2) + "\n")
