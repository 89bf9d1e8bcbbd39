"""AWS Cost Anomaly Detection, through SNS and EventBridge.

https://docs.aws.amazon.com/cost-management/latest/userguide/getting-started-ad.html
https://docs.aws.amazon.com/cost-management/latest/userguide/cad-eventbridge.html
"""

from __future__ import annotations

from .notice import Fields, Notice, collapse_key
from .payload import Payload, part, parts, text


def read(payload: Payload) -> Fields | None:
    """Costs that are not as they were expected to be; None for anything else."""
    anomaly = part(payload, "detail") if text(payload, "source") == "aws.ce" else payload
    key, impact = text(anomaly, "anomalyId"), part(anomaly, "impact")
    if not key or not impact:
        return None
    what = text(anomaly, "dimensionalValue") or text(anomaly, "dimensionValue") or text(anomaly, "monitorName")
    more = ", ".join(_filled(impact, ("${} more than expected", "totalImpact"), ("{}%", "totalImpactPercentage")))
    return Notice(
        mark="🟡",
        title=": ".join(filter(None, ("Unusual costs", what))),
        lines=[
            more,
            ", ".join(_filled(impact, ("${} spent", "totalActualSpend"), ("${} expected", "totalExpectedSpend"))),
            *(_cause(cause) for cause in parts(anomaly, "rootCauses")),
            ", ".join(_filled(anomaly, ("account {}", "accountId"), ("{}", "accountName"))),
        ],
        links=[("Open the anomaly", text(anomaly, "anomalyDetailsLink"))],
        collapse_key=collapse_key("cost_anomaly", key),
    ).to_fields()


def _cause(cause: Payload) -> str:
    names = ("service", "usageType", "region", "linkedAccountName", "linkedAccount")
    words = [text(cause, name) for name in names]
    return ", ".join(filter(None, (*words, *_filled(part(cause, "impact"), ("${} of it", "contribution")))))


def _filled(payload: Payload, *forms: tuple[str, str]) -> list[str]:
    return [form.format(text(payload, name)) for form, name in forms if text(payload, name)]
