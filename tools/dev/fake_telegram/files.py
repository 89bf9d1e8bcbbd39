"""Photos and documents: by URL, by upload, or again by file_id (https://core.telegram.org/bots/api#sending-files).

The words of a refusal are read off https://github.com/tdlib/td (FileManager.cpp).
"""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from tools.dev.fake_telegram.answers import ApiError, bad_request
from tools.dev.fake_telegram.calls import Call, Upload
from tools.dev.fake_telegram.links import LinkError, is_wrong_host, parsed_url

PHOTO_LIMIT = 10 * 1024 * 1024  # bytes, for an upload
DOCUMENT_LIMIT = 50 * 1024 * 1024  # bytes, for an upload
_PHOTO_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"RIFF", b"BM")


@dataclass(frozen=True)
class SentFile:
    """A file of a message: Telegram's object for it, and what the inbox adds to its entry."""

    telegram_object: Any
    inbox_entry: Mapping[str, Any] = field(default_factory=dict)


class Files:
    """The files seen so far, by file_id. Safe for threads. A URL is never fetched."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, SentFile] = {}

    def sent(self, call: Call, kind: str) -> SentFile:
        """The file of a sendPhoto or sendDocument call; `kind` is "photo" or "document". Raises ApiError."""
        value = call.parameters.get(kind, "")
        if value and not value.startswith("attach://"):
            return self._remembered(self._by_url(value, kind) if call.file_url else self._by_id(value), kind)
        upload = call.files.get(value.removeprefix("attach://") or kind)
        if upload is None:
            raise bad_request(f"there is no {kind} in the request")
        return self._remembered(_uploaded(upload, kind), kind)

    def _by_id(self, file_id: str) -> SentFile:
        with self._lock:
            known = self._known.get(file_id)
        if known is None:
            raise bad_request(f"wrong remote file identifier specified: {_wrong_identifier(file_id)}")
        return known

    def _by_url(self, url: str, kind: str) -> SentFile:
        try:
            host, _ = parsed_url(url)
        except LinkError as error:
            raise bad_request(f"invalid file HTTP URL specified: {error}") from None
        if is_wrong_host(host):
            raise bad_request("wrong HTTP URL specified")
        file_name = unquote(PurePosixPath(urlsplit(url).path).name) or kind
        return SentFile(_telegram_object(kind, file_name, url.encode(), ""), {kind: url})

    def _remembered(self, file: SentFile, kind: str) -> SentFile:
        shown = file.telegram_object[-1] if kind == "photo" else file.telegram_object
        with self._lock:
            self._known[shown["file_id"]] = file
        return file


def _wrong_identifier(file_id: str) -> str:
    if len(file_id) % 4 == 1:
        return "Wrong string length"
    if not re.fullmatch(r"[A-Za-z0-9_-]*", file_id):
        return "Wrong character in the string"
    return "can't unserialize it. Wrong last symbol"


def _uploaded(upload: Upload, kind: str) -> SentFile:
    size = len(upload.content)
    if size == 0:
        raise bad_request("file must be non-empty")
    if size > (PHOTO_LIMIT if kind == "photo" else DOCUMENT_LIMIT):
        raise ApiError(413, "Request Entity Too Large")
    if kind == "photo" and not upload.content.startswith(_PHOTO_SIGNATURES):
        raise bad_request("IMAGE_PROCESS_FAILED")
    entry: dict[str, Any] = {"file_name": upload.file_name, "file_size": size}
    try:
        entry["file_text"] = upload.content.decode()
    except UnicodeDecodeError:
        entry["file_text"] = None
    telegram_object = _telegram_object(kind, upload.file_name, upload.content, upload.content_type)
    return SentFile(telegram_object, entry)


def _telegram_object(kind: str, file_name: str, content: bytes, content_type: str) -> Any:
    digest = hashlib.sha256(kind.encode() + content).digest()
    identity: dict[str, Any] = {
        "file_id": "BQAC" + base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "file_unique_id": "AgAD" + base64.urlsafe_b64encode(digest[:9]).decode(),
        "file_size": len(content),
    }
    if kind == "photo":
        return [{**identity, "width": 1280, "height": 720}]
    mime_type = content_type or mimetypes.guess_type(file_name)[0] or "application/octet-stream"
    return {"file_name": file_name, "mime_type": mime_type, **identity}
