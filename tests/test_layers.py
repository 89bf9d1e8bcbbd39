"""Who may import whom, and what a message costs in imports."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doors import APP_DIR, RawServer, http_answer, texts
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram

CHALICELIB = APP_DIR / "chalicelib"
MODULES = {path.stem: path for path in CHALICELIB.glob("*.py")}

# What each module may import of the package: message <- task, errors <- telegram <- relay <- app.py.
MAY_IMPORT = {
    "__init__": set(),
    "aws": set(),
    "ksuid": set(),
    "markup": set(),
    "message": set(),
    "task": set(),
    "errors": {"message", "task"},
    "cutting": {"markup"},
    "rendering": {"cutting", "markup", "message"},
    "telegram": {"errors"},
    "settings": {"aws", "errors"},
    "delivery": {"errors", "message", "rendering", "telegram"},
    "row": {"delivery", "errors", "task"},
    "outbox": {"aws", "delivery", "errors", "row", "task"},
    "courier": {"delivery", "errors", "settings", "telegram"},
    "attempt": {"courier", "delivery", "errors", "message", "outbox", "row"},
    "relay": {
        *("attempt", "courier", "delivery", "errors", "ksuid", "message", "outbox"),
        *("rendering", "row", "settings", "task", "telegram"),
    },
    "records": {"message", "relay", "row", "task"},
    "invoke": {"attempt", "errors", "message", "relay", "row"},
    "http": {"attempt", "errors", "message", "relay", "settings"},
    "webhook": {"errors", "http", "message", "outbox", "relay", "settings"},
}
PURE = ["message", "task", "markup", "cutting", "rendering", "row", "ksuid", "errors"]
SHIPPED = {"urllib3", "boto3", "botocore"}


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """The modules that a file imports anywhere in it, and whether they are of its own package."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield from ((name, True) for name in ([node.module] if node.module else [a.name for a in node.names]))
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module), False


def test_every_module_has_its_place_in_the_table() -> None:
    assert set(MODULES) == set(MAY_IMPORT)


@pytest.mark.parametrize("module", sorted(MAY_IMPORT))
def test_a_module_imports_only_what_lies_below_it(module: str) -> None:
    own = {name.partition(".")[0] for name, is_own in imports(MODULES[module]) if is_own}
    assert own <= MAY_IMPORT[module]


def test_nothing_imports_in_a_circle() -> None:
    above: dict[str, set[str]] = {module: set(below) for module, below in MAY_IMPORT.items()}
    while above:
        lowest = [module for module, below in above.items() if not below]
        assert lowest, f"a circle: {sorted(above)}"
        above = {module: below - set(lowest) for module, below in above.items() if module not in lowest}


@pytest.mark.parametrize("path", [APP_DIR / "app.py", *MODULES.values()], ids=lambda path: path.stem)
def test_the_app_imports_the_standard_library_and_what_is_shipped(path: Path) -> None:
    foreign = {name.partition(".")[0] for name, is_own in imports(path) if not is_own} - set(sys.stdlib_module_names)
    assert foreign <= (SHIPPED if path.stem != "app" else {"chalice", "chalicelib"})


@pytest.mark.parametrize("module", PURE)
def test_the_pure_core_has_no_clock_no_network_no_environment_and_no_chance(module: str) -> None:
    found = {name.partition(".")[0] for name, _ in imports(MODULES[module])}
    assert not found & {"time", "datetime", "os", "socket", "urllib3", "random", "secrets", "uuid", "subprocess"}


def test_boto3_is_imported_in_one_place_and_late() -> None:
    for module, path in MODULES.items():
        assert not {name for name, _ in imports(path) if name.partition(".")[0] in ("boto3", "botocore")}, module
    assert '_import("boto3")' in MODULES["aws"].read_text()


@pytest.mark.parametrize("path", [APP_DIR / "app.py", *MODULES.values()], ids=lambda path: path.stem)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


LAMBDA = """
import json, sys, types
import app
context = types.SimpleNamespace(aws_request_id="request-1", get_remaining_time_in_millis=lambda: 60_000)
answer = app.message({"text": "Hello"}, context)
print(json.dumps([answer["text"], sorted(sys.modules)]))
"""

WARM = """
import json, os, sys, time
from chalicelib.invoke import send_invoked
from chalicelib.outbox import Outbox
from chalicelib.relay import Relay
from chalicelib.settings import Parameters
from chalicelib.telegram import Telegram
values = json.loads(os.environ["VALUES"])
parameters = Parameters("/botte/prod", lambda names: values)
parameters.chats()
relay = Relay(Telegram(os.environ["TELEGRAM_API_URL"], parameters.bot_token), Outbox("tasks"), parameters)
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
