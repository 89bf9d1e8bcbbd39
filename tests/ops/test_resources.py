"""The tables and the queues: as they are made, and, where moto does not make it, as the template says."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.ops.template import template
from tools.dev.aws import RESOURCES_FILE, EmbeddedAws
from tools.rehearsal.project import ROOT

TEMPLATE = template()
Make = Callable[..., str]


@pytest.fixture
def make(aws: EmbeddedAws) -> Iterator[Make]:
    """Makes a stack, and gives what the names of its resources begin with."""
    cloudformation, made = aws.client("cloudformation"), []

    def make(**parameters: str) -> str:
        stage = f"s{uuid.uuid4().hex[:8]}"
        given = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
        given.append({"ParameterKey": "Stage", "ParameterValue": stage})
        cloudformation.create_stack(StackName=stage, TemplateBody=RESOURCES_FILE.read_text(), Parameters=given)
        made.append(stage)
        return f"botte-{stage}"

    yield make
    for stage in made:
        cloudformation.delete_stack(StackName=stage)
        for name in (f"botte-{stage}-tasks", f"botte-{stage}-outbox"):
            delete_table(aws, name)  # it survives the stack


def delete_table(aws: EmbeddedAws, name: str) -> None:
    aws.client("dynamodb").update_table(TableName=name, DeletionProtectionEnabled=False)
    aws.client("dynamodb").delete_table(TableName=name)


def queues(aws: EmbeddedAws, prefix: str) -> dict[str, dict[str, str]]:
    sqs = aws.client("sqs")
    urls = sqs.list_queues(QueueNamePrefix=prefix).get("QueueUrls", [])
    return {
        url.rpartition("/")[2]: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        for url in urls
    }


def test_both_tables_are_on_demand_the_one_has_the_stream_and_the_other_the_indexes(
    aws: EmbeddedAws, make: Make
) -> None:
    prefix, describe = make(), aws.client("dynamodb").describe_table
    tasks, outbox = (describe(TableName=f"{prefix}-{name}")["Table"] for name in ("tasks", "outbox"))
    for table in (tasks, outbox):
        assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        assert [each["AttributeName"] for each in table["KeySchema"]] == ["PK", "SK"]
    assert tasks["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    assert not tasks.get("GlobalSecondaryIndexes")
    assert not tasks.get("LocalSecondaryIndexes")
    assert not outbox.get("StreamSpecification", {}).get("StreamEnabled")
    for table in (tasks, outbox):
        assert table["DeletionProtectionEnabled"] is True
    (due,), (unsent,) = outbox["GlobalSecondaryIndexes"], outbox["LocalSecondaryIndexes"]
    assert (due["IndexName"], [each["AttributeName"] for each in due["KeySchema"]]) == ("due", ["Chat", "DueTs"])
    assert (unsent["IndexName"], [each["AttributeName"] for each in unsent["KeySchema"]]) == ("unsent", ["PK", "Place"])


def test_there_is_no_queue_to_poll_unless_it_is_wanted(aws: EmbeddedAws, make: Make) -> None:
    prefix = make()
    assert set(queues(aws, prefix)) == {f"{prefix}-failures"}


def test_the_queue_gives_a_message_up_to_its_dead_letter_queue(aws: EmbeddedAws, make: Make) -> None:
    prefix = make(WithQueue="true")
    found = queues(aws, prefix)
    assert set(found) == {f"{prefix}-messages", f"{prefix}-messages-dead-letter", f"{prefix}-failures"}
    redrive = json.loads(found[f"{prefix}-messages"]["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"] == found[f"{prefix}-messages-dead-letter"]["QueueArn"]
    hidden = int(found[f"{prefix}-messages"]["VisibilityTimeout"])
    assert int(redrive["maxReceiveCount"]) * hidden > 4 * 24 * 3600  # days of an outage, or of a broken deployment


def test_a_message_stays_hidden_for_six_times_as_long_as_its_function_may_run(aws: EmbeddedAws, make: Make) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
    config = json.loads((ROOT / ".chalice" / "config.json").read_text())
    functions = [stage["lambda_functions"]["sqs_message"] for stage in config["stages"].values()]
    timeout = max(function.get("lambda_timeout", config["lambda_timeout"]) for function in functions)
    prefix = make(WithQueue="true")
    assert int(queues(aws, prefix)[f"{prefix}-messages"]["VisibilityTimeout"]) >= 6 * timeout


@pytest.mark.parametrize("there", [("WithTaskTable",), ("WithOutboxTable",), ("WithTaskTable", "WithOutboxTable")])
def test_a_table_that_is_there_already_is_left_alone(aws: EmbeddedAws, make: Make, there: tuple[str, ...]) -> None:
    prefix, names = make(), {"WithTaskTable": "tasks", "WithOutboxTable": "outbox"}
    cloudformation, stage = aws.client("cloudformation"), prefix.removeprefix("botte-")
    cloudformation.delete_stack(StackName=stage)
    for parameter in names.keys() - set(there):
        delete_table(aws, f"{prefix}-{names[parameter]}")
    parameters = {"Stage": stage, **dict.fromkeys(there, "false")}
    given = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
    cloudformation.create_stack(StackName=stage, TemplateBody=RESOURCES_FILE.read_text(), Parameters=given)
    assert set(queues(aws, prefix)) == {f"{prefix}-failures"}


def test_what_takes_tags_tells_app_and_stage(aws: EmbeddedAws, make: Make) -> None:
    prefix = make(WithQueue="true")
    tags = {"app": "botte", "stage": prefix.removeprefix("botte-")}
    dynamodb, sqs = aws.client("dynamodb"), aws.client("sqs")
    for name in ("tasks", "outbox"):
        arn = dynamodb.describe_table(TableName=f"{prefix}-{name}")["Table"]["TableArn"]
        assert {each["Key"]: each["Value"] for each in dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"]} == tags
    for name in queues(aws, prefix):
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        assert sqs.list_queue_tags(QueueUrl=url)["Tags"].items() >= tags.items()
    for resource in TEMPLATE["Resources"].values():
        if resource["Type"] != "AWS::CloudWatch::Alarm":
            assert {each["Key"] for each in resource["Properties"]["Tags"]} == set(tags)


@pytest.mark.parametrize("name", ["TaskTable", "OutboxTable"])
def test_the_template_says_what_moto_does_not_make(name: str) -> None:
    table: dict[str, Any] = TEMPLATE["Resources"][name]
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain")
    properties = table["Properties"]
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "ExpirationTs", "Enabled": True}
    recovery = properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    assert recovery == {"Fn::If": ["HasRecovery", True, False]}


def test_what_may_cost_is_off_by_default() -> None:
    defaults = {name: each.get("Default") for name, each in TEMPLATE["Parameters"].items()}
    assert (defaults["WithQueue"], defaults["WithRecovery"], defaults["WithAlarms"]) == ("false", "false", "false")
    alarms = [each for each in TEMPLATE["Resources"].values() if each["Type"] == "AWS::CloudWatch::Alarm"]
    assert len(alarms) == 5
    assert all(each["Condition"] in ("HasAlarms", "HasQueueAlarm") for each in alarms)
