"""What one message takes at each door, in an interpreter that has the unpacked package and nothing else."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.doors import event, item, queue_record, stream_record
from tools.dev.aws import EmbeddedAws
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram
from tools.ops.stage import Stage

_WORKER = Path(__file__).with_name("worker.py")
_GROUPS = {"app": "ours", "chalicelib": "ours", "chalice": "chalice", "urllib3": "urllib3"}
GROUPS = ("ours", "chalice", "urllib3", "stdlib")

Event = Mapping[str, Any]


class UndeliveredError(Exception):
    """A message that was to be counted has not arrived."""


@dataclass(frozen=True)
class Door:
    """name, and its ``handler`` in app.py. event: makes the one that brings the message with a name.

    price: what tools.ops.costs calls the door; empty for the schedule, which is part of every price.
    """

    name: str
    handler: str
    price: str
    event: Callable[[str], Event]


DOORS = (
    Door("lambda", "message", "Lambda", lambda name: {"text": name}),
    Door("http", "app", "HTTP", lambda name: {**event("apigateway_post"), "body": json.dumps({"text": name})}),
    Door(
        "stream",
        "dynamodb_message",
        "DynamoDB",
        lambda name: {"Records": [stream_record(item({"text": {"S": name}}, sort_key=name))]},
    ),
    Door("queue", "sqs_message", "SQS", lambda name: {"Records": [queue_record(json.dumps({"text": name}), name)]}),
    Door("redeliver", "redeliver", "", lambda _: event("schedule")),
)
_HTTP = DOORS[1]


@dataclass(frozen=True)
class Usage:
    """What a door takes.

    imported, handled: the modules after the import of the app, and after one message. first, further: the calls of AWS
    for the first message of a process, and for each one after.
    """

    imported: Mapping[str, int]
    handled: Mapping[str, int]
    first: Mapping[str, int]
    further: Mapping[str, int]


class Lambda:
    """Runs handlers of the unpacked package; a context manager."""

    def __init__(self, package: Path) -> None:
        self._package = str(package)
        self._aws = EmbeddedAws()
        self._telegram = FakeTelegram(pace=None)
        self._numbers = itertools.count()

    def __enter__(self) -> Lambda:
        self._telegram.start()
        self._aws.start()
        self._aws.create_resources(bot_token=TWIN_BOT_TOKEN, chat_id=TWIN_CHAT_ID)
        self._environment = {**Stage("local").environment, **self._aws.environment}
        self._environment["TELEGRAM_API_URL"] = self._telegram.url
        return self

    def __exit__(self, *_: object) -> None:
        self._aws.stop()
        self._telegram.stop()

    def measure(self, door: Door) -> Usage:
        modules = json.loads(self._deliver(door, 1).stdout)
        first = Counter(self._aws.calls.by_operation())
        self._deliver(door, 2)
        further = Counter(self._aws.calls.by_operation()) - first
        return Usage(_by_group(modules["imported"]), _by_group(modules["handled"]), dict(first), dict(further))

    def import_times(self, door: Door) -> dict[str, int]:
        """The own time of each module that one message imports, in microseconds, by Python's own measure."""
        said = self._deliver(door, 1, "-X", "importtime").stderr
        lines = [line.removeprefix("import time:").split("|") for line in said.splitlines() if "import time:" in line]
        return {name.strip(): int(own) for own, _, name in lines[1:]}

    def _deliver(self, door: Door, count: int, *options: str) -> subprocess.CompletedProcess[str]:
        """A process that handled so many messages, all of which have arrived; the calls of AWS are its own."""
        names = [f"message-{next(self._numbers)}" for _ in range(count)]
        if door.handler == "redeliver":  # has something to do if Telegram was down when the messages came
            self._telegram.set_fault({"kind": "down"})
            self._run(_HTTP, names)
            self._telegram.set_fault({"kind": "none"})
        self._telegram.clear()
        self._aws.calls.reset()
        done = self._run(door, names[:1] if door.handler == "redeliver" else names, *options)
        if sorted(message["text"] for message in self._telegram.messages) != sorted(names):
            raise UndeliveredError(f"{door.name}: {len(self._telegram.messages)} of {count} messages have arrived")
        return done

    def _run(self, door: Door, names: list[str], *options: str) -> subprocess.CompletedProcess[str]:
        # Without the site module, and so without site-packages; and nothing may be written into the package.
        command = [sys.executable, "-I", "-S", "-B", *options, str(_WORKER)]
        argument = json.dumps([self._package, door.handler, [door.event(name) for name in names]])
        environment = {**self._environment, "_HANDLER": f"app.{door.handler}"}  # as Lambda names it
        done = subprocess.run([*command, argument], env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise UndeliveredError(f"{door.name}: {done.stderr.strip().splitlines()[-1]}")
        return done


def group(module: str) -> str:
    """Whose a module is: one of ``GROUPS``."""
    return _GROUPS.get(module.partition(".")[0], "stdlib")


def _by_group(modules: Iterable[str]) -> dict[str, int]:
    counted = Counter(map(group, modules))
    return {name: counted[name] for name in GROUPS}
