"""A stage of ``.chalice/config.json``: its settings, its names, its parameters and its outbox."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from chalice_cli import addresses
from chalicelib.aws import AwsError
from chalicelib.dynamodb import DynamoTable
from chalicelib.errors import redact
from chalicelib.outbox.table import Outbox, OutboxTable
from chalicelib.settings import CHATS, Settings, chat_ids

ROOT = Path(__file__).resolve().parents[2]


class StageError(Exception):
    """A stage cannot be used; the text says why, in a line."""


class AwsRefused(StageError):
    """AWS answered a call with an error; ``code`` is AWS's own."""

    def __init__(self, operation: str, error: ClientError) -> None:
        self.code = str(error.response["Error"].get("Code", ""))
        self.reason = redact(str(error.response["Error"].get("Message", "")))
        super().__init__(f"{operation}: {self.code}: {self.reason}")


class _Sdk:
    """DynamoDB by boto3, as the operator's environment has it: profile, role, proxy, certificates; with its retries."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def call(self, operation: str, arguments: Mapping[str, object]) -> dict[str, Any]:
        """As that of :class:`chalicelib.aws.Aws`."""
        method = xform_name(operation.rpartition(".")[2])
        try:
            answer: dict[str, Any] = getattr(self._client, method)(**arguments)
        except ClientError as error:
            is_lost = error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
            raise AwsError(error.response["Error"]["Code"], perhaps_done=is_lost, answer=error.response) from None
        except BotoCoreError as error:
            reason = f"{type(error).__name__} at {self._client.meta.endpoint_url}"
            raise AwsError(reason, perhaps_done=True) from None
        return answer


class Stage:
    """A stage by its name; ``local`` is the running twin, where it noted that it is, or the environment says.

    root: the project's folder. Raises StageError, here and in every method.
    """

    def __init__(self, name: str, root: Path = ROOT) -> None:
        config = json.loads((root / ".chalice" / "config.json").read_text())
        stages = config["stages"]
        if name not in stages:
            raise StageError(f"STAGE: {name!r} is not in .chalice/config.json; the stages are {', '.join(stages)}")
        self.name = name
        self.root = root
        self.is_local = name == "local"
        self.config: dict[str, Any] = {**config, **stages[name]}  # as Chalice looks for most of it
        self.environment: dict[str, str] = self.config["environment_variables"]
        settings = Settings.from_environ({"BOTTE_STAGE": name, **self.environment})
        self.parameters_path = settings.parameters_path
        self.task_table_name = settings.task_table_name
        self.outbox_table_name = settings.outbox_table_name
        self.queue_name = settings.queue_name
        self.telegram_api_url = settings.telegram_api_url
        self._endpoint_url: str | None = None
        given: dict[str, str | None]
        if self.is_local:
            self.twin = addresses(root)
            self.telegram_api_url = self.twin["telegram"]
            self._endpoint_url = self.twin["aws"]
            given = {
                "region_name": self.environment["AWS_DEFAULT_REGION"],
                "aws_access_key_id": self.environment["AWS_ACCESS_KEY_ID"],
                "aws_secret_access_key": self.environment["AWS_SECRET_ACCESS_KEY"],
            }
        else:
            given = {"region_name": _given_region()}
        try:
            self._session = boto3.Session(**given)
        except BotoCoreError as error:
            raise StageError(f"AWS cannot be used: {error}") from None
        self._clients: dict[str, Any] = {}

    @property
    def prefix(self) -> str:
        """What the names of everything that belongs to the stage begin with; also the HTTP function's whole name."""
        return f"botte-{self.name}"

    @property
    def messages_queue(self) -> str:
        """The queue of the SQS door, on or off."""
        return self.queue_name or f"{self.prefix}-messages"

    @property
    def failures_queue(self) -> str:
        """The queue of what AWS gave up."""
        return f"{self.prefix}-failures"

    @property
    def dead_letter_queue(self) -> str:
        """The queue of what its queue gave up, if the stage has one."""
        return f"{self.prefix}-messages-dead-letter"

    @property
    def queues(self) -> tuple[str, ...]:
        """Every queue that the stage may have."""
        return (self.messages_queue, self.dead_letter_queue, self.failures_queue)

    @property
    def deployed_file(self) -> Path:
        """Where Chalice notes what it deployed."""
        return self.root / ".chalice" / "deployed" / f"{self.name}.json"

    @property
    def handlers(self) -> dict[str, str]:
        """The functions of the stage by the names of their handlers, as Chalice makes them."""
        names = ["message", "dynamodb_message", *(["sqs_message"] if self.queue_name else []), "redeliver"]
        return {"api_handler": self.prefix, **{name: f"{self.prefix}-{name}" for name in names}}

    @property
    def region(self) -> str:
        """Where the stage is."""
        if not self._session.region_name:
            raise StageError("no AWS region is set: set AWS_REGION, or run aws configure")
        return str(self._session.region_name)

    def http_url(self) -> str:
        """Where the HTTP door is, as ``BOTTE_API_URL`` or else Chalice says; without a slash at its end."""
        if self.is_local:
            return self.twin["http"]
        if given := os.environ.get("BOTTE_API_URL"):
            return given.rstrip("/")
        try:
            resources = json.loads(self.deployed_file.read_text())["resources"]
            return next(str(each["rest_api_url"]) for each in resources if "rest_api_url" in each).rstrip("/")
        except (OSError, ValueError, KeyError, StopIteration):
            where = self.deployed_file.relative_to(self.root)
            raise StageError(f"{where} does not tell the URL: make deploy writes it, or set BOTTE_API_URL") from None

    def aws_command(self) -> str:
        """How the command line of AWS reaches the stage from the operator's shell."""
        if not self.is_local:
            return "aws"
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
        variables = " ".join(f"{name}={self.environment[name]}" for name in names)
        return f"{variables} aws --endpoint-url {self._endpoint_url}"

    def check_twin(self) -> None:
        """Raises StageError where the stage is the local twin, and none runs."""
        if not self.is_local:
            return
        host, _, port = self.twin["aws"].rpartition("/")[2].partition(":")
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except OSError:
            looked = f"HTTP door {self.twin['http']}, AWS {self.twin['aws']}, Telegram {self.twin['telegram']}"
            raise StageError(f"no twin runs ({looked}): make run starts one") from None

    def outbox(self) -> Outbox:
        """The stage's outbox."""
        return Outbox(OutboxTable(DynamoTable(_Sdk(self.client("dynamodb")), self.outbox_table_name)))

    def parameter(self, name: str) -> str | None:
        """The value of a parameter; None if there is none."""
        answer = self.call("ssm", "get_parameters", Names=[f"{self.parameters_path}/{name}"], WithDecryption=True)
        return next((str(parameter["Value"]) for parameter in answer["Parameters"]), None)

    def chats(self) -> dict[str, int]:
        """The ids of the configured chats, by their names; empty where there are none yet."""
        try:
            return chat_ids(self.parameter(CHATS) or "{}")
        except ValueError as error:
            raise StageError(f"parameter {self.parameters_path}/{CHATS} {error}") from None

    def put_secret(self, name: str, value: str) -> None:
        """Writes a parameter as a SecureString."""
        self.put_parameter(name, value, "SecureString")

    def put_parameter(self, name: str, value: str, kind: str) -> None:
        """Writes a parameter. kind: ``String`` or ``SecureString``."""
        self.call("ssm", "put_parameter", Name=f"{self.parameters_path}/{name}", Value=value, Type=kind, Overwrite=True)

    def call(self, service: str, operation: str, **arguments: object) -> Any:
        """The answer of an AWS operation, in boto3's names. Raises AwsRefused, or StageError if AWS cannot be used."""
        try:
            return getattr(self.client(service), operation)(**arguments)
        except ClientError as error:
            raise AwsRefused(f"{service} {operation}", error) from None
        except BotoCoreError as error:
            raise _unusable(service, error) from None

    def find(self, service: str, operation: str, **arguments: object) -> Any:
        """As ``call``; None where what is asked for does not exist."""
        try:
            return self.call(service, operation, **arguments)
        except AwsRefused as error:
            if any(
                word in error.code for word in ("NotFound", "NoSuchEntity", "NonExistentQueue", "QueueDoesNotExist")
            ):
                return None
            raise

    def pages(self, service: str, operation: str, key: str, **arguments: object) -> Iterator[Any]:
        """All that a list operation lists under a key. Raises as ``call``."""
        try:
            for page in self.client(service).get_paginator(operation).paginate(**arguments):
                yield from page.get(key, [])
        except ClientError as error:
            raise AwsRefused(f"{service} {operation}", error) from None
        except BotoCoreError as error:
            raise _unusable(service, error) from None

    def wait(self, service: str, waiter: str, **arguments: object) -> None:
        """Waits for what a waiter of boto3's waits for. Raises StageError if it does not come."""
        try:
            self.client(service).get_waiter(waiter).wait(**arguments)
        except BotoCoreError as error:
            raise StageError(f"{_SERVICE_NAMES.get(service, service)}: {redact(str(error))}") from None

    def client(self, service: str) -> Any:
        """The boto3 client of a service, made once."""
        try:
            if service not in self._clients:
                config = Config(connect_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
                self._clients[service] = self._session.client(service, config=config, endpoint_url=self._endpoint_url)
            return self._clients[service]
        except (BotoCoreError, ValueError) as error:
            raise StageError(f"AWS cannot be used: {error}") from None


_SERVICE_NAMES = {"ssm": "the Parameter Store"}


def _unusable(service: str, error: BotoCoreError) -> StageError:
    mend = ": run aws configure" if isinstance(error, NoCredentialsError) else ""
    return StageError(f"{_SERVICE_NAMES.get(service, service)} cannot be used: {error}{mend}")


def _given_region() -> str | None:
    """The region in the environment. The AWS CLI takes one of the variables, boto3 the other. Raises StageError."""
    given = {name: os.environ[name] for name in ("AWS_REGION", "AWS_DEFAULT_REGION") if os.environ.get(name)}
    if len(set(given.values())) > 1:
        told = " and ".join(f"{name} is {value}" for name, value in given.items())
        raise StageError(f"{told}: unset the one that is not meant")
    return next(iter(given.values()), None)
