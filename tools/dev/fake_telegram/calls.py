"""One Bot API call, read from a query string and a JSON, form or multipart body.

As in the real server every parameter is a string; what is no string in a JSON body is kept as its JSON text
(https://core.telegram.org/bots/api#making-requests).
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from tools.dev.fake_telegram.answers import ApiError, bad_request

_SENDING_METHODS = frozenset({"sendmessage", "sendphoto", "senddocument"})
_EDITING_METHODS = frozenset({"editmessagetext", "editmessagecaption", "editmessagereplymarkup", "deletemessage"})
_TOPIC_METHODS = frozenset({"createforumtopic", "deleteforumtopic"})
_FILE_PARAMETERS = {"sendphoto": "photo", "senddocument": "document"}


@dataclass(frozen=True)
class Upload:
    """One file of a multipart body."""

    file_name: str
    content_type: str
    content: bytes


@dataclass(frozen=True)
class Call:
    """A Bot API method, in small letters, with its parameters and files."""

    method: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Upload] = field(default_factory=dict)

    @property
    def sends_message(self) -> bool:
        return self.method in _SENDING_METHODS

    @property
    def changes_chat(self) -> bool:
        """Whether it sends, edits or deletes something in a chat."""
        return self.method in _SENDING_METHODS | _EDITING_METHODS | _TOPIC_METHODS

    @property
    def content(self) -> Hashable:
        """The same for two calls that ask for the same."""
        return self.method, frozenset(self.parameters.items()), frozenset(self.files.items())

    @property
    def file_url(self) -> str | None:
        """The URL that sendPhoto or sendDocument names, if it names one: what has a dot is a URL, as in Telegram."""
        value = self.parameters.get(_FILE_PARAMETERS.get(self.method, ""), "")
        return value if "." in value and not value.startswith("attach://") else None

    def integer(self, name: str, default: int = 0) -> int:
        """A whole number; as in Telegram, what is none counts as the default."""
        value = self.parameters.get(name, "")
        return int(value) if re.fullmatch(r"-?\d{1,18}", value) else default

    def flag(self, name: str) -> bool:
        return self.parameters.get(name, "").lower() in ("true", "yes", "1")

    def json_object(self, name: str, words: str) -> dict[str, Any] | None:
        """A JSON object, None where there is none. Raises ApiError, which calls the parameter by `words`."""
        value = self.parameters.get(name, "")
        if not value:
            return None
        try:
            parsed = json.loads(value)
        except ValueError:
            raise bad_request(f"can't parse {words} JSON object") from None
        if not isinstance(parsed, dict):
            raise bad_request(f"object expected as {words}")
        return parsed


def as_parameters(values: Mapping[str, Any]) -> dict[str, str]:
    """JSON values as parameters: a string as it is, anything else as its JSON text."""
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in values.items()
    }


def read_call(method: str, query: str, content_type: str, body: bytes) -> Call:
    """The call in a request. Raises ApiError (400)."""
    kind = content_type.partition(";")[0].strip().lower()
    files: dict[str, Upload] = {}
    try:
        parameters = _form(query)
        if kind == "application/json" and body.strip():
            parameters.update(_json_parameters(body.decode()))
        elif kind == "application/x-www-form-urlencoded":
            parameters.update(_form(body.decode()))
        elif kind == "multipart/form-data":
            fields, files = _multipart(content_type, body)
            parameters.update(fields)
        for value in parameters.values():
            value.encode()
    except UnicodeError:
        raise bad_request("strings must be encoded in UTF-8") from None
    return Call(method.lower(), parameters, files)


def _form(text: str) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True, errors="strict"))


def _json_parameters(text: str) -> dict[str, str]:
    try:
        body = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise bad_request("can't parse JSON object") from None
    if not isinstance(body, dict):
        raise bad_request("JSON object expected")
    return as_parameters(body)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _multipart(content_type: str, body: bytes) -> tuple[dict[str, str], dict[str, Upload]]:
    boundary = re.search(r'boundary="?([^";]+)"?', content_type)
    if boundary is None:
        raise ApiError(400, "Bad Request: boundary not found")
    fields: dict[str, str] = {}
    files: dict[str, Upload] = {}
    delimiter = b"\r\n--" + boundary[1].encode()
    for part in (b"\r\n" + body).split(delimiter)[1:]:
        if part.startswith(b"--"):
            return fields, files
        head, separator, content = part.partition(b"\r\n\r\n")
        name = _disposition(head, "name")
        if not separator or name is None:
            raise ApiError(400, "Bad Request: field name in multipart/form-data not found")
        file_name = _disposition(head, "filename")
        if file_name is None:
            fields[name] = content.decode()
        else:
            kind = re.search(rb"(?im)^content-type:\s*([^\r\n;]+)", head)
            files[name] = Upload(file_name, kind[1].decode("latin-1").strip() if kind else "", content)
    raise ApiError(400, "Bad Request: unexpected end of request content")


def _disposition(head: bytes, parameter: str) -> str | None:
    """A parameter of the Content-Disposition header of a part (RFC 7578; RFC 5987 for other alphabets)."""
    found = re.search(rb"(?im)^content-disposition:[^\r\n]*", head)
    line = found[0].decode() if found else ""
    extended = re.search(rf";\s*{parameter}\*=utf-8''([^;\s]+)", line, re.IGNORECASE)
    if extended:
        return dict(parse_qsl("value=" + extended[1].replace("+", "%2B"), errors="strict"))["value"]
    quoted = re.search(rf';\s*{parameter}="((?:[^"\\]|\\.)*)"', line, re.IGNORECASE)
    if quoted:
        return re.sub(r"\\(.)", r"\1", quoted[1])
    plain = re.search(rf";\s*{parameter}=([^;\s]+)", line, re.IGNORECASE)
    return plain[1] if plain else None
