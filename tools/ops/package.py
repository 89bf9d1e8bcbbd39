"""`chalice deploy`, on a copy of the app that also holds its bytecode, so that the checkout itself is never touched."""

from __future__ import annotations

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
# For what needs a stream, but does not use it: an ARN that no table has.
NO_STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/none/stream/none"


class PreparedApp:
    """A copy of the app with its bytecode, on which commands of Chalice's run. compiled: how many modules."""

    def __init__(self, stage: Stage, project: Path) -> None:
        self._stage = stage
        self._project = project
        self._environment = {name: value for name, value in os.environ.items() if name not in _WITHHELD}
        self._environment["PYTHONDONTWRITEBYTECODE"] = "1"
        self.compiled = compile_package(project, self._environment)

    def package(self, folder: Path, region: str, stream_arn: str) -> Path:
        """Makes a template, ``sam.json``, and the zip that ``deploy`` uploads, ``deployment.zip``; the folder."""
        self._run({"AWS_DEFAULT_REGION": region, "TASK_STREAM_ARN": stream_arn}, "package", str(folder))
        return folder

    def deploy(self, stream_arn: str) -> str:
        """Deploys the functions and the API; a line on it. Raises StageError with what Chalice said last."""
        output = self._run({"AWS_DEFAULT_REGION": self._stage.region, "TASK_STREAM_ARN": stream_arn}, "deploy")
        tag_roles(self._stage)
        made = sum("Creating" in line for line in output.splitlines() if "package" not in line)
        return f"{len(self._stage.handlers)} functions and the API, {made} things new"

    def _run(self, variables: Mapping[str, str], command: str, *arguments: str) -> str:
        """What a command of Chalice's prints."""
        chalice = [sys.executable, "-c", "from chalice.cli import main; raise SystemExit(main())"]
        done = subprocess.run(
            [*chalice, "--project-dir", str(self._project), command, "--stage", self._stage.name, *arguments],
            cwd=self._project,
            env={**self._environment, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise StageError(f"chalice {command}: {redact(_reason(done.stdout + done.stderr, done.returncode))}")
        return done.stdout


@contextmanager
def prepared_app(stage: Stage) -> Iterator[PreparedApp]:
    """A copy of botte-app without what Python left there, and with Chalice's own folder as it is. Raises StageError."""
    with tempfile.TemporaryDirectory(prefix="botte-deploy-") as folder:
        project = Path(folder) / "botte-app"
        ignored = shutil.ignore_patterns("__pycache__", "vendor", ".chalice")
        shutil.copytree(stage.root / "botte-app", project, ignore=ignored)
        (project / ".chalice").symlink_to(stage.root / ".chalice")
        yield PreparedApp(stage, project)


def chalice_package(stage: Stage, folder: Path) -> Path:
    """Makes the zip that a deployment uploads, in a folder. Raises StageError."""
    with prepared_app(stage) as app:
        return app.package(folder, "us-east-1", NO_STREAM) / "deployment.zip"  # any region does


def _reason(output: str, status: int) -> str:
    """What Chalice said last: the error that ends a traceback, or its own explanation, which takes a few lines."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    starts = [number for number, line in enumerate(lines) if re.match(r"[\w.]+(Error|Exception): ", line)]
    starts = starts[-1:] or [number for number, line in enumerate(lines) if "ERROR" in line or "Error" in line]
    told = lines[starts[0] :][:5] if starts else lines[-1:]
    return " ".join(told) or f"exit status {status}"
