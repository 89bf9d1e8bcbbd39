"""The whole twin: embedded AWS, Telegram, the app behind its four doors, and the pump between them."""

from __future__ import annotations

import http.client
import json
import logging
import os
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from chalice.app import Chalice
from chalice.cli.factory import CLIFactory
from chalice.config import Config

from chalice_cli import note_of, noted_addresses
from chalicelib.outbox.row import Row
from tools.dev.aws import WEBHOOK_SECRET, EmbeddedAws, Resources
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram
from tools.dev.functions import Functions
from tools.dev.http_door import HttpDoor
from tools.dev.logs import MendedHandler
from tools.dev.pump import Pump
from tools.dev.settings import LOOPBACK, Ports, RealTelegram, Settings, TwinError, clean_environment

PROJECT_DIR = Path(__file__).resolve().parents[2] / "botte-app"
STAGE = "local"
REAL_TELEGRAM_URL = "https://api.telegram.org"

# On AWS the schedule runs every minute. Here nobody should have to wait that long to see a message come after all.
SCHEDULE_INTERVAL = 5.0
READY_TIMEOUT = 20.0


class Twin:
    """Botte on this machine, in this process: once in a process, since the app is imported for it."""

    def __init__(self, settings: Settings, ports: Ports) -> None:
        self._ports = ports
        self.real_telegram: RealTelegram | None = settings.real_telegram
        self.http_url = ports.http.url
        self.aws_url = ports.aws.url
        self.fake_telegram_url = ports.telegram.url if ports.telegram else None
        self.telegram_api_url: str = settings.telegram_api_url or self.fake_telegram_url or REAL_TELEGRAM_URL
        self.resources: Resources
        self._aws: EmbeddedAws
        self._app: Chalice
        self._config: Config
        self._fake_telegram: FakeTelegram | None = None
        self._running = ExitStack()

    def start(self) -> None:
        """Starts one part after the other and waits until every door answers.

        Raises TwinError when one does not. Whatever happens, `stop` is to be called in the end.
        """
        clean_environment(os.environ)
        self._start_aws()
        self._start_telegram()
        self._load_app()
        self._start_functions()
        self._open_http_door()
        self._wait_until_ready()
        self._set_webhook()

    def note_addresses(self) -> str | None:
        """Notes in the checkout where this twin runs, for `make doctor` and others, until it stops.

        Returns the address of the HTTP door of another twin that has noted itself; then that one's note stays.
        """
        if other := noted_addresses(PROJECT_DIR.parent):
            return other["http"]
        note = note_of(PROJECT_DIR.parent)
        self._running.callback(note.unlink, missing_ok=True)
        note.write_text(json.dumps({"http": self.http_url, "aws": self.aws_url, "telegram": self.telegram_api_url}))
        return None

    def stop(self) -> None:
        """Closes every port. What runs now gets a second to end."""
        self._running.close()

    def _start_aws(self) -> None:
        self._running.callback(logging.disable, logging.NOTSET)
        self._aws = EmbeddedAws(self._ports.aws.release())
        self._running.callback(self._aws.stop)
        self._aws.start()
        real = self.real_telegram
        self.resources = self._aws.create_resources(
            bot_token=real.bot_token if real else TWIN_BOT_TOKEN, chat_id=real.chat_id if real else TWIN_CHAT_ID
        )
        if real:  # no webhook brings the presses of its buttons
            name = "/botte/local/telegram-webhook-secret"
            self._aws.client("ssm", counted=False).delete_parameter(Name=name)

    def _start_telegram(self) -> None:
        if self._ports.telegram is not None:
            fake = FakeTelegram(
                port=self._ports.telegram.release(), http_door_url=self.http_url, status_source=self._statuses
            )
            self._running.callback(fake.stop)
            fake.start()
            self._fake_telegram = fake
            mended = MendedHandler(fake.mark_mended)
            logging.getLogger("botte").addHandler(mended)
            self._running.callback(logging.getLogger("botte").removeHandler, mended)
        # From here on the parts end in the midst of their work, which is nothing to report.
        self._running.callback(logging.disable, logging.CRITICAL)

    def _load_app(self) -> None:
        factory = CLIFactory(str(PROJECT_DIR), environ=os.environ)
        self._config = factory.create_config_obj(chalice_stage_name=STAGE)
        os.environ.update(self._config.environment_variables)
        os.environ.update(self._aws.environment)
        os.environ["TELEGRAM_API_URL"] = self.telegram_api_url
        os.environ["TASK_STREAM_ARN"] = self.resources.stream_arn
        # Without variables of its own this leaves the environment as it was made here.
        self._app = factory.load_chalice_app()

    def _start_functions(self) -> None:
        functions = Functions(
            self._app,
            STAGE,
            timeout_seconds=self._config.lambda_timeout,
            memory_limit_in_mb=self._config.lambda_memory_size,
        )
        self._running.callback(functions.stop, timeout=0.5)
        functions.on_failure = self._keep_failure
        self._aws.functions = functions
        pump = Pump(self._app, functions, self._aws, schedule_interval=SCHEDULE_INTERVAL)
        self._running.callback(pump.stop, timeout=0.5)
        pump.start()

    def _keep_failure(self, record: str) -> None:
        """The on-failure destination of async invokes, which `make deploy` sets on AWS."""
        sqs = self._aws.client("sqs", counted=False)
        with suppress(BotoCoreError, ClientError):  # the end of the twin
            url = sqs.get_queue_url(QueueName="botte-local-failures")["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody=record)

    def _open_http_door(self) -> None:
        door = HttpDoor(self._app, self._config, self._ports.http.release())
        self._running.callback(door.stop)
        door.start()

    def _set_webhook(self) -> None:
        """Has the fake Telegram bring what is written on its page to the app, which answers /echo and /status."""
        if self._fake_telegram is not None and self.telegram_api_url == self.fake_telegram_url:
            self._fake_telegram.set_webhook(f"{self.http_url}/telegram-webhook", WEBHOOK_SECRET)

    def _wait_until_ready(self) -> None:
        ends = time.monotonic() + READY_TIMEOUT
        while missing := self._unanswered():
            if time.monotonic() > ends:
                raise TwinError(f"Botte does not start: {missing}.")
            time.sleep(0.05)

    def _unanswered(self) -> str | None:
        """The first door that does not answer, and how; None when all do."""
        try:
            connection = http.client.HTTPConnection(LOOPBACK, self._ports.http.number, timeout=5)
            connection.request("GET", "/health")
            status = connection.getresponse().status
            connection.close()
        except OSError as exc:
            return f"the HTTP door does not answer ({exc})"
        if status != 200:
            return f"GET {self.http_url}/health answers {status}"
        invoked = self._aws.client("lambda", counted=False).invoke(
            FunctionName="botte-local-message", InvocationType="DryRun", Payload=b"{}"
        )
        if invoked["StatusCode"] != 204:
            return f"the function botte-local-message answers {invoked['StatusCode']}"
        for table in (self.resources.table_name, self.resources.outbox_table_name):
            self._aws.client("dynamodb", counted=False).describe_table(TableName=table)
        self._aws.client("sqs", counted=False).get_queue_attributes(QueueUrl=self.resources.queue_url)
        return None

    def _statuses(self) -> dict[str, int]:
        """How many messages are pending and failed in the outbox, but for those that are shown, and may ring again."""
        pages = (
            self._aws.client("dynamodb", counted=False)
            .get_paginator("scan")
            .paginate(
                TableName=self.resources.outbox_table_name,
                ProjectionExpression="PK, SK, #s, Version, Shown",
                ExpressionAttributeNames={"#s": "Status"},
            )
        )
        rows = [Row(item) for page in pages for item in page["Items"]]
        return {
            "pending": sum(row.owes and not row.is_shown for row in rows),
            "failed": sum(row.status == "FAILED" for row in rows),
        }
