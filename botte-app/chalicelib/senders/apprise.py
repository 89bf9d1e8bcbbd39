"""What Apprise posts to an address of json:// or form://, and what is made for its API.

https://appriseit.com/services/json/
https://appriseit.com/api/
"""

from __future__ import annotations

from .cards import told
from .markup import to_markdown
from .notice import Fields
from .payload import Payload, parts, text

_MARKS = {"info": "", "success": "🟢", "warning": "🟡", "failure": "🔴"}
_FORMATS = ("text", "markdown", "html")
_API = {"urls", "tag", "tags", "attach", "attachment"}


def read(payload: Payload) -> Fields | None:
    """A notification; None for anything else."""
    kind, form = text(payload, "type").lower(), text(payload, "format").lower()
    is_for_api = kind in _MARKS or form in _FORMATS or not _API.isdisjoint(payload)
    words = text(payload, "message") if "version" in payload and kind in _MARKS else ""
    words = words or (text(payload, "body") if is_for_api else "")
    if not words:
        return None
    words = to_markdown(words) if form == "html" else words
    is_markdown = form in ("markdown", "html")
    notice = told(text(payload, "title"), words, mark=_MARKS.get(kind, ""), is_markdown=is_markdown)
    files = [text(each, "filename") for each in parts(payload, "attachments")]
    return notice._replace(
        lines=[f"Not sent along: {name}" for name in files if name],
        links=[*(("Attachment", text(payload, name)) for name in ("attach", "attachment")), *notice.links],
        is_quiet=kind == "success",
    ).to_fields()
