"""moto made quick does what DynamoDB does with an update and its answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tools.dev.aws import EmbeddedAws

KEY = {"PK": {"S": "p"}, "SK": {"S": "s"}}
LIST = [{"S": "a"}, {"N": "2"}, {"NULL": True}]
ROW = {
    "n": {"N": "1"},
    "s": {"S": "one"},
    "l": {"L": LIST},
    "m": {"M": {"deep": {"M": {"b": {"B": b"\x00\xff"}, "yes": {"BOOL": True}}}}},
    "set": {"SS": ["x", "y"]},
}


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[Any]:
    with EmbeddedAws() as aws:
        client = aws.client("dynamodb")
        client.create_table(
            TableName="rows",
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in KEY],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


def update(dynamodb: Any, expression: str, values: dict[str, Any]) -> dict[str, Any]:
    """The row after an update, without its key. An expression is sent twice: the second time it is known."""
    asked = {"TableName": "rows", "Key": KEY, "UpdateExpression": expression, "ReturnValues": "ALL_NEW"}
    names = {f"#{name}": name for name in re.findall(r"#(\w+)", expression)}
    given = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}
    rows = []
    for _ in range(2):
        dynamodb.put_item(TableName="rows", Item={**KEY, **ROW})
        answer = dynamodb.update_item(**asked, **{name: value for name, value in given.items() if value})
        assert answer["Attributes"] == dynamodb.get_item(TableName="rows", Key=KEY)["Item"]
        rows.append({name: value for name, value in answer["Attributes"].items() if name not in KEY})
    assert rows[0] == rows[1]
    return rows[0]


@pytest.mark.parametrize(
    ("expression", "values", "change"),
    [
        pytest.param("SET #n = :v", {":v": {"S": ""}}, {"n": {"S": ""}}, id="set"),
        pytest.param("SET #n = #n + :v, #new = #n", {":v": {"N": "4"}}, {"n": {"N": "5"}, "new": {"N": "1"}}, id="sum"),
        pytest.param("SET #new = if_not_exists(#new, :v)", {":v": {"M": {}}}, {"new": {"M": {}}}, id="absent"),
        pytest.param("SET #s = if_not_exists(#s, :v)", {":v": {"S": "two"}}, {}, id="present"),
        pytest.param("SET #l = list_append(#l, :v)", {":v": {"L": LIST}}, {"l": {"L": LIST * 2}}, id="append"),
        pytest.param("ADD #n :v, #new :v", {":v": {"N": "-3"}}, {"n": {"N": "-2"}, "new": {"N": "-3"}}, id="add"),
        pytest.param("REMOVE #n, #s", {}, {"n": None, "s": None}, id="remove"),
        pytest.param("DELETE #set :v", {":v": {"SS": ["x"]}}, {"set": {"SS": ["y"]}}, id="delete"),
        pytest.param(
            "SET #s = :v ADD #n :w REMOVE #m",
            {":v": {"BOOL": False}, ":w": {"N": "1"}},
            {"s": {"BOOL": False}, "n": {"N": "2"}, "m": None},
            id="all at once",
        ),
    ],
)
def test_an_update_does_what_it_says(
    dynamodb: Any, expression: str, values: dict[str, Any], change: dict[str, Any]
) -> None:
    expected = {name: value for name, value in {**ROW, **change}.items() if value is not None}
    assert update(dynamodb, expression, values) == expected


@pytest.mark.parametrize(
    ("expression", "values", "words"),
    [
        ("SET #n = :v SET #s = :v", {":v": {"S": "x"}}, 'The "SET" section can only be used once'),
        ("SET #n = :v, #n = :v", {":v": {"S": "x"}}, "Two document paths overlap"),
        ("SET #s = #s + :v", {":v": {"N": "1"}}, "Incorrect operand type"),
        ("SET #s = #new", {}, "The provided expression refers to an attribute that does not exist in the item"),
        ("SET PK = :v", {":v": {"S": "x"}}, "This attribute is part of the key"),
        ("SET #n :v", {":v": {"S": "x"}}, "Syntax error"),
    ],
)
def test_a_wrong_update_is_refused(dynamodb: Any, expression: str, values: dict[str, Any], words: str) -> None:
    for _ in range(2):
        with pytest.raises(ClientError, match=words) as refused:
            update(dynamodb, expression, values)
        assert refused.value.response["Error"]["Code"] == "ValidationException"
