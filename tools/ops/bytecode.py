"""Bytecode for the deployed zip: without it every cold start compiles Chalice, urllib3 and the app anew.

So urllib3 gets into the zip from here, and not by Chalice's own hand: what is compiled is what is deployed.

The files are ``unchecked-hash`` ones (PEP 552): Python takes them without looking at the source,
whose date the zip loses. So they must never outlive the deployment they were made for.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import chalice

from tools.ops.stage import StageError

_CHALICE_MODULES = ("__init__.py", "app.py")  # all that Chalice packages of itself
_UNUSED = ("urllib3/contrib",)  # for a browser, for SOCKS and for PyOpenSSL: nothing imports it here


def compile_package(project: Path, environment: Mapping[str, str]) -> int:
    """Puts the requirements of a Chalice project, and bytecode of all that the zip will hold, into its ``vendor``.

    So Chalice finds no requirements any more. environment: for pip and the compiler. Returns how many modules are
    compiled. Raises StageError.
    """
    vendor = project / "vendor"
    _install(project / "requirements.txt", vendor, environment)
    shutil.copy(project / "app.py", vendor)
    shutil.copytree(project / "chalicelib", vendor / "chalicelib")
    (vendor / "chalice").mkdir()
    for name in _CHALICE_MODULES:
        shutil.copy(Path(chalice.__file__).with_name(name), vendor / "chalice")
    # The columns of every instruction are a sixth of the zip, and give a traceback only the marks below its lines.
    compileall = [sys.executable, "-X", "no_debug_ranges", "-m", "compileall", "-q"]
    places = ["-s", str(vendor), "-p", "/var/task"]
    _run("compileall", [*compileall, "--invalidation-mode", "unchecked-hash", *places, str(vendor)], environment)
    # Chalice itself packages the sources of these.
    for source in (vendor / "app.py", *vendor.glob("chalice/*.py"), *vendor.glob("chalicelib/**/*.py")):
        source.unlink()
    return sum(1 for _ in vendor.rglob("*.pyc"))


def _install(requirements: Path, vendor: Path, environment: Mapping[str, str]) -> None:
    """Has pip install the requirements, as Chalice would, but for what is unused."""
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    anywhere = ["--only-binary", ":all:", "--platform", "any"]  # Lambda is not this machine
    _run(
        "pip",
        [*pip, *anywhere, "--no-compile", "--no-deps", "--target", str(vendor), "--requirement", str(requirements)],
        environment,
    )
    requirements.write_text("")
    for name in _UNUSED:
        shutil.rmtree(vendor / name, ignore_errors=True)


def _run(name: str, command: list[str], environment: Mapping[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StageError(f"{name}: {' '.join((done.stderr or done.stdout).split()) or done.returncode}")
