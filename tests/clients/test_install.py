"""The clients, installed from a Git repository as their READMEs say, each alone and all together; and from a checkout.

Whatever is installed holds the contract of the app, byte for byte, and what the clients share. The environments are
clean but for the packages that the clients stand on, which are those of the tests.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

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
# The files of a package that was installed, by their paths in it.
LIST = """
import importlib, json, pathlib, sys
folder = pathlib.Path(importlib.import_module(sys.argv[1]).__file__).parent
print(json.dumps({str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.py")}))
"""
CONTRACT = "botte-app/chalicelib/contract"
TAGS = {"http": "v1", "sqs": "v2"}
OLDER = "# what the older tag has\n"


class Repository:
    """A Git repository with the clients of the work tree, and the contract. Its tag v1 is of an older contract."""

    def __init__(self, path: Path) -> None:
        self.path = path
        build_results = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
        for part in ("clients", CONTRACT):
            shutil.copytree(ROOT / part, path / part, ignore=build_results)
        shutil.copy(ROOT / ".gitignore", path)
        self.git("init", "-q")
        module = path / CONTRACT / "message.py"
        for tag, content in (("v1", OLDER + module.read_text()), ("v2", module.read_text())):
            module.write_text(content)
            self.git("add", "-A")
            author = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
            self.git(*author, "commit", "-q", "-m", tag)
            self.git("tag", tag)

    @property
    def url(self) -> str:
        return f"file://{self.path}"

    def git(self, *command: str) -> str:
        options: dict[str, Any] = {"cwd": self.path, "check": True, "timeout": 60, "capture_output": True, "text": True}
        return str(subprocess.run(["git", *command], **options).stdout)


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture
def checkout(repository: Repository, tmp_path: Path) -> Repository:
    """One to install from in place."""
    return Repository(tmp_path / "checkout")


class Environment:
    """A virtual environment without any client yet."""

    def __init__(self, folder: Path) -> None:
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

    def install_as_shown(self, clients: Sequence[str], repository: Repository) -> None:
        """Runs what the READMEs say, in one line."""
        lines = [readme_blocks(client, "sh")[0].strip() for client in clients]
        together = " ".join([lines[0], *[line.removeprefix("pip install ") for line in lines[1:]]])
        self.run(["sh", "-c", together], BOTTE_REPOSITORY=repository.url)

    def files(self, client: str) -> dict[str, str]:
        """The Python files of an installed client, by their paths in its package."""
        found: dict[str, str] = json.loads(self.run(["python", "-I", "-c", LIST, f"botte_{client}_client"]))
        return found

    def run(self, command: list[str], **variables: str) -> str:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment |= {**variables, "PATH": f"{self._bin}:{environment['PATH']}"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout


Environments = dict[tuple[str, ...], Environment]


@pytest.fixture(scope="session")
def environments(repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Environments:
    folder = tmp_path_factory.mktemp("environments")
    wanted: list[tuple[str, ...]] = [CLIENTS, *((name,) for name in CLIENTS)]

    def make(clients: tuple[str, ...]) -> Environment:
        made = Environment(folder / "-".join(clients))
        made.install_as_shown(clients, repository)
        return made

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(wanted, pool.map(make, wanted), strict=True))


@pytest.mark.parametrize("clients", [*((name,) for name in CLIENTS), CLIENTS], ids="-".join)
def test_installed_as_the_readme_says_the_example_sends_a_message(
    environments: Environments,
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
        wanted = [each for each in installed[f"botte_{name}_client"] if "extra" not in each]
        assert sorted(wanted) == sorted(json.loads(f"[{declared[1]}]"))
    examples = "\n".join(readme_blocks(name, "python")[0] for name in clients)
    environment.run(["python", "-I", "-c", examples], **twin.environment)
    arrived(telegram, "Backup done", times=len(clients))


def test_the_installed_command_runs_another(
    environments: Environments, twin: RunningTwin, telegram: FakeTelegram
) -> None:
    environment = environments["http",]
    assert environment.run(["botte", "--version"]) == "botte, version 0.1.0\n"
    script = "botte run -- sh -c 'echo hi; exit 3'; echo $?"
    assert environment.run(["sh", "-c", script], **twin.environment) == "hi\n3\n"
    [text] = texts_about(telegram, "hi", 1)
    assert re.fullmatch(r"❌ sh on \S+: exit code 3, \d\.\d s\nhi", text)


def test_the_library_needs_requests_alone_and_the_command_says_what_else_it_needs(
    repository: Repository, tmp_path: Path
) -> None:
    environment = Environment(tmp_path / "venv")
    environment.run(["sh", "-c", readme_blocks("http", "sh")[2]], BOTTE_REPOSITORY=repository.url)
    assert environment.run(["botte", "--version"]) == "botte, version 0.1.0\n"
    installed = json.loads(environment.run(["python", "-I", "-c", ASK]))["botte_http_client"]
    assert sorted(installed) == ['click>=8.1; extra == "cli"', "requests>=2.28", 'rich>=12; extra == "cli"']
    without = (
        "import runpy, shutil, sys; sys.modules['click'] = None; runpy.run_path(shutil.which('botte'), {}, '__main__')"
    )
    with pytest.raises(AssertionError) as caught:
        environment.run(["python", "-c", without])
    said = "botte: the command needs what botte-http-client[cli] brings: pip install click rich\n"
    assert str(caught.value).startswith(said)


def contract(repository: Repository) -> dict[str, str]:
    return {f"_contract/{path.name}": path.read_text() for path in (repository.path / CONTRACT).glob("*.py")}


def shared(folder: str = "") -> dict[str, str]:
    found = (ROOT / "clients/shared" / folder).glob("*.py")
    return {f"_shared/{path.relative_to(ROOT / 'clients/shared')}": path.read_text() for path in found}


@pytest.mark.parametrize("name", CLIENTS)
def test_what_is_installed_has_the_contract_of_the_app_and_what_the_clients_share(
    environments: Environments, repository: Repository, name: str
) -> None:
    own = ROOT / f"clients/botte-{name}-client/src/botte_{name}_client"
    wanted = {path.name: path.read_text() for path in own.glob("*.py")} | contract(repository) | shared()
    wanted |= {} if name == "http" else shared("aws")
    assert environments[CLIENTS].files(name) == wanted
    assert environments[name,].files(name) == wanted


def test_two_clients_of_two_tags_have_each_the_contract_of_its_own(repository: Repository, tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv")
    urls = [f"git+{repository.url}@{tag}#subdirectory=clients/botte-{name}-client" for name, tag in TAGS.items()]
    environment.run(["pip", "install", *urls])
    found = {name: environment.files(name)["_contract/message.py"].startswith(OLDER) for name in TAGS}
    assert found == {name: tag == "v1" for name, tag in TAGS.items()}


@pytest.mark.parametrize("options", [[], ["--config-settings=editable_mode=strict"]], ids=["default", "strict"])
def test_an_editable_installation_follows_the_checkout_and_leaves_nothing_that_git_sees(
    checkout: Repository, tmp_path: Path, options: list[str]
) -> None:
    """Where it is strict, mypy follows as well."""
    environment = Environment(tmp_path / "venv")
    folders = [f"--editable={checkout.path}/clients/botte-{name}-client" for name in CLIENTS]
    environment.run(["pip", "install", *options, *folders])
    module = checkout.path / CONTRACT / "message.py"
    module.write_text(f"{module.read_text()}ADDED: int = 5\n")
    program = tmp_path / "program.py"
    program.write_text(
        "\n".join(f"from botte_{each}_client._contract.message import ADDED as {each}5" for each in CLIENTS)
    )
    environment.run(["python", "-I", str(program)])
    assert checkout.git("status", "--porcelain").split() == ["M", f"{CONTRACT}/message.py"]
    if options:
        with program.open("a") as more:
            more.writelines(f"\nreveal_type({name}5)" for name in CLIENTS)
        python = environment.run(["python", "-c", "import sys; print(sys.executable)"]).strip()
        mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", python]
        told = environment.run([*mypy, "--cache-dir", str(tmp_path / "cache"), str(program)])
        assert told.count('Revealed type is "int"') == len(CLIENTS)


def test_from_a_path_a_client_installs_whole_and_leaves_nothing_that_git_sees(
    checkout: Repository, tmp_path: Path
) -> None:
    environment = Environment(tmp_path / "venv")
    environment.run(["pip", "install", f"{checkout.path}/clients/botte-sqs-client"])
    assert contract(checkout).items() <= environment.files("sqs").items()
    assert checkout.git("status", "--porcelain") == ""


@pytest.mark.parametrize("name", CLIENTS)
def test_an_sdist_which_would_lack_the_contract_is_refused(checkout: Repository, name: str) -> None:
    build = "import setuptools.build_meta as backend; backend.build_sdist('dist')"
    folder = checkout.path / f"clients/botte-{name}-client"
    done = subprocess.run([sys.executable, "-c", build], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: an sdist of this client would lack Botte's contract")
    assert not list(folder.glob("dist/*"))
