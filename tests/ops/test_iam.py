"""The rehearsal holds a request for an item to the conditions of a policy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tools.dev.aws import EmbeddedAws
from tools.rehearsal.actions import requests
from tools.rehearsal.iam import denied

WHO = ("user", "reader")
KEY = {"PK": {"S": "BOTTE_MESSAGE#1"}, "SK": {"S": "1"}}
STATEMENT = {
    "Effect": "Allow",
    "Action": ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:BatchWriteItem"],
    "Resource": "arn:aws:dynamodb:us-east-1:123456789012:table/t",
    "Condition": {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["BOTTE_MESSAGE", "BOTTE_MESSAGE#*"]},
        "ForAllValues:StringEquals": {"dynamodb:Attributes": ["PK", "SK", "Status"]},
        "StringEqualsIfExists": {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"},
    },
}


@pytest.fixture
def user(aws: EmbeddedAws) -> None:
    iam = aws.client("iam")
    if WHO[1] not in [each["UserName"] for each in iam.list_users()["Users"]]:
        iam.create_user(UserName=WHO[1])
    document = json.dumps({"Version": "2012-10-17", "Statement": [STATEMENT]})
    iam.put_user_policy(UserName=WHO[1], PolicyName="reader", PolicyDocument=document)


def allowed(operation: str, parameters: Mapping[str, Any]) -> bool:
    return not denied(WHO, requests(f"DynamoDB.{operation}", "/", json.dumps(parameters).encode()))


@pytest.mark.parametrize(
    ("parameters", "may"),
    [
        ({"ProjectionExpression": "PK, #s", "ExpressionAttributeNames": {"#s": "Status"}}, True),
        ({"ProjectionExpression": "PK, Message"}, False),
        ({"ProjectionExpression": "PK", "Key": {**KEY, "PK": {"S": "LANE"}}}, False),
        ({"ProjectionExpression": "PK", "TableName": "other"}, False),
        ({}, False),
    ],
)
def test_an_item_may_be_read_as_far_as_its_attributes_are_named(
    user: None, parameters: dict[str, Any], may: bool
) -> None:
    assert allowed("GetItem", {"TableName": "t", "Key": KEY, **parameters}) is may


@pytest.mark.parametrize(
    ("item", "may"), [(KEY, True), ({**KEY, "Answer": {"S": "x"}}, False), ({**KEY, "PK": {"S": "OTHER"}}, False)]
)
def test_an_item_may_be_put_with_the_allowed_key_and_attributes(user: None, item: dict[str, Any], may: bool) -> None:
    assert allowed("PutItem", {"TableName": "t", "Item": item}) is may
    assert allowed("BatchWriteItem", {"RequestItems": {"t": [{"PutRequest": {"Item": item}}]}}) is may
