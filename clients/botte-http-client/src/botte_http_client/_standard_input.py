"""Reads the text of a message from standard input."""

from __future__ import annotations

import codecs
import json
import os
import select
from collections.abc import Callable, Iterator

from ._contract.message import MAX_BODY_BYTES, clean

_ROOM_BYTES = MAX_BODY_BYTES - 4 * 1024  # of JSON: a request has other fields as well
_KEPT_CHARACTERS = 2 * MAX_BODY_BYTES  # what cleaning takes away, such as colours, needs no room
_CHUNK_BYTES = 64 * 1024


def read_text(written: Callable[[str], str]) -> tuple[str, int]:
    """The text, and how many characters of its middle are left out because a message has no room for them.

    written: how a text stands in the message, for what its markup takes of the room.
    It is read to its end, however long that takes: a pipe that is closed before would end the command that writes.
    What is not UTF-8 becomes U+FFFD. Raises OSError.
    """
    text, left_out = "", 0
    for piece in _pieces():
        text += piece
        if (more := len(text) - _KEPT_CHARACTERS) > 0:
            text, left_out = _without_middle(text, more), left_out + more
    while (size := _size(written(text))) > _ROOM_BYTES:
        more = len(text) - len(text) * _ROOM_BYTES // size
        text, left_out = _without_middle(text, more), left_out + more
    if left_out:
        half = len(text) // 2
        # None of these characters is markup.
        text = f"{text[:half]}\n… {left_out:,} characters left out …\n{text[half:]}"
    return text.rstrip("\r\n"), left_out


def _without_middle(text: str, count: int) -> str:
    half = (len(text) - count) // 2
    return text[:half] + text[half + count :]


def _size(text: str) -> int:
    return len(json.dumps(clean(text), ensure_ascii=False).encode())


def _pieces() -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while chunk := _read_chunk():
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def _read_chunk() -> bytes:
    while True:
        try:
            return os.read(0, _CHUNK_BYTES)
        except BlockingIOError:  # noqa: PERF203 - whoever shares the pipe with us may have made it non-blocking
            select.select([0], [], [])
