"""Sentry: the webhooks of an internal integration, and the older WebHooks plugin of a project.

https://docs.sentry.io/organization/integrations/integration-platform/webhooks/
https://github.com/getsentry/sentry/blob/master/src/sentry/plugins/sentry_webhooks/plugin.py
"""

from __future__ import annotations

from .notice import Fields, Notice, collapse_key
from .payload import Payload, part, text, texts
from .unknown import named_values

_MARKS = {"fatal": "🔴", "error": "🔴", "critical": "🔴", "warning": "🟡", "info": "", "debug": "", "resolved": "🟢"}
# What is done to an issue that is no trouble any more, or that somebody looks after.
_CALM = {"resolved": "🟢", "archived": "", "ignored": "", "assigned": ""}


def read(payload: Payload) -> Fields | None:
    """An issue, an event that an alert is about, a metric alert or a comment; None for anything else."""
    data = part(payload, "data")
    if {"project", "culprit", "level", "url", "event"} <= payload.keys() and part(payload, "event"):
        notice = _event(part(payload, "event"), payload)
    elif not data or not text(payload, "action") or not text(payload, "installation", "uuid"):
        return None
    elif part(data, "issue"):
        notice = _issue(payload, part(data, "issue"))
    elif part(data, "event") or part(data, "error"):
        notice = _event(part(data, "event") or part(data, "error"), data)
    elif part(data, "metric_alert"):
        notice = _metric_alert(payload, data)
    else:
        notice = _rest(payload, data)
    return notice.to_fields()


def _issue(payload: Payload, issue: Payload) -> Notice:
    """What became of an issue. Its events have the same key."""
    action, substatus, assignee = text(payload, "action"), text(issue, "substatus"), text(issue, "assignedTo", "name")
    counts = [
        f"{name}: {count}" for name, key in (("Events", "count"), ("users", "userCount")) if (count := text(issue, key))
    ]
    return Notice(
        mark=_CALM.get(action, _MARKS.get(text(issue, "level"), "🟡")),
        title=f"{text(issue, 'shortId') or 'Issue'} {_state(action, substatus)}: {_title(issue) or '?'}",
        lines=[
            text(issue, "culprit"),
            ", ".join(counts),
            f"Assigned to {assignee}" if assignee else "",
            ", by ".join(filter(None, (text(issue, "project", "name"), _who(payload)))),
        ],
        links=[("Open", text(issue, "web_url") or text(issue, "permalink"))],
        collapse_key=collapse_key("sentry", "issue", text(issue, "id")),
        is_quiet=action in ("resolved", "archived", "ignored"),
    )


def _event(event: Payload, around: Payload) -> Notice:
    """An error that happened. around: what tells the rule, or in the plugin the project and the issue."""
    rules = [text(around, "triggered_rule"), *texts(around, "triggering_rules")]
    level = text(event, "level") or text(around, "level")
    release, environment = text(event, "release"), text(event, "environment")
    return Notice(
        mark=_MARKS.get(level, "🟡"),
        title=_title(event) or text(around, "message") or f"Sentry: {level or 'an event'}",
        lines=[
            text(event, "culprit") or text(around, "culprit"),
            ", ".join(filter(None, (text(around, "project_name") or text(around, "project"), environment, release))),
            f"Rule: {', '.join(filter(None, rules))}" if any(rules) else "",
        ],
        links=[("Open", text(event, "web_url") or text(around, "url"))],
        collapse_key=collapse_key("sentry", "issue", text(event, "issue_id") or text(around, "id")),
    )


def _metric_alert(payload: Payload, data: Payload) -> Notice:
    action, alert = text(payload, "action"), part(data, "metric_alert")
    name = text(alert, "alert_rule", "name") or text(alert, "title") or "Metric alert"
    return Notice(
        mark=_MARKS.get(action, "🟡"),
        title=text(data, "description_title") or f"{name}: {action}",
        lines=[", ".join(texts(alert, "projects"))],
        body=text(data, "description_text").replace("\\n", "\n"),
        links=[("Open", text(data, "web_url"))],
        collapse_key=collapse_key("sentry", "metric_alert", text(alert, "id")),
        is_quiet=action == "resolved",
    )


def _rest(payload: Payload, data: Payload) -> Notice:
    """A comment, which has no key, as the next must not take its place; and whatever Sentry will send one day."""
    action, who = text(payload, "action"), _who(payload) or "Somebody"
    if text(data, "comment"):
        verb = "commented on" if action == "created" else f"{action} a comment on"
        title = f"{who} {verb} issue {text(data, 'issue_id')}".strip()
        return Notice(title=title, lines=[text(data, "project_slug")], body=text(data, "comment"))
    what = next(iter(data)).replace("_", " ").capitalize()
    return Notice(
        title=f"Sentry: {what} {action}",
        details="\n".join(f"{name}: {value}" for name, value in named_values(data)),
    )


def _title(thing: Payload) -> str:
    error = ": ".join(filter(None, (text(thing, "metadata", "type"), text(thing, "metadata", "value"))))
    return text(thing, "title") or error or text(thing, "message")


def _state(action: str, substatus: str) -> str:
    return f"{action} ({substatus.replace('_', ' ')})" if action == "unresolved" and substatus else action


def _who(payload: Payload) -> str:
    return text(payload, "actor", "name") if text(payload, "actor", "type") == "user" else ""
