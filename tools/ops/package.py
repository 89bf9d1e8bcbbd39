"""`chalice deploy`, on a copy of the app that also holds its bytecode, so that the checkout itself is never touched."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chalicelib.errors import redact
from tools.ops.bytecode import compile_package
from tools.ops.stage import Stage, StageError

# What must not reach Chalice, nor the app that it imports.
_WITHHELD = ("_HANDLER", "TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID", "QUEUE_NAME", "TASK_STREAM_ARN")


@contextmanager
def copied_app(stage: Stage) -> Iterator[Path]:
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
    with copied_app(stage) as project:
        environment = {name: value for name, value in os.environ.items() if name not in _WITHHELD}
        environment |= {
            "AWS_DEFAULT_REGION": stage.region,
            "TASK_STREAM_ARN": stream_arn,
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        compiled = compile_package(project, environment)
        command = [sys.executable, "-c", "from chalice.cli import main; raise SystemExit(main())"]
        done = subprocess.run(
            [*command, "--project-dir", str(project), "deploy", "--stage", stage.name],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise StageError(f"chalice deploy: {redact(_reason(done.stdout + done.stderr, done.returncode))}")
    made = sum("Creating" in line for line in done.stdout.splitlines() if "package" not in line)
    return f"{len(stage.handlers)} functions and the API, {made} things new, {compiled} modules compiled"


def _reason(output: str, status: int) -> str:
    """What Chalice said last: the error that ends a traceback, or its own explanation, which takes a few lines."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    starts = [number for number, line in enumerate(lines) if re.match(r"[\w.]+(Error|Exception): ", line)]
    starts = starts[-1:] or [number for number, line in enumerate(lines) if "ERROR" in line or "Error" in line]
    told = lines[starts[0] :][:5] if starts else lines[-1:]
    return " ".join(told) or f"exit status {status}"
