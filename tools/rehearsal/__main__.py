"""`make deploy-rehearsal`: a whole life of a stage, on an AWS and a Telegram on this machine, for anyone to watch.

It runs the commands that an owner runs, as they are, and prints what they print. What is deployed runs from its zip.
Each command is run by somebody who has just the rights that docs/deploying-rights.md gives for it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram
from tools.rehearsal.backend import Backend
from tools.rehearsal.people import hire
from tools.rehearsal.project import commit_project, copy_project, environment, narrow_policy, take_commit_back
from tools.rehearsal.senders import run_in_shell, sender_commands

STAGE = "prod"
_OWNER = {"TELEGRAM_BOT_TOKEN": TWIN_BOT_TOKEN, "TELEGRAM_CHAT_ID": str(TWIN_CHAT_ID)}
# What is run, how an owner writes it, and what is in the environment for it.
Act = tuple[str, str, dict[str, str]]
_BEFORE: tuple[Act, ...] = (
    ("deploy --dry-run", "deploy DRY_RUN=1", {}),
    ("deploy", "deploy", _OWNER),
    ("doctor", "doctor", {}),
)
_UNCHANGED: tuple[Act, ...] = (("deploy", "deploy", {}),)
_CHANGED: tuple[Act, ...] = (
    ("deploy --dry-run", "deploy DRY_RUN=1", {}),
    ("deploy --yes", "deploy YES=1", {}),
    ("rollback --yes", "rollback YES=1", {}),
)
_AFTER: tuple[Act, ...] = (
    ("rotate-token --yes", "rotate-token YES=1", {}),
    ("doctor", "doctor", {}),
    ("logs", "logs", {}),
    ("destroy --dry-run", "destroy DRY_RUN=1", {}),
    ("destroy --yes", "destroy YES=1", {}),
)


def main() -> int:
    """The exit status: that of the first command that fails."""
    with (
        tempfile.TemporaryDirectory(prefix="botte-rehearsal-") as folder,
        Backend(bot_token=TWIN_BOT_TOKEN, chat_id=TWIN_CHAT_ID) as backend,
    ):
        project = copy_project(Path(folder), backend.telegram.url)
        commit_project(project, "As it is")
        for status in _acts(project, environment(backend.addresses()), backend):
            if status:
                return status
        if lacking := backend.aws.rights.lacking:
            print("\nThe rights of docs/deploying-rights.md are not enough:", *lacking, sep="\n", file=sys.stderr)
            return 1
    print("\nThe rehearsal is over, and nothing of it is left.")
    return 0


def _acts(project: Path, variables: dict[str, str], backend: Backend) -> Iterator[int]:
    phone, iam = Phone(backend.telegram), backend.aws.client("iam")
    for arguments, command, added in _BEFORE:
        yield _run(project, arguments, command, variables, {**added, **_hired(iam, arguments)})
        phone.show()
    for command in sender_commands(STAGE):
        print(f"\n$ {command}", flush=True)
        yield run_in_shell(command, {**variables, **_hired(iam, "send")})
        phone.show(at_least=1)
    for arguments, command, added in _UNCHANGED:
        yield _run(project, arguments, command, variables, {**added, **_hired(iam, arguments)})
        phone.show()
    narrow_policy(project, STAGE, "message", "ssm:PutParameter")
    commit_project(project, "The Lambda door may write no parameter any more")
    print("\nA right is taken out of a policy file, and committed.", flush=True)
    for arguments, command, added in _CHANGED:
        yield _run(project, arguments, command, variables, {**added, **_hired(iam, arguments)})
        phone.show()
    take_commit_back(project)
    print("\nThe commit is taken back.", flush=True)
    for arguments, command, added in _AFTER:
        yield _run(project, arguments, command, variables, {**added, **_hired(iam, arguments)})
        phone.show()


def _hired(iam: Any, arguments: str) -> dict[str, str]:
    """What is in the environment of who runs a command."""
    return {"AWS_ACCESS_KEY_ID": hire(iam, arguments.split()[0], STAGE)}


def _run(project: Path, arguments: str, command: str, variables: dict[str, str], added: dict[str, str]) -> int:
    names = "".join(f"{name}=... " for name in added if not name.startswith("AWS_"))
    print(f"\n$ {names}make {command} STAGE={STAGE}", flush=True)
    run = [sys.executable, "-m", "tools.ops", *arguments.split(), "--stage", STAGE]
    return subprocess.run(run, cwd=project, env={**variables, **added}, check=False).returncode


class Phone:
    """Shows each message that arrived, once."""

    def __init__(self, telegram: FakeTelegram) -> None:
        self._telegram = telegram
        self._shown = 0

    def show(self, *, at_least: int = 0) -> None:
        """Prints what is new. at_least: so many messages are waited for."""
        self._telegram.wait_for(lambda messages: len(messages) >= self._shown + at_least, 20.0)
        messages = self._telegram.messages
        for message in messages[self._shown :]:
            print(f"    on the phone: {message['text']}", flush=True)
        self._shown = len(messages)


if __name__ == "__main__":
    sys.exit(main())
