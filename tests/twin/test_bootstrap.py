"""tools/bootstrap.py: it tells what is missing in one line, and does nothing when there is nothing to do."""

from __future__ import annotations

import ast
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SETS = ("run", "aws", "dev")
BOOTSTRAP = Path(__file__).resolve().parents[2] / "tools" / "bootstrap.py"


class Checkout:
    """A checkout that holds nothing but bootstrap.py and its requirements, of which there are none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bootstrap = folder / "tools" / "bootstrap.py"
        self.venv = folder / ".venv"
        self.bootstrap.parent.mkdir(parents=True)
        shutil.copy(BOOTSTRAP, self.bootstrap)
        for wanted in SETS:
            self.requirements(wanted).write_text("")

    def requirements(self, wanted: str) -> Path:
        return self.folder / f"requirements-{wanted}.txt"

    def finish(self, *sets: str) -> None:
        """Makes it look as after an installation of these sets."""
        (self.venv / "bin").mkdir(parents=True)
        (self.venv / "bin" / "python").symlink_to(sys.executable)
        version = ".".join(str(part) for part in sys.version_info[:3])
        (self.venv / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {version}\n")
        stamp_line = runpy.run_path(str(self.bootstrap))["_stamp_line"]
        (self.venv / "botte-installed").write_text("\n".join(stamp_line(wanted) for wanted in sets or SETS))

    def is_done(self, wanted: str = "dev") -> bool:
        done: bool = runpy.run_path(str(self.bootstrap))["_is_done"](wanted)
        return done

    def run(self, *arguments: str, pretending: str = "", **env: str) -> tuple[int, list[str]]:
        """Runs bootstrap.py after some lines of Python. Returns its status and the lines that it printed."""
        code = f"import runpy, sys\n{pretending}\nrunpy.run_path({str(self.bootstrap)!r}, run_name='__main__')"
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=100,
        )
        return done.returncode, (done.stdout + done.stderr).splitlines()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "checkout")


def make_command(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_when_all_is_installed_it_says_nothing(checkout: Checkout) -> None:
    checkout.finish()
    assert checkout.run() == (0, [])


def test_changed_requirements_are_to_be_installed(checkout: Checkout) -> None:
    checkout.finish()
    assert checkout.is_done()
    checkout.requirements("dev").write_text("something-new==1\n")
    assert not checkout.is_done()
    assert checkout.is_done("run")


@pytest.mark.parametrize("changed", ["clients/one/pyproject.toml", "clients/shared/new.py"])
def test_a_client_that_changes_in_more_than_a_file_of_its_own_is_to_be_installed_again(
    checkout: Checkout, changed: str
) -> None:
    """The installed clients follow what a file says, but not which files there are."""
    for path in ("clients/one/pyproject.toml", "clients/shared/old.py"):
        (checkout.folder / path).parent.mkdir(parents=True)
        (checkout.folder / path).write_text("")
    checkout.finish()
    (checkout.folder / "clients/shared/old.py").write_text("changed = True\n")
    (checkout.folder / "clients/one/build").mkdir()
    (checkout.folder / "clients/one/build/old.py").write_text("")
    assert checkout.is_done()
    (checkout.folder / changed).write_text("new = True\n")
    assert not checkout.is_done()
    assert checkout.is_done("run")


def test_what_running_needs_is_not_what_the_tests_need(checkout: Checkout) -> None:
    checkout.finish("run")
    assert [wanted for wanted in SETS if checkout.is_done(wanted)] == ["run"]


def test_another_set_is_none(checkout: Checkout) -> None:
    assert checkout.run("all") == (1, ["bootstrap.py takes one of: aws, dev, run"])


@pytest.mark.parametrize("missing", ["bin/python", "botte-installed", "pyvenv.cfg"])
def test_a_venv_with_something_missing_is_not_done(checkout: Checkout, missing: str) -> None:
    checkout.finish()
    (checkout.venv / missing).unlink()
    assert not checkout.is_done()


def test_an_installation_that_broke_off_is_not_done(checkout: Checkout) -> None:
    checkout.finish()
    (checkout.venv / "botte-unfinished").touch()
    assert not checkout.is_done()


def test_a_venv_that_another_python_was_installed_into_is_not_done(checkout: Checkout) -> None:
    checkout.finish()
    (checkout.venv / "pyvenv.cfg").write_text("version = 3.1.0\n")
    assert not checkout.is_done()


def test_without_the_venv_module_it_says_what_to_install_and_leaves_no_venv(checkout: Checkout) -> None:
    status, lines = checkout.run(pretending="sys.modules['ensurepip'] = None")
    assert status == 1
    assert lines == ["Python's venv module is missing. On Debian or Ubuntu: apt install python3-venv"]
    assert not checkout.venv.exists()


def test_an_old_python_alone_is_told_in_one_line(checkout: Checkout, tmp_path: Path) -> None:
    make_command(tmp_path / "bin", "python3.14", "echo 'no such version'; exit 127")
    status, lines = checkout.run(
        pretending="sys.version_info, sys.version = (3, 8, 1), '3.8.1 (x)'", PATH=str(tmp_path / "bin")
    )
    assert status == 1
    assert lines == ["Python 3.10 or newer is needed, and this is 3.8.1."]


def test_an_old_python_hands_over_to_the_newest_that_runs(checkout: Checkout, tmp_path: Path) -> None:
    checkout.finish()
    make_command(tmp_path / "bin", "python3.14", "exit 127")
    make_command(tmp_path / "bin", "python3.12", f'exec {sys.executable} "$@"')
    assert checkout.run("run", pretending="sys.version_info = (2, 7, 18)", PATH=str(tmp_path / "bin")) == (0, [])


def test_no_syntax_is_newer_than_python_2() -> None:
    for node in ast.walk(ast.parse(BOOTSTRAP.read_text())):
        assert not isinstance(node, ast.JoinedStr | ast.AnnAssign | ast.NamedExpr | ast.AsyncFunctionDef | ast.Starred)
        if isinstance(node, ast.FunctionDef):
            assert node.returns is None
            assert not node.args.kwonlyargs
            assert all(argument.annotation is None for argument in node.args.args)
        if isinstance(node, ast.Raise):
            assert node.cause is None
