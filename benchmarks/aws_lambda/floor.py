"""The floor: the least that sends a message to Telegram. No checks, no log, no retry."""

# mypy: allow-untyped-defs, allow-untyped-calls
# ruff: noqa: ARG001

import http.client
import json
import os

HOST = os.environ["TELEGRAM_API_URL"].partition("://")[2]
PATH = f"/bot{os.environ['TELEGRAM_BOT_TOKEN']}/sendMessage"
CHAT_ID = os.environ["TELEGRAM_CHAT_ID"]
HEADERS = {"Content-Type": "application/json"}

connection = http.client.HTTPSConnection(HOST)


def send(text):
    connection.request("POST", PATH, json.dumps({"chat_id": CHAT_ID, "text": text}), HEADERS)
    return json.load(connection.getresponse())["result"]


def direct(event, context):
    return send(event["text"])


def http_event(event, context):
    return {"statusCode": 200, "body": json.dumps(send(json.loads(event["body"])["text"]))}


def stream(event, context):
    for record in event["Records"]:
        send(record["dynamodb"]["NewImage"]["Payload"]["M"]["text"]["S"])


def queue(event, context):
    for record in event["Records"]:
        send(json.loads(record["body"])["text"])
