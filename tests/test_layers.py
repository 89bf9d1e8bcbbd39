"""Who may import whom, and what a message costs in imports."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.doors.http import ANSWER_SECONDS
from chalicelib.relay.attempt import LEASE_SECONDS
from chalicelib.relay.courier import NOTE_SECONDS
from chalicelib.relay.redelivery import RUN_SECONDS
from chalicelib.telegram.bot_api import call_seconds
from tests.doors import APP_DIR, RawServer, http_answer, texts
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram

CHALICELIB = APP_DIR / "chalicelib"
MODULES = {path.relative_to(CHALICELIB).with_suffix("").as_posix(): path for path in CHALICELIB.rglob("*.py")}

# The storeys: what the modules of each folder, and those of none, may import of the package beside their siblings.
STOREYS: dict[str, set[str]] = {
    "contract": set(),
    "senders": {"contract"},
    "errors": {"contract"},
    "aws": {"errors"},
    "settings": {"aws", "errors"},
    "telegram": {"contract", "errors"},
    "outbox": {"telegram", "senders", "contract", "errors", "aws"},
    "relay": {"outbox", "telegram", "contract", "errors", "settings"},
    "doors": {"relay", "outbox", "senders", "contract", "errors", "settings", "aws"},
    "__init__": set(),
}
PURE = [
    *("contract/message", "contract/task", "contract/escaping", "contract/reading", "errors", "relay/ksuid"),
    *sorted(module for module in MODULES if module.startswith("senders/")),
    *("telegram/markup", "telegram/cutting", "telegram/rendering", "telegram/delivery"),
    *("outbox/row", "outbox/states", "doors/openapi", "doors/schemas"),
]
SHIPPED = {"urllib3", "boto3", "botocore"}
CONFIG = json.loads((APP_DIR / ".chalice" / "config.json").read_text())


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """The modules that a file imports anywhere in it, and whether they are of its own package, by their paths there."""
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
    # What only a type checker reads is not shipped.
    assert foreign - {"_typeshed"} <= (SHIPPED if module != "app" else {"chalice", "chalicelib"})


@pytest.mark.parametrize("module", PURE)
def test_the_pure_core_has_no_clock_no_network_no_environment_and_no_chance(module: str) -> None:
    found = {name.partition(".")[0] for name, is_own in imports(MODULES[module]) if not is_own}
    assert not found & {"time", "datetime", "os", "socket", "urllib3", "random", "secrets", "uuid", "subprocess"}


def test_boto3_is_imported_in_one_place_and_late() -> None:
    for module, path in MODULES.items():
        assert not {name for name, _ in imports(path) if name.partition(".")[0] in ("boto3", "botocore")}, module
    assert '_import("boto3")' in MODULES["aws"].read_text()


@pytest.mark.parametrize("path", [APP_DIR / "app.py", *MODULES.values()], ids=lambda path: path.stem)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def timeouts(stage: str) -> dict[str, float]:
    """For how many seconds each function of a stage may run."""
    functions = CONFIG["stages"][stage]["lambda_functions"]
    return {name: each.get("lambda_timeout", CONFIG["lambda_timeout"]) for name, each in functions.items()}


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
import json, sys, types
import app
context = types.SimpleNamespace(aws_request_id="request-1", get_remaining_time_in_millis=lambda: 60_000)
answer = app.message({"text": "Hello"}, context)
print(json.dumps([answer["text"], sorted(sys.modules)]))
"""

WARM = """
import json, os, sys, time
from chalicelib.doors.invoke import send_invoked
from chalicelib.outbox.table import Outbox
from chalicelib.relay import Relay
from chalicelib.settings import Parameters
from chalicelib.telegram.bot_api import Telegram
values = json.loads(os.environ["VALUES"])
parameters = Parameters("/botte/prod", lambda names: values)
parameters.chats()
relay = Relay(Telegram(os.environ["TELEGRAM_API_URL"], parameters.bot_token), Outbox("outbox"), parameters)
answer = send_invoked(relay, {"text": "Hello"}, "request-1", time.time() + 60)
print(json.dumps([answer["text"], sorted(sys.modules)]))
"""


@pytest.mark.parametrize("program", [pytest.param(LAMBDA, id="through_the_extension"), pytest.param(WARM, id="warm")])
def test_a_message_that_is_delivered_at_once_imports_nothing_heavy(telegram: FakeTelegram, program: str) -> None:
    values = {"telegram-chats": json.dumps({"default": TWIN_CHAT_ID}), "telegram-bot-token": TWIN_BOT_TOKEN}
    answers = [http_answer(200, {"Parameter": {"Value": value}}) for value in values.values()]
    with RawServer(*answers) as extension:
        environment = {
            "PATH": os.environ["PATH"],
            "BOTTE_STAGE": "prod",
            "PARAMETERS_PATH": "/botte/prod",
            "TELEGRAM_API_URL": telegram.url,
            "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT": str(extension.port),
            "AWS_SESSION_TOKEN": "session-token",
            "AWS_REGION": "us-east-1",
            "AWS_LAMBDA_FUNCTION_NAME": "botte-prod-message",
            "VALUES": json.dumps({f"/botte/prod/{name}": value for name, value in values.items()}),
        }
        child = subprocess.run(
            [sys.executable, "-c", program],
            cwd=APP_DIR,
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert child.returncode == 0, child.stderr
    text, modules = json.loads(child.stdout)
    assert text == "Hello"
    assert texts(telegram.messages) == ["Hello"]
    roots = {module.partition(".")[0] for module in modules}
    assert not roots & {"boto3", "botocore", "s3transfer", "requests", "pydantic", "httpx", "aws_lambda_powertools"}
    assert "urllib3" in roots
    assert senders_in(modules) <= {"unknown", "notice"}


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
