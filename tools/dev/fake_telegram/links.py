"""Which links Telegram takes in markup, in buttons and as files."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import parse_qs

_PART = re.compile(r"(?:[A-Za-z0-9._!$,~*'();&+=\-\u0080-\U0010ffff]|%[0-9A-Fa-f]{2})*")
_TELEGRAM_HOST = re.compile(r"[A-Za-z0-9_-]+")


class LinkError(ValueError):
    """A link that Telegram refuses; the message is Telegram's reason."""


def checked_link(link: str) -> str:
    """The link as Telegram would keep it: http when no scheme is given, http, https and tg are allowed.

    Raises LinkError with Telegram's reason.
    """
    if link.lower().startswith("tg:"):
        return _telegram_link(link[3:].removeprefix("//"))
    host, url = parsed_url(link)
    if is_wrong_host(host):
        raise LinkError("Wrong HTTP URL")
    return url


def parsed_url(url: str) -> tuple[str, str]:
    """The host of a URL, and the URL as Telegram keeps it: http when no scheme is given, http and https are allowed.

    Raises LinkError with Telegram's reason: https://github.com/tdlib/td/blob/master/tdutils/td/utils/HttpUrl.cpp
    """
    scheme, separator, rest = url.partition("://")
    if not separator or re.search(r"[:/?#@\[\]]", scheme):
        scheme, rest = "http", url
    if scheme.lower() not in ("http", "https"):
        raise LinkError("Unsupported URL protocol")
    authority, path = re.fullmatch(r"([^/?#]*)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
    with_port = re.fullmatch(r"(.+):([^:\]@]*)", authority, re.DOTALL)
    userinfo_and_host, port = (with_port[1], f":{_port(with_port[2])}") if with_port else (authority, "")
    userinfo, at, host = userinfo_and_host.rpartition("@")
    host = host.lower()
    _check_host(host, userinfo)
    path = re.sub(r"[\x00-\x20]", lambda found: f"%{ord(found[0]):02X}", path.rstrip(" \t\r\n\0\v")) or "/"
    return host, f"{scheme.lower()}://{userinfo}{at}{host}{port}{path if path.startswith('/') else '/' + path}"


def is_wrong_host(host: str) -> bool:
    """Whether a host cannot be one of the Internet's: it has no dot, and is no IPv6 address."""
    return "." not in host and not host.startswith("[")


def linked_user_id(link: str) -> int | None:
    """The user in a tg://user?id=... link, None for any other link."""
    user_id = _identifier(link, "user")
    return int(user_id) if user_id else None


def custom_emoji_id(link: str) -> str | None:
    """The emoji in a tg://emoji?id=... link, None for any other link."""
    return _identifier(link, "emoji")


def linked_date_time(link: str) -> tuple[int, str] | None:
    """The time and its format in a tg://time?unix=...&format=... link, None for any other link."""
    query = _query(link, "time")
    return date_time(query.get("unix", ""), query.get("format", ""))


def date_time(unix: str, format: str) -> tuple[int, str] | None:
    """A time in epoch seconds and how to show it (https://core.telegram.org/bots/api#date-time-entity-formatting)."""
    if not re.fullmatch(r"[1-9][0-9]{0,9}", unix) or not re.fullmatch(r"r|w?[dD]?[tT]?", format):
        return None
    return int(unix), format


def is_identifier(text: str) -> bool:
    """Whether a text is a user's or an emoji's number: positive, of at most 64 bits."""
    return re.fullmatch(r"\d{1,19}", text, re.ASCII) is not None and 0 < int(text) < 2**63


def _identifier(link: str, kind: str) -> str | None:
    identifier = _query(link, kind).get("id", "")
    return identifier if is_identifier(identifier) else None


def _query(link: str, kind: str) -> dict[str, str]:
    """The parameters of a tg://kind?... link; none for any other link."""
    found = re.fullmatch(rf"tg:(?://)?{kind}/?\?([^#]*)(?:#.*)?", link, re.IGNORECASE | re.DOTALL)
    return {name: values[0] for name, values in parse_qs(found[1]).items()} if found else {}


def _port(digits: str) -> int:
    digits = digits.lstrip("0")
    if not re.fullmatch(r"[0-9]{1,5}", digits) or int(digits) > 65535:
        raise LinkError("Wrong port number specified in the URL")
    return int(digits)


def _check_host(host: str, userinfo: str) -> None:
    if host.startswith("[") and host.endswith("]"):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            raise LinkError("Wrong IPv6 address specified in the URL") from None
        return
    if not host:
        raise LinkError("URL host is empty")
    if host == ".":
        raise LinkError("Host is invalid")
    # A colon may stand in the userinfo only.
    for name, part in (("host", host), ("userinfo", userinfo.replace(":", ""))):
        wrong = part[_PART.match(part).end() :]  # type: ignore[union-attr]
        if wrong:
            kind = "Wrong percent-encoded symbol" if wrong.startswith("%") else "Disallowed character"
            raise LinkError(f"{kind} in URL {name}")


def _telegram_link(rest: str) -> str:
    host, tail = re.fullmatch(r"([^/?#]*)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
    if not host:
        raise LinkError("URL host is empty")
    if not _TELEGRAM_HOST.fullmatch(host):
        raise LinkError("Unallowed characters in URL host")
    return f"tg://{host.lower()}{tail}"
