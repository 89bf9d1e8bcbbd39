"""What Chalice's commands have to know on the machine of a person: where the twin runs, and which stream is read.

Not deployed: of this folder Chalice packs only app.py and chalicelib.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path

_PORTS = {"http": ("BOTTE_HTTP_PORT", 8000), "aws": ("BOTTE_AWS_PORT", 4566), "telegram": ("BOTTE_TELEGRAM_PORT", 8081)}


def note_of(project: Path) -> Path:
    """The file in which a twin notes its addresses while it runs, as a JSON object like that of `addresses`."""
    return project / ".chalice" / "twin.json"


def noted_addresses(project: Path) -> dict[str, str]:
    """The addresses of the twin that runs; empty if none does, also where one was killed and left its note."""
    try:
        noted: dict[str, str] = json.loads(note_of(project).read_text())
        socket.create_connection(("127.0.0.1", int(noted["aws"].rpartition(":")[2])), timeout=5).close()
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}
    return noted


def addresses(project: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Of the twin's `http` door, its `aws` and its `telegram`: on the ports that the environment gives, or as the twin
    noted them, or where `make run` puts them."""
    given = any(environ.get(variable) for variable, _ in _PORTS.values())
    noted = {} if given else noted_addresses(project)
    usual = {name: f"http://127.0.0.1:{environ.get(variable) or port}" for name, (variable, port) in _PORTS.items()}
    return {**usual, **noted}


def prepare(environ: MutableMapping[str, str], command: Sequence[str]) -> None:
    """Has the app of `chalice local --stage local` talk to the twin that runs, and tells who packages the app for a
    stage what is missing without the ARN of its stream. Ends the process of who deploys it so."""
    if environ.get("BOTTE_STAGE") == "local":
        found = addresses(Path(__file__).resolve().parents[1], environ)
        environ.update(AWS_ENDPOINT_URL=found["aws"], TELEGRAM_API_URL=found["telegram"])
    if environ.get("TASK_STREAM_ARN", "").startswith("arn:"):
        return
    environ.pop("TASK_STREAM_ARN", None)  # None is what AWS says of a table without a stream
    told = (
        "TASK_STREAM_ARN has to be the ARN of the task table's stream, or nothing reads it:\n"
        "export TASK_STREAM_ARN=$(aws dynamodb describe-table --table-name "
        f"{environ.get('TASK_TABLE_NAME')} --query Table.LatestStreamArn --output text)"
    )
    if "deploy" in command:
        sys.exit(told)
    if "package" in command:
        sys.stderr.write(told + "\n")
