"""What the benchmarks install into build/benchmarks: once, and again when the requirements or this module change."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from tools.ops.stage import ROOT

REQUIREMENTS = ROOT / "benchmarks" / "requirements.txt"
FOLDER = ROOT / "build" / "benchmarks"
# Lambda's Python, with what its image has in it: boto3 and the runtime client, compiled. Not .venv, which has far more.
PYTHON = FOLDER / "runtime" / "bin" / "python"
# What the usual handler brings along in its own zip: without bytecode, as such zips are.
USUAL = FOLDER / "usual"
TUNED = FOLDER / "tuned"  # the same with bytecode
HARNESS = FOLDER / "harness"
PACKAGE = FOLDER / "package"  # what was measured last of Botte
_STAMP = FOLDER / "installed"


def install() -> None:
    """Takes a minute where there is something to do."""
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + Path(__file__).read_bytes() + sys.version.encode()).hexdigest()
    if _STAMP.exists() and _STAMP.read_text() == wanted:
        return
    print("Installing benchmarks/requirements.txt into build/benchmarks ...", file=sys.stderr, flush=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    _run("-m", "venv", "--without-pip", str(FOLDER / "runtime"))
    wants = _read()
    _run("-m", "pip", "--python", str(PYTHON), "install", "--quiet", "--compile", *wants["runtime"])
    _pip_into(USUAL, "--no-compile", *wants["usual"])
    shutil.copytree(USUAL, TUNED)
    _run("-m", "compileall", "-q", str(TUNED))
    _pip_into(HARNESS, *wants["harness"])
    _STAMP.write_text(wanted)


def versions() -> dict[str, str]:
    """Those of the requirements, by their names."""
    return dict(line.split("==") for requirements in _read().values() for line in requirements)


def _read() -> dict[str, list[str]]:
    """The requirements by the folders that their comments name."""
    wants: defaultdict[str, list[str]] = defaultdict(list)
    for line in REQUIREMENTS.read_text().splitlines():
        requirement, _, folder = line.partition("#")
        if requirement.strip():
            wants[folder.strip()].append(requirement.strip())
    return wants


def _pip_into(folder: Path, *arguments: str) -> None:
    _run("-m", "pip", "install", "--quiet", "--target", str(folder), *arguments)


def _run(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
