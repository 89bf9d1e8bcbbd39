"""What tools/bootstrap.py installs: of wheels that a test makes, and, with the network, what make run needs."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.twin.test_bootstrap import Checkout, checkout

__all__ = ["checkout"]

ROOT = Path(__file__).resolve().parents[2]
LOCKS = [ROOT / "botte-app" / "requirements.txt", *sorted(ROOT.glob("requirements-*.txt"))]


def pins(lock: Path) -> dict[str, list[str]]:
    """What stands before the hashes, `name==version ; marker`, and the hashes."""
    text = re.sub("^#.*\n", "", lock.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return {words[0].strip(): words[1:] for line in text.splitlines() for words in [line.split("--hash=")]}


def names(lock: Path) -> set[str]:
    return {pin.partition("==")[0] for pin in pins(lock)}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_every_line_is_pinned_with_hashes_and_names_no_host(lock: Path) -> None:
    assert "//" not in lock.read_text()
    for pin, hashes in pins(lock).items():
        assert re.fullmatch(r"[a-z0-9-]+==[^ ]+( ; .+)?", pin)
        assert hashes
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64} *", each) for each in hashes)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_whatever_is_installed_is_of_the_same_version_and_the_same_hashes(lock: Path) -> None:
    assert pins(lock).items() <= pins(ROOT / "requirements-dev.txt").items()


def test_running_needs_what_is_deployed_and_nothing_that_only_tests_need() -> None:
    run = names(ROOT / "requirements-run.txt")
    assert names(ROOT / "botte-app" / "requirements.txt") <= run
    assert not run & {"awscli", "cfn-lint", "hypothesis", "mypy", "pytest", "ruff", "schemathesis", "sympy", "uv"}


def make_wheel(folder: Path, name: str) -> str:
    """Makes version 1 of a package with one module of its name. Returns its pin."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-1.dist-info"
    files = {
        f"{name}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    path = folder / f"{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for place, content in files.items():
            wheel.writestr(place, content)
        wheel.writestr(f"{info}/RECORD", "".join(f"{place},,\n" for place in [*files, f"{info}/RECORD"]))
    return f"{name}==1 \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def has(checkout: Checkout, *modules: str) -> bool:
    code = "import " + ", ".join(modules)
    return subprocess.run([checkout.venv / "bin" / "python", "-c", code], capture_output=True).returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_each_set_adds_what_is_missing_and_tells_how_far_it_is(checkout: Checkout, tmp_path: Path) -> None:
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "wheels"), "PIP_CONFIG_FILE": os.devnull}
    one, two = make_wheel(tmp_path / "wheels", "one"), make_wheel(tmp_path / "wheels", "two")
    elsewhere = "three==3 ; sys_platform == 'elsewhere' \\\n    --hash=sha256:" + "0" * 64 + "\n"
    checkout.requirements("run").write_text(one)
    checkout.requirements("dev").write_text("# made by make lock\n" + one + elsewhere + two)

    status, lines = checkout.run("run", **offline)
    assert status == 0
    assert lines[0] == "First run: installing what running needs into .venv, this takes about half a minute ..."
    assert re.fullmatch(r"Installed in \d+ seconds\.", lines[-1])
    assert has(checkout, "one")
    assert not has(checkout, "two")
    assert checkout.run("run", **offline) == (0, [])

    status, lines = checkout.run(**offline)
    assert status == 0
    assert lines[1:-1] == ["  1 of 2 packages", "  2 of 2 packages"]
    assert has(checkout, "one", "two")
    assert [checkout.run(wanted, **offline) for wanted in ("run", "aws", "dev")] == [(0, [])] * 3

    checkout.requirements("run").write_text(re.sub("sha256:.*", "sha256:" + "0" * 64, two.replace("two", "one")))
    subprocess.run([checkout.venv / "bin" / "python", "-m", "pip", "uninstall", "--yes", "one"], check=True)
    status, lines = checkout.run("run", **offline)
    assert status == 1
    assert lines[-1].startswith("Installing requirements-run.txt failed, the next run tries again: ERROR: ")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_make_run_and_the_operators_verbs_need_nothing_else(tmp_path: Path) -> None:
    for part in ("tools", "botte-app", ".chalice"):
        shutil.copytree(ROOT / part, tmp_path / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for path in [ROOT / "Makefile", *LOCKS[1:]]:
        shutil.copy(path, tmp_path)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TELEGRAM_"))}
    environ.update(dict.fromkeys(["BOTTE_HTTP_PORT", "BOTTE_AWS_PORT", "BOTTE_TELEGRAM_PORT"], "0"))
    make = ["make", f"PYTHON={sys.executable}"]
    with subprocess.Popen(
        [*make, "run"], cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        printed = []
        for line in process.stdout:
            printed.append(line)
            if line == "Botte is running\n":
                os.killpg(process.pid, signal.SIGTERM)
    assert "Botte has stopped\n" in printed, printed
    assert not (tmp_path / ".venv" / "bin" / "pytest").exists()
    verbs = ", ".join(f"tools.ops.{path.stem}" for path in (ROOT / "tools" / "ops").glob("[a-z]*.py"))
    subprocess.run([tmp_path / ".venv" / "bin" / "python", "-c", f"import {verbs}"], cwd=tmp_path, check=True)
    helped = subprocess.run([*make, "doctor", "STAGE=local"], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert "Installing" not in helped.stderr
    assert "No module" not in helped.stderr
