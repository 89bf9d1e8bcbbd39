"""A message through each door, as senders send it: curl's request, and the `aws` command."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

AWS = Path(sys.executable).with_name("aws")


def sender_commands(stage: str) -> Iterator[str]:
    """Lines for a POSIX shell in which ``BOTTE_API_URL`` and AWS's variables are set."""
    table, queue, parameter = f"botte-{stage}-tasks", f"botte-{stage}-messages", f"/botte/{stage}/http-api-token"
    item = {
        "PK": {"S": "BOTTE_MESSAGE"},
        "SK": {"S": "rehearsal"},
        "TaskId": {"S": "BOTTE_MESSAGE"},
        "Payload": {"M": {"text": {"S": "Hello through DynamoDB"}}},
    }
    yield (
        f"TOKEN=$(aws ssm get-parameter --with-decryption --name {parameter} --query Parameter.Value --output text"
        " | awk '{print $NF}' | tail -n 1)\n"
        'curl -sS -X POST "$BOTTE_API_URL/message" -H "Authorization: $TOKEN" -d \'{"text": "Hello through HTTP"}\''
    )
    yield (
        'echo \'{"text": "Hello through Lambda"}\' | aws lambda invoke --function-name '
        f"botte-{stage}-message --payload fileb:///dev/stdin /dev/stdout"
    )
    yield f"aws dynamodb put-item --table-name {table} --item '{json.dumps(item)}'"
    yield (
        f"aws sqs send-message --message-body '{json.dumps({'text': 'Hello through SQS'})}' --queue-url "
        f"$(aws sqs get-queue-url --queue-name {queue} --output text)"
    )


def run_in_shell(command: str, variables: Mapping[str, str], folder: Path | None = None) -> int:
    """Runs lines, in a folder, with this project's own `aws`, and prints what they printed; the exit status."""
    path = f"{AWS.parent}:{variables.get('PATH', '')}"
    environment = {**variables, "PATH": path, "AWS_PAGER": ""}
    # For SQS, version 1 of the command does not look at AWS_ENDPOINT_URL.
    aws = 'aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }\n'
    done = subprocess.run(
        ["sh", "-ec", aws + command], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    print(done.stdout.rstrip(), flush=True)
    return done.returncode
