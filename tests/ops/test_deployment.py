"""A stage that is deployed on moto with the whole of `chalice deploy`, and runs from its zip."""

from __future__ import annotations

import json
import marshal
import subprocess
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import pytest

from chalicelib.settings import BOT_TOKEN, HTTP_API_TOKEN
from tests.ops.conftest import World, delete_table, eventually
from tests.ops.terminal import Terminal
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID
from tools.rehearsal.project import commit_project, narrow_policy, take_commit_back
from tools.rehearsal.senders import run_in_shell

DOORS = ["HTTP", "Lambda", "DynamoDB", "SQS"]
Printed = tuple[int, str]


pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(autouse=True)
def deployed(first: Printed) -> None:
    """Every test here is about a deployed stage."""


def functions(world: World) -> dict[str, Any]:
    return {each["FunctionName"]: each for each in world.client("lambda").list_functions()["Functions"]}


def test_the_first_deployment_ends_with_a_message_through_every_door(world: World, first: Printed) -> None:
    status, printed = first
    assert status == 0, printed
    assert printed.endswith("Botte is deployed on prod.\n")
    assert world.texts()[:4] == [f"Botte 0.1.0 on prod: the {door} door works." for door in DOORS]


def test_each_step_is_told_in_one_line(first: Printed) -> None:
    lines = [line for line in first[1].splitlines()[:-1] if not line.startswith("  + ")]
    assert [line[:20].strip() for line in lines] == [
        *("check", "package", "changes", "stack", "tables", "bot", "chat", "HTTP token", "found", "stale"),
        *("functions", "mappings", "logs", "alarms", "API", "webhook"),
        *("HTTP door", "Lambda door", "DynamoDB door", "SQS door", "URL", "token", "try it"),
    ]
    assert "changes             27 made" in first[1]
    assert "modules compiled, from no Git checkout, so no rollback can bring it back" in first[1]


