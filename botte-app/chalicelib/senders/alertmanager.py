"""Alertmanager: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config"""

from __future__ import annotations

from .notice import Fields, Notice, collapse_key
from .payload import Payload, part, parts, text


def read(payload: Payload) -> Fields | None:
    """A group of alerts; None for anything else."""
    alerts = parts(payload, "alerts")
    if not alerts or not {"groupKey", "receiver"} <= payload.keys():
        return None
    firing = [alert for alert in alerts if text(alert, "status") != "resolved"]
    is_resolved = text(payload, "status") == "resolved" or not firing
    name = text(payload, "commonLabels", "alertname") or text(payload, "groupLabels", "alertname")
    name = name or text(alerts[0], "labels", "alertname") or "Alert"
    counts = "" if len(alerts) == 1 else f" ({len(firing)} of {len(alerts)} firing)"
    return Notice(
        mark="🟢" if is_resolved else "🔴",
        title=f"{name} {'resolved' if is_resolved else 'firing'}{counts}",
        lines=[_line(alert, is_mixed=not is_resolved and len(firing) < len(alerts)) for alert in alerts],
        details=_labels(part(payload, "commonLabels")),
        links=[("Source", text(alerts[0], "generatorURL")), ("Alertmanager", text(payload, "externalURL"))],
        collapse_key=collapse_key("alertmanager", text(payload, "groupKey")),
        is_quiet=is_resolved,
    ).to_fields()


def _line(alert: Payload, *, is_mixed: bool) -> str:
    words = text(alert, "annotations", "summary") or text(alert, "annotations", "message")
    more = text(alert, "annotations", "description")
    words = ": ".join(filter(None, (words, more))) or _labels(part(alert, "labels"), ", ")
    return f"{words} (resolved)" if is_mixed and text(alert, "status") == "resolved" else words


def _labels(labels: Payload, separator: str = "\n") -> str:
    return separator.join(f"{name}: {text(labels, name)}" for name in labels)
