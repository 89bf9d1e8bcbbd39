"""What is made for ntfy: https://docs.ntfy.sh/publish/#publish-as-json

The topic is not shown: it is as good as a password there.
"""

from __future__ import annotations

from .cards import told
from .notice import Fields
from .payload import Payload, number, parts, text, texts

_MARKS = {
    **dict.fromkeys(("rotating_light", "skull", "x", "no_entry", "fire", "boom", "sos", "red_circle"), "🔴"),
    **dict.fromkeys(("warning", "construction", "yellow_circle", "orange_circle"), "🟡"),
    **dict.fromkeys(("white_check_mark", "heavy_check_mark", "+1", "tada", "green_circle"), "🟢"),
}


def read(payload: Payload) -> Fields | None:
    """A message; None for anything else."""
    title, words = text(payload, "title"), text(payload, "message")
    has_words = title or words or payload.keys() == {"topic"}
    if not text(payload, "topic") or not has_words or "text" in payload:
        return None
    priority = number(payload, "priority") or 3
    tags = texts(payload, "tags")
    others = [tag for tag in tags if tag not in _MARKS]
    mark = next((_MARKS[tag] for tag in tags if tag in _MARKS), "❗" if priority > 3 else "")
    words = words or ("" if title else "triggered")  # as ntfy itself calls it
    notice = told(title, words, mark=mark, is_markdown=payload.get("markdown") is True)
    actions = [each for each in parts(payload, "actions") if text(each, "action") == "view"]
    return notice._replace(
        lines=[f"Tags: {', '.join(others)}" if others else ""],
        links=[
            *((text(each, "label"), text(each, "url")) for each in actions),
            ("Open", text(payload, "click")),
            (text(payload, "filename") or "Attachment", text(payload, "attach")),
            *notice.links,
        ],
        is_quiet=priority < 3,
    ).to_fields()
