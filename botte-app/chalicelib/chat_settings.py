"""What the parameter ``telegram-chats`` says of a chat beside its id. Most chats have nothing of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timezone, tzinfo
from typing import Any, NamedTuple

_QUIET = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")
_NAMES = ("id", "quiet", "time_zone", "topics")


class QuietHours(NamedTuple):
    """A time of every day, from ``start`` until ``end``: minutes since midnight in a zone, perhaps over midnight."""

    start: int
    end: int
    zone: tzinfo

    def hold(self, now: float) -> bool:
        """Whether it is such a time. now: epoch seconds."""
        local = datetime.fromtimestamp(now, self.zone)
        minute = 60 * local.hour + local.minute
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


class ChatSettings(NamedTuple):
    """quiet: when messages make no sound. topics: whether each sender has a topic."""

    quiet: QuietHours | None = None
    topics: bool = False


def read_chat_settings(value: str) -> tuple[dict[str, ChatSettings], list[str]]:
    """The settings of those chats, by name, that have any, and what of them cannot be used. value: the parameter's.

    What cannot be used counts as not there. So a chat whose time zone is not known has no quiet hours, rather than
    those of another zone: a sound at night is noticed, an alarm without one by day is not.
    """
    read: dict[str, ChatSettings] = {}
    faults: list[str] = []
    for name, given in json.loads(value).items():
        if not isinstance(given, dict):
            continue
        faults += [f"{name}: {each} is none of {', '.join(_NAMES)}" for each in given if each not in _NAMES]
        topics = given.get("topics", False)
        if not isinstance(topics, bool):
            faults.append(f"{name}: topics must be true or false, not {json.dumps(topics)}")
        try:
            quiet = _quiet(given)
        except ValueError as error:
            faults.append(f"{name}: {error}")
            quiet = None
        read[name] = ChatSettings(quiet, topics is True)
    return read, faults


def with_ids(value: str, ids: Mapping[str, int]) -> str:
    """The parameter with other ids for some chats, or with further chats; all else stays as its owner wrote it."""
    chats = json.loads(value)
    for name, id in ids.items():
        known = chats.get(name)
        chats[name] = {**known, "id": id} if isinstance(known, dict) else id
    return json.dumps(chats, ensure_ascii=False)


def _quiet(given: Mapping[str, Any]) -> QuietHours | None:
    """The quiet hours among a chat's settings. Raises ValueError where they cannot be used."""
    quiet = given.get("quiet")
    if quiet is None:
        return None
    found = _QUIET.fullmatch(quiet) if isinstance(quiet, str) else None
    if found is None:
        raise ValueError(f'quiet must be like "22:00-07:00", not {json.dumps(quiet)}')
    hour, minute, end_hour, end_minute = map(int, found.groups())
    start, end = 60 * hour + minute, 60 * end_hour + end_minute
    if start == end:
        raise ValueError(f"quiet begins and ends at the same time: {quiet}")
    return QuietHours(start, end, _zone(given.get("time_zone", "UTC")))


def _zone(name: object) -> tzinfo:
    if name == "UTC":
        return timezone.utc
    # The zones are the system's; Lambda's has had them since January 2024, and nothing is shipped for them.
    # https://github.com/aws/aws-lambda-dotnet/issues/1620
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(str(name))
    except (LookupError, ValueError, OSError):  # the last of a name that is a folder there
        raise ValueError(f'time_zone must be like "Europe/Rome", not {json.dumps(name)}') from None
