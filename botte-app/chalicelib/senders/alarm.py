"""A CloudWatch alarm: what it puts into SNS, its event in EventBridge, and its own Lambda action.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html
"""

from __future__ import annotations

import re
from urllib.parse import quote

from .notice import Fields, Notice, collapse_key
from .payload import Payload, part, parts, text, texts

_EVENTS = ("CloudWatch Alarm State Change", "CloudWatch Alarm Contributor State Change")
# All that stands before an alarm's name. A reason and a rule may name other alarms by their ARNs.
_ARN = re.compile(r"arn:(aws[a-z-]*):cloudwatch:([a-z0-9-]+):([0-9]+):alarm:")


def read(payload: Payload) -> Fields | None:
    """An alarm of a metric, an anomaly or other alarms that changes its state; None for anything else."""
    if text(payload, "AlarmName") and text(payload, "NewStateValue"):
        arn, alarm = text(payload, "AlarmArn"), _as_event_detail(payload)
    elif text(payload, "detail-type") in _EVENTS:
        arn, alarm = next(iter(texts(payload, "resources")), ""), part(payload, "detail")
    else:
        arn, alarm = text(payload, "alarmArn"), part(payload, "alarmData") if "alarmArn" in payload else {}
    if not alarm:
        return None
    name = text(alarm, "alarmName") or arn.rpartition(":alarm:")[2] or "CloudWatch alarm"
    state = text(alarm, "state", "value")
    is_ok = state == "OK"
    trouble = text(alarm, "configuration", "description")  # it is over when the alarm is OK
    reasons = [_ARN.sub("", text(alarm, "state", name)) for name in ("reason", "actionsSuppressedReason")]
    contributor = part(alarm, "alarmContributor")  # one of several time series, each with a state of its own
    return Notice(
        mark={"ALARM": "🔴", "OK": "🟢"}.get(state, "🟡"),
        title=": ".join(filter(None, (name, state.replace("_", " ")))),
        lines=[_named(part(contributor, "attributes"))],
        body="\n".join(filter(None, ["" if is_ok else trouble, *reasons])),
        details="\n".join(filter(None, [trouble if is_ok else "", *_details(part(alarm, "configuration"), arn)])),
        links=[("Open the alarm", _address(arn))],
        collapse_key=collapse_key("alarm", *filter(None, (arn, text(contributor, "id")))) if arn else None,
        is_quiet=is_ok,
    ).to_fields()


def _as_event_detail(message: Payload) -> Payload:
    """What SNS carries, in the form that EventBridge and the Lambda action share."""
    trigger = part(message, "Trigger")
    series = [_metric(part(each, "MetricStat", "Metric"), each) for each in parts(trigger, "Metrics")]
    return {
        "alarmName": text(message, "AlarmName"),
        "state": {"value": text(message, "NewStateValue"), "reason": text(message, "NewStateReason")},
        "configuration": {
            "description": text(message, "AlarmDescription"),
            "alarmRule": text(message, "AlarmRule"),
            "metrics": series or [_metric(trigger, {})],
        },
        "alarmContributor": {
            "id": text(message, "AlarmContributorId"),
            "attributes": part(message, "AlarmContributorAttributes"),
        },
    }


def _metric(metric: Payload, series: Payload) -> Payload:
    dimensions = {text(each, "name"): text(each, "value") for each in parts(metric, "Dimensions")}
    names = {"namespace": text(metric, "Namespace"), "name": text(metric, "MetricName"), "dimensions": dimensions}
    return {"expression": text(series, "Expression"), "metricStat": {"metric": names}}


def _details(configuration: Payload, arn: str) -> list[str]:
    metrics = [(part(each, "metricStat", "metric"), each) for each in parts(configuration, "metrics")]
    lines = [
        " ".join(filter(None, (text(metric, "namespace"), text(metric, "name"), _named(part(metric, "dimensions")))))
        or text(each, "expression")
        for metric, each in metrics
    ]
    found = _ARN.match(arn)
    place = f"{found[2]}, account {found[3]}" if found else ""
    return [*lines, _ARN.sub("", text(configuration, "alarmRule")), place]


def _named(values: Payload) -> str:
    return ", ".join(f"{name}={text(values, name)}" for name in values)


def _address(arn: str) -> str:
    """The page that AWS's own mails about an alarm lead to."""
    found = _ARN.match(arn)
    if not found or found[1] != "aws":
        return ""
    page = f"https://{found[2]}.console.aws.amazon.com/cloudwatch/deeplink.js?region={found[2]}"
    return f"{page}#alarmsV2:alarm/{quote(arn[found.end() :], safe='')}"
