"""A table that was kept from an earlier life: it gets what the template has since then, as far as DynamoDB lets it.

CloudFormation does so for the tables that its stack owns.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from tools.ops.stage import Stage, StageError

_POLL_SECONDS = 3.0
_WAIT_SECONDS = 3600.0  # a global index is filled from what is in the table


def update_table(stage: Stage, name: str, definition: Mapping[str, Any]) -> Iterator[str]:
    """Adds what a table lacks; what was added, one by one. Raises StageError for what cannot be changed.

    definition: the table's properties in the template.
    """
    table = settled(stage, name)
    _check_keys(stage, table, definition)
    if told := _update_stream(stage, table, definition):
        yield told
    yield from _update_indexes(stage, table, definition)
    if definition["DeletionProtectionEnabled"] and not table.get("DeletionProtectionEnabled"):
        protect(stage, name, on=True)
        yield "it is protected from deletion"
    if told := _update_time_to_live(stage, name, definition["TimeToLiveSpecification"]["AttributeName"]):
        yield told
    if _update_tags(stage, table["TableArn"], definition["Tags"]):
        yield "its tags are set"


def settled(stage: Stage, name: str) -> Any:
    """The table, once neither it nor an index of it is at work. Raises StageError."""
    ends = time.monotonic() + _WAIT_SECONDS
    while True:
        table = stage.call("dynamodb", "describe_table", TableName=name)["Table"]
        indexes = table.get("GlobalSecondaryIndexes", [])
        states = {table["TableStatus"], *(each.get("IndexStatus", "ACTIVE") for each in indexes)}
        if states == {"ACTIVE"}:
            return table
        if time.monotonic() > ends:
            raise StageError(f"{name} has been {', '.join(sorted(states))} for {_WAIT_SECONDS / 60:.0f} minutes")
        time.sleep(_POLL_SECONDS)


def protect(stage: Stage, name: str, *, on: bool) -> None:
    """Switches a table's protection from deletion on or off."""
    stage.call("dynamodb", "update_table", TableName=name, DeletionProtectionEnabled=on)
    settled(stage, name)


def _check_keys(stage: Stage, table: Mapping[str, Any], definition: Mapping[str, Any]) -> None:
    """Raises StageError where the table differs in what DynamoDB takes only when a table is made."""
    wrong = ["has other keys"] if _keys(table) != _keys(definition) else []
    local = _indexes(table, "Local")
    for index in definition.get("LocalSecondaryIndexes", []):
        if (found := local.get(index["IndexName"])) is None:
            wrong.append(f"lacks the local index {index['IndexName']}")
        elif _shape(found) != _shape(index):
            wrong.append(f"has another local index {index['IndexName']}")
    if wrong:
        raise StageError(
            f"{table['TableName']} {' and '.join(wrong)}, and a table gets these only when it is made: make destroy "
            f"STAGE={stage.name} TABLE=1, which stops where a message is not delivered yet, and deploy again"
        )


def _update_indexes(stage: Stage, table: Mapping[str, Any], definition: Mapping[str, Any]) -> Iterator[str]:
    found, name = _indexes(table, "Global"), table["TableName"]
    for index in definition.get("GlobalSecondaryIndexes", []):
        if index["IndexName"] not in found:
            _add_index(stage, name, index, definition)
            yield f"its index {index['IndexName']} is added"
        elif _shape(found[index["IndexName"]]) != _shape(index):
            updates = json.dumps([{"Delete": {"IndexName": index["IndexName"]}}])
            raise StageError(
                f"{name} has another index {index['IndexName']}; no message is in it alone, so delete it, and deploy "
                f"again: aws dynamodb update-table --table-name {name} --global-secondary-index-updates '{updates}'"
            )


def _update_stream(stage: Stage, table: Mapping[str, Any], definition: Mapping[str, Any]) -> str | None:
    """A stream keeps its view type: it is replaced. What it had not brought is still in the table, and is swept up."""
    wanted = definition.get("StreamSpecification", {}).get("StreamViewType")
    stream = table.get("StreamSpecification", {})
    found = stream.get("StreamViewType") if stream.get("StreamEnabled") else None
    if wanted is None or found in (wanted, "NEW_AND_OLD_IMAGES"):
        return None
    settings = [{"StreamEnabled": False}] if found else []
    for setting in [*settings, {"StreamEnabled": True, "StreamViewType": wanted}]:
        stage.call("dynamodb", "update_table", TableName=table["TableName"], StreamSpecification=setting)
        settled(stage, table["TableName"])
    return f"its stream carries {wanted}, and no more {found}" if found else "its stream is switched on"


def _add_index(stage: Stage, name: str, index: Mapping[str, Any], definition: Mapping[str, Any]) -> None:
    """Adds a global index, and waits until it has what is in the table. DynamoDB takes one at a time."""
    keys = {each["AttributeName"] for each in index["KeySchema"]}
    table = settled(stage, name)
    known = {each["AttributeName"]: each for each in table["AttributeDefinitions"]}
    known |= {
        each["AttributeName"]: each for each in definition["AttributeDefinitions"] if each["AttributeName"] in keys
    }
    stage.call(
        "dynamodb",
        "update_table",
        TableName=name,
        AttributeDefinitions=list(known.values()),
        GlobalSecondaryIndexUpdates=[{"Create": dict(index)}],
    )
    settled(stage, name)


def _update_time_to_live(stage: Stage, name: str, attribute: str) -> str | None:
    found = stage.call("dynamodb", "describe_time_to_live", TableName=name)["TimeToLiveDescription"]
    if found.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING"):
        setting = {"Enabled": True, "AttributeName": attribute}
        stage.call("dynamodb", "update_time_to_live", TableName=name, TimeToLiveSpecification=setting)
        return "its time to live is switched on"
    if found["AttributeName"] != attribute:
        command = f"aws dynamodb update-time-to-live --table-name {name} --time-to-live-specification"
        raise StageError(
            f"the time to live of {name} is {found['AttributeName']}, and must be {attribute}: "
            f"{command} Enabled=false,AttributeName={found['AttributeName']}, and deploy again an hour later"
        )
    return None


def _update_tags(stage: Stage, arn: str, wanted: list[dict[str, Any]]) -> bool:
    """Whether one was missing. The value of a tag is a text, or the template's parameter Stage."""
    tags = [
        {"Key": each["Key"], "Value": stage.name if each["Value"] == {"Ref": "Stage"} else each["Value"]}
        for each in wanted
    ]
    found = list(stage.pages("dynamodb", "list_tags_of_resource", "Tags", ResourceArn=arn))
    missing = [each for each in tags if each not in found]
    if missing:
        stage.call("dynamodb", "tag_resource", ResourceArn=arn, Tags=missing)
    return bool(missing)


def _indexes(table: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {each["IndexName"]: each for each in table.get(f"{kind}SecondaryIndexes", [])}


def _shape(index: Mapping[str, Any]) -> tuple[object, object, object]:
    projection = index["Projection"]
    return _keys(index), projection["ProjectionType"], set(projection.get("NonKeyAttributes", []))


def _keys(described: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(each["AttributeName"], each["KeyType"]) for each in described["KeySchema"]]
