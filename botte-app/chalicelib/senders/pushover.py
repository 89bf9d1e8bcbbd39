"""What is made for Pushover, as JSON or as a form: https://pushover.net/api"""

from __future__ import annotations

from .cards import told
from .markup import to_markdown
from .notice import Fields
from .payload import Payload, number, text


def read(payload: Payload) -> Fields | None:
    """A message; None for anything else."""
    words = text(payload, "message")
    if not words or not text(payload, "token") or not text(payload, "user"):
        return None
    priority = number(payload, "priority") or 0
    is_html = number(payload, "html") == 1
    words = to_markdown(words) if is_html else words
    notice = told(text(payload, "title"), words, mark="❗" if priority > 0 else "", is_markdown=is_html)
    link = (text(payload, "url_title") or "Open", text(payload, "url"))
    return notice._replace(links=[link, *notice.links], is_quiet=priority < 0).to_fields()
