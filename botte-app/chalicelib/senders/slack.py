"""What is made for Slack's incoming webhooks, and those of Mattermost and Rocket.Chat.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
https://docs.slack.dev/reference/block-kit/blocks
https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments
https://developers.mattermost.com/integrate/webhooks/incoming
https://docs.rocket.chat/docs/integrations
"""

from __future__ import annotations

import re

from .cards import Card, colour_mark, fact, to_notice
from .notice import Fields
from .payload import Payload, is_message, part, parts, text

_OPTIONS = {
    *("icon_emoji", "icon_url", "username", "channel", "mrkdwn", "unfurl_links", "unfurl_media", "response_type"),
    *("thread_ts", "reply_broadcast", "link_names", "as_user", "replace_original", "delete_original", "parse"),
    *("props", "alias", "avatar", "emoji"),  # of Mattermost and Rocket.Chat
}
_ATTACHMENT = {"fallback", "pretext", "title", "text", "fields", "blocks", "color", "author_name", "image_url"}
_MARKS = {"danger": "🔴", "warning": "🟡", "good": "🟢"}
_INLINE = {
    "emoji": (":{}:", "name"),
    "user": ("@{}", "user_id"),
    "usergroup": ("@{}", "usergroup_id"),
    "channel": ("#{}", "channel_id"),
    "broadcast": ("@{}", "range"),
    "date": ("{}", "fallback"),
    "color": ("{}", "value"),
}
# <https://example.com|label>, <@U012|name>, <#C012|name>, <!here>, <!date^1392734382^{date}|words>
_REFERENCE = re.compile(r"<((?:https?://|mailto:|tel:|[@#!])[^<>|\n]+)(?:\|([^<>]*))?>")


def read(payload: Payload) -> Fields | None:
    """A post; None for anything else."""
    words = text(payload, "text")
    blocks = [each for each in parts(payload, "blocks") if text(each, "type")]
    attachments = [each for each in parts(payload, "attachments") if not _ATTACHMENT.isdisjoint(each)]
    has_link = any("|" in found[0] for found in _REFERENCE.finditer(words))
    is_post = blocks or attachments or (words and (has_link or not _OPTIONS.isdisjoint(payload)))
    if not is_post or is_message(payload):
        return None
    cards = list(map(_attachment, attachments))
    top = _card(blocks)
    if not top.title and not top.lines:  # beside blocks, the text is for notifications only
        shown = _markdown(words)
        is_repeated = any(shown in line for card in cards for line in card.lines)
        top = Card(lines=() if is_repeated else [shown], links=top.links)
    notice = to_notice([top, *cards], text(payload, "username") or text(payload, "alias"))
    return notice.to_fields() if notice else None


def _attachment(attachment: Payload) -> Card:
    colour = text(attachment, "color").lower()
    rgb = re.fullmatch("#?([0-9a-f]{6})", colour)
    above, author, words, footer, fallback = (
        _markdown(text(attachment, name)) for name in ("pretext", "author_name", "text", "footer", "fallback")
    )
    fields = [(_text(each.get("title")), _markdown(text(each, "value"))) for each in parts(attachment, "fields")]
    inner = _card(parts(attachment, "blocks"))
    title = _markdown(text(attachment, "title")) or inner.title
    lines = [above, author, words, *(fact(name, value) for name, value in fields), *inner.lines]
    return Card(
        title=title,
        url=text(attachment, "title_link"),
        lines=[*lines, footer] if title or any(lines) else [fallback or footer],
        mark=_MARKS.get(colour) or (colour_mark(int(rgb[1], 16)) if rgb else ""),
        links=[*_buttons(parts(attachment, "actions")), ("Image", text(attachment, "image_url")), *inner.links],
    )


def _card(blocks: list[Payload]) -> Card:
    head = next((each for each in blocks if text(each, "type") == "header"), {})
    links = []
    for block in blocks:
        links += [*_buttons([part(block, "accessory"), *parts(block, "elements")]), ("Image", text(block, "image_url"))]
    lines = [_block(each) for each in blocks if each is not head]
    return Card(title=_text(head.get("text")), lines=list(filter(None, lines)), links=links)


def _buttons(elements: list[Payload]) -> list[tuple[str, str]]:
    return [(_text(each.get("text")), text(each, "url")) for each in elements if text(each, "type") == "button"]


def _block(block: Payload) -> str:
    elements = parts(block, "elements")
    if text(block, "type") == "rich_text":
        return "\n".join(map(_rich, elements))
    if text(block, "type") == "context":
        return " ".join(filter(None, (_text(each.get("text")) for each in elements)))
    names = ("title", "text", "alt_text") if "image_url" in block else ("text",)
    words = [_text(block.get(name)) for name in names]
    fields = [fact(*_name_and_value(_text(each))) for each in parts(block, "fields")]
    rows = [" | ".join(map(_rich, row)) for row in _rows(block)]
    return "\n".join(filter(None, (*words, *fields, *rows)))


def _rows(block: Payload) -> list[list[Payload]]:
    rows = block.get("rows")
    return [parts({"row": row}, "row") for row in rows] if isinstance(rows, list) else []


def _name_and_value(words: str) -> tuple[str, str]:
    """A field's name, which stands in bold above its value."""
    name, _, value = words.partition("\n")
    return (name.strip("*: "), value) if value else ("", words)


def _rich(element: Payload) -> str:
    kind = text(element, "type")
    if kind == "link":
        return f"[{text(element, 'text') or text(element, 'url')}]({text(element, 'url')})"
    if kind in _INLINE:
        return _INLINE[kind][0].format(text(element, _INLINE[kind][1]))
    inner = list(map(_rich, parts(element, "elements")))
    words = element.get("text")
    if kind == "rich_text_list":
        return "\n".join(f"• {each}" for each in inner)
    return "".join(inner) or (words if isinstance(words, str) else "")  # with its spaces


def _text(value: object) -> str:
    """The Markdown of a text object, or of a text alone."""
    return _markdown(value if isinstance(value, str) else text(value, "text"))


def _markdown(mrkdwn: str) -> str:
    words = _REFERENCE.sub(_reference, mrkdwn)
    return words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def _reference(found: re.Match[str]) -> str:
    target, label = found[1], (found[2] or "").strip()
    if target.startswith("http"):
        address = target.replace("(", "%28").replace(")", "%29")
        return f"[{label}]({address})" if label else target
    if target.startswith(("mailto:", "tel:")):
        return label or target.partition(":")[2]
    if target.startswith("!"):
        return label or "@" + target[1:].partition("^")[0]
    return target[0] + (label.removeprefix(target[0]) or target[1:])
