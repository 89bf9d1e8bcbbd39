"""What is made for Gotify: https://gotify.net/docs/pushmsg and https://gotify.net/docs/msgextras"""

from __future__ import annotations

from .cards import told
from .notice import Fields
from .payload import Payload, number, text


def read(payload: Payload) -> Fields | None:
    """A message with a priority from 0 to 10, or with extras; None for anything else."""
    words = text(payload, "message")
    priority = number(payload, "priority")
    if not words or not payload.keys() <= {"title", "message", "priority", "extras"}:
        return None
    if priority is None and "extras" not in payload:
        return None
    mark = "❗" if priority is not None and priority >= 8 else ""
    is_markdown = text(payload, "extras", "client::display", "contentType") == "text/markdown"
    notice = told(text(payload, "title"), words, mark=mark, is_markdown=is_markdown)
    link = ("Open", text(payload, "extras", "client::notification", "click", "url"))
    is_quiet = priority is not None and priority <= 3  # where Gotify's own app makes no sound
    return notice._replace(links=[link, *notice.links], is_quiet=is_quiet).to_fields()
