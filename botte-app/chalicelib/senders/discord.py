"""What is made for Discord's webhooks.

https://docs.discord.com/developers/resources/webhook#execute-webhook
https://docs.discord.com/developers/resources/message#embed-object
https://docs.discord.com/developers/components/reference
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .cards import Card, colour_mark, fact, to_notice
from .notice import Fields
from .payload import Payload, is_message, number, part, parts, text

_OPTIONS = {
    *("username", "avatar_url", "tts", "allowed_mentions", "embeds", "components", "flags", "thread_name"),
    *("attachments", "applied_tags", "poll", "wait"),
}
_EMBED = {"title", "description", "url", "color", "fields", "author", "footer", "image", "thumbnail", "video"}
# <@123>, <@&123>, <#123>, <:name:123>, <t:1618953630:R>
_REFERENCE = re.compile(r"<(?:(@!?|@&|#)[0-9]+|a?(:\w+:)[0-9]+|t:([0-9]{1,11})(?::[A-Za-z])?)>")
_MENTIONS = {"@": "@user", "@!": "@user", "@&": "@role", "#": "#channel"}


def read(payload: Payload) -> Fields | None:
    """A post; None for anything else."""
    content = text(payload, "content")
    embeds = [each for each in parts(payload, "embeds") if not _EMBED.isdisjoint(each)]
    components = parts(payload, "components") if "content" in payload or "flags" in payload else []
    is_post = embeds or components or (content and payload.keys() <= {*_OPTIONS, "content"})
    if not is_post or is_message(payload):
        return None
    inner = list(_all(components))
    top = Card(
        lines=[_markdown(text(each, "content")) for each in (payload, *inner)],
        links=[(text(each, "label"), text(each, "url")) for each in inner],
    )
    notice = to_notice([top, *map(_card, embeds)], text(payload, "username"))
    return notice.to_fields() if notice else None


def _card(embed: Payload) -> Card:
    fields = [(_markdown(text(each, "name")), _markdown(text(each, "value"))) for each in parts(embed, "fields")]
    return Card(
        title=_markdown(text(embed, "title")),
        url=text(embed, "url"),
        lines=[
            text(embed, "author", "name"),
            _markdown(text(embed, "description")),
            *(fact(name, value) for name, value in fields),
            text(embed, "footer", "text"),
        ],
        mark=colour_mark(number(embed, "color") or 0),
        links=[("Image", text(part(embed, "image"), "url"))],
    )


def _all(components: list[Payload]) -> Iterator[Payload]:
    for component in components:
        accessory = part(component, "accessory")
        yield from (component, accessory)
        yield from _all(parts(component, "components"))


def _markdown(content: str) -> str:
    return _REFERENCE.sub(_reference, content).replace("||", "")


def _reference(found: re.Match[str]) -> str:
    if found[3]:
        return _time(int(found[3]))
    return found[2] or _MENTIONS[found[1]]


def _time(epoch_seconds: int) -> str:
    """A time as people write it; the standard library's ways to it are those to a clock, too.

    https://howardhinnant.github.io/date_algorithms.html#civil_from_days
    """
    days, seconds = divmod(epoch_seconds, 86_400)
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    months_since_march = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * months_since_march + 2) // 5 + 1
    month = months_since_march + 3 if months_since_march < 10 else months_since_march - 9
    year = year_of_era + era * 400 + (month <= 2)
    return f"{year}-{month:02}-{day:02} {seconds // 3600:02}:{seconds // 60 % 60:02} UTC"
