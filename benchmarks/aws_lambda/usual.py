"""The usual way: a bot library, a logger, secrets from the Parameter Store, a loop over the records."""

# mypy: allow-untyped-defs, allow-untyped-calls
# ruff: noqa: ARG001

import json
import os

import telebot
from aws_lambda_powertools import Logger

logger = Logger(service="notify")

if "TELEGRAM_BOT_TOKEN" in os.environ:
    bot_token, chat_id = os.environ["TELEGRAM_BOT_TOKEN"], os.environ["TELEGRAM_CHAT_ID"]
    api_token = os.environ["HTTP_API_TOKEN"]
else:
    import boto3

    path = os.environ["PARAMETERS_PATH"]
    names = [f"{path}/telegram-bot-token", f"{path}/telegram-chats", f"{path}/http-api-token"]
    answer = boto3.client("ssm").get_parameters(Names=names, WithDecryption=True)
    values = {parameter["Name"]: parameter["Value"] for parameter in answer["Parameters"]}
    bot_token, chats, api_token = (values[name] for name in names)
    chat_id = json.loads(chats)["default"]

telebot.apihelper.API_URL = os.environ["TELEGRAM_API_URL"] + "/bot{0}/{1}"
bot = telebot.TeleBot(bot_token)


def send(text):
    message = bot.send_message(chat_id, text)
    logger.info("sent", extra={"message_id": message.message_id})
    return message.message_id


@logger.inject_lambda_context
def direct(event, context):
    return {"message_id": send(event["text"])}


@logger.inject_lambda_context
def http_event(event, context):
    if event["headers"].get("Authorization") != api_token:
        return {"statusCode": 401, "body": json.dumps({"message": "Unauthorized"})}
    message_id = send(json.loads(event["body"])["text"])
    return {"statusCode": 200, "body": json.dumps({"message_id": message_id})}


@logger.inject_lambda_context
def stream(event, context):
    for record in event["Records"]:
        if record["eventName"] == "INSERT":
            send(record["dynamodb"]["NewImage"]["Payload"]["M"]["text"]["S"])


@logger.inject_lambda_context
def queue(event, context):
    for record in event["Records"]:
        send(json.loads(record["body"])["text"])
