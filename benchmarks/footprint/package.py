"""What the deployment package holds."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

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
