"""Botte: four doors to one Telegram chat, and a clock that sends again what could not be sent.

Each door only translates; what becomes of a message is decided in ``chalicelib.relay``.
"""

import logging
import os
import sys
import time
from typing import Any

from chalice import Chalice, Rate, Response
from chalice.app import CloudWatchEvent, DynamoDBEvent, SQSEvent

from chalicelib.aws import Aws
from chalicelib.doors import hook, http
from chalicelib.doors.invoke import send_invoked
from chalicelib.doors.queue import read_queue
from chalicelib.doors.stream import Tasks
from chalicelib.dynamodb import DynamoTable
from chalicelib.outbox.table import Outbox, OutboxTable
from chalicelib.relay import Relay
from chalicelib.settings import VERSION, Parameters, ParameterStore, Settings
from chalicelib.telegram.bot_api import Telegram

if "AWS_CHALICE_CLI_MODE" in os.environ:  # a command of Chalice's, and never a Lambda function
    import chalice_cli

    chalice_cli.prepare(os.environ, sys.argv)
settings = Settings.from_environ()
logging.getLogger("botte").setLevel(logging.INFO)
app = Chalice(app_name="botte", configure_logs=False)
aws = Aws()
store = ParameterStore(aws)
parameters = Parameters(settings.parameters_path, store.read, store.put)
tasks = Tasks(DynamoTable(aws, settings.task_table_name))
outbox = Outbox(OutboxTable(DynamoTable(aws, settings.outbox_table_name)))
telegram = Telegram(settings.telegram_api_url, parameters.bot_token)
relay = Relay(telegram, outbox, parameters, stage=settings.stage)
if settings.handler:  # while a function starts it has a whole CPU, whatever its memory
    parameters.read_ahead(*settings.parameters)


def deadline(context: Any) -> float:
    """When Lambda will end this invocation, in epoch seconds."""
    remaining: float = context.get_remaining_time_in_millis() / 1000
    return time.time() + remaining


@app.route("/message", methods=["POST"], content_types=http.CONTENT_TYPES)
def http_message() -> Response:
    return Response(*http.post_message(relay, parameters, app.current_request, time.time()))


@app.route("/heartbeat/{name}", methods=["POST"], content_types=http.CONTENT_TYPES)
def http_heartbeat(name: str) -> Response:
    return Response(*http.post_heartbeat(relay, parameters, app.current_request, name, time.time()))


@app.route("/hook/{name}", methods=["POST"], content_types=hook.CONTENT_TYPES)
def http_hook(name: str) -> Response:
    return Response(*hook.post_hook(relay, parameters, app.current_request, name, time.time()))


@app.route("/message/{id}", methods=["GET"])
def http_message_status(id: str) -> Response:
    return Response(*http.get_message(relay, parameters, app.current_request, id))


@app.route("/telegram-webhook", methods=["POST"])
def http_telegram_webhook() -> Response:
    from chalicelib.doors import webhook

    return Response(*webhook.post_update(relay, outbox, parameters, app.current_request, time.time()))


@app.route("/health", methods=["GET"])
def http_health() -> dict[str, str]:
    return {"status": "ok"}


@app.route("/version", methods=["GET"])
def http_version() -> dict[str, str]:
    return {"version": VERSION}


@app.route("/openapi.json", methods=["GET"])
def http_openapi() -> dict[str, Any]:
    from chalicelib.doors.openapi import get_document

    return get_document(app.current_request)


@app.lambda_function(name="message")
def message(event: object, context: Any) -> dict[str, Any]:
    return send_invoked(relay, event, context.aws_request_id, deadline(context))


@app.on_dynamodb_record(stream_arn=settings.task_stream_arn, batch_size=100, name="dynamodb_message")
def dynamodb_message(event: DynamoDBEvent) -> None:
    relay.take(tasks.read_stream(event.to_dict()["Records"]), deadline=deadline(event.context))


if settings.queue_name:

    @app.on_sqs_message(queue=settings.queue_name, batch_size=10, name="sqs_message")
    def sqs_message(event: SQSEvent) -> None:
        relay.take(read_queue(event.to_dict()["Records"]), deadline=deadline(event.context))


@app.schedule(Rate(1, unit=Rate.MINUTES), name="redeliver")
def redeliver(event: CloudWatchEvent) -> None:
    relay.redeliver(deadline=deadline(event.context))
    relay.take(tasks.sweep(), deadline=deadline(event.context))