def test_the_line_that_is_printed_at_the_end_sends_a_message_when_it_is_pasted(
    world: World, first: Printed, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = [line[20:] for line in first[1].splitlines() if line.startswith("try it ")]
    assert run_in_shell(line, world.variables) == 0
    assert json.loads(capsys.readouterr().out)["text"] == "Hello World"


def test_the_parameters_are_stored_the_secret_ones_encrypted(world: World) -> None:
    found = world.client("ssm").get_parameters_by_path(Path="/botte/prod", WithDecryption=True)["Parameters"]
    kinds = {each["Name"].rpartition("/")[2]: each["Type"] for each in found}
    assert kinds == {
        **{BOT_TOKEN: "SecureString", HTTP_API_TOKEN: "SecureString"},
        **{"telegram-chats": "String", "deployment": "String"},
    }
    assert world.parameter(BOT_TOKEN) == TWIN_BOT_TOKEN
    assert json.loads(world.parameter("telegram-chats")) == {"default": TWIN_CHAT_ID}


def test_no_secret_is_in_a_file_in_the_output_in_an_environment_or_in_a_log(world: World, first: Printed) -> None:
    http_token = world.parameter(HTTP_API_TOKEN).split()[-1]
    logs = world.client("logs")
    logged = [
        event["message"]
        for group in logs.describe_log_groups()["logGroups"]
        for event in logs.filter_log_events(logGroupName=group["logGroupName"])["events"]
    ]
    assert any("sent" in line for line in logged)
    stack = world.client("cloudformation").describe_stacks(StackName="botte-prod")
    everywhere = [first[1], json.dumps(functions(world)), json.dumps(stack, default=str), *logged]
    files = [path for path in world.project.rglob("*") if path.is_file() and not path.is_symlink()]
    for secret in (TWIN_BOT_TOKEN, http_token):
        assert not [text for text in everywhere if secret in text]
        holders = [path for path in files if secret.encode() in path.read_bytes()]
        # The fake Telegram's own token is in its source.
        assert [path.name for path in holders if "fake_telegram" not in str(path)] == []


def test_no_secret_is_in_the_arguments_or_the_environment_of_chalice(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs: list[tuple[Any, Any]] = []
    really_run = subprocess.run

    def run(arguments: Any, **options: Any) -> Any:
        runs.append((arguments, options["env"]))
        if "deploy" not in arguments:  # Git, pip, the compiler, and chalice package
            return really_run(arguments, **options)
        return subprocess.CompletedProcess(arguments, 1, "", "Error: not today")

    monkeypatch.setattr("tools.ops.package.subprocess.run", run)
    assert world.run("deploy") == 1
    assert 'deploy stopped at "functions": chalice deploy: Error: not today' in capsys.readouterr().err
    assert len(runs) == 5
    assert TWIN_BOT_TOKEN not in repr(runs)


def test_the_checkout_is_left_as_it_was(world: World) -> None:
    assert not (world.project / "botte-app" / "vendor").exists()
    names = {path.name for path in (world.project / "botte-app").iterdir()}
    assert names == {".chalice", "app.py", "chalice_cli.py", "chalicelib", "requirements.txt"}


def test_the_zip_holds_bytecode_of_each_module_that_needs_no_source_date(world: World) -> None:
    (package,) = (world.project / ".chalice" / "deployments").glob("*.zip")
    with zipfile.ZipFile(package) as archive:
        names = archive.namelist()
        compiled = [name for name in names if name.endswith(".pyc")]
        flags = {int.from_bytes(archive.read(name)[4:8], "little") for name in compiled}
        code = marshal.loads(archive.read(next(name for name in compiled if "/accept." in name))[16:])
    assert len(names) == len(set(names))
    assert flags == {0b01}  # by hash, and not checked: PEP 552
    assert code.co_filename == "/var/task/chalicelib/relay/accept.py"
    modules = {Path(name).with_suffix("").name for name in names if name.endswith(".py")}
    assert modules <= {Path(name).name.partition(".")[0] for name in compiled}


def test_only_the_wanted_things_are_in_the_environment_of_a_function(world: World) -> None:
    for function in functions(world).values():
        assert set(function["Environment"]["Variables"]) == {
            *("BOTTE_STAGE", "PARAMETERS_PATH", "TASK_TABLE_NAME", "OUTBOX_TABLE_NAME"),
            *("TELEGRAM_API_URL", "QUEUE_NAME"),
        }
        assert function["LoggingConfig"]["LogFormat"] == "JSON"


def test_what_chalice_cannot_set_is_set(world: World) -> None:
    mappings = world.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    (stream,) = [each for each in mappings if ":dynamodb:" in each["EventSourceArn"]]
    failures = "arn:aws:sqs:us-east-1:123456789012:botte-prod-failures"
    assert stream["DestinationConfig"] == {"OnFailure": {"Destination": failures}}
    assert stream["BisectBatchOnFunctionError"] is True
    assert stream["MaximumRetryAttempts"] == -1
    assert stream["MaximumRecordAgeInSeconds"] == 21_600
    assert len(stream["FilterCriteria"]["Filters"]) == 2
    retries = world.client("lambda").get_function_event_invoke_config(FunctionName="botte-prod-message")
    assert retries["MaximumRetryAttempts"] == 2
    assert retries["DestinationConfig"]["OnFailure"] == {"Destination": failures}
    groups = world.client("logs").describe_log_groups()["logGroups"]
    assert {each["logGroupName"]: each["retentionInDays"] for each in groups} == {
        f"/aws/lambda/{name}": 30 for name in functions(world)
    }
    gateway = world.client("apigateway")
    (api,) = gateway.get_rest_apis()["items"]
    settings = gateway.get_stage(restApiId=api["id"], stageName="api")["methodSettings"]["*/*"]
    assert (settings["throttlingRateLimit"], settings["throttlingBurstLimit"]) == (10.0, 20)


def test_each_function_tells_by_its_tags_what_it_belongs_to(world: World) -> None:
    for function in functions(world).values():
        tags = world.client("lambda").list_tags(Resource=function["FunctionArn"])["Tags"]
        assert (tags["app"], tags["stage"]) == ("botte", "prod")


def test_each_function_has_a_role_of_its_own(world: World) -> None:
    roles = [function["Role"] for function in functions(world).values()]
    assert len(set(roles)) == len(roles) == 5


def test_an_item_of_somebody_else_starts_no_function(world: World) -> None:
    def runs() -> int:
        events = logs.filter_log_events(logGroupName="/aws/lambda/botte-prod-dynamodb_message")["events"]
        return sum("platform.report" in each["message"] for each in events)

    logs, put = world.client("logs"), world.client("dynamodb").put_item
    before = runs()
    payload = {"M": {"text": {"S": "by its key"}}}
    put(TableName="botte-prod-tasks", Item={"PK": {"S": "OTHER"}, "SK": {"S": "1"}, "TaskId": {"S": "OTHER"}})
    put(TableName="botte-prod-tasks", Item={"PK": {"S": "BOTTE_MESSAGE#k"}, "SK": {"S": "1"}, "Payload": payload})
    assert eventually(lambda: "by its key" in world.texts())
    assert eventually(lambda: runs() > before)
    assert runs() == before + 1


def test_the_rest_handler_takes_what_api_gateway_sends(world: World) -> None:
    token = world.parameter(HTTP_API_TOKEN).split()[-1]
    url = world.addresses["gateway"] + "/api/message"
    request = urllib.request.Request(url, b'{"text": "plain curl"}', {"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["text"] == "plain curl"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(urllib.request.Request(url, b"{}", {"Authorization": "wrong"}))


def test_a_second_deployment_changes_nothing_and_sends_nothing_twice(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    before, texts = _everything(world), world.texts()
    assert world.run("deploy", owner=False) == 0
    printed = capsys.readouterr().out
    assert "changes             nothing would change" in printed
    assert "botte-prod is unchanged" in printed
    assert "0 things new" in printed
    assert [f"{door} door".ljust(20) + "not tried: " in printed for door in DOORS] == [True] * 4
    assert _everything(world) == before
    assert world.texts() == texts


def test_a_door_whose_role_is_not_everywhere_yet_is_tried_again(world: World) -> None:
    world.fail("UpdateItem .*-Lambda")  # what the claim of the message is told for a while
    assert world.run("deploy", owner=False) == 0


def test_a_deployment_from_another_machine_makes_no_second_api(world: World) -> None:
    before = _everything(world)
    (world.project / ".chalice" / "deployed" / "prod.json").unlink()
    assert world.run("deploy", owner=False) == 0
    assert _everything(world) == before


def test_a_table_that_was_made_again_is_read_again(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    dynamodb = world.client("dynamodb")
    old = dynamodb.describe_table(TableName="botte-prod-tasks")["Table"]["LatestStreamArn"]
    delete_table(dynamodb, "botte-prod-tasks")
    assert world.run("deploy", owner=False) == 0
    printed = capsys.readouterr().out
    assert "botte-prod has made botte-prod-tasks again" in printed
    assert "mappings to what is no longer there: 1 removed" in printed
    new = dynamodb.describe_table(TableName="botte-prod-tasks")["Table"]["LatestStreamArn"]
    assert new != old
    mappings = world.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert [each["EventSourceArn"] for each in mappings if "dynamodb" in each["EventSourceArn"]] == [new]
    assert "DynamoDB door       put, then SENT" in printed


def test_a_changed_right_is_shown_asked_for_and_tried_and_a_rollback_brings_it_back(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    def rights() -> str:
        role = {"RoleName": "botte-prod-message", "PolicyName": "botte-prod-message"}
        return json.dumps(world.client("iam").get_role_policy(**role)["PolicyDocument"])

    commit_project(world.project, "as it is")
    assert world.run("deploy", owner=False) == 0  # from a commit now
    capfd.readouterr()
    narrow_policy(world.project, "prod", "message", "ssm:PutParameter")
    config = world.project / ".chalice" / "config.json"
    config.write_text(config.read_text().replace('"lambda_memory_size": 256', '"lambda_memory_size": 512'))
    commit_project(world.project, "narrower")
    before = rights()
    assert world.run("deploy", "--dry-run", owner=False) == 0
    shown = capfd.readouterr().out.splitlines()[1:]
    assert shown[:4] == [
        "  ~ function botte-prod-redeliver",
        "      ~ memory: 256 MB -> 512 MB",
        "  ~ role botte-prod-message",
        "      - allow ssm:PutParameter on arn:*:ssm:*:*:parameter/botte/prod/telegram-chats",
    ]
    assert shown[4].startswith("changes             2 changed")
    assert world.run("deploy", owner=False) == 1
    assert "Nothing was changed. Without a terminal, YES=1 is the answer." in capfd.readouterr().out
    assert rights() == before
    world.fail("DynamoDB.PutItem")
    terminal = Terminal(world, "deploy")
    terminal.expect("This takes away:")
    terminal.expect("- allow ssm:PutParameter")
    terminal.expect("Go on? [y/n]")
    terminal.type("y")
    terminal.expect("no other program can then read what is written to the bot. [Y/n]")
    terminal.type("n")
    terminal.expect("none is set: .venv/bin/python -m tools.ops webhook set --stage prod sets it")
    terminal.expect("DynamoDB door")
    terminal.expect("Bring back the deployment of ")
    terminal.type("n")
    assert terminal.end() == 1
    assert "make rollback STAGE=prod brings back the deployment of " in terminal.seen
    assert "ssm:PutParameter" not in rights()
    assert world.run("rollback", "--yes", owner=False) == 0
    printed = capfd.readouterr().out
    assert "      + allow ssm:PutParameter on " in printed
    assert "DynamoDB door       put, then SENT" in printed
    assert rights() == before
    take_commit_back(world.project)


def test_an_edge_optimized_api_becomes_regional_and_stays_the_same(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _everything(world)
    _make_edge_optimized(world)
    assert world.run("deploy", owner=False) == 0
    assert "      ~ endpoint: EDGE -> REGIONAL" in capsys.readouterr().out
    assert _endpoint_types(world) == [["REGIONAL"]]
    assert _everything(world) == before


def _endpoint_types(world: World) -> list[list[str]]:
    return [each["endpointConfiguration"]["types"] for each in world.client("apigateway").get_rest_apis()["items"]]


def _make_edge_optimized(world: World) -> None:
    """As the API of a stage is that was deployed before `.chalice/config.json` said REGIONAL."""
    gateway = world.client("apigateway")
    (api,) = gateway.get_rest_apis()["items"]
    path = f"/endpointConfiguration/types/{api['endpointConfiguration']['types'][0]}"
    gateway.update_rest_api(restApiId=api["id"], patchOperations=[{"op": "replace", "path": path, "value": "EDGE"}])
    assert _endpoint_types(world) == [["EDGE"]]


def _everything(world: World) -> dict[str, Any]:
    """All that a deployment makes, but for times."""
    aws, gateway = world.client("lambda"), world.client("apigateway")
    mappings = aws.list_event_source_mappings()["EventSourceMappings"]
    return {
        "functions": {name: (each["CodeSha256"], each["Environment"]) for name, each in functions(world).items()},
        "mappings": [{k: v for k, v in each.items() if k != "LastModified"} for each in mappings],
        "apis": [each["id"] for each in gateway.get_rest_apis()["items"]],
        "roles": sorted(each["RoleName"] for each in world.client("iam").list_roles()["Roles"]),
        "rules": [each["Name"] for each in world.client("events").list_rules()["Rules"]],
        "parameters": {name: world.parameter(name) for name in (BOT_TOKEN, HTTP_API_TOKEN, "telegram-chats")},
    }
