"""The lines of docs/senders.md that set AWS up, run as they stand in an account of their own."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from tests.recipes.page import ROOT, SECTIONS, section
from tools.dev.aws import EmbeddedAws
from tools.rehearsal.senders import run_in_shell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

BOTTE = "arn:aws:lambda:us-east-1:123456789012:function:botte-prod-message"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:botte-prod-messages"
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}]}


@pytest.fixture(scope="module")
def account() -> Iterator[EmbeddedAws]:
    """An account with Botte's function and queue, and what the recipes say is there already."""
    with EmbeddedAws() as aws:
        zipped = io.BytesIO()
        zipfile.ZipFile(zipped, "w").close()
        role = aws.client("iam").create_role(RoleName="resize-role", AssumeRolePolicyDocument=json.dumps(TRUST))
        for name in ("botte-prod-message", "resize"):
            aws.client("lambda").create_function(
                FunctionName=name,
                Role=role["Role"]["Arn"],
                Code={"ZipFile": zipped.getvalue()},
                Runtime="python3.12",
                Handler="app.message",
            )
        aws.client("sqs").create_queue(QueueName="botte-prod-messages")
        aws.client("s3").create_bucket(Bucket="backups")
        limit = {"Amount": "100", "Unit": "USD"}
        budget = {"BudgetName": "monthly", "BudgetLimit": limit, "BudgetType": "COST", "TimeUnit": "MONTHLY"}
        aws.client("budgets").create_budget(AccountId="123456789012", Budget=budget)
        yield aws


@pytest.fixture(scope="module")
def set_up(account: EmbeddedAws) -> EmbeddedAws:
    """The account, after all lines of the page."""
    first = [each.title for each in SECTIONS].index("AWS")
    yours, _twins, derived = section("AWS").blocks("sh")
    lines = [block for each in [section("Hook tokens"), *SECTIONS[first + 1 :]] for block in each.blocks("sh")]
    script = "\n".join([yours, derived, *lines])
    assert run_in_shell(script, {**os.environ, **account.environment}, ROOT) == 0
    return account


def test_each_service_may_invoke_the_function_for_what_the_recipe_names(set_up: EmbeddedAws) -> None:
    policy = json.loads(set_up.client("lambda").get_policy(FunctionName="botte-prod-message")["Policy"])
    allowed = {
        (each["Principal"]["Service"], each["Condition"]["ArnLike"]["AWS:SourceArn"]) for each in policy["Statement"]
    }
    assert allowed == {
        ("sns.amazonaws.com", "arn:aws:sns:us-east-1:123456789012:alarms"),
        ("sns.amazonaws.com", "arn:aws:sns:us-east-1:123456789012:billing"),
        ("events.amazonaws.com", "arn:aws:events:us-east-1:123456789012:rule/botte-alarms"),
        ("events.amazonaws.com", "arn:aws:events:us-east-1:123456789012:rule/botte-pipelines"),
        ("lambda.alarms.cloudwatch.amazonaws.com", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:*"),
        ("s3.amazonaws.com", "arn:aws:s3:::backups"),
    }


def test_topics_rules_alarms_buckets_and_functions_send_to_botte(set_up: EmbeddedAws) -> None:
    assert {(each["Protocol"], each["Endpoint"].partition("?")[0]) for each in subscriptions(set_up)} == {
        ("lambda", BOTTE),
        ("sqs", QUEUE),
        ("https", "https://abc123.execute-api.us-east-1.amazonaws.com/api/hook/alarms"),
    }
    events = set_up.client("events")
    for rule in events.list_rules()["Rules"]:
        assert [each["Arn"] for each in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]] == [BOTTE]
    [alarm] = set_up.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert (alarm["AlarmActions"], alarm["OKActions"], alarm["StateValue"]) == ([BOTTE], [BOTTE], "ALARM")
    notifications = set_up.client("s3").get_bucket_notification_configuration(Bucket="backups")
    assert [each["LambdaFunctionArn"] for each in notifications["LambdaFunctionConfigurations"]] == [BOTTE]
    invoked = set_up.client("lambda").get_function_event_invoke_config(FunctionName="resize")
    assert invoked["DestinationConfig"]["OnFailure"]["Destination"] == BOTTE


def test_policies_name_the_services_and_nothing_but_this_account(set_up: EmbeddedAws) -> None:
    sqs = set_up.client("sqs")
    url = sqs.get_queue_url(QueueName="botte-prod-messages")["QueueUrl"]
    queue = json.loads(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"])
    billing = set_up.client("sns").get_topic_attributes(TopicArn="arn:aws:sns:us-east-1:123456789012:billing")
    topic = json.loads(billing["Attributes"]["Policy"])
    for statement in [*queue["Statement"], *topic["Statement"]]:
        assert statement["Effect"] == "Allow"
        assert statement["Action"] in ("sqs:SendMessage", "sns:Publish")
        assert statement["Resource"] in (QUEUE, "arn:aws:sns:us-east-1:123456789012:billing")
        assert all(service.endswith(".amazonaws.com") for service in flat(statement["Principal"]["Service"]))
        [(_, condition)] = statement["Condition"].items()
        assert all("123456789012" in value for values in condition.values() for value in flat(values))
    role = set_up.client("iam").get_role_policy(RoleName="resize-role", PolicyName="botte")["PolicyDocument"]
    assert [each["Resource"] for each in role["Statement"]] == [BOTTE]


def test_a_hook_token_is_made_and_another_added(set_up: EmbeddedAws) -> None:
    found = set_up.client("ssm").get_parameter(Name="/botte/prod/hook-tokens", WithDecryption=True)["Parameter"]
    assert found["Type"] == "SecureString"
    lines = [line.split() for line in found["Value"].splitlines() if line]
    assert [[len(word) for word in line] for line in lines] == [[64], [len("github"), 64]]


def subscriptions(aws: EmbeddedAws) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = aws.client("sns").list_subscriptions()["Subscriptions"]
    return found


def flat(values: str | list[str]) -> list[str]:
    return [values] if isinstance(values, str) else values
