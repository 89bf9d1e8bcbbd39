"""A table that was kept gets what the template says by now; what it cannot get is told, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.ops.conftest import World, delete_table
from tools.ops.stack import ensure_tables
from tools.ops.stage import Stage, StageError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

KEYS = [{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}]
TEXTS = [{"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK")]
UNSENT = {
    "IndexName": "unsent",
    "KeySchema": [KEYS[0], {"AttributeName": "Place", "KeyType": "RANGE"}],
    "Projection": {
        "ProjectionType": "INCLUDE",
        "NonKeyAttributes": ["Sequence", "Status", "Chat", "DueTs", "TurnTs"],
    },
}
PLACE = {"AttributeName": "Place", "AttributeType": "S"}
Tables = dict[str, dict[str, Any]]


@pytest.fixture(autouse=True)
def no_tables_left(world: World) -> Iterator[None]:
    yield
    dynamodb = world.client("dynamodb")
    for name in dynamodb.list_tables()["TableNames"]:
        delete_table(dynamodb, name)


def make_old_tables(world: World, *, tasks: dict[str, Any] | None = None, outbox: dict[str, Any] | None = None) -> None:
    """As they might be of long ago: of the outbox only what a table has from its beginning, of tasks even less."""
    plain = {"BillingMode": "PAY_PER_REQUEST", "KeySchema": KEYS, "AttributeDefinitions": TEXTS}
    local = {"AttributeDefinitions": [*TEXTS, PLACE], "LocalSecondaryIndexes": [UNSENT]}
    create = world.client("dynamodb").create_table
    for name, settings in (("tasks", {**plain, **(tasks or {})}), ("outbox", {**plain, **local, **(outbox or {})})):
        create(TableName=f"botte-prod-{name}", **{key: value for key, value in settings.items() if value})


def bring_up_to_date(world: World) -> tuple[str, str]:
    with world.environment():
        return ensure_tables(Stage("prod", world.project), {})


def describe(world: World) -> Tables:
    found: Tables = {}
    dynamodb = world.client("dynamodb")
    for name in ("botte-prod-tasks", "botte-prod-outbox"):
        found[name] = dynamodb.describe_table(TableName=name)["Table"]
        found[name]["Tags"] = dynamodb.list_tags_of_resource(ResourceArn=found[name]["TableArn"])["Tags"]
        found[name]["TimeToLive"] = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    return found


def test_a_table_of_long_ago_gets_all_that_the_template_says_and_keeps_its_items(world: World) -> None:
    make_old_tables(world, tasks={"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}})
    item = {"PK": {"S": "MESSAGE#1"}, "SK": {"S": "1"}}
    world.client("dynamodb").put_item(TableName="botte-prod-outbox", Item=item)
    old = describe(world)["botte-prod-tasks"]["LatestStreamArn"]

    stream, told = bring_up_to_date(world)

    both = "it is protected from deletion, its time to live is switched on, its tags are set"
    label = stream.rpartition("/")[2]
    assert told == (
        f"botte-prod-tasks, stream {label}, its stream carries NEW_IMAGE, and no more KEYS_ONLY, {both}; "
        f"botte-prod-outbox, its index due is added, {both}"
    )
    tables = describe(world)
    tasks, outbox = tables["botte-prod-tasks"], tables["botte-prod-outbox"]
    assert stream == tasks["LatestStreamArn"] != old
    assert tasks["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    (due,) = outbox["GlobalSecondaryIndexes"]
    assert [each["AttributeName"] for each in due["KeySchema"]] == ["Chat", "DueTs"]
    for table in tables.values():
        assert table["DeletionProtectionEnabled"] is True
        assert table["TimeToLive"] == {"AttributeName": "ExpirationTs", "TimeToLiveStatus": "ENABLED"}
        assert {each["Key"]: each["Value"] for each in table["Tags"]} == {"app": "botte", "stage": "prod"}
    assert world.client("dynamodb").scan(TableName="botte-prod-outbox")["Items"] == [item]

    assert bring_up_to_date(world) == (stream, f"botte-prod-tasks, stream {label}; botte-prod-outbox")
    assert describe(world) == tables


@pytest.mark.parametrize(
    ("tasks", "outbox", "told"),
    [
        (
            {},
            {"LocalSecondaryIndexes": [], "AttributeDefinitions": TEXTS},
            "botte-prod-outbox lacks the local index unsent, and a table gets these only when it is made: "
            "make destroy STAGE=prod TABLE=1",
        ),
        (
            {},
            {"LocalSecondaryIndexes": [{**UNSENT, "Projection": {"ProjectionType": "KEYS_ONLY"}}]},
            "botte-prod-outbox has another local index unsent",
        ),
        ({"KeySchema": KEYS[:1], "AttributeDefinitions": TEXTS[:1]}, {}, "botte-prod-tasks has other keys"),
        (
            {},
            {
                "AttributeDefinitions": [*TEXTS, PLACE, {"AttributeName": "Chat", "AttributeType": "S"}],
                "GlobalSecondaryIndexes": [
                    {
                        "IndexName": "due",
                        "KeySchema": [{"AttributeName": "Chat", "KeyType": "HASH"}],
                        "Projection": {"ProjectionType": "ALL"},
                    }
                ],
            },
            "aws dynamodb update-table --table-name botte-prod-outbox --global-secondary-index-updates "
            '\'[{"Delete": {"IndexName": "due"}}]\'',
        ),
    ],
)
def test_what_a_table_cannot_get_is_told_with_what_to_do(
    world: World, tasks: dict[str, Any], outbox: dict[str, Any], told: str
) -> None:
    make_old_tables(world, tasks=tasks, outbox=outbox)
    before = describe(world)["botte-prod-outbox"]
    with pytest.raises(StageError) as raised:
        bring_up_to_date(world)
    assert told in str(raised.value)
    assert describe(world)["botte-prod-outbox"] == before


def test_a_time_to_live_by_another_attribute_is_told(world: World) -> None:
    make_old_tables(world)
    setting = {"Enabled": True, "AttributeName": "Old"}
    world.client("dynamodb").update_time_to_live(TableName="botte-prod-outbox", TimeToLiveSpecification=setting)
    with pytest.raises(StageError, match="the time to live of botte-prod-outbox is Old, and must be ExpirationTs: aws"):
        bring_up_to_date(world)
