"""A new stage: its entry in `.chalice/config.json`, and the IAM policies of its functions.

Chalice reads a policy file as it is, without variables, so each stage has files of its own: those of prod are written
by hand, and those of every other stage are the same with its name. Git has them all, as `chalice deploy` needs them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tools.ops.deployed import HANDLERS
from tools.ops.stage import StageError

MODEL = "prod"
NAME = "[a-z][a-z0-9-]*"  # as in .chalice/resources.yaml
# AWS takes 64 characters for a function, a role and a rule, 80 for a queue: botte-<stage>-dynamodb_message is the first
# to be too long. https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
LONGEST_NAME = 64 - len("botte--dynamodb_message")


def make_stage(name: str | None, *, with_queue: bool, root: Path) -> int:
    """Adds a stage with its policies; without a name, writes those of all stages but prod anew. Raises StageError."""
    path = root / ".chalice" / "config.json"
    config = json.loads(path.read_text())
    stages = config["stages"]
    if name is None:
        if with_queue:
            raise StageError("QUEUE: is for a new stage, and needs its NAME")
        for stage in stages.keys() - {"local", MODEL}:
            _write_policies(stage, root)
        return 0
    check_name(name)
    if name in stages:
        raise StageError(f"stage {name!r} is in .chalice/config.json already")
    _write_policies(name, root)
    stages[name] = entry(name, with_queue=with_queue)
    path.write_text(json.dumps(config, indent=2) + "\n")
    print(f"{name:<20}is in .chalice/config.json, {'with the queue' if with_queue else 'without a queue'}")
    print(f"make deploy STAGE={name} deploys it.")
    return 0


def check_name(name: str) -> None:
    """Whether AWS takes all names that a stage's name is in. Raises StageError, which tells why not."""
    if not re.fullmatch(NAME, name):
        raise StageError(f"stage {name!r}: a name begins with a-z, and goes on with a-z, 0-9 and hyphens")
    if len(name) > LONGEST_NAME:
        told = f"{len(name)} characters, where {LONGEST_NAME} are the most with which AWS takes the functions' names"
        raise StageError(f"stage {name!r}: {told}")
    if name == "local":
        raise StageError("stage 'local': that is the twin, which make run starts")
    for handler in ("message", "redeliver"):
        if name.endswith(f"-{handler}"):
            other = name.removesuffix(f"-{handler}")
            raise StageError(f"stage {name!r}: botte-{name} is the name of a function of the stage {other}")


def entry(name: str, *, with_queue: bool) -> dict[str, Any]:
    """What `.chalice/config.json` says of a stage."""
    queue = {"QUEUE_NAME": f"botte-{name}-messages"} if with_queue else {}
    return {
        "environment_variables": {
            "BOTTE_STAGE": name,
            "PARAMETERS_PATH": f"/botte/{name}",
            "TASK_TABLE_NAME": f"botte-{name}-tasks",
            "OUTBOX_TABLE_NAME": f"botte-{name}-outbox",
            **queue,
            "TELEGRAM_API_URL": "https://api.telegram.org",
        },
        "tags": {"stage": name},
        "lambda_functions": {handler: {"iam_policy_file": policy_file(name, handler)} for handler in HANDLERS},
    }


def policy_file(stage: str, handler: str) -> str:
    """Where the policy of a function is, as seen from `.chalice`."""
    return f"policies/{stage}-{handler}.json"


def policy(stage: str, handler: str, root: Path) -> str:
    """What one of a stage's functions may do: the same as prod's, on what belongs to the stage."""
    text = (root / ".chalice" / policy_file(MODEL, handler)).read_text()
    return text.replace(f"botte-{MODEL}", f"botte-{stage}").replace(f"/botte/{MODEL}/", f"/botte/{stage}/")


def _write_policies(stage: str, root: Path) -> None:
    for handler in HANDLERS:
        (root / ".chalice" / policy_file(stage, handler)).write_text(policy(stage, handler, root))
    print(f"{'policies':<20}.chalice/policies/{stage}-*.json are those of {MODEL}, for {stage}")
