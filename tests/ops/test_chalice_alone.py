"""`chalice deploy` by itself, with the lines of the documentation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.ops.conftest import World, eventually
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID
from tools.rehearsal.project import ROOT
from tools.rehearsal.senders import run_in_shell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PAGE = (ROOT / "docs" / "deploy.md").read_text()
LINES = re.findall(r"^## With Chalice alone$.*?^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)[0]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An account of its own, and a stage without a queue."""
    made = World(tmp_path_factory.mktemp("project"), queues=())
    yield made
    made.stop()


@pytest.fixture(scope="module")
def deployed(world: World) -> World:
    owner = {"TELEGRAM_BOT_TOKEN": TWIN_BOT_TOKEN, "TELEGRAM_CHAT_ID": str(TWIN_CHAT_ID)}
    assert run_in_shell(LINES, {**world.variables, **owner}, world.project) == 0
    return world


def test_its_doors_work(deployed: World) -> None:
    text = {"text": "through Lambda"}
    answer = deployed.client("lambda").invoke(FunctionName="botte-prod-message", Payload=json.dumps(text).encode())
    assert "FunctionError" not in answer
    item = {"PK": {"S": "BOTTE_MESSAGE"}, "SK": {"S": "1"}, "Payload": {"M": {"text": {"S": "through DynamoDB"}}}}
    deployed.client("dynamodb").put_item(TableName="botte-prod-tasks", Item=item)
    assert eventually(lambda: deployed.texts() == ["through Lambda", "through DynamoDB"])


def test_make_deploy_takes_it_over(deployed: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert deployed.run("deploy") == 0
    printed = capsys.readouterr().out
    assert "0 things new" in printed
    assert "HTTP token          is stored already" in printed
    assert "HTTP door           200" in printed
