"""The deployment package, as `make deploy` has Chalice make it, and what it holds."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tools.ops.bytecode import compile_package
from tools.ops.package import copied_app
from tools.ops.stage import Stage

PARTS = ("app.py", "chalicelib", "chalice", "urllib3")
_SUFFIXES = {".py": "source", ".pyc": "bytecode"}


@dataclass(frozen=True)
class Size:
    """Of one part of the package, its source or its bytecode. unzipped, zipped: bytes, without the zip's own."""

    part: str
    kind: str
    files: int
    unzipped: int
    zipped: int


def build(folder: Path) -> Path:
    """Makes the package of the stage prod in a folder; its zip."""
    with copied_app(Stage("prod")) as project:
        environment = {**os.environ, "AWS_DEFAULT_REGION": "us-east-1", "PYTHONDONTWRITEBYTECODE": "1"}
        compile_package(project, environment)
        command = [sys.executable, "-c", "from chalice.cli import main; raise SystemExit(main())"]
        subprocess.run(
            [*command, "--project-dir", str(project), "package", "--stage", "prod", str(folder)],
            cwd=project,
            env=environment,
            check=True,
            capture_output=True,
        )
    return folder / "deployment.zip"


def sizes(package: Path) -> list[Size]:
    """What is in the package; ``other`` is what is neither a module nor its bytecode, wherever it lies."""
    with zipfile.ZipFile(package) as archive:
        found = [(*_part(each.filename), each) for each in archive.infolist()]
    kinds = sorted({(part, kind) for part, kind, _ in found}, key=lambda each: ((*PARTS, "other").index(each[0]), each))
    return [_size(part, kind, [each for *of, each in found if of == [part, kind]]) for part, kind in kinds]


def _size(part: str, kind: str, files: Iterable[zipfile.ZipInfo]) -> Size:
    held = list(files)
    return Size(part, kind, len(held), sum(each.file_size for each in held), sum(each.compress_size for each in held))


def _part(name: str) -> tuple[str, str]:
    """The part and the kind of a file of the package."""
    path = Path(name)
    kind = _SUFFIXES.get(path.suffix)
    if kind is None:
        return "other", "files"
    return "app.py" if path.parts[0] == "__pycache__" else path.parts[0], kind
