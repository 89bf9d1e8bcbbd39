"""No secret is printed, logged, stored, packaged or deployed: bot token, HTTP token, hook token, webhook secret.

Everything that a stage and its operators leave behind is gathered, also after Telegram's place was taken by a server
that repeats the bot token, and looked through.
"""

from __future__ import annotations

import contextlib
import io
import json
import secrets
import traceback
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from botte_http_client import BotteError, BotteHttpClient, InvalidMessage
from chalicelib.settings import BOT_TOKEN, HOOK_TOKENS, HTTP_API_TOKEN, WEBHOOK_SECRET
from tests.doors import RawServer, http_answer
from tests.ops.conftest import World, eventually
from tools.dev.fake_telegram import TWIN_BOT_TOKEN

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

HOOK_TOKEN = secrets.token_urlsafe(32)
FUNCTIONS = [f"botte-prod{name}" for name in ("", "-message", "-dynamodb_message", "-sqs_message", "-redeliver")]
ECHO = f"/bot{quote(TWIN_BOT_TOKEN)}/sendMessage {TWIN_BOT_TOKEN.upper()}"
HOSTILE = {"ok": False, "error_code": 400, "description": f"Bad Request: {ECHO}"}


class Gathered:
    """What can be seen, by where it is."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def add(self, where: str, what: object) -> None:
        text = what if isinstance(what, str) else json.dumps(what, default=str)
        self.texts[where] = self.texts.get(where, "") + text

    def run(self, world: World, *arguments: str) -> None:
        """Runs a command of `tools.ops`, and gathers what it prints."""
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            world.run(*arguments)
        self.add(f"make {' '.join(arguments)}", out.getvalue() + err.getvalue())

    def holders(self, canary: str) -> list[str]:
        """Where a canary is, in any case."""
        return [where for where, text in self.texts.items() if canary.lower() in text.lower()]


def send_through_all_doors(world: World, gathered: Gathered, http_token: str, webhook_secret: str, mark: str) -> None:
    body = {"text": mark, "id": f"{mark}-id"}
    update = {"update_id": len(mark), "message": {"chat": {"id": 1}, "text": "/status"}}
    requests: list[tuple[str, object, dict[str, str]]] = [
        ("/message", body, {"Authorization": http_token}),
        ("/message", {"text": 5}, {"Authorization": f"Bearer {http_token}"}),
        ("/message", body, {"Authorization": f"{http_token}x"}),
        (f"/message?token={http_token}", body, {}),
        (f"/hook/shop?token={HOOK_TOKEN}", {"order": mark}, {}),
        (f"/hook/shop?token={HOOK_TOKEN}&token={HOOK_TOKEN}&other={mark}", {"order": mark}, {}),
        (f"/hook/shop?token={HOOK_TOKEN}x", {"order": mark}, {}),
        ("/telegram-webhook", update, {"X-Telegram-Bot-Api-Secret-Token": webhook_secret}),
        ("/telegram-webhook", update, {"X-Telegram-Bot-Api-Secret-Token": f"{webhook_secret}x"}),
    ]
    for path, content, headers in requests:
        url = world.addresses["gateway"] + "/api" + path
        request = urllib.request.Request(
            url, json.dumps(content).encode(), {"Content-Type": "application/json", **headers}
        )
        try:
            with urllib.request.urlopen(request) as answer:
                gathered.add("the answers of HTTP", f"{answer.headers} {answer.read().decode()}")
        except urllib.error.HTTPError as error:
            gathered.add("the answers of HTTP", f"{error.headers} {error.read().decode()}")
    for payload in (body, {"text": f"{mark}, too"}, {"text": 5}):
        answer = world.client("lambda").invoke(FunctionName="botte-prod-message", Payload=json.dumps(payload).encode())
        gathered.add("the answers of Lambda", answer["Payload"].read().decode())
    item = {"PK": {"S": "BOTTE_MESSAGE"}, "SK": {"S": mark}, "Payload": {"M": {"text": {"S": mark}}}}
    world.client("dynamodb").put_item(TableName="botte-prod-tasks", Item=item)
    queue = world.client("sqs").get_queue_url(QueueName="botte-prod-messages")["QueueUrl"]
    world.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps({"text": mark}))
    tasks = world.client("dynamodb").scan
    assert eventually(lambda: tasks(TableName="botte-prod-tasks", ConsistentRead=True)["Count"] == 0, 30.0)
    client = BotteHttpClient(world.addresses["gateway"] + "/api", http_token, retries=0)
    for send in (lambda: client.send_message(mark), lambda: client.send_message(mark, chat="nobody")):
        gathered.add("what the client gives", outcome(send))


def outcome(send: Callable[[], object]) -> str:
    try:
        return repr(send())
    except (BotteError, InvalidMessage) as error:
        return f"{error!r} {traceback.format_exc()}"


def point_at(world: World, telegram_url: str) -> None:
    """Has the functions, and the operators, take another server for Telegram."""
    aws = world.client("lambda")
    for function in FUNCTIONS:
        variables = aws.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        changed = {"Variables": {**variables, "TELEGRAM_API_URL": telegram_url}}
        aws.update_function_configuration(FunctionName=function, Environment=changed)
    path = world.project / ".chalice" / "config.json"
    config: Any = json.loads(path.read_text())
    config["stages"]["prod"]["environment_variables"]["TELEGRAM_API_URL"] = telegram_url
    path.write_text(json.dumps(config))


def gather_what_is_kept(world: World, gathered: Gathered) -> None:
    logs, aws, cloudformation = world.client("logs"), world.client("lambda"), world.client("cloudformation")
    for group in logs.describe_log_groups()["logGroups"]:
        events = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        gathered.add("the logs", [each["message"] for page in events for each in page["events"]])
    for table in ("outbox", "tasks"):
        rows = world.client("dynamodb").scan(TableName=f"botte-prod-{table}", ConsistentRead=True)["Items"]
        gathered.add(f"the table {table}", rows)
    gathered.add("the functions", [aws.get_function(FunctionName=each) for each in FUNCTIONS])
    gathered.add("the stack", cloudformation.describe_stacks(StackName="botte-prod"))
    gathered.add("the template", cloudformation.get_template(StackName="botte-prod"))
    gathered.add("the chat", world.telegram("GET", "/inbox/messages"))
    for path in world.project.rglob("*"):
        if path.is_symlink() or not path.is_file() or "fake_telegram" in path.parts:  # its own token is in its source
            continue
        gathered.add(f"the file {path.relative_to(world.project)}", path.read_bytes().decode("latin-1"))
        if path.suffix == ".zip":
            gather_zip(path, gathered)


def gather_zip(path: Path, gathered: Gathered) -> None:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            gathered.add(f"the package, {name}", archive.read(name).decode("latin-1"))


def test_no_secret_is_printed_logged_stored_packaged_or_deployed(world: World) -> None:
    gathered = Gathered()
    gathered.run(world, "deploy", "--dry-run")
    gathered.run(world, "deploy")
    world.client("ssm").put_parameter(Name=f"/botte/prod/{HOOK_TOKENS}", Type="SecureString", Value=HOOK_TOKEN)
    gathered.run(world, "webhook", "set")
    http_token, webhook_secret = world.parameter(HTTP_API_TOKEN).split()[-1], world.parameter(WEBHOOK_SECRET)
    send_through_all_doors(world, gathered, http_token, webhook_secret, "fair")
    with RawServer(http_answer(400, {**HOSTILE, "description": f"{ECHO} {webhook_secret.upper()}"})) as server:
        point_at(world, server.url)
        gathered.run(world, "webhook", "set")  # which it is told with
    with RawServer(http_answer(400, HOSTILE)) as server:
        point_at(world, server.url)
        send_through_all_doors(world, gathered, http_token, webhook_secret, "hostile")
        for command in ("webhook info", "doctor", "deploy", "failed"):
            gathered.run(world, *command.split())
    point_at(world, world.addresses["telegram"])
    world.client("lambda").invoke(FunctionName="botte-prod-redeliver", Payload=b"{}")
    for command in ("failed", "redrive", "doctor", "logs", "rotate-token --yes", "failed"):
        gathered.run(world, *command.split())
    gather_what_is_kept(world, gathered)
    assert "[bot token]" in gathered.texts["make failed"]
    assert "[bot token]" in gathered.texts["make doctor"]
    assert "[webhook secret]" in gathered.texts["make webhook set"]
    assert len(gathered.texts["the logs"]) > 10_000
    canaries = {
        "the bot token": TWIN_BOT_TOKEN.partition(":")[2],
        "the HTTP token": http_token,
        "the new HTTP token": world.parameter(HTTP_API_TOKEN).split()[-1],
        "the hook token": HOOK_TOKEN,
        "the webhook secret": webhook_secret,
    }
    assert world.parameter(BOT_TOKEN) == TWIN_BOT_TOKEN
    assert {name: holders for name, canary in canaries.items() if (holders := gathered.holders(canary))} == {}
