"""What the owner is told of parked messages: no sender sent it, so tests that look at what arrives leave it out."""

from __future__ import annotations

from collections.abc import Iterable


def is_notice(text: str) -> bool:
    return "\nmake failed STAGE=" in text


def sent(texts: Iterable[str]) -> list[str]:
    """The texts that a sender sent."""
    return [text for text in texts if not is_notice(text)]


def notices(texts: Iterable[str]) -> list[str]:
    """The texts that tell the owner of parked messages."""
    return [text for text in texts if is_notice(text)]
