"""The private copies that the clients ship are those of their one source, byte for byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.clients.conftest import CLIENTS, ROOT
from tools.sync_contract import COPIES, differing, main, package


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The sources and the copies, in a folder of their own."""
    for source, name, clients in COPIES:
        for path in [source, *(f"{package(client)}/{name}" for client in clients)]:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, tmp_path / path)
    return tmp_path


def test_the_copies_are_those_of_their_sources() -> None:
    assert list(differing()) == []


def test_every_file_that_two_clients_have_under_one_name_is_a_copy() -> None:
    own = {"__init__.py", "__main__.py", "py.typed"}
    names = [path.name for client in CLIENTS for path in (ROOT / package(client)).iterdir() if path.is_file()]
    assert {name for name in names if names.count(name) > 1} - own == {name for _, name, _ in COPIES} - {"_task.py"}


def test_check_names_each_copy_that_differs_or_is_missing_and_changes_nothing(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed, missing = checkout / package("sqs") / "_message.py", checkout / package("dynamodb") / "_task.py"
    changed.write_text("changed\n")
    missing.unlink()
    assert main(["--check"], checkout) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{package('sqs')}/_message.py differs from botte-app/chalicelib/contract/message.py",
        f"{package('dynamodb')}/_task.py differs from botte-app/chalicelib/contract/task.py",
    ]
    assert changed.read_text() == "changed\n"


def test_a_changed_source_reaches_all_its_copies(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "botte-app/chalicelib/contract/message.py").write_text("new\n")
    assert main([], checkout) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert main(["--check"], checkout) == 0
    assert capsys.readouterr().out == ""
