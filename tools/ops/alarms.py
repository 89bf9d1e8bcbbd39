"""The alarms of a stage, which its stack has if they are asked for: who is told, and what they are made of."""

from __future__ import annotations

import re

from tools.ops.mappings import arn
from tools.ops.resources import resources
from tools.ops.stack import stack_parameters, template
from tools.ops.stage import Stage, StageError
from tools.ops.tuning import log_group

WAITED = '{ $.message = "pending" && $.waited_seconds >= 0 }'
PARKED = '{ $.logger = "botte.relay" && ($.message = "parked" || $.message = "failed") }'


def alarm_options(asked: str) -> dict[str, str]:
    """The parameters of the stack for ``on``, ``off`` or the address that is told. Raises StageError for all else."""
    if asked in ("on", "off"):
        return {"WithAlarms": "true" if asked == "on" else "false", "AlarmEmail": ""}
    if not re.fullmatch(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+", asked):
        raise StageError(f"ALARMS: {asked!r} is neither on, off nor an address like you@example.org")
    return {"WithAlarms": "true", "AlarmEmail": asked}


def set_up_alarms(stage: Stage) -> str:
    """Makes of the logs the metrics that the alarms need; a line on the alarms, and on who is told."""
    parameters = stack_parameters(stage)
    is_on = parameters.get("WithAlarms") == "true"
    _measure_logs(stage, is_on=is_on)
    if not is_on:
        return "none, as ALARMS=you@example.org was not given"
    email = parameters.get("AlarmEmail")
    if not email:
        return f"{len(alarm_names(stage))}, and nobody is told: ALARMS=you@example.org changes that"
    told = f"{len(alarm_names(stage))}, told to {email}"
    return told if is_confirmed(stage, email) else f"{told} once the link in the mail that AWS has sent there is opened"


def alarm_names(stage: Stage) -> list[str]:
    """The names of the alarms that the stage has if they are asked for, as the template makes them."""
    parameters = {"Stage": stage.name, "WithAlarms": "true", "WithQueue": "true" if stage.queue_name else "false"}
    kinds = (resource.partition(" ") for resource in resources(template(stage), parameters))
    return [name for kind, _, name in kinds if kind == "alarm"]


def topic_arn(stage: Stage) -> str:
    """Where the alarms tell, if an address was given."""
    return arn(stage, "sns", f"{stage.prefix}-alarms")


def is_confirmed(stage: Stage, email: str) -> bool:
    """Whether somebody has opened the link that AWS sends: until then it tells that address nothing.

    https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
    """
    found = stage.pages("sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=topic_arn(stage))
    return any(each["Endpoint"] == email and each["SubscriptionArn"].startswith("arn:") for each in found)


def _measure_logs(stage: Stage, *, is_on: bool) -> None:
    """Makes of the logs the metrics that alarms of the stack look at; only with alarms, as they may cost.

    For how long messages have waited, redeliver tells; any function may park one.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
    """
    measured = [(stage.handlers["redeliver"], "waited", WAITED, "$.waited_seconds")]
    measured += [(function, "parked", PARKED, "1") for function in stage.handlers.values()]
    for function, name, pattern, value in measured:
        filter = {"logGroupName": log_group(function), "filterName": name}
        if is_on:
            metric = {"metricNamespace": "Botte", "metricName": f"{stage.prefix}-{name}", "metricValue": value}
            stage.call("logs", "put_metric_filter", **filter, filterPattern=pattern, metricTransformations=[metric])
        else:
            stage.find("logs", "delete_metric_filter", **filter)
