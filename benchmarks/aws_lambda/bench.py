"""All that is needed to measure, in one place; and one invocation, whose answer is looked at."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.aws_lambda.contenders import Functions, build_package
from benchmarks.aws_lambda.cpu import NoControlGroup, Share
from benchmarks.aws_lambda.doors import Door
from benchmarks.aws_lambda.environment import Environment
from benchmarks.aws_lambda.installed import install
from benchmarks.aws_lambda.peering import Peers


class Wrong(Exception):
    """An answer is not the one that was expected."""


class Bench(NamedTuple):
    functions: Functions
    peers: Peers


def invoke(environment: Environment, door: Door, peers: Peers, messages: int = 1) -> tuple[float, dict[str, int]]:
    """The milliseconds of an invocation, and its calls. Raises Wrong, Failed."""
    texts = [f"message-{uuid.uuid4()}" for _ in range(messages)]
    done = environment.invoke(door.event(texts))
    came = peers.take()
    if not door.is_answer(done.answer) or came.texts != (texts if door.sends else []):
        raise Wrong(f"{door.name}: the answer was {done.answer!r}, and Telegram got {came.texts!r}")
    return (done.ended - done.began) * 1000, came.calls


def new_share() -> Share | None:
    """None where this machine does not share out its cores."""
    try:
        return Share()
    except NoControlGroup:
        return None


@contextmanager
def new_bench(package: Path | None = None) -> Iterator[Bench]:
    """All that is needed to measure. package: of Botte, unpacked, in the place of this checkout's."""
    install()
    with tempfile.TemporaryDirectory(prefix="botte-benchmark-") as folder:
        built = package or build_package(Path(folder))
        with Peers(Path(folder)) as peers:
            yield Bench(Functions(built.resolve(), Path(folder), peers.variables), peers)
