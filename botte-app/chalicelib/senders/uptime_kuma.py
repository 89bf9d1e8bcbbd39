"""Uptime Kuma's webhook, which it does not document.

https://github.com/louislam/uptime-kuma/blob/master/server/notification-providers/webhook.js
https://github.com/louislam/uptime-kuma/blob/master/server/model/heartbeat.js
"""

from __future__ import annotations

from .notice import Fields, Notice, collapse_key, split_title
from .payload import Payload, number, part, text

_STATES = {0: ("🔴", "is down"), 1: ("🟢", "is up"), 2: ("🟡", "is pending"), 3: ("🟡", "is in maintenance")}


def read(payload: Payload) -> Fields | None:
    """A monitor that changed its state, a certificate that expires, or a test; None for anything else."""
    if not {"heartbeat", "monitor", "msg"} <= payload.keys():
        return None
    beat, monitor, words = part(payload, "heartbeat"), part(payload, "monitor"), text(payload, "msg")
    state = number(beat, "status")
    if state not in _STATES:
        title, body = split_title(words)
        return Notice(mark="🟡" if "expire" in words else "", title=title or "Uptime Kuma", body=body).to_fields()
    mark, is_so = _STATES[state]
    reason, ping = text(beat, "msg"), text(beat, "ping")
    host = ":".join(filter(None, (text(monitor, "hostname"), text(monitor, "port"))))
    address = text(monitor, "url")
    return Notice(
        mark=mark,
        title=f"{text(monitor, 'name') or 'A monitor'} {is_so}",
        lines=[
            ", ".join(filter(None, (reason if reason != "N/A" else "", f"{ping} ms" if ping else ""))),
            host if not _is_page(address) else "",
        ],
        details="" if state == 1 else text(monitor, "description"),
        links=[("Open", address)] if _is_page(address) else [],
        collapse_key=collapse_key("uptime_kuma", text(monitor, "id")),
        is_quiet=state == 1,
    ).to_fields()


def _is_page(address: str) -> bool:
    """Whether a monitor has an address: others have the beginning of one, and one with a password is not shown."""
    return address not in ("", "http://", "https://") and "@" not in address
