"""A copy of the project in which a rehearsal may do anything: what the owner has deployed stays untouched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "PIP_CERT")


def copy_project(folder: Path, telegram_url: str, *, queues: tuple[str, ...] = ("prod",)) -> Path:
    """Copies what `make deploy` needs. Stages talk to the fake Telegram, and those in ``queues`` have the SQS door."""
    ignored = shutil.ignore_patterns("__pycache__", "deployed", "deployments", "vendor", "twin.json")
    for name in ("tools", "botte-app", ".chalice"):
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignored)
    path = folder / ".chalice" / "config.json"
    config = json.loads(path.read_text())
    for name, stage in config["stages"].items():
        stage["environment_variables"]["TELEGRAM_API_URL"] = telegram_url
        if name in queues:
            stage["environment_variables"]["QUEUE_NAME"] = f"botte-{name}-messages"
    path.write_text(json.dumps(config, indent=2))
    return folder


def commit_project(folder: Path, message: str) -> None:
    """Makes a Git repository of a copy, or a commit in it."""
    if not (folder / ".git").exists():
        shutil.copy(ROOT / ".gitignore", folder)
        _git(folder, "init", "--quiet")
    _git(folder, "add", "--all")
    _git(folder, "-c", "user.name=You", "-c", "user.email=you@example.org", "commit", "--quiet", "-m", message)


def take_commit_back(folder: Path) -> None:
    """Makes of a copy what it was before its last commit."""
    _git(folder, "reset", "--quiet", "--hard", "HEAD~1")


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True)


def narrow_policy(folder: Path, stage: str, handler: str, action: str) -> None:
    """Takes the statements that allow an action out of the policy file of a function."""
    config = json.loads((folder / ".chalice" / "config.json").read_text())
    function = config["stages"][stage]["lambda_functions"][handler]
    path = folder / ".chalice" / function["iam_policy_file"]
    policy = json.loads(path.read_text())
    policy["Statement"] = [each for each in policy["Statement"] if action not in each["Action"]]
    path.write_text(json.dumps(policy, indent=2) + "\n")


def environment(addresses: Mapping[str, str]) -> dict[str, str]:
    """The variables with which the commands of `tools.ops` work on the rehearsal, and on nothing else."""
    return {
        **{name: os.environ[name] for name in _KEPT if name in os.environ},
        "AWS_ENDPOINT_URL": addresses["aws"],
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "rehearsal",
        "AWS_SECRET_ACCESS_KEY": "rehearsal",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "BOTTE_API_URL": addresses["gateway"] + "/api",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
