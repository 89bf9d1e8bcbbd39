"""Alertmanager: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config"""

from __future__ import annotations

from urllib.parse import quote

from .notice import Fields, Notice, collapse_key
from .payload import Payload, part, parts, text

MAX_ALERTS = 15


def read(payload: Payload) -> Fields | None:
    """A group of alerts; None for anything else."""
    alerts = ordered(payload)
    if not alerts or not {"groupKey", "receiver"} <= payload.keys():
        return None
    notice, address = read_group(payload), text(payload, "externalURL").rstrip("/")
    silence = "" if notice.is_quiet else _silence(address, part(payload, "commonLabels"))
    links = [("Source", text(alerts[0], "generatorURL")), ("Alertmanager", address), ("Silence", silence)]
    key = collapse_key("alertmanager", text(payload, "groupKey"))
    return notice._replace(links=[*notice.links, *links], collapse_key=key).to_fields()


def ordered(payload: Payload) -> list[Payload]:
    """The alerts, those that fire first."""
    return sorted(parts(payload, "alerts"), key=lambda alert: _is_over(alert, payload))


def read_group(payload: Payload) -> Notice:
    """What a group with at least one alert tells, in the form that Grafana shares."""
    alerts, common = ordered(payload), part(payload, "commonLabels")
    firing = [alert for alert in alerts if not _is_over(alert, payload)]
    left_out = payload.get("truncatedAlerts")  # those may fire, even if those that are here do not
    count = len(alerts) + (left_out if isinstance(left_out, int) and left_out > 0 else 0)
    is_over = not firing and text(payload, "status") != "firing"
    names = list(dict.fromkeys(text(alert, "labels", "alertname") or "Alert" for alert in firing or alerts))
    name = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    some = f"{len(firing)} of {count}" if count == len(alerts) and 0 < len(firing) < count else str(count)
    lines = [
        ("Resolved: " if _is_over(alert, payload) and not is_over else "")
        + (f"{text(alert, 'labels', 'alertname')}: " if len(names) > 1 else "")
        + summary(alert, common)
        for alert in alerts[:MAX_ALERTS]
    ]
    lines += [f"… and {count - len(lines)} more"] if count > len(lines) else []
    texts = list(dict.fromkeys(map(_description, alerts)))
    body = texts.pop() if len(texts) == 1 and not is_over else ""  # what is true of all of them
    labels = "" if _named(common) in lines else _named(common, ": ", "\n")
    annotations = {**part(alerts[0], "annotations"), **part(payload, "commonAnnotations")}
    return Notice(
        mark="🟢" if is_over else "🟡" if text(common, "severity") in ("warning", "info", "none") else "🔴",
        title=f"{name} {'resolved' if is_over else 'firing'}{f' ({some} alerts)' if count > 1 else ''}",
        lines=lines,
        body=body,
        details="\n".join(filter(None, (*texts, labels))),
        links=[("Runbook", text(annotations, "runbook_url")), ("Dashboard", text(annotations, "dashboard_url"))],
        is_quiet=is_over,
    )


def _is_over(alert: Payload, payload: Payload) -> bool:
    return (text(alert, "status") or text(payload, "status")) == "resolved"


def summary(alert: Payload, common: Payload) -> str:
    """What an alert says, and those of its labels which tell it from the others of its group."""
    words = text(alert, "annotations", "summary") or text(alert, "annotations", "message") or _text(alert)
    labels = part(alert, "labels")
    own = {name: labels[name] for name in labels if name not in common and text(labels, name) not in words}
    return f"{words} ({named})" if words and (named := _named(own)) else words or _named(own) or _named(labels)


def _description(alert: Payload) -> str:
    """What an alert says more than in its line."""
    annotations = part(alert, "annotations")
    return _text(alert) if text(annotations, "summary") or text(annotations, "message") else ""


def _text(alert: Payload) -> str:
    return text(alert, "annotations", "description")


def _named(labels: Payload, equals: str = "=", separator: str = ", ") -> str:
    return separator.join(f"{name}{equals}{text(labels, name)}" for name in labels if name != "alertname")


def _silence(address: str, labels: Payload) -> str:
    """The page that silences all alerts of these labels."""
    values = {name: text(labels, name).replace("\\", "\\\\").replace('"', '\\"') for name in labels}
    matchers = ", ".join(f'{name}="{value}"' for name, value in values.items())
    return (
        f"{address}/#/silences/new?filter={quote('{' + matchers + '}', errors='replace')}"
        if address and matchers
        else ""
    )
