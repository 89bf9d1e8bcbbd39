"""A deployment that fails at each of its steps goes on from there when it is run again, and destroy does too."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.ops.conftest import World
from tests.ops.template import template

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

# The steps in their order, and a call of each, which fails once; "found" reads what "changes" has read.
STEPS = {
    "check": "STS.GetCallerIdentity",
    "changes": "GET /2015-03-31/functions/botte-prod-message/configuration",
    "stack": "CloudFormation.CreateStack",
    "tables": "DescribeTimeToLive",
    "bot": "SSM.PutParameter .*telegram-bot-token",
    "chat": "SSM.PutParameter .*telegram-chats",
    "HTTP token": "SSM.PutParameter .*http-api-token",
    "stale": "GET /2015-03-31/event-source-mappings",
    "functions": "POST /2015-03-31/event-source-mappings",
    "mappings": "PUT /2015-03-31/event-source-mappings",
    "logs": "PutRetentionPolicy",
    "alarms": "DeleteMetricFilter",
    "API": "PATCH /restapis/.*/stages/",
    "doors": "DynamoDB.PutItem",
}


@pytest.fixture(scope="module")
def no_patience() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tools.ops.deploy.PATIENCE_SECONDS", 20.0)
        yield


def test_a_deployment_that_fails_at_any_step_says_so_and_goes_on_when_it_is_run_again(
    world: World, no_patience: None, capsys: pytest.CaptureFixture[str]
) -> None:
    for step, call in STEPS.items():
        world.fail(call)
        assert world.run("deploy") == 1, step
        error = capsys.readouterr().err
        assert f'deploy stopped at "{step}": ' in error
        assert "make deploy STAGE=prod again" in error
        assert "Traceback" not in error
    assert world.run("deploy") == 0
    aws = world.client("lambda")
    assert len(world.client("apigateway").get_rest_apis()["items"]) == 1
    assert len(aws.list_event_source_mappings()["EventSourceMappings"]) == 2
    assert len(aws.list_functions()["Functions"]) == 5
    assert len(world.client("iam").list_roles()["Roles"]) == 5
    doors = [re.search(r"the (\w+) door", text) for text in world.texts()]
    assert sorted(found[1] for found in doors if found) == ["DynamoDB", "HTTP", "Lambda", "SQS"]


def test_chalice_that_fails_after_the_api_was_made_makes_no_second_one(
    world: World, no_patience: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.run("destroy", "--yes", "--table") == 0
    world.fail("POST /restapis/.*/deployments")
    assert world.run("deploy") == 1
    assert 'deploy stopped at "functions": chalice deploy: ' in capsys.readouterr().err
    assert world.run("deploy") == 0
    assert len(world.client("apigateway").get_rest_apis()["items"]) == 1


def test_destroy_that_fails_goes_on_when_it_is_run_again(
    world: World, no_patience: None, capsys: pytest.CaptureFixture[str]
) -> None:
    for step, call in {"API": "DELETE /restapis", "roles": "DeleteRole ", "parameters": "SSM.DeleteParameters"}.items():
        world.fail(call)
        assert world.run("destroy", "--yes") == 1
        assert f'destroy stopped at "{step}": ' in capsys.readouterr().err
    assert world.run("destroy", "--yes") == 0
    left = [
        *world.client("lambda").list_functions()["Functions"],
        *world.client("lambda").list_event_source_mappings()["EventSourceMappings"],
        *world.client("iam").list_roles()["Roles"],
        *world.client("apigateway").get_rest_apis()["items"],
        *world.client("events").list_rules()["Rules"],
        *world.client("logs").describe_log_groups()["logGroups"],
        *world.client("ssm").get_parameters_by_path(Path="/botte/prod")["Parameters"],
        *world.client("sqs").list_queues().get("QueueUrls", []),
    ]
    assert left == []
    tables = world.client("dynamodb").list_tables()["TableNames"]
    assert sorted(tables) == ["botte-prod-outbox", "botte-prod-tasks"]
    assert not (world.project / ".chalice" / "deployed" / "prod.json").exists()


def measured(world: World) -> list[tuple[str, str, str]]:
    """The metrics that are made of the logs: of which function, the namespace and the name of each."""
    filters = world.client("logs").describe_metric_filters()["metricFilters"]
    return [
        (each["logGroupName"].rpartition("/")[2], metric["metricNamespace"], metric["metricName"])
        for each in filters
        for metric in each["metricTransformations"]
    ]


def test_a_deployment_takes_the_tables_over_that_destroy_left(
    world: World, no_patience: None, capsys: pytest.CaptureFixture[str]
) -> None:
    dynamodb = world.client("dynamodb")

    def recovery() -> set[str]:
        found = [dynamodb.describe_continuous_backups(TableName=f"botte-prod-{name}") for name in ("tasks", "outbox")]
        backups = [each["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"] for each in found]
        return {str(each["PointInTimeRecoveryStatus"]) for each in backups}

    rows = dynamodb.scan(TableName="botte-prod-outbox")["Count"]
    assert rows > 0
    assert world.run("deploy", "--alarms", "you@example.org", "--recovery", "on") == 0
    told = "8, told to you@example.org once the link in the mail that AWS has sent there is opened"
    assert told in capsys.readouterr().out
    assert dynamodb.scan(TableName="botte-prod-outbox")["Count"] > rows
    assert dynamodb.scan(TableName="botte-prod-tasks")["Count"] == 0
    (stack,) = world.client("cloudformation").describe_stacks(StackName="botte-prod")["Stacks"]
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    assert (parameters["WithAlarms"], parameters["AlarmEmail"]) == ("true", "you@example.org")
    assert (parameters["WithRecovery"], parameters["WithTaskTable"], parameters["WithOutboxTable"]) == (
        "true",
        "false",
        "false",
    )
    assert recovery() == {"ENABLED"}
    alarms = [template()["Resources"][name]["Properties"] for name in ("OldestPendingMessage", "ParkedMessages")]
    wanted = {(each["Namespace"], each["MetricName"]["Fn::Sub"].replace("${Stage}", "prod")) for each in alarms}
    assert {(space, name) for _, space, name in measured(world)} == wanted  # moto makes no alarms of them
    functions = {name for name, _, metric in measured(world) if metric == "botte-prod-parked"}
    assert functions == {each["FunctionName"] for each in world.client("lambda").list_functions()["Functions"]}
    assert world.run("deploy") == 0
    assert recovery() == {"ENABLED"}
    assert world.run("deploy", "--yes", "--recovery", "off", "--alarms", "off") == 0
    assert recovery() == {"DISABLED"}
    assert measured(world) == []
    assert world.run("destroy", "--yes", "--table") == 0
    assert world.client("dynamodb").list_tables()["TableNames"] == []
