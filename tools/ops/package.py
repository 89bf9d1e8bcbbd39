"""`chalice deploy`, on a copy of the app that also holds its bytecode, so that the checkout itself is never touched."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from chalicelib.errors import redact
from tools.ops.bytecode import compile_package
from tools.ops.roles import tag_roles
from tools.ops.stage import Stage, StageError

# What must not reach Chalice, nor the app that it imports.
_WITHHELD = ("_HANDLER", "TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID", "QUEUE_NAME", "TASK_STREAM_ARN")


@contextmanager
def _copied_app(stage: Stage) -> Iterator[Path]:
    """A copy of botte-app without what Python left there, and with Chalice's own folder as it is."""
    with tempfile.TemporaryDirectory(prefix="botte-deploy-") as folder:
        project = Path(folder) / "botte-app"
        ignored = shutil.ignore_patterns("__pycache__", "vendor", ".chalice")
        shutil.copytree(stage.root / "botte-app", project, ignore=ignored)
        (project / ".chalice").symlink_to(stage.root / ".chalice")
        yield project


def app_digest(stage: Stage) -> str:
    """Changes with the app's code, its requirements and the stage's settings."""
    found = hashlib.sha256(repr(sorted(stage.environment.items())).encode())
    app = stage.root / "botte-app"
    for path in [app / "app.py", app / "requirements.txt", *sorted((app / "chalicelib").rglob("*.py"))]:
        found.update(path.read_bytes())
    return found.hexdigest()


def chalice_deploy(stage: Stage, stream_arn: str) -> str:
    """Deploys the functions and the API; a line on it. Raises StageError with what Chalice said last."""
    variables = {"AWS_DEFAULT_REGION": stage.region, "TASK_STREAM_ARN": stream_arn}
    output, compiled = _run_chalice(stage, variables, "deploy")
    tag_roles(stage)
    made = sum("Creating" in line for line in output.splitlines() if "package" not in line)
    return f"{len(stage.handlers)} functions and the API, {made} things new, {compiled} modules compiled"


def chalice_package(stage: Stage, folder: Path) -> Path:
    """Makes the zip that ``chalice_deploy`` uploads, in a folder. Raises as that does."""
    # Any region and any stream do: the zip is the same.
    variables = {"AWS_DEFAULT_REGION": "us-east-1", "TASK_STREAM_ARN": "arn:aws:dynamodb:us-east-1:123456789012:any"}
    _run_chalice(stage, variables, "package", str(folder))
    return folder / "deployment.zip"


def _run_chalice(stage: Stage, variables: Mapping[str, str], command: str, *arguments: str) -> tuple[str, int]:
    """What a command of Chalice's prints, and how many modules were compiled for it."""
    with _copied_app(stage) as project:
        environment = {name: value for name, value in os.environ.items() if name not in _WITHHELD}
        environment |= {**variables, "PYTHONDONTWRITEBYTECODE": "1"}
        compiled = compile_package(project, environment)
        chalice = [sys.executable, "-c", "from chalice.cli import main; raise SystemExit(main())"]
        done = subprocess.run(
            [*chalice, "--project-dir", str(project), command, "--stage", stage.name, *arguments],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise StageError(f"chalice {command}: {redact(_reason(done.stdout + done.stderr, done.returncode))}")
    return done.stdout, compiled


def _reason(output: str, status: int) -> str:
    """What Chalice said last: the error that ends a traceback, or its own explanation, which takes a few lines."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    starts = [number for number, line in enumerate(lines) if re.match(r"[\w.]+(Error|Exception): ", line)]
    starts = starts[-1:] or [number for number, line in enumerate(lines) if "ERROR" in line or "Error" in line]
    told = lines[starts[0] :][:5] if starts else lines[-1:]
    return " ".join(told) or f"exit status {status}"
