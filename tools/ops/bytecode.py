"""Bytecode for the deployed zip: without it every cold start compiles Chalice, urllib3 and the app anew.

The files are ``unchecked-hash`` ones (PEP 552): Python takes them without looking at the source,
whose date the zip loses. So they must never outlive the deployment they were made for.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import py_compile
from collections.abc import Iterator
from pathlib import Path

import chalice

from tools.ops.stage import StageError

_CHALICE_MODULES = ("__init__.py", "app.py")  # all that Chalice packages of itself


def compile_package(project: Path) -> int:
    """Compiles into ``vendor`` of a Chalice project what the zip will hold; how many files. Raises StageError."""
    count = 0
    for source, place in _sources(project):
        target = project / "vendor" / importlib.util.cache_from_source(place)
        target.parent.mkdir(parents=True, exist_ok=True)
        py_compile.compile(
            str(source),
            str(target),
            dfile=f"/var/task/{place}",
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        count += 1
    return count


def _sources(project: Path) -> Iterator[tuple[Path, str]]:
    """The modules of the zip, and their places in it."""
    yield project / "app.py", "app.py"
    for path in sorted((project / "chalicelib").rglob("*.py")):
        yield path, str(path.relative_to(project))
    for name in _CHALICE_MODULES:
        yield Path(chalice.__file__).with_name(name), f"chalice/{name}"
    for line in (project / "requirements.txt").read_text().splitlines():
        if requirement := line.partition("#")[0].strip():
            yield from _installed(requirement)


def _installed(requirement: str) -> Iterator[tuple[Path, str]]:
    """The modules of a requirement as this Python has them; pip will put the same version into the zip."""
    name, _, wanted = (part.strip() for part in requirement.partition("=="))
    distribution = importlib.metadata.distribution(name)
    if distribution.version != wanted:
        raise StageError(
            f"botte-app/requirements.txt wants {requirement}, and .venv has {distribution.version}: "
            "the bytecode would be of the wrong one; put the same version into requirements-dev.txt"
        )
    for path in distribution.files or []:
        if path.suffix == ".py" and not path.is_absolute() and ".." not in path.parts:
            yield Path(str(distribution.locate_file(path))), str(path)
