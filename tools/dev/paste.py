"""What the twin prints when it runs: for each door a line that can be pasted as it stands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tools.dev.aws import HOOK_TOKEN, HTTP_API_TOKEN
from tools.dev.functions import REGION
from tools.dev.twin import Twin


def lines_to_paste(twin: Twin) -> str:
    """The lines work in any POSIX shell, with version 1 and 2 of the AWS CLI."""
    here, brought = shutil.which("aws"), Path(".venv/bin/aws").exists()
    aws = f"{'aws' if here and not brought else '.venv/bin/aws'} --endpoint-url {twin.aws_url}"
    item = _ITEM.replace("SORT_KEY", "'$(date +%s)'")  # each paste is another message
    return "\n".join(
        [
            "",
            _where_messages_arrive(twin),
            "",
            "HTTP door:",
            f"  curl -X POST {twin.http_url}/message -H 'Authorization: {HTTP_API_TOKEN}' -d '{_payload('CURL_TEST')}'",
            "",
            "For what sends something else, such as an alarm:",
            f"  curl -X POST '{twin.http_url}/hook/shop?token={HOOK_TOKEN}' -d '{_ORDER}'",
            "",
            "For the other doors, first:"
            if here or brought
            else "For the other doors you need the aws command: `make aws` brings one. Then, first:",
            "  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_PAGER= "
            f"AWS_DEFAULT_REGION={REGION} AWS_REGION={REGION}",
            "",
            "Lambda door:",
            # Only this form of the payload is the same for both versions of the CLI.
            f"  echo '{_payload('LAMBDA_TEST')}' | {aws} lambda invoke "
            "--function-name botte-local-message --payload fileb:///dev/stdin /dev/stdout",
            "",
            "DynamoDB door:",
            f"  {aws} dynamodb put-item --table-name {twin.resources.table_name} --item '{item}'",
            "",
            "SQS door:",
            f"  {aws} sqs send-message --queue-url {twin.resources.queue_url} --message-body '{_payload('SQS_TEST')}'",
            "",
            "Ctrl-C ends it.",
            "",
        ]
    )


def how_to_reach(twin: Twin, other: str) -> str:
    """What `make doctor` and others need, where another twin was first in this checkout. other: its HTTP door."""
    ports = {"HTTP": twin.http_url, "AWS": twin.aws_url, "TELEGRAM": twin.fake_telegram_url}
    variables = [f"BOTTE_{name}_PORT={url.rpartition(':')[2]}" for name, url in ports.items() if url]
    return f"make doctor and make failed reach the twin at {other}, and this one with\n  {' '.join(variables)}\n"


def _where_messages_arrive(twin: Twin) -> str:
    if twin.real_telegram:
        return f"Messages go to the real Telegram: chat {twin.real_telegram.chat_id}, through {twin.telegram_api_url}"
    if twin.telegram_api_url != twin.fake_telegram_url:
        return f"Messages go to {twin.telegram_api_url}; the fake Telegram is at {twin.fake_telegram_url}/"
    return f"Messages arrive on the inbox page:\n  {twin.fake_telegram_url}/"


def _payload(sender: str) -> str:
    return json.dumps({"text": "Hello World", "sender_app": sender})


_ORDER = json.dumps({"order": 4711, "reason": "no stock"})

_ITEM = json.dumps(
    {
        "PK": {"S": "BOTTE_MESSAGE"},
        "SK": {"S": "SORT_KEY"},
        "TaskId": {"S": "BOTTE_MESSAGE"},
        "SenderApp": {"S": "DYNAMODB_TEST"},
        "Payload": {"M": {"text": {"S": "Hello World"}}},
    }
)
