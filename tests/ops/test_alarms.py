"""What is told of the alarms of a stage: by a deployment, and by the doctor."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.ops.conftest import delete_table
from tests.ops.template import alarms
from tools.dev.aws import RESOURCES_FILE, EmbeddedAws
from tools.ops.alarms import alarm_names, set_up_alarms, topic_arn
from tools.ops.checks import Finding
from tools.ops.checks_aws import check_alarms
from tools.ops.stage import Stage

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse AWS..CloudWatch..Alarm")  # moto makes none of a template

MakeStage = Callable[[str, str], Stage]
EMAIL = "you@example.org"


@pytest.fixture
def make_stage(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeStage]:
    """Makes the stack of a stage with or without alarms, and an address that is told; moto makes the topic of these."""
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    stage, names = Stage("prod"), [each["AlarmName"] for each in alarms(with_queue=False)]
    groups = [f"/aws/lambda/{function}" for function in stage.handlers.values()]

    def make(with_alarms: str, email: str) -> Stage:
        values = {"Stage": stage.name, "WithAlarms": with_alarms, "AlarmEmail": email}
        parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]
        made = {"StackName": stage.prefix, "TemplateBody": RESOURCES_FILE.read_text(), "Parameters": parameters}
        aws.client("cloudformation").create_stack(**made)
        if with_alarms == "true":
            for alarm in alarms(with_queue=False):
                aws.client("cloudwatch").put_metric_alarm(**alarm)
        for group in groups:
            aws.client("logs").create_log_group(logGroupName=group)
        return stage

    yield make
    aws.client("cloudformation").delete_stack(StackName=stage.prefix)
    aws.client("cloudwatch").delete_alarms(AlarmNames=names)
    for table in (stage.task_table_name, stage.outbox_table_name):
        delete_table(aws.client("dynamodb"), table)
    for group in groups:
        aws.client("logs").delete_log_group(logGroupName=group)


def set_state(aws: EmbeddedAws, name: str, state: str) -> None:
    aws.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")


def wrong(stage: Stage) -> list[Finding]:
    return [finding for finding in check_alarms(stage) if finding.mend]


def test_alarms_that_nobody_asked_for_are_not_missed(make_stage: MakeStage) -> None:
    stage = make_stage("false", "")
    assert set_up_alarms(stage) == "none, as ALARMS=you@example.org was not given"
    (finding,) = check_alarms(stage)
    assert finding == Finding("alarms", "none were asked for; make deploy STAGE=prod ALARMS=you@example.org makes them")


def test_alarms_that_are_there_and_quiet_are_well(make_stage: MakeStage) -> None:
    stage = make_stage("true", EMAIL)
    assert set_up_alarms(stage) == "7, told to you@example.org"
    assert [finding.told for finding in check_alarms(stage)] == ["7 are there, 0 raised", "told to you@example.org"]
    assert wrong(stage) == []


def test_alarms_that_tell_nobody_say_so(make_stage: MakeStage) -> None:
    stage = make_stage("true", "")
    assert set_up_alarms(stage) == "7, and nobody is told: ALARMS=you@example.org changes that"
    assert [finding.told for finding in check_alarms(stage)][-1].startswith("told to nobody; ")
    assert wrong(stage) == []


def test_an_alarm_that_is_raised_and_one_that_is_gone_are_found(make_stage: MakeStage, aws: EmbeddedAws) -> None:
    stage = make_stage("true", EMAIL)
    set_state(aws, "botte-prod-given-up", "ALARM")
    aws.client("cloudwatch").delete_alarms(AlarmNames=["botte-prod-throttled"])
    raised, missing = wrong(stage)
    assert raised.told.startswith("botte-prod-given-up: AWS gave up a message; make failed STAGE=prod lists it")
    assert raised.mend == "make logs STAGE=prod"
    assert missing.told == "botte-prod-throttled not there, though asked for"
    assert missing.mend == "make deploy STAGE=prod ALARMS=off && make deploy STAGE=prod ALARMS=you@example.org"


def test_an_address_whose_owner_has_not_opened_the_link_is_told_nothing(
    make_stage: MakeStage, aws: EmbeddedAws
) -> None:
    stage, sns = make_stage("true", EMAIL), aws.client("sns")
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=topic_arn(stage))["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    assert set_up_alarms(stage) == (
        "7, told to you@example.org once the link in the mail that AWS has sent there is opened"
    )
    (finding,) = wrong(stage)
    assert finding.told == "you@example.org is told nothing, as the link in AWS's mail was not opened"
    assert finding.mend == (
        f"aws sns subscribe --topic-arn {topic_arn(stage)} --protocol email --notification-endpoint you@example.org"
    )


def test_a_stage_with_the_queue_has_one_more(make_stage: MakeStage) -> None:
    stage = make_stage("false", "")
    without = alarm_names(stage)
    stage.queue_name = "botte-prod-messages"
    assert set(alarm_names(stage)) - set(without) == {"botte-prod-oldest-queue-message"}
