"""`chalice deploy` by itself, and CloudFormation with `chalice package`, with the lines of the documentation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.ops.conftest import World, eventually
from tests.ops.sam import Stack
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID
from tools.rehearsal.project import ROOT
from tools.rehearsal.senders import run_in_shell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PAGE = (ROOT / "docs" / "deploy.md").read_text()
SECTION = re.findall(r"^## With Chalice alone$.*?^## ", PAGE, re.DOTALL | re.MULTILINE)[0]
BEFORE, DEPLOY, PACKAGE = re.findall(r"^```sh\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)
OWNER = {"TELEGRAM_BOT_TOKEN": TWIN_BOT_TOKEN, "TELEGRAM_CHAT_ID": str(TWIN_CHAT_ID)}


@pytest.fixture(scope="module", params=[pytest.param((), id="without_a_queue"), pytest.param(("prod",), id="queue")])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An account of its own."""
    made = World(tmp_path_factory.mktemp("project"), queues=request.param)
    yield made
    made.stop()


def has_queue(world: World) -> bool:
    config = json.loads((world.project / ".chalice" / "config.json").read_text())
    return "QUEUE_NAME" in config["stages"]["prod"]["environment_variables"]


def run(world: World, lines: str, **variables: str) -> int:
    if has_queue(world):
        lines = lines.replace("WithQueue=false", "WithQueue=true")
    return run_in_shell(lines, {**world.variables, **OWNER, **variables}, world.project)


def check_doors(world: World) -> None:
    text = {"text": "through Lambda"}
    answer = world.client("lambda").invoke(FunctionName="botte-prod-message", Payload=json.dumps(text).encode())
    assert "FunctionError" not in answer
    item = {"PK": {"S": "BOTTE_MESSAGE"}, "SK": {"S": "1"}, "Payload": {"M": {"text": {"S": "through DynamoDB"}}}}
    world.client("dynamodb").put_item(TableName="botte-prod-tasks", Item=item)
    expected = ["through Lambda", "through DynamoDB"]
    assert eventually(lambda: world.texts() == expected)
    if has_queue(world):
        sqs = world.client("sqs")
        url = sqs.get_queue_url(QueueName="botte-prod-messages")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"text": "through SQS"}))
        expected.append("through SQS")
        assert eventually(lambda: world.texts() == expected)


@pytest.fixture(scope="module")
def deployed(world: World) -> World:
    assert run(world, BEFORE + DEPLOY) == 0
    return world


def test_its_doors_work(deployed: World) -> None:
    check_doors(deployed)


def test_make_deploy_takes_it_over(deployed: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert deployed.run("deploy") == 0
    printed = capsys.readouterr().out
    assert "0 things new" in printed
    assert "HTTP token          is stored already" in printed
    assert "HTTP door           200" in printed
    assert deployed.run("doctor") == 0
    apis = deployed.client("apigateway").get_rest_apis()["items"]
    assert [api["name"] for api in apis] == ["botte"]


def test_a_stack_of_what_chalice_packages_lacks_nothing_and_make_deploy_leaves_it_to_its_stack(
    tmp_path_factory: pytest.TempPathFactory, capfd: pytest.CaptureFixture[str]
) -> None:
    world = World(tmp_path_factory.mktemp("project"))
    try:
        world.client("s3").create_bucket(Bucket="code")
        lines, _, create = PACKAGE.partition("aws cloudformation deploy ")
        assert run(world, f"{BEFORE}{lines}cfn-lint build/prod/sam.json --regions us-east-1", BUCKET="code") == 0
        name = create.split()[1]
        template = json.loads((world.project / "build" / "prod" / "stack.json").read_text())
        Stack(name, template, world.client).make()
        for table in ("botte-prod-tasks", "botte-prod-outbox"):  # which moto's CloudFormation leaves out
            on = {"AttributeName": "ExpirationTs", "Enabled": True}
            world.client("dynamodb").update_time_to_live(TableName=table, TimeToLiveSpecification=on)
        check_doors(world)
        assert world.run("doctor") == 0
        capfd.readouterr()
        assert world.run("deploy") == 1
        assert f"the functions of prod belong to the stack {name}: " in capfd.readouterr().err
    finally:
        world.stop()
