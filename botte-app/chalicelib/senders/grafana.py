"""Grafana's webhook contact point, and the webhook of its legacy alerting (up to version 10).

https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
https://grafana.com/docs/grafana/v8.5/alerting/old-alerting/notifications/#webhook
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .alertmanager import ordered, read_group, summary
from .notice import Fields, Notice, collapse_key
from .payload import Payload, part, parts, text

# How the words begin that nobody has written: what they say is in the alerts, too.
_TEMPLATES = ("[FIRING", "[RESOLVED", "**Firing**", "**Resolved**")
# Names of alerts that stand for a rule which cannot be evaluated.
_TROUBLES = {"DatasourceNoData": "no data", "DatasourceError": "error"}
_STATES = {"alerting": ("🔴", "alerting"), "ok": ("🟢", "OK"), "no_data": ("🟡", "no data")}


def read(payload: Payload) -> Fields | None:
    """A group of alerts, or a rule of the legacy alerting; None for anything else."""
    if "evalMatches" in payload and text(payload, "ruleName"):
        return _legacy(payload).to_fields()
    alerts = ordered(payload)
    if not alerts or not {"groupKey", "receiver", "orgId"} <= payload.keys():
        return None
    notice, alert = read_group(payload), alerts[0]
    title, message = (_written(text(payload, name)) for name in ("title", "message"))
    trouble = _TROUBLES.get(text(alert, "labels", "alertname"), "")
    if trouble and not title:
        title = f"{text(alert, 'labels', 'rulename') or 'Rule'}: {trouble}{' resolved' if notice.is_quiet else ''}"
    links = [
        ("Panel", text(alert, "panelURL") or text(alert, "dashboardURL")),
        ("Picture", text(alert, "imageURL")),
        ("Alert rule", text(alert, "generatorURL")),
        ("Silence", "" if notice.is_quiet else text(alert, "silenceURL")),
    ]
    return notice._replace(
        mark="🟡" if trouble and not notice.is_quiet else notice.mark,
        title=title or notice.title,
        lines=[] if message else notice.lines,
        body=message or notice.body,
        details="\n".join(filter(None, (notice.details, *_values(alerts, part(payload, "commonLabels"))))),
        links=[*notice.links, *links],
        collapse_key=collapse_key("grafana", text(payload, "orgId"), text(payload, "groupKey")),
    ).to_fields()


def _written(words: str) -> str:
    return "" if words.startswith(_TEMPLATES) else words


def _values(alerts: Sequence[Payload], common: Payload) -> Iterator[str]:
    """What was measured: a value for each query and expression of the rule."""
    for alert in alerts:
        values = part(alert, "values")
        words = ", ".join(f"{name}={text(values, name)}" for name in values) or text(alert, "valueString")
        yield f"{summary(alert, common)}: {words}" if words and len(alerts) > 1 else words


def _legacy(payload: Payload) -> Notice:
    mark, state = _STATES.get(text(payload, "state"), ("🟡", text(payload, "state").replace("_", " ")))
    is_ok = mark == "🟢"
    return Notice(
        mark=mark,
        title=": ".join(filter(None, (text(payload, "ruleName"), state))),
        lines=[
            ": ".join(filter(None, (text(match, "metric"), text(match, "value"))))
            for match in parts(payload, "evalMatches")
        ],
        body="" if is_ok else text(payload, "message"),
        links=[("Alert rule", text(payload, "ruleUrl")), ("Picture", text(payload, "imageUrl"))],
        collapse_key=collapse_key("grafana", "rule", text(payload, "orgId") or "1", text(payload, "ruleId")),
        is_quiet=is_ok,
    )
