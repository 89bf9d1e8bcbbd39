"""The tables and the queues: as they are made, and, where moto does not make it, as the template says."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session
from botocore.validate import ParamValidator
from chalice.config import Config

from tests.ops.conftest import delete_table
from tests.ops.template import STAGE, alarms, metrics, template
from tools.dev.aws import RESOURCES_FILE, EmbeddedAws
from tools.ops.alarms import alarm_names, alarm_options
from tools.ops.stage import Stage, StageError
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
            delete_table(aws.client("dynamodb"), name)  # it survives the stack


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
    stages = [Config(stage, "sqs_message", config_from_disk=config) for stage in config["stages"]]
    timeout = max(each.lambda_timeout for each in stages)
    prefix = make(WithQueue="true")
    assert int(queues(aws, prefix)[f"{prefix}-messages"]["VisibilityTimeout"]) >= 6 * timeout


@pytest.mark.parametrize("there", [("WithTaskTable",), ("WithOutboxTable",), ("WithTaskTable", "WithOutboxTable")])
def test_a_table_that_is_there_already_is_left_alone(aws: EmbeddedAws, make: Make, there: tuple[str, ...]) -> None:
    prefix, names = make(), {"WithTaskTable": "tasks", "WithOutboxTable": "outbox"}
    cloudformation, stage = aws.client("cloudformation"), prefix.removeprefix("botte-")
    cloudformation.delete_stack(StackName=stage)
    for parameter in names.keys() - set(there):
        delete_table(aws.client("dynamodb"), f"{prefix}-{names[parameter]}")
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
    made = [each for each in TEMPLATE["Resources"].values() if each["Type"] == "AWS::CloudWatch::Alarm"]
    assert len(made) == 8
    assert all(each["Condition"] in ("HasAlarms", "HasQueueAlarm") for each in made)


@pytest.mark.slow
def test_the_template_is_valid() -> None:
    lint = [str(Path(sys.executable).with_name("cfn-lint")), str(RESOURCES_FILE)]
    assert subprocess.run(lint, capture_output=True, text=True, check=False).stdout == ""


@pytest.fixture(params=[False, True], ids=["without a queue", "with the queue"])
def stage(request: pytest.FixtureRequest) -> Stage:
    found = Stage(STAGE)
    found.queue_name = f"{found.prefix}-messages" if request.param else None
    return found


def asked_for(stage: Stage) -> list[dict[str, Any]]:
    """The alarms of a stage, as they are put into CloudWatch."""
    return alarms(with_queue=stage.queue_name is not None)


def test_cloudwatch_takes_each_alarm(stage: Stage, aws: EmbeddedAws) -> None:
    shape = Session().get_service_model("cloudwatch").operation_model("PutMetricAlarm").input_shape
    cloudwatch, wanted = aws.client("cloudwatch"), asked_for(stage)
    for alarm in wanted:
        assert ParamValidator().validate(alarm, shape).generate_report() == ""
        assert len(metrics(alarm)) <= 10
        cloudwatch.put_metric_alarm(**alarm)
    made = cloudwatch.describe_alarms(AlarmNames=[each["AlarmName"] for each in wanted])["MetricAlarms"]
    cloudwatch.delete_alarms(AlarmNames=[each["AlarmName"] for each in made])
    assert {each["AlarmName"] for each in made} == set(alarm_names(stage))


def test_each_alarm_looks_at_what_the_stage_has(stage: Stage) -> None:
    queues = {stage.failures_queue} | ({stage.queue_name, stage.dead_letter_queue} if stage.queue_name else set())
    there = {"FunctionName": set(stage.handlers.values()), "QueueName": queues}
    for alarm in asked_for(stage):
        for metric in metrics(alarm):
            assert metric["Namespace"] in ("AWS/Lambda", "AWS/SQS", "Botte")
            found = metric.get("Dimensions", [])
            assert len(found) == (metric["Namespace"] != "Botte")
            assert all(each["Value"] in there[each["Name"]] for each in found), alarm["AlarmName"]


def test_each_alarm_tells_the_topic_and_says_what_is_wrong(stage: Stage) -> None:
    for alarm in asked_for(stage):
        assert [each.rpartition(":")[2] for each in alarm["AlarmActions"]] == ["botte-prod-alarms"]
        assert len(alarm["AlarmDescription"]) > 40
        assert "${" not in alarm["AlarmDescription"]


def test_a_schedule_that_does_not_run_has_no_metric_and_raises_its_alarm() -> None:
    (alarm,) = [each for each in alarms(with_queue=False) if each["AlarmName"] == "botte-prod-schedule-stopped"]
    (metric,) = metrics(alarm)
    assert (metric["MetricName"], metric["Dimensions"][0]["Value"]) == ("Invocations", "botte-prod-redeliver")
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)
    assert alarm["TreatMissingData"] == "breaching"
    assert alarm["Period"] * alarm["EvaluationPeriods"] == 600


def test_both_queues_of_what_aws_gave_up_are_looked_at() -> None:
    (alarm,) = [each for each in alarms(with_queue=True) if each["AlarmName"] == "botte-prod-given-up"]
    assert {(each["MetricName"], each["Dimensions"][0]["Value"]) for each in metrics(alarm)} == {
        ("ApproximateNumberOfMessagesVisible", "botte-prod-failures"),
        ("ApproximateNumberOfMessagesVisible", "botte-prod-messages-dead-letter"),
    }


@pytest.mark.parametrize(
    "asked", ["tpyo", "you@", "@example.org", "you@example", "you@example.org,me@example.org", "ON"]
)
def test_alarms_are_on_off_or_told_to_an_address(asked: str) -> None:
    with pytest.raises(StageError, match=f"ALARMS: '{asked}' is neither on, off nor an address like you@example.org"):
        alarm_options(asked)


@pytest.mark.parametrize(
    ("asked", "wanted"), [("on", ("true", "")), ("off", ("false", "")), ("a.b@c.example", ("true", "a.b@c.example"))]
)
def test_what_is_asked_for_reaches_the_stack(asked: str, wanted: tuple[str, str]) -> None:
    assert tuple(alarm_options(asked).values()) == wanted
