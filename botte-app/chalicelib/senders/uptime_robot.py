"""UptimeRobot's webhook, with its default variables as JSON or as a form.

https://help.uptimerobot.com/en/articles/14498593-webhook-integration
"""

from __future__ import annotations

from .notice import Fields, Notice, collapse_key
from .payload import Payload, number, text

_STATES = {1: ("🔴", " is down"), 2: ("🟢", " is up")}
_NUMBERS = {"down": 1, "up": 2}


def read(payload: Payload) -> Fields | None:
    """A monitor that changed its state, or a certificate or domain that expires; None for anything else."""
    name, kind = _variable(payload, "monitorFriendlyName"), _variable(payload, "alertTypeFriendlyName")
    state = number(payload, "alertType") or _NUMBERS.get(kind.lower(), 0)
    if not name or not (state or kind):
        return None
    mark, is_so = _STATES.get(state, ("🟡", f": {kind or 'alert'}"))
    details, days = _variable(payload, "alertDetails"), _variable(payload, "sslExpiryDaysLeft")
    seconds = number(payload, "alertDuration") or 0
    key = _variable(payload, "monitorID") or _variable(payload, "monitorURL")
    return Notice(
        mark=mark,
        title=name + is_so,
        lines=[
            details,
            f"in {days} days" if state == 3 and days else "",
            f"It was down for {_duration(seconds)}" if state == 2 and seconds > 0 else "",
        ],
        links=[("Open", _variable(payload, "monitorURL")), ("UptimeRobot", _variable(payload, "dashboardUrl"))],
        collapse_key=collapse_key("uptime_robot", key) if state in (1, 2) else None,
        is_quiet=state == 2,
    ).to_fields()


def _duration(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def _variable(payload: Payload, name: str) -> str:
    """A variable's value; one that does not fit the alert stays as its user wrote it, such as ``*sslExpiryDate*``."""
    value = text(payload, name)
    return "" if value == f"*{name}*" else value
