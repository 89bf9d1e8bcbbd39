"""Any object with a title and words, or with words and how serious they are, under the usual names."""

from __future__ import annotations

from .cards import told
from .notice import Fields, lines_or_details
from .payload import Payload, is_message, text
from .unknown import named_values

_TITLES = ("title", "subject", "summary")
_WORDS = ("message", "msg", "body", "description", "content", "text")
_LEVELS = ("severity", "level", "status", "state", "type", "priority")
_LINKS = ("url", "link", "href")
_LEFT_OUT = ("timestamp", "time", "date", "ts")  # the chat shows when a message came
_MARKS = {
    **dict.fromkeys(("emergency", "critical", "fatal", "alert", "error", "failure", "failed", "down", "firing"), "🔴"),
    **dict.fromkeys(("info", "information", "notice"), ""),
    **dict.fromkeys(("warning", "warn", "degraded"), "🟡"),
    **dict.fromkeys(("ok", "success", "succeeded", "successful", "resolved", "recovered", "up", "healthy"), "🟢"),
}


def read(payload: Payload) -> Fields | None:
    """The words of an object, and what else is in it; None for anything else."""
    values = {str(name).lower(): text(payload, name) for name in payload}
    title_name, words_name = (next((name for name in names if values.get(name)), "") for names in (_TITLES, _WORDS))
    level_name = next((name for name in _LEVELS if values.get(name, "").lower() in _MARKS), "")
    if values.get("text"):  # as in a message of Botte's own
        is_told = words_name == "text" and bool(title_name) and not is_message(payload)
    else:
        without_id = {name: value for name, value in payload.items() if name != "id"}  # which others have, too
        is_told = bool(words_name and (title_name or level_name)) and not is_message(without_id)
    if not is_told:
        return None
    title, words = values.get(title_name, ""), values[words_name]
    mark = _MARKS[values[level_name].lower()] if level_name else ""
    link_name = next((name for name in _LINKS if values.get(name, "").startswith(("https://", "http://"))), "")
    shown = {title_name, words_name, level_name, link_name, *_LEFT_OUT}
    rest = named_values({name: value for name, value in payload.items() if str(name).lower() not in shown})
    facts = [f"{name}: {value}" for name, value in rest if value.strip() not in (title, words)]
    lines, details = lines_or_details(facts)
    notice = told(title, "" if words == title else words, mark=mark)
    return notice._replace(
        lines=lines,
        details=details,
        links=[("Open", values.get(link_name, ""))],
        is_quiet=mark == "🟢",
    ).to_fields()
