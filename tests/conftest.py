"""The app as it runs on AWS, on an embedded AWS and a fake Telegram: real sockets, nothing patched.

A test, or a case of it, with ``pytest.mark.outbox("memory")`` has the same fixtures on the table in memory, which does
what DynamoDB does (``outbox/test_memory_table.py``) at a hundredth of the cost: for what the relay decides. What the
app, DynamoDB or the way to them might do otherwise is tested on the embedded AWS.
"""

from __future__ import annotations

import gc
import json
import logging
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pytest
import requests
from xdist.scheduler import LoadFileScheduling

from chalicelib.aws import Aws
from chalicelib.doors.stream import Tasks
from chalicelib.doors.webhook import ALLOWED_UPDATES
from chalicelib.dynamodb import DynamoTable
from chalicelib.errors import ParametersUnavailable
from chalicelib.outbox.table import Outbox, OutboxTable
from chalicelib.relay import Relay
from chalicelib.settings import Parameters
from chalicelib.telegram.bot_api import Telegram
from tests.doors import (
    AppSources,
    Clock,
    Doors,
    FlakyAws,
    MemoryRows,
    RelayDoors,
    RelaySources,
    Sources,
    Table,
    load_app,
    unreachable_aws,
)
from tests.outbox.memory_table import FlakyTable, MemoryTable
from tests.outbox.steps import TasksInMemory
from tools.dev.aws import EmbeddedAws, Resources
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram

OPS_CHAT_ID = -1001234567890
WEBHOOK_SECRET = "a-webhook-secret"
PARAMETERS = (
    ("telegram-bot-token", "SecureString", TWIN_BOT_TOKEN),
    ("telegram-chats", "String", json.dumps({"default": TWIN_CHAT_ID, "ops": OPS_CHAT_ID})),
    ("http-api-token", "SecureString", "local-token\nlaptop second-token\n"),
    ("hook-tokens", "SecureString", "local-hook-token\ngithub second-hook-token\n"),
    ("telegram-webhook-secret", "SecureString", WEBHOOK_SECRET),
)

NewOutbox = Callable[..., Outbox]
NewRelay = Callable[..., Relay]

# Started with nohup or in the background, the tests inherit signals that are ignored, and so would what they start.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


# The tests' own SDK logs whole answers at DEBUG, with the parameters' values; the app has none.
logging.getLogger("botocore").setLevel(logging.WARNING)


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: nobody looks through it for garbage, which takes time.

    Nor does a test leave much. Python would look after each 700 objects, which takes a twentieth of the tests' time.
    """
    gc.freeze()
    gc.set_threshold(50_000)


class _ByFile(LoadFileScheduling):  # type: ignore[misc]  # it has no types
    """Gives each worker whole files, and one of them all of ``clients``: these share a twin in a process of its own."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "tests/clients" if file.startswith("tests/clients/") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    return _ByFile(config, log)


def in_memory(request: pytest.FixtureRequest) -> bool:
    """Whether a test has its outbox in memory."""
    mark = request.node.get_closest_marker("outbox")
    return mark is not None and mark.args == ("memory",)


def in_memory_but(*ids: str, cases: Iterable[Any]) -> list[Any]:
    """The cases of a test: those with these ids through the app into DynamoDB, all others with the outbox in memory."""
    mark = pytest.mark.outbox("memory")
    assert set(ids) <= {case.id for case in cases}
    return [case if case.id in ids else pytest.param(*case.values, id=case.id, marks=mark) for case in cases]


@pytest.fixture(scope="session")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws(longest_poll=0.0) as embedded:
        yield embedded


@pytest.fixture(scope="module")
def resources(aws: EmbeddedAws) -> Resources:
    """The stack and its parameters; made again where another test's embedded AWS, in this process, changed them."""
    try:
        made = aws.find_resources()
    except aws.client("cloudformation").exceptions.ClientError:
        made = aws.create_resources(bot_token=TWIN_BOT_TOKEN, chat_id=TWIN_CHAT_ID)
    for name, kind, value in PARAMETERS:
        aws.client("ssm").put_parameter(Name=f"/botte/local/{name}", Type=kind, Value=value, Overwrite=True)
    return made


@pytest.fixture(scope="session")
def fake_telegram() -> Iterator[FakeTelegram]:
    with FakeTelegram(pace=None, chats={TWIN_CHAT_ID: "You", OPS_CHAT_ID: "Ops"}) as fake:
        yield fake


@pytest.fixture
def telegram(fake_telegram: FakeTelegram) -> Iterator[FakeTelegram]:
    """The fake Telegram, with an empty inbox and no fault."""
    fake_telegram.set_fault({"kind": "none"})
    fake_telegram.clear()
    yield fake_telegram
    fake_telegram.set_fault({"kind": "none"})


@pytest.fixture
def tasks_table(aws: EmbeddedAws, resources: Resources) -> Table:
    """The task table, empty."""
    table = Table(aws.client("dynamodb"), resources.table_name)
    table.clear()
    return table


@pytest.fixture
def table(request: pytest.FixtureRequest, memory: MemoryTable) -> Table:
    """The outbox's table, empty."""
    if in_memory(request):
        return MemoryRows(memory)
    aws, resources = request.getfixturevalue("aws"), request.getfixturevalue("resources")
    table = Table(aws.client("dynamodb"), resources.outbox_table_name)
    table.clear()
    return table


