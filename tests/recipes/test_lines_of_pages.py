"""The lines of docs/vpc.md, telegram.md, costs.md and from-botte-monorepo.md, run as they stand in an account."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import boto3
import pytest

from tools.dev.aws import EmbeddedAws
from tools.rehearsal.project import ROOT
from tools.rehearsal.senders import run_in_shell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

CHATS = '{"default": 12345678, "ops": -1001234567890, "news": -1009876543210}'
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}]}


def blocks(page: str, language: str = "sh", about: str = "") -> list[str]:
    """The blocks of a page, in a language, that have some words in them."""
    text = (ROOT / "docs" / page).read_text()
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
    return [dedent(block) for _, block in found if about in block]


@pytest.fixture(scope="module")
def account() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as aws:
        yield aws


Run = Callable[..., None]


@pytest.fixture
def run(account: EmbeddedAws, tmp_path: Path) -> Run:
    """Runs lines in a shell, one script after the other."""

    def run(*scripts: str) -> None:
        assert run_in_shell("\n".join(scripts), {**os.environ, **account.environment}, tmp_path) == 0

    return run


def parameter(account: EmbeddedAws, name: str) -> tuple[str, str]:
    found = account.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]
    return found["Type"], found["Value"]


def test_the_vpc_gets_an_endpoint_with_its_policy_and_the_sender_its_rights(
    account: EmbeddedAws, run: Run, tmp_path: Path
) -> None:
    ec2, iam = account.client("ec2"), account.client("iam")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    tables = {ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _ in range(2)}
    iam.create_role(RoleName="my-sender", AssumeRolePolicyDocument=json.dumps(TRUST))
    [endpoint_policy] = blocks("vpc.md", "json")
    [sender_policy] = blocks("deploy.md", "json", "dynamodb:PutItem")
    (tmp_path / "endpoint.json").write_text(endpoint_policy)
    (tmp_path / "sender.json").write_text(sender_policy)
    [create], [modify] = blocks("vpc.md", about="create-vpc-endpoint"), blocks("vpc.md", about="modify-vpc-endpoint")
    [put] = blocks("vpc.md", about="put-role-policy")
    run(create.replace("vpc-0123456789abcdef0", vpc), modify, put)
    filters = [{"Name": "vpc-id", "Values": [vpc]}]
    [endpoint] = ec2.describe_vpc_endpoints(Filters=filters)["VpcEndpoints"]
    assert (endpoint["VpcEndpointType"], endpoint["ServiceName"]) == ("Gateway", "com.amazonaws.us-east-1.dynamodb")
    assert tables <= set(endpoint["RouteTableIds"])
    assert json.loads(endpoint["PolicyDocument"]) == json.loads(endpoint_policy)
    assert iam.get_role_policy(RoleName="my-sender", PolicyName="botte")["PolicyDocument"] == json.loads(sender_policy)


def test_the_endpoint_lets_pass_what_the_sender_may_do() -> None:
    [endpoint] = blocks("vpc.md", "json")
    [sender] = blocks("deploy.md", "json", "dynamodb:PutItem")
    passes = {(each["Action"], each["Resource"]) for each in json.loads(endpoint)["Statement"]}
    needed = {(*each["Action"], *each["Resource"]) for each in json.loads(sender)["Statement"]}
    assert passes == needed


def test_the_row_of_a_message_is_asked_for_as_the_sender_may(account: EmbeddedAws, run: Run) -> None:
    key = [{"AttributeName": name, "KeyType": kind} for name, kind in (("PK", "HASH"), ("SK", "RANGE"))]
    names = [{"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK")]
    account.client("dynamodb").create_table(
        TableName="botte-prod-outbox", KeySchema=key, AttributeDefinitions=names, BillingMode="PAY_PER_REQUEST"
    )
    [ask] = blocks("vpc.md", about="get-item")
    run(ask)
    [policy] = blocks("deploy.md", "json", "dynamodb:GetItem")
    allowed = json.loads(policy)["Statement"][1]["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"]
    [projection] = re.findall(r"--projection-expression '(.*?)'", ask)
    assert projection.replace("#s", "Status").split(", ") == allowed


def test_the_chats_are_written_and_a_new_bot_token_is_stored_as_it_was_typed(account: EmbeddedAws, run: Run) -> None:
    account.client("ssm").put_parameter(Name="/botte/prod/telegram-chats", Type="String", Value='{"default": 1}')
    [chats] = blocks("telegram.md", about="put-parameter --overwrite --type String")
    [token] = blocks("telegram.md", about="read -rs")
    # dash, which runs the lines here, knows no -s: it only hides what is typed.
    run(chats, f"printf '1234567890:AAH-new\\n' | {{ {token.replace('read -rs', 'read -r')} }}")
    assert parameter(account, "/botte/prod/telegram-chats") == ("String", CHATS)
    assert parameter(account, "/botte/prod/telegram-bot-token") == ("SecureString", "1234567890:AAH-new")


def test_the_api_token_is_shown_without_its_name(
    account: EmbeddedAws, run: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = "old-token\n\n2026-11-28T13:00:00Z new-token\n"
    account.client("ssm").put_parameter(Name="/botte/prod/http-api-token", Type="SecureString", Value=lines)
    [show] = blocks("reference.md", about="http-api-token")
    run(show)
    assert capfd.readouterr().out == "new-token\n"
    account.client("ssm").delete_parameter(Name="/botte/prod/http-api-token")


def test_a_budget_tells_of_a_bill_that_nobody_expects(account: EmbeddedAws, run: Run) -> None:
    [budget] = blocks("costs.md", about="create-budget")
    run(budget)
    budgets = account.client("budgets")
    of = {"AccountId": "123456789012", "BudgetName": "monthly"}
    assert budgets.describe_budget(**of)["Budget"]["BudgetLimit"] == {"Amount": "5", "Unit": "USD"}
    [notification] = budgets.describe_notifications_for_budget(**of)["Notifications"]
    assert notification["Threshold"] == 80


def test_the_secrets_of_the_older_program_are_taken_over(account: EmbeddedAws, run: Run) -> None:
    of_twin = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "endpoint_url": account.url}
    old = boto3.client("ssm", region_name="eu-south-1", **of_twin)
    for name, value in (("telegram-token", "1:bot"), ("api-authorizer-token", "secret")):
        old.put_parameter(Name=f"/botte-be/prod/{name}", Type="SecureString", Value=value)
    account.client("ssm").delete_parameters(Names=["/botte/prod/telegram-bot-token", "/botte/prod/http-api-token"])
    [take_over] = blocks("from-botte-monorepo.md", about="/botte-be/prod")
    run(take_over)
    assert parameter(account, "/botte/prod/telegram-bot-token") == ("SecureString", "1:bot")
    assert parameter(account, "/botte/prod/http-api-token") == ("SecureString", "secret")
