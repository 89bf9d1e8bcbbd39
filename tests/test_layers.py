"""Who may import whom, and what a message costs in imports."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from chalice.config import Config

from chalicelib.aws import CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS
from chalicelib.doors.http import ANSWER_SECONDS
from chalicelib.relay.attempt import LEASE_SECONDS
from chalicelib.relay.courier import NOTE_SECONDS
from chalicelib.relay.redelivery import RUN_SECONDS
from chalicelib.settings import PATIENCE_SECONDS
from chalicelib.telegram.bot_api import call_seconds
from tests.doors import APP_DIR, CREDENTIALS, TOKEN, RawServer, event, item, queue_record, stream_record, texts
from tools.dev.aws import EmbeddedAws, Resources
from tools.dev.fake_telegram import FakeTelegram
from tools.ops.deployed import HANDLERS

CHALICELIB = APP_DIR / "chalicelib"
MODULES = {path.relative_to(CHALICELIB).with_suffix("").as_posix(): path for path in CHALICELIB.rglob("*.py")}

# The storeys: what the modules of each folder, and those of none, may import of the package beside their siblings.
STOREYS: dict[str, set[str]] = {
    "contract": set(),
    "senders": {"contract"},
    "errors": {"contract"},
    "connections": set(),
    "aws": {"connections"},
    "dynamodb": {"aws", "errors"},
    "chat_settings": set(),
    "settings": {"aws", "chat_settings", "errors"},
    "telegram": {"contract", "errors", "connections"},
    "outbox": {"telegram", "senders", "contract", "errors", "dynamodb"},
    "relay": {"outbox", "telegram", "contract", "errors", "settings"},
    "doors": {"relay", "outbox", "senders", "contract", "errors", "settings", "dynamodb"},
    "__init__": set(),
}
PURE = [
    *("contract/message", "contract/task", "contract/escaping", "contract/reading", "errors", "relay/ksuid"),
    *sorted(module for module in MODULES if module.startswith("senders/")),
    *("telegram/markup", "telegram/cutting", "telegram/rendering", "telegram/delivery", "telegram/buttons"),
    *("outbox/row", "outbox/states", "doors/openapi", "doors/schemas"),
]
SHIPPED = {"urllib3"}
CONFIG = json.loads((APP_DIR / ".chalice" / "config.json").read_text())


@cache
def imports(path: Path) -> frozenset[tuple[str, bool]]:
    """The modules that a file imports anywhere in it, and whether they are of its own package, by their paths there."""
    return frozenset(_imports(path))


def _imports(path: Path) -> Iterator[tuple[str, bool]]:
    package = path.relative_to(CHALICELIB).parent if path.is_relative_to(CHALICELIB) else Path()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            above = package if node.level == 1 else package.parent
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from ((_module(above, name), True) for name in names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module), False


def _module(package: Path, name: str) -> str:
    found = (package / name.replace(".", "/")).as_posix()
    return found if found in MODULES else f"{found}/__init__"


OWN_IMPORTS = {module: {name for name, is_own in imports(path) if is_own} for module, path in MODULES.items()}


def test_every_module_has_its_storey() -> None:
    assert {module.partition("/")[0] for module in MODULES} == set(STOREYS)
    assert set().union(*OWN_IMPORTS.values()) <= set(MODULES)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_its_siblings_and_what_lies_below(module: str) -> None:
    storey = module.partition("/")[0]
    assert {name.partition("/")[0] for name in OWN_IMPORTS[module]} <= STOREYS[storey] | {storey}


def test_nothing_imports_in_a_circle() -> None:
    above = {module: set(below) for module, below in OWN_IMPORTS.items()}
    while above:
        lowest = {module for module, below in above.items() if not below}
        assert lowest, f"a circle: {sorted(above)}"
        above = {module: below - lowest for module, below in above.items() if module not in lowest}


@pytest.mark.parametrize("module", ["app", *sorted(MODULES)])
def test_the_app_imports_the_standard_library_and_what_is_shipped(module: str) -> None:
    path = MODULES.get(module, APP_DIR / "app.py")
    foreign = {name.partition(".")[0] for name, is_own in imports(path) if not is_own} - set(sys.stdlib_module_names)
    # What only a type checker reads is not shipped, nor what leads chalice local to the twin: see the next test.
    assert foreign - {"_typeshed"} <= (SHIPPED if module != "app" else {"chalice", "chalicelib", "chalice_cli"})


@pytest.mark.parametrize(("variable", "looks"), [("AWS_CHALICE_CLI_MODE", True), ("AWS_LAMBDA_FUNCTION_NAME", False)])
def test_the_app_looks_for_a_running_twin_only_in_the_commands_of_chalice(variable: str, looks: bool) -> None:
    code = "import sys, app; print('chalice_cli' in sys.modules)"
    environ = {name: value for name, value in os.environ.items() if name != "AWS_CHALICE_CLI_MODE"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=APP_DIR, env={**environ, variable: "true"}, stdout=subprocess.PIPE, text=True
    )
    assert done.stdout == f"{looks}\n"


@pytest.mark.parametrize("module", PURE)
def test_the_pure_core_has_no_clock_no_network_no_environment_and_no_chance(module: str) -> None:
    found = {name.partition(".")[0] for name, is_own in imports(MODULES[module]) if not is_own}
    assert not found & {"time", "datetime", "os", "socket", "urllib3", "random", "secrets", "uuid", "subprocess"}


@pytest.mark.parametrize("path", [APP_DIR / "app.py", *MODULES.values()], ids=lambda path: path.stem)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def timeouts(stage: str) -> dict[str, float]:
    """For how many seconds each function of a stage may run."""
    return {name: Config(stage, name, config_from_disk=CONFIG).lambda_timeout for name in HANDLERS}


@pytest.mark.parametrize("stage", CONFIG["stages"])
def test_a_lease_is_longer_than_any_function_may_run(stage: str) -> None:
    assert set(timeouts(stage)) == {"api_handler", "message", "dynamodb_message", "sqs_message", "redeliver"}
    assert max(timeouts(stage).values()) < LEASE_SECONDS


@pytest.mark.parametrize("stage", CONFIG["stages"])
def test_redeliver_works_until_its_next_run_and_can_finish_what_it_began(stage: str) -> None:
    (period,) = re.findall(r"@app.schedule\(Rate\((\d+), unit=Rate.MINUTES\)", (APP_DIR / "app.py").read_text())
    assert int(period) * 60 == RUN_SECONDS
    longest = max(map(call_seconds, ("sendMessage", "sendPhoto", "sendDocument")))
    assert timeouts(stage)["redeliver"] >= RUN_SECONDS + longest + NOTE_SECONDS


def test_a_door_that_answers_does_so_before_the_api_gateway_gives_up() -> None:
    for stage in CONFIG["stages"]:
        assert ANSWER_SECONDS < timeouts(stage)["api_handler"] <= 29


LAMBDA = """
import dataclasses, http.client, json, logging, ssl, sys, types, typing
there = set(sys.modules)
import app
started = set(sys.modules)
context = types.SimpleNamespace(aws_request_id="request-1", get_remaining_time_in_millis=lambda: 60_000)
handler = sys.argv[1].removeprefix("app.")
answer = getattr(app, handler)(json.loads(sys.argv[2]), context)
print(json.dumps([sorted(started), sorted(started - there), sorted(set(sys.modules) - started)]))
"""
BODY = json.dumps({"text": "Hello"})
# What each door is given for one message.
DOORS = {
    "app.message": {"text": "Hello"},
    "app.app": {**event("apigateway_post"), "body": BODY, "headers": {"Authorization": TOKEN}},
    "app.dynamodb_message": {"Records": [stream_record(item({"text": {"S": "Hello"}}, sort_key="s1"))]},
    "app.sqs_message": {"Records": [queue_record(BODY, "m1")]},
}
# Beside the modules of Python without which there is no HTTPS, log or type. Each costs half a millisecond or more.
MOST_MODULES = 95


@pytest.mark.parametrize("handler", DOORS)
def test_a_function_imports_little_and_nothing_in_an_invocation(
    aws: EmbeddedAws, resources: Resources, telegram: FakeTelegram, handler: str
) -> None:
    """While it starts it has a whole CPU, and in an invocation only its memory's share of one."""
    environment = {
        "PATH": os.environ["PATH"],
        "BOTTE_STAGE": "local",
        "PARAMETERS_PATH": "/botte/local",
        "TASK_TABLE_NAME": resources.table_name,
        "OUTBOX_TABLE_NAME": resources.outbox_table_name,
        "QUEUE_NAME": "botte-local-messages",
        "TELEGRAM_API_URL": telegram.url,
        **aws.environment,
        "_HANDLER": handler,
    }
    aws.calls.reset()
    child = subprocess.run(
        [sys.executable, "-c", LAMBDA, handler, json.dumps(DOORS[handler])],
        cwd=APP_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    started, own, later = json.loads(child.stdout)
    assert texts(telegram.messages) == ["Hello"]
    assert aws.calls.by_operation()["SSM.GetParameters"] == 1
    roots = {module.partition(".")[0] for module in started}
    assert not roots & {"boto3", "botocore", "s3transfer", "requests", "pydantic", "httpx", "aws_lambda_powertools"}
    assert "zoneinfo" not in roots  # nobody has quiet hours
    assert "urllib3" in roots
    assert senders_in(started) <= {"unknown", "notice"}
    assert len(own) <= MOST_MODULES, own
    assert later == []


def test_a_parameter_store_that_does_not_answer_does_not_keep_a_function_from_starting(telegram: FakeTelegram) -> None:
    """It is asked again when a message comes, which is then kept or told to come again."""
    with RawServer(None) as server:
        child = subprocess.run(
            [sys.executable, "-c", "import app; print(app.settings.handler)"],
            cwd=APP_DIR,
            env={"PATH": os.environ["PATH"], **CREDENTIALS, "AWS_ENDPOINT_URL": server.url, "_HANDLER": "app.message"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert server.requests
    assert (child.returncode, child.stdout) == (0, "app.message\n")
    assert "parameters cannot be read ahead" in child.stderr


def test_what_is_read_ahead_is_there_or_given_up_before_lambda_gives_up_the_start() -> None:
    """Lambda allows ten seconds: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html"""
    assert PATIENCE_SECONDS + CONNECT_TIMEOUT_SECONDS + READ_TIMEOUT_SECONDS < 10


def test_outside_of_lambda_nothing_is_read_when_the_app_is_imported() -> None:
    """Chalice imports it to deploy it."""
    with RawServer(None) as server:
        subprocess.run(
            [sys.executable, "-c", "import app"],
            cwd=APP_DIR,
            env={"PATH": os.environ["PATH"], **CREDENTIALS, "AWS_ENDPOINT_URL": server.url},
            timeout=30,
            check=True,
        )
        assert server.requests == []


def senders_in(modules: list[str]) -> set[str]:
    return {module.rpartition(".")[2] for module in modules if module.startswith("chalicelib.senders.")}


@pytest.mark.parametrize(
    ("body", "some"), [('{"text": "Hello", "chat": "ops"}', False), ("Hello", False), ('{"hello": "world"}', True)]
)
def test_those_that_know_a_sender_are_imported_where_a_message_is_not_botte_s_own(body: str, some: bool) -> None:
    """They are many, and each import makes a cold start longer."""
    program = "import json, sys\nfrom chalicelib.senders import read_text\nread_text(sys.argv[1], now=0.0)\n"
    shown = subprocess.run(
        [sys.executable, "-c", program + "print(json.dumps(sorted(sys.modules)))", body],
        cwd=APP_DIR,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert (senders_in(json.loads(shown.stdout)) > {"unknown", "notice"}) is some