@pytest.fixture(scope="session")
def app_doors(aws: EmbeddedAws, fake_telegram: FakeTelegram) -> Iterator[Doors]:
    app = load_app({**aws.environment, "TELEGRAM_API_URL": fake_telegram.url})
    with Doors(app) as doors:
        yield doors


@pytest.fixture
def doors(app_doors: Doors, table: Table, tasks_table: Table, telegram: FakeTelegram, aws: EmbeddedAws) -> Doors:
    """The four doors of the app, on empty tables and an empty inbox."""
    aws.calls.reset()
    return app_doors


@pytest.fixture
def webhook(doors: Doors, telegram: FakeTelegram) -> Iterator[str]:
    """The fake Telegram brings its updates to the app, at this address."""
    api = f"{telegram.url}/bot{TWIN_BOT_TOKEN}"
    url = f"{doors.url}/telegram-webhook"
    fields = {"url": url, "secret_token": WEBHOOK_SECRET, "allowed_updates": ALLOWED_UPDATES}
    requests.post(f"{api}/setWebhook", json=fields, timeout=10).raise_for_status()
    yield url
    telegram.set_fault({"kind": "none"})
    requests.post(f"{api}/deleteWebhook", json={"drop_pending_updates": True}, timeout=10).raise_for_status()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def parameters(request: pytest.FixtureRequest) -> Parameters:
    def fetch(names: Any) -> dict[str, str]:
        if in_memory(request):
            return {f"/botte/local/{name}": value for name, _, value in PARAMETERS if f"/botte/local/{name}" in names}
        aws: EmbeddedAws = request.getfixturevalue("aws")
        found = aws.client("ssm", counted=False).get_parameters(Names=list(names), WithDecryption=True)["Parameters"]
        return {each["Name"]: each["Value"] for each in found}

    if not in_memory(request):
        request.getfixturevalue("resources")

    def read_only(name: str, value: str) -> None:
        raise ParametersUnavailable("the Parameter Store cannot be written: AccessDeniedException")

    return Parameters("/botte/local", fetch, read_only)


@pytest.fixture
def outbox(new_outbox: NewOutbox) -> Outbox:
    return new_outbox()


@pytest.fixture
def memory() -> MemoryTable:
    return MemoryTable()


@pytest.fixture
def memory_outbox(memory: MemoryTable, clock: Clock) -> Outbox:
    """An outbox in memory, where many messages or many days pass."""
    return Outbox(memory, clock=clock, sleep=clock.sleep)


@pytest.fixture
def unreachable_outbox(new_outbox: NewOutbox) -> Outbox:
    """The outbox of an AWS that is down."""
    return new_outbox(unreachable_aws())


@pytest.fixture
def new_outbox(request: pytest.FixtureRequest, table: Table, memory: MemoryTable, clock: Clock) -> NewOutbox:
    """Makes the outbox in an AWS, or with a script of what goes wrong at its writes."""

    def make(given: Aws | None = None, *, script: Sequence[Exception | None] = ()) -> Outbox:
        if given is None and in_memory(request):
            return Outbox(FlakyTable(memory, *script), clock=clock, sleep=clock.sleep)
        aws = given or FlakyAws(request.getfixturevalue("aws").environment, *script)
        return Outbox(OutboxTable(DynamoTable(aws, table.name)), clock=clock, sleep=clock.sleep)

    return make


@pytest.fixture
def tasks(request: pytest.FixtureRequest, clock: Clock) -> Tasks:
    """The door that reads the task table."""
    if in_memory(request):
        return Tasks(TasksInMemory(), clock=clock)  # type: ignore[arg-type]
    aws, tasks_table = request.getfixturevalue("aws"), request.getfixturevalue("tasks_table")
    return Tasks(DynamoTable(Aws(aws.environment), tasks_table.name), clock=clock)


@pytest.fixture
def sources(request: pytest.FixtureRequest, clock: Clock) -> Sources:
    """The stream and the queue: they bring records to the app; with the outbox in memory, to a relay of their own."""
    if in_memory(request):
        return RelaySources(request.getfixturevalue("new_relay")(), request.getfixturevalue("tasks"), clock)
    return AppSources(request.getfixturevalue("doors"))


@pytest.fixture
def relay_doors(relay: Relay, tasks: Tasks, parameters: Parameters, clock: Clock) -> RelayDoors:
    """All doors of the relay, without the app."""
    return RelayDoors(relay, tasks, parameters, clock)


@pytest.fixture
def new_relay(outbox: Outbox, parameters: Parameters, telegram: FakeTelegram, clock: Clock) -> NewRelay:
    """Makes a relay of the real parts, in a time that only its own sleeping moves; any part can be given instead."""

    def make(**given: Any) -> Relay:
        parts = {"sender": Telegram(telegram.url, parameters.bot_token), "outbox": outbox, "parameters": parameters}
        return Relay(**{**parts, "clock": clock, "sleep": clock.sleep, **given})

    return make


@pytest.fixture
def relay(new_relay: NewRelay) -> Relay:
    return new_relay()
