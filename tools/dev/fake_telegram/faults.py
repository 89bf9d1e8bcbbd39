"""Faults on demand: how the fake misbehaves until told otherwise."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from http.client import responses

from tools.dev.fake_telegram.answers import Answer, ApiError, json_answer, too_many_requests
from tools.dev.fake_telegram.calls import Call

KINDS = (
    "none",
    "down",
    "rate_limit",
    "server_error",
    "slow",
    "cut_after_accept",
    "cut_before_accept",
    "hang_after_accept",
    "chat_not_found",
    "forbidden",
    "unauthorized",
    "migrate",
    "thread_not_found",
    "bad_url",
    "refuse",
)
# Faults of what changes a chat: any other call passes, and is not counted.
_CHANGES_ONLY = frozenset({"chat_not_found", "forbidden", "migrate", "thread_not_found", "bad_url", "refuse"})
_NGINX_BAD_GATEWAY = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    b"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


class FaultError(ValueError):
    """A fault that cannot be set; `field` is the option at fault."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field


@dataclass(frozen=True)
class Fault:
    """One way to misbehave.

    count: how many calls it applies to before it ends by itself; None for all until another fault is set.
    retry_after: whole seconds, for rate_limit. status: 500 to 599, for server_error.
    description: for refuse, the words of the 400, such as "Bad Request: TOPIC_CLOSED".
    seconds: for slow (2 by default) and hang_after_accept (60 by default).
    probability: 0 to 1, the share of calls it applies to, drawn from `seed`.
    method: the one Bot API method it applies to; None for all.
    chat_id: the one chat it applies to, so that calls which name another chat, or none, pass; None for all.
    """

    kind: str = "none"
    count: int | None = None
    retry_after: int = 5
    status: int = 502
    description: str = "Bad Request"
    seconds: float | None = None
    probability: float = 1.0
    seed: int | None = None
    migrate_to_chat_id: int = -1001234567890
    method: str | None = None
    chat_id: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise FaultError("kind", f"must be one of {', '.join(KINDS)}")
        if self.count is not None:
            _whole("count", self.count, 1)
        _whole("retry_after", self.retry_after, 1)
        _whole("status", self.status, 500, 599)
        if not isinstance(self.description, str):
            raise FaultError("description", "must be a string")
        if self.seconds is not None:
            _number("seconds", self.seconds, 0, 3600)
        _number("probability", self.probability, 0, 1)
        if self.seed is not None:
            _whole("seed", self.seed)
        _whole("migrate_to_chat_id", self.migrate_to_chat_id)
        if self.method is not None and not isinstance(self.method, str):
            raise FaultError("method", "must be a string")
        if self.chat_id is not None:
            _whole("chat_id", self.chat_id)

    @property
    def delay(self) -> float:
        """Seconds that slow and hang_after_accept take."""
        if self.seconds is not None:
            return self.seconds
        return 60.0 if self.kind == "hang_after_accept" else 2.0

    def concerns(self, call: Call) -> bool:
        """Whether the fault can apply to this call at all."""
        if self.kind == "none" or (self.method is not None and self.method.lower() != call.method):
            return False
        if self.chat_id is not None and call.parameters.get("chat_id") != str(self.chat_id):
            return False
        if self.kind in _CHANGES_ONLY and not (call.changes_chat or call.method == "getchat" or self.method):
            return False
        if self.kind == "thread_not_found":
            return call.parameters.get("message_thread_id", "0") != "0"
        if self.kind == "migrate":
            return call.parameters.get("chat_id") != str(self.migrate_to_chat_id)
        if self.kind == "bad_url":
            return call.file_url is not None
        return True

    def answer(self) -> Answer | None:
        """What a call gets instead of being carried out; None where it is carried out."""
        if self.kind == "down":
            return Answer(502, _NGINX_BAD_GATEWAY, "text/html")
        if self.kind == "server_error":
            reason = responses.get(self.status, "Internal Server Error")
            return json_answer({"ok": False, "error_code": self.status, "description": reason}, self.status)
        error = self._error()
        return error.answer() if error else None

    def _error(self) -> ApiError | None:
        if self.kind == "rate_limit":
            return too_many_requests(self.retry_after)
        if self.kind == "refuse":
            return ApiError(400, self.description)
        if self.kind == "migrate":
            return ApiError(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                {"migrate_to_chat_id": self.migrate_to_chat_id},
            )
        code_and_description = {
            "chat_not_found": (400, "Bad Request: chat not found"),
            "forbidden": (403, "Forbidden: bot was blocked by the user"),
            "unauthorized": (401, "Unauthorized"),
            "thread_not_found": (400, "Bad Request: message thread not found"),
            "bad_url": (400, "Bad Request: wrong file identifier/HTTP URL specified"),
        }.get(self.kind)
        return ApiError(*code_and_description) if code_and_description else None


def fault_from(options: object) -> Fault:
    """The fault that a JSON object describes. Raises FaultError naming the field."""
    if not isinstance(options, Mapping):
        raise FaultError("kind", f"a JSON object is expected; kind must be one of {', '.join(KINDS)}")
    unknown = set(options) - set(Fault.__dataclass_fields__)
    if unknown:
        raise FaultError(min(map(str, unknown)), f"unknown; the options are {', '.join(Fault.__dataclass_fields__)}")
    if "kind" not in options:
        raise FaultError("kind", f"required; one of {', '.join(KINDS)}")
    return Fault(**options)


class FaultSwitch:
    """The fault in force. Safe for threads."""

    def __init__(self, on_change: Callable[[Fault], None]) -> None:
        self._lock = threading.Lock()
        self._on_change = on_change
        self._fault = Fault()
        self._left: int | None = None
        self._random = random.Random()
        self._released = threading.Event()

    @property
    def fault(self) -> Fault:
        with self._lock:
            return self._fault

    def as_json(self) -> dict[str, object]:
        """The fault in force; `count` is how many calls are left."""
        with self._lock:
            return {**asdict(self._fault), "count": self._left}

    def set(self, fault: Fault) -> None:
        """Replaces the fault; calls that wait under the old one go on at once."""
        with self._lock:
            self._fault = fault
            self._left = fault.count
            self._random = random.Random(fault.seed)
            released, self._released = self._released, threading.Event()
        released.set()
        self._on_change(fault)

    def release(self) -> None:
        """Ends all waiting, with the fault as it is."""
        with self._lock:
            released, self._released = self._released, threading.Event()
        released.set()

    def take(self, call: Call) -> tuple[Fault, threading.Event]:
        """The fault that applies to a call, and the event that ends its waiting."""
        with self._lock:
            fault, released = self._fault, self._released
            if not fault.concerns(call) or self._random.random() >= fault.probability:
                return Fault(), released
            ended = False
            if self._left is not None:
                self._left -= 1
                ended = self._left == 0
            if ended:
                self._fault, self._left = Fault(), None
        if ended:
            self._on_change(Fault())
        return fault, released


def _whole(field: str, value: object, least: float = -math.inf, most: float = math.inf) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise FaultError(field, f"must be a whole number{_range(least, most)}")


def _number(field: str, value: object, least: float, most: float) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not least <= value <= most:
        raise FaultError(field, f"must be a number{_range(least, most)}")


def _range(least: float, most: float) -> str:
    if most < math.inf:
        return f" from {least} to {most}"
    return f" of at least {least}" if least > -math.inf else ""
