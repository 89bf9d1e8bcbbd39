"""The clients, installed from a Git repository as their READMEs say, each alone and all together.

The environments are clean but for the packages that the clients stand on, which are those of the tests.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sysconfig
import venv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.clients.conftest import CLIENTS, ROOT, RunningTwin, arrived, readme_blocks, texts_about
from tools.dev.fake_telegram import FakeTelegram

pytestmark = [pytest.mark.install, pytest.mark.slow, pytest.mark.timeout(300)]

ASK = """
import importlib.metadata, importlib.util, json
names = ["botte_%s_client" % name for name in ("http", "lambda", "dynamodb", "sqs")]
there = [name for name in names if importlib.util.find_spec(name)]
print(json.dumps({name: importlib.metadata.requires(name) for name in there}))
"""


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a Git repository with the clients of the work tree."""
    path = tmp_path_factory.mktemp("repository")
    build_results = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    shutil.copytree(ROOT / "clients", path / "clients", ignore=build_results)
    author = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    for command in (("init", "-q"), ("add", "-A"), (*author, "commit", "-q", "-m", "Clients")):
        subprocess.run(["git", *command], cwd=path, check=True, timeout=60)
    return f"file://{path}"


class Environment:
    """A virtual environment with some of the clients."""

    def __init__(self, folder: Path, repository: str, clients: tuple[str, ...]) -> None:
        venv.create(folder, symlinks=True)
        self._bin = folder / "bin"
        site_packages = sysconfig.get_path("purelib", vars={"base": str(folder)})
        Path(site_packages, "tests.pth").write_text(sysconfig.get_path("purelib"))
        pip = self._bin / "pip"
        pip.write_text(
            f'#!/bin/sh\nexec {self._bin}/python -m pip --disable-pip-version-check --quiet "$@" '
            "--no-deps --no-build-isolation --no-compile\n"
        )
        pip.chmod(0o755)
        lines = [readme_blocks(client, "sh")[0].strip() for client in clients]
        together = " ".join([lines[0], *[line.removeprefix("pip install ") for line in lines[1:]]])
        self.run(["sh", "-c", together], BOTTE_REPOSITORY=repository)

    def run(self, command: list[str], **variables: str) -> str:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment |= {**variables, "PATH": f"{self._bin}:{environment['PATH']}"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def environments(repository: str, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], Environment]:
    folder = tmp_path_factory.mktemp("environments")
    wanted: list[tuple[str, ...]] = [CLIENTS, *((name,) for name in CLIENTS)]
    make: Callable[[tuple[str, ...]], Environment] = lambda clients: Environment(  # noqa: E731
        folder / "-".join(clients), repository, clients
    )
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(wanted, pool.map(make, wanted), strict=True))


@pytest.mark.parametrize("clients", [*((name,) for name in CLIENTS), CLIENTS], ids="-".join)
def test_installed_as_the_readme_says_the_example_sends_a_message(
    environments: dict[tuple[str, ...], Environment],
    twin: RunningTwin,
    telegram: FakeTelegram,
    tmp_path: Path,
    clients: tuple[str, ...],
) -> None:
    environment = environments[clients]
    installed = json.loads(environment.run(["python", "-I", "-c", ASK]))
    assert set(installed) == {f"botte_{name}_client" for name in clients}
    for name in clients:
        pyproject = (ROOT / f"clients/botte-{name}-client/pyproject.toml").read_text()
        declared = re.search(r"^dependencies = \[(.*)\]$", pyproject, re.MULTILINE)
        assert declared
        assert sorted(installed[f"botte_{name}_client"]) == sorted(json.loads(f"[{declared[1]}]"))
    examples = "\n".join(readme_blocks(name, "python")[0] for name in clients)
    environment.run(["python", "-I", "-c", examples], **twin.environment)
    arrived(telegram, "Backup done", times=len(clients))


def test_the_installed_command_runs_another(
    environments: dict[tuple[str, ...], Environment], twin: RunningTwin, telegram: FakeTelegram
) -> None:
    environment = environments["http",]
    assert environment.run(["botte", "--version"]) == "botte, version 0.1.0\n"
    script = "botte run -- sh -c 'echo hi; exit 3'; echo $?"
    assert environment.run(["sh", "-c", script], **twin.environment) == "hi\n3\n"
    [text] = texts_about(telegram, "hi", 1)
    assert re.fullmatch(r"❌ sh: exit code 3, \d\.\d s\nhi", text)
