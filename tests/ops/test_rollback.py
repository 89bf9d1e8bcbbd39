"""What AWS notes of a deployment's source, and the deployments to which there is no way back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.dev.aws import EmbeddedAws
from tools.ops.__main__ import main
from tools.ops.console import Console
from tools.ops.deploy import Deployment
from tools.ops.doors import Outcome
from tools.ops.history import History, Source, find_source, read_history, write_history
from tools.ops.rollback import roll_back
from tools.ops.stage import Stage, StageError
from tools.rehearsal.project import commit_project, copy_project, environment

pytestmark = pytest.mark.slow

AT = "2026-11-28T13:00:00Z"
GONE = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_project(tmp_path, "http://127.0.0.1:1")


@pytest.fixture
def stage(project: Path, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A stage on an AWS of this machine, of which nothing is deployed."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for name, value in environment({"aws": aws.url, "gateway": "http://127.0.0.1:1"}).items():
        monkeypatch.setenv(name, value)
    stage = Stage("prod", project)
    yield stage
    stage.call("ssm", "delete_parameters", Names=["/botte/prod/deployment"])


def test_a_commit_is_all_that_is_deployed_unless_there_is_something_that_it_has_not(project: Path) -> None:
    assert not find_source(project).can_be_deployed  # no repository
    commit_project(project, "all of it")
    (project / ".chalice" / "deployed").mkdir()
    (project / ".chalice" / "deployed" / "prod.json").write_text("{}")
    assert find_source(project).can_be_deployed
    (project / "botte-app" / "chalicelib" / "new.py").write_text("")
    assert find_source(project).is_dirty


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (None, "no deployment of prod before this one is noted"),
        (
            Source(GONE, True, AT),
            "commit 0123456789, with changes that are in no commit, cannot be brought back",
        ),
        (Source("", False, AT), f"{AT}, from no Git checkout, cannot be brought back"),
        (Source(GONE, False, AT), f"{AT}, commit 0123456789, is not in this checkout: git fetch"),
    ],
)
def test_a_deployment_that_cannot_be_brought_back_is_left_alone(
    stage: Stage, before: Source | None, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    commit_project(stage.root, "this one")
    history = History(AT, {}, None, find_source(stage.root), before)
    write_history(stage, history)
    assert read_history(stage) == history
    assert main(["rollback", "--yes", "--stage", "prod"], stage.root) == 1
    assert reason in capsys.readouterr().err


def test_where_yes_was_said_beforehand_nothing_is_brought_back_unasked(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = Source(GONE, False, AT)
    write_history(stage, History(AT, {}, find_source(stage.root), good))
    failed = Outcome("HTTP", False, "403")
    monkeypatch.setattr("tools.ops.deploy.send_through", lambda *_, **__: failed)
    monkeypatch.setattr("tools.ops.deploy.roll_back", lambda *_, **__: pytest.fail("it is brought back"))
    monkeypatch.setattr(Console, "interactive", True)
    deployment = Deployment(stage, Console(assume_yes=True), {})
    deployment._history = read_history(stage)
    with pytest.raises(StageError, match=f"make rollback STAGE=prod brings back the deployment of {AT}"):
        deployment._doors()


@pytest.mark.parametrize(("status", "told"), [(0, "would bring it again"), (1, "make rollback STAGE=prod brings back")])
def test_a_project_that_is_a_part_of_a_repository_is_brought_back_too(
    stage: Stage,
    tmp_path_factory: pytest.TempPathFactory,
    status: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    repository = tmp_path_factory.mktemp("repository")
    stage.root = copy_project(repository / "apps" / "botte", "http://127.0.0.1:1")
    commit_project(repository, "all of it")
    write_history(stage, History(AT, {}, Source(GONE, False, AT), find_source(stage.root)))
    found: list[Path] = []

    def deploy(stage: Stage, project: Path, options: list[str]) -> int:
        found.extend(project.glob("tools/ops/deploy.py"))
        return status

    monkeypatch.setattr("tools.ops.rollback._deploy", deploy)
    assert roll_back(stage, Console(assume_yes=True)) == status
    assert len(found) == 1
    assert told in capsys.readouterr().out


def test_a_note_that_cannot_be_read_is_no_note(stage: Stage) -> None:
    stage.put_parameter("deployment", '{"from": "the future"}', "String")
    assert read_history(stage) == History()


@pytest.mark.parametrize("text", ['{"resou', "[]", '{"resources": [{"lambda_arn": "arn"}]}'])
def test_a_file_of_chalices_that_cannot_be_read_is_named(
    stage: Stage, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.deployed_file.parent.mkdir()
    stage.deployed_file.write_text(text)
    assert main(["rollback", "--stage", "prod"], stage.root) == 1
    assert capsys.readouterr().err == (
        ".chalice/deployed/prod.json cannot be read: remove it, make deploy writes it anew\n"
    )
