"""The template .chalice/resources.yaml, as Chalice reads it when it makes its package, and what it says of alarms."""

from __future__ import annotations

from functools import cache
from typing import Any

from tools.dev.aws import RESOURCES_FILE
from tools.ops.resources import read_template

STAGE = "prod"


@cache
def template() -> Any:
    """The template, with ``!Sub x`` as ``{"Fn::Sub": "x"}``. To import cfn-lint's reader takes each worker 2 s."""
    return read_template(RESOURCES_FILE.read_text())


def alarms(*, with_queue: bool) -> list[dict[str, Any]]:
    """What CloudFormation asks CloudWatch for, one after the other: the arguments of PutMetricAlarm."""
    conditions = {"HasAlarms": True, "HasEmail": True, "HasQueue": with_queue, "HasQueueAlarm": with_queue}
    return [
        _resolved(each["Properties"], conditions)
        for each in template()["Resources"].values()
        if each["Type"] == "AWS::CloudWatch::Alarm" and conditions[each["Condition"]]
    ]


def metrics(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """What an alarm looks at: a namespace, a name and dimensions each."""
    return [each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each] or [alarm]


def _resolved(value: Any, conditions: dict[str, bool]) -> Any:
    """A value of the template without its functions."""
    match value:
        case {"Fn::Sub": str(text)}:
            return text.replace("${Stage}", STAGE)
        case {"Fn::If": [condition, true, false]}:
            return _resolved(true if conditions[condition] else false, conditions)
        case {"Ref": "AlarmTopic"}:
            return f"arn:aws:sns:us-east-1:123456789012:botte-{STAGE}-alarms"
        case dict():
            return {name: _resolved(each, conditions) for name, each in value.items()}
        case list():
            found = [_resolved(each, conditions) for each in value]
            return [each for each in found if each != {"Ref": "AWS::NoValue"}]
    return value
