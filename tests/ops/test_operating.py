"""What an owner does with a stage that is deployed: doctor, rotate-token, logs, and what is asked on the terminal."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from chalicelib.settings import BOT_TOKEN, HTTP_API_TOKEN
from tests.ops.conftest import World, eventually
from tests.ops.terminal import Terminal
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID
from tools.dev.functions import function_arn
from tools.ops.doors import http_request
from tools.ops.stage import Stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(autouse=True)
def deployed(first: tuple[int, str]) -> None:
    """Every test here is about a deployed stage."""


def doctor(world: World, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """What the doctor finds wrong."""
    status = world.run("doctor", owner=False)
    return status, "\n".join(re.findall(r"^.*WRONG.*\n.*mend.*$", capsys.readouterr().out, re.MULTILINE))


def test_bot_token_and_chat_are_asked_for_once_and_the_token_is_not_shown(world: World) -> None:
    world.fail("CreateRole ", times=2)  # what comes after the questions is told elsewhere
    terminal = Terminal(world, "deploy", stage="dev")
    terminal.expect("it is not shown")
    terminal.type("not a token")
    terminal.expect("does not know")
    terminal.expect("it is not shown")
    terminal.type(TWIN_BOT_TOKEN)
    terminal.expect("Now write anything to @botte_bot")
    world.telegram("POST", "/inbox/updates", {"text": "hello"})
    terminal.expect(f"You, chat {TWIN_CHAT_ID}. Is it this one?")
    terminal.type("yes")
    terminal.end()
    assert TWIN_BOT_TOKEN not in terminal.seen
    assert world.parameter(BOT_TOKEN, "dev") == TWIN_BOT_TOKEN
    assert json.loads(world.parameter("telegram-chats", "dev")) == {"default": TWIN_CHAT_ID}
    again = Terminal(world, "deploy", stage="dev")
    again.end()
    assert "its token is stored already" in again.seen
    assert "shown" not in again.seen


def test_destroy_asks_and_takes_anything_but_the_name_for_a_no(world: World) -> None:
    terminal = Terminal(world, "destroy")
    terminal.expect("Type prod to go on:")
    terminal.type("yes")
    assert terminal.end() == 1
    assert "Nothing was deleted" in terminal.seen
    assert len(world.client("lambda").list_functions()["Functions"]) == 5


def test_destroy_without_a_terminal_deletes_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.run("destroy") == 1
    assert "YES=1" in capsys.readouterr().out
    assert len(world.client("lambda").list_functions()["Functions"]) == 5


def test_the_doctor_finds_nothing_wrong_after_a_deployment(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    before = len(world.texts())
    assert doctor(world, capsys) == (0, "")
    assert [text for text in world.texts()[before:] if text.startswith("make doctor: the ")] == world.texts()[before:]
    assert len(world.texts()) == before + 4


def _break(world: World, part: str) -> Any:
    """Breaks a part of the deployment; what is found, and how it is mended."""
    aws, gateway, events = world.client("lambda"), world.client("apigateway"), world.client("events")
    mappings = aws.list_event_source_mappings()["EventSourceMappings"]
    stream = next(each["UUID"] for each in mappings if ":dynamodb:" in each["EventSourceArn"])
    match part:
        case "mapping":
            aws.update_event_source_mapping(UUID=stream, Enabled=False)
            return "the one of the stream is Disabled", f"--enabled --uuid {stream}"
        case "filter":
            aws.update_event_source_mapping(UUID=stream, FilterCriteria={"Filters": []}, Enabled=True)
            return "lacks FilterCriteria", "make deploy STAGE=prod"
        case "retries":
            aws.delete_function_event_invoke_config(FunctionName="botte-prod-redeliver")
            return "botte-prod-redeliver has not 0 retries within 60 s", "make deploy STAGE=prod"
        case "schedule":
            events.disable_rule(Name="botte-prod-redeliver-event")
            return "botte-prod-redeliver-event is DISABLED", "aws events enable-rule"
        case "schedule's right":
            policy = json.loads(aws.get_policy(FunctionName="botte-prod-redeliver")["Policy"])
            (statement,) = policy["Statement"]
            aws.remove_permission(FunctionName="botte-prod-redeliver", StatementId=statement["Sid"])
            return "is not allowed to call botte-prod-redeliver", "make deploy STAGE=prod"
        case "throttling":
            (api,) = gateway.get_rest_apis()["items"]
            change = {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "500"}
            gateway.update_stage(restApiId=api["id"], stageName="api", patchOperations=[change])
            return "500 requests a second", "make deploy STAGE=prod"
        case "role":
            wide = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
            role = {"RoleName": "botte-prod-message", "PolicyName": "botte-prod-message"}
            world.client("iam").put_role_policy(**role, PolicyDocument=json.dumps(wide))
            return "botte-prod-message has other rights than its policy file", "make deploy STAGE=prod"
        case "secret":
            name = "/botte/prod/http-api-token"
            token = world.parameter(HTTP_API_TOKEN)
            world.client("ssm").delete_parameter(Name=name)
            world.client("ssm").put_parameter(Name=name, Value=token, Type="String")
            return "is a String, and must be a SecureString", f"aws ssm delete-parameter --name {name} && make deploy"
        case "environment":
            wrong = {"Variables": {"TELEGRAM_BOT_TOKEN": "1:x"}}
            aws.update_function_configuration(FunctionName="botte-prod-redeliver", Environment=wrong)
            return "has secrets in its environment: TELEGRAM_BOT_TOKEN", "make deploy STAGE=prod"
        case "webhook":
            world.run("webhook", "set", "--url", "http://127.0.0.1:1/elsewhere")
            return "leads to http://127.0.0.1:1/elsewhere/telegram-webhook", "webhook set --stage prod"
        case _:
            put = world.client("ssm").put_parameter
            put(Name="/botte/prod/telegram-chats", Value='{"default": 999}', Type="String", Overwrite=True)
            return "default, 999: getChat: 400 Bad Request: chat not found", "TELEGRAM_CHAT_ID=... make deploy"


def test_the_doctor_finds_each_part_that_is_broken_and_a_deployment_mends_it(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.ops.doctor.PATIENCE_SECONDS", 5.0)
    parts = ["filter", "retries", "schedule", "throttling", "role", "secret", "environment", "webhook", "chat"]
    broken = [_break(world, part) for part in parts]
    status, found = doctor(world, capsys)
    assert status == 1
    for told, mend in broken:
        assert re.search(f"WRONG  .*{re.escape(told)}.*\n.*mend: .*{re.escape(mend)}", found), (told, found)
    world.client("events").enable_rule(Name="botte-prod-redeliver-event")
    world.run("webhook", "delete")
    world.client("ssm").delete_parameter(Name="/botte/prod/http-api-token")
    assert world.run("deploy", "--yes") == 0  # what somebody added is taken away
    assert "webhook             commands and buttons, by http" in capsys.readouterr().out
    assert doctor(world, capsys) == (0, "")


def test_the_doctor_finds_a_mapping_that_is_off(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.ops.doctor.PATIENCE_SECONDS", 2.0)
    told, mend = _break(world, "mapping")
    status, found = doctor(world, capsys)
    world.client("lambda").update_event_source_mapping(UUID=mend.split()[-1], Enabled=True)
    assert status == 1
    assert told in found
    assert mend in found
    assert "DynamoDB door" in found


def test_a_schedule_that_may_not_call_its_function_is_found_and_mended(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    told, mend = _break(world, "schedule's right")
    status, found = doctor(world, capsys)
    assert status == 1
    assert told in found
    assert mend in found
    assert world.run("deploy") == 0
    capsys.readouterr()
    assert doctor(world, capsys) == (0, "")


def test_a_new_token_is_live_beside_the_old_one_until_every_sender_has_it(world: World) -> None:
    def statuses(*tokens: str) -> list[int]:
        with world.environment():
            stage = Stage("prod", world.project)
            return [http_request(stage, "GET", "/message/none", token)[0] for token in tokens]

    old = world.parameter(HTTP_API_TOKEN).split()[-1]
    terminal = Terminal(world, "rotate-token")
    terminal.expect("\rlive                ")
    terminal.expect(" s ...")
    terminal.expect("Has every sender got it")
    new = world.parameter(HTTP_API_TOKEN).split()[-1]
    assert old != new
    assert statuses(old, new) == [404, 404]
    terminal.type("n")
    assert terminal.end() == 0
    assert world.run("rotate-token", "--yes") == 0
    assert statuses(old, new) == [403, 404]
    assert old not in world.parameter(HTTP_API_TOKEN)
    assert new not in terminal.seen


def test_a_rotation_whose_function_cannot_be_changed_says_so_and_goes_on(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.fail("GET /2015-03-31/functions/botte-prod $")  # the waiter's
    assert world.run("rotate-token", "--yes") == 1
    assert capsys.readouterr().err.startswith("lambda: Waiter FunctionUpdatedV2 failed: ")
    assert world.run("rotate-token", "--yes") == 0
    assert len(world.parameter(HTTP_API_TOKEN).splitlines()) == 1


@pytest.mark.parametrize("command", ["deploy", "doctor", "destroy"])
def test_the_wrong_region_is_no_place_for_a_stage_that_was_deployed_elsewhere(
    world: World, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(world.variables, "AWS_DEFAULT_REGION", "eu-west-1")
    assert world.run(command) == 1
    printed = capsys.readouterr()
    assert "deployed from here to account 123456789012, region us-east-1, and this is" in printed.out + printed.err


def test_logs_shows_what_the_functions_logged(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.run("logs", "--since", "30m") == 0
    printed = capsys.readouterr().out
    assert re.search(r"botte-prod-message  INFO  sent  id=deploy-\S+-Lambda  sender_app=botte-ops", printed)
    assert "platform.report" not in printed
    assert world.run("logs", "--since", "soon") == 1
    assert capsys.readouterr().err == "SINCE: 'soon' is not like 30m, 2h or 7d\n"


def test_what_aws_gave_up_is_listed_and_taken_back(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    sqs, payload = world.client("sqs"), {"text": "an invocation that was given up"}
    context = {
        "requestId": "given-up",
        "condition": "EventAgeExceeded",
        "functionArn": function_arn("botte-prod-message"),
    }
    for queue, body in (
        ("botte-prod-failures", {"requestContext": context, "requestPayload": payload}),
        ("botte-prod-messages-dead-letter", {"text": "a dead letter"}),
    ):
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))
    status, found = doctor(world, capsys)
    assert status == 1
    assert re.search(r"1 in the dead-letter queue .*\n.*mend: make redrive STAGE=prod", found)
    assert world.run("failed") == 0
    assert "given-up  EventAgeExceeded  'an invocation that was given up'" in capsys.readouterr().out
    assert world.run("redrive") == 0
    assert "2 messages are sent again on prod" in capsys.readouterr().out
    wanted = {"an invocation that was given up", "a dead letter"}
    assert eventually(lambda: wanted <= set(world.texts()))
    assert world.run("failed") == 0
    assert capsys.readouterr().out == "0 messages are parked on prod\n"


def test_a_dry_run_shows_what_would_be_made_and_the_policies_and_changes_nothing(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    before = world.client("lambda").list_functions()["Functions"]
    assert world.run("deploy", "--dry-run", stage="dev") == 0
    printed = capsys.readouterr().out
    assert "  + API\n" in printed
    assert re.search("^webhook {13}is (asked for, where none is set|set anew, to http)", printed, re.MULTILINE)
    assert "  + role botte-dev-redeliver\n" in printed
    assert "on arn:*:dynamodb:*:*:table/botte-dev-outbox/index/due" in printed
    assert world.client("lambda").list_functions()["Functions"] == before


def test_without_a_terminal_and_without_the_environment_a_deployment_says_what_is_missing(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.client("ssm").delete_parameters(Names=["/botte/dev/telegram-bot-token", "/botte/dev/telegram-chats"])
    assert world.run("deploy", stage="dev", owner=False) == 1
    assert 'deploy stopped at "bot": TELEGRAM_BOT_TOKEN is not set' in capsys.readouterr().err


@pytest.mark.parametrize("command", ["deploy", "destroy", "logs"])
def test_the_local_twin_needs_none_of_this(world: World, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.run(command, stage="local") == 1
    assert capsys.readouterr().err.startswith("STAGE: ")
