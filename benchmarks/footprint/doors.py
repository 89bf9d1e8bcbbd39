"""What one message takes at each door, in an interpreter that has the unpacked package and nothing else."""

from __future__ import annotations

import importlib.util
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
# What Lambda's Python brings along beside the standard library, and Botte has used.
_SDK = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six")
_GROUPS = {"app": "ours", "chalicelib": "ours", "chalice": "chalice", "urllib3": "urllib3"} | dict.fromkeys(_SDK, "SDK")
GROUPS = ("ours", "chalice", "urllib3", "SDK", "stdlib")

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
    """Runs handlers of the unpacked package; a context manager. folder: for the SDK of Lambda's Python."""

    def __init__(self, package: Path, folder: Path) -> None:
        self._folders = [str(package), str(_make_sdk(folder))]
        self._aws = EmbeddedAws()
        self._telegram = FakeTelegram(pace=None)

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
        first, modules = self._deliver(door, ["one"])
        both, _ = self._deliver(door, ["two", "three"])
        return Usage(_by_group(modules["imported"]), _by_group(modules["handled"]), dict(first), dict(both - first))

    def import_times(self, door: Door) -> dict[str, int]:
        """The own time of each module that one message imports, in microseconds, by Python's own measure."""
        self._owe(door, ["one"])
        said = self._run(door, ["one"], "-X", "importtime").stderr
        lines = [line.removeprefix("import time:").split("|") for line in said.splitlines() if "import time:" in line]
        return {name.strip(): int(own) for own, _, name in lines[1:]}

    def _deliver(self, door: Door, names: list[str]) -> tuple[Counter[str], dict[str, list[str]]]:
        """The calls of AWS and the modules of a process that handles so many messages."""
        self._owe(door, names)
        self._telegram.clear()
        self._aws.calls.reset()
        modules = json.loads(self._run(door, names).stdout)
        if len(self._telegram.messages) != len(names):
            raise UndeliveredError(f"{door.name}: {len(self._telegram.messages)} of {len(names)} messages have arrived")
        return Counter(self._aws.calls.by_operation()), modules

    def _owe(self, door: Door, names: list[str]) -> None:
        """Has the messages ready that a run of the schedule delivers: Telegram was down when they came."""
        if door.handler == "redeliver":
            self._telegram.set_fault({"kind": "down"})
            self._run(_HTTP, names)
            self._telegram.set_fault({"kind": "none"})

    def _run(self, door: Door, names: list[str], *options: str) -> subprocess.CompletedProcess[str]:
        events = [door.event(f"{name}-{door.name}") for name in names][: 1 if door.handler == "redeliver" else None]
        # Without the site module, and so without site-packages; and nothing may be written into the package.
        command = [sys.executable, "-I", "-S", "-B", *options, str(_WORKER)]
        argument = json.dumps([self._folders, door.handler, events])
        done = subprocess.run([*command, argument], env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise UndeliveredError(f"{door.name}: {done.stderr.strip().splitlines()[-1]}")
        return done


def group(module: str) -> str:
    """Whose a module is: one of ``GROUPS``."""
    return _GROUPS.get(module.partition(".")[0], "stdlib")


def _by_group(modules: Iterable[str]) -> dict[str, int]:
    counted = Counter(map(group, modules))
    return {name: counted[name] for name in GROUPS}


def _make_sdk(folder: Path) -> Path:
    """A folder with the SDK, and nothing else of this environment."""
    folder.mkdir()
    for name in _SDK:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            origin = Path(spec.origin)
            found = origin.parent if origin.name == "__init__.py" else origin
            (folder / found.name).symlink_to(found)
    return folder
