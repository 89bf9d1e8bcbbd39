"""All that is needed to measure, in one place; and one invocation, whose answer is looked at."""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import statistics
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from benchmarks.aws_lambda.contenders import Functions, build_package
from benchmarks.aws_lambda.cpu import NoControlGroup, Share
from benchmarks.aws_lambda.doors import DOORS, Door
from benchmarks.aws_lambda.environment import Environment, Failed, Function, Spent
from benchmarks.aws_lambda.installed import install, versions
from benchmarks.aws_lambda.peering import Came, Peers
from tools.dev.settings import clean_environment

# Of a larger batch Botte leaves to the schedule what would take longer than a chat's seconds of a batch.
SURELY_SENT = 10


class Wrong(Exception):
    """An answer is not the one that was expected."""


class Bench:
    """The functions, and the peers that they talk to.

    unthrottled: why functions have whole cores here, whatever their memory; None where they have Lambda's share.
    """

    def __init__(self, functions: Functions, peers: Peers) -> None:
        self.functions = functions
        self.unthrottled: str | None = None
        self._peers = peers
        try:
            Share().remove()
        except NoControlGroup as error:
            self.unthrottled = str(error)

    def start(self, function: Function) -> Environment:
        return Environment(function, None if self.unthrottled else Share())

    def invoke(self, environment: Environment, door: Door, messages: int = 1) -> tuple[Spent, Came]:
        """What an invocation with so many messages took, and what came to the peers. Raises Wrong, Failed."""
        texts = [f"message-{uuid.uuid4()}" for _ in range(messages if door.sends else 0)]
        answer, spent = environment.invoke(door.event(texts))
        came = self._peers.take()
        sent = len(came.texts)
        if not door.is_answer(answer) or came.texts != texts[:sent] or sent < min(len(texts), SURELY_SENT):
            raise Wrong(f"{door.name}: the answer was {answer!r}, and of {len(texts)} Telegram got {sent} messages")
        return spent, came

    def machine(self) -> dict[str, str]:
        """What the figures depend on beside the code."""
        found = re.search("model name.*: (.*)", Path("/proc/cpuinfo").read_text())
        return {
            "date": f"{datetime.date.today()}",
            "processor": f"{found[1] if found else platform.machine()}, {os.cpu_count()} cores",
            "share of a core": f"all of it, as there is {self.unthrottled}"
            if self.unthrottled
            else "as Lambda gives it",
            "Python": platform.python_version(),
            **versions(),
        }


@contextmanager
def new_bench(package: Path | None = None) -> Iterator[Bench]:
    """package: of Botte, unpacked, in the place of this checkout's."""
    clean_environment(os.environ)
    install()
    with tempfile.TemporaryDirectory(prefix="botte-benchmark-") as folder:
        built = package or build_package(Path(folder))
        with suppress(PermissionError):
            os.nice(-20)  # and so have the peers: whoever waits for them shall not wait for the neighbours
        with Peers(Path(folder)) as peers:
            yield Bench(Functions(built.resolve(), Path(folder), peers.variables), peers)


def new_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """With the options that each benchmark has."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=description)
    parser.add_argument("--doors", type=_doors, default=DOORS, help="; ".join(door.name for door in DOORS))
    parser.add_argument(
        "--package",
        type=_package,
        help="measure this copy of a build/benchmarks/package, in the place of this checkout's",
    )
    return parser


def _doors(text: str) -> list[Door]:
    doors = {door.name: door for door in DOORS}
    try:
        return [doors[name.strip()] for name in text.split(",")]
    except KeyError as error:
        raise argparse.ArgumentTypeError(f"there is no door {error}; there are {', '.join(doors)}") from None


def _package(text: str) -> Path:
    if not (Path(text) / "app.py").exists():
        raise argparse.ArgumentTypeError(f"{text} is no unpacked package")
    return Path(text)


def median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 1)


def ratio(mine: Sequence[float], others: Sequence[float]) -> float:
    """The median of the ratios of what was measured one after the other: what the neighbours do, they do to both."""
    return round(statistics.median(each / other for each, other in zip(mine, others, strict=True)), 2)


def compared_line(its: dict[str, Any]) -> str:
    """its: what is told of a contender that Botte is compared with."""
    return f"Botte takes {its['ratio']:.2f} of the time, {its['cpu_ratio']:.2f} of the CPU"


def run(name: str, main: Callable[[], None]) -> NoReturn:
    """The program of a benchmark."""
    try:
        main()
    except (Failed, Wrong) as error:
        sys.exit(f"{name}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


def calls_line(calls: dict[str, Any]) -> str:
    return ", ".join(f"{count} {operation}" for operation, count in calls.items())
