"""The inbox over HTTP, for people and tests: messages, updates, faults, counts and the page."""

from __future__ import annotations

import html
import json
import re
import secrets
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

from tools.dev.fake_telegram.answers import Answer, ApiError, json_answer
from tools.dev.fake_telegram.faults import KINDS, FaultError, FaultSwitch, fault_from
from tools.dev.fake_telegram.inbox import Inbox

_LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost"})
_PAGE = "page.html"


class InboxDoor:
    """Answers the requests that carry no bot token. Only for this machine: see `_refusal`."""

    def __init__(
        self,
        inbox: Inbox,
        faults: FaultSwitch,
        *,
        receive: Callable[[str, int | None], dict[str, Any]],
        press: Callable[[int, str, int | None], dict[str, Any]],
        make_forum: Callable[[int | None], None],
        http_door_url: str,
        status_source: Callable[[], Mapping[str, int]] | None,
    ) -> None:
        self._inbox = inbox
        self._faults = faults
        self._receive = receive
        self._press_button = press
        self._make_chat_forum = make_forum
        self._http_door_url = http_door_url
        self._status_source = status_source
        self._routes: dict[str, dict[str, Callable[[bytes], Answer]]] = {
            "/": {"GET": self._page},
            "/inbox": {"GET": self._page},
            "/inbox/messages": {"GET": lambda _: json_answer(inbox.messages), "DELETE": self._clear},
            "/inbox/updates": {"GET": lambda _: json_answer(inbox.updates), "POST": self._write_to_bot},
            "/inbox/press": {"POST": self._press},
            "/inbox/answers": {"GET": lambda _: json_answer(inbox.callback_answers)},
            "/inbox/forum": {"PUT": self._make_forum},
            "/inbox/fault": {"GET": lambda _: json_answer(faults.as_json()), "PUT": self._set_fault},
            "/inbox/stats": {"GET": lambda _: json_answer(inbox.stats)},
            "/inbox/events": {"GET": lambda _: Answer(200)},
        }
        if status_source is not None:
            self._routes["/inbox/status"] = {
                "GET": lambda _: json_answer({"sent": inbox.stats["accepted"], **status_source()})
            }

    def answer(self, command: str, path: str, body: bytes, *, host: str, origin: str | None) -> Answer:
        """The answer to one request; for /inbox/events only whether it may be had."""
        refusal = _refusal(command, host, origin)
        if refusal is not None:
            return refusal
        route = self._routes.get(path)
        if route is None:
            return _error(404, "not found")
        handler = route.get(command)
        if handler is None:
            return json_answer({"error": "method not allowed"}, 405, {"Allow": ", ".join(route)})
        return handler(body)

    def _page(self, body: bytes) -> Answer:
        del body
        nonce = secrets.token_urlsafe(16)
        page = (files(__package__) / _PAGE).read_text(encoding="utf-8")
        for name, value in {
            "nonce": nonce,
            "http_door_url": self._http_door_url,
            "has_status": "yes" if self._status_source else "no",
        }.items():
            page = page.replace("{{" + name + "}}", html.escape(value))
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
            "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        headers = {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }
        return Answer(200, page.encode(), "text/html; charset=utf-8", headers)

    def _clear(self, body: bytes) -> Answer:
        del body
        self._inbox.clear()
        return Answer(204)

    def _write_to_bot(self, body: bytes) -> Answer:
        written = _json(body)
        text = written.get("text") if isinstance(written, dict) else None
        if not isinstance(text, str) or not text.strip():
            return _error(400, 'a JSON object is expected, such as {"text": "/start"}', field="text")
        return _in_chat(written, lambda chat_id: json_answer(self._receive(text, chat_id)))

    def _press(self, body: bytes) -> Answer:
        pressed = _json(body)
        if not isinstance(pressed, dict) or not _is_whole(pressed.get("message_id")):
            return _error(400, 'a JSON object is expected, such as {"message_id": 1, "data": "x"}', field="message_id")
        message_id, data = pressed["message_id"], pressed.get("data")
        if not isinstance(data, str):
            return _error(400, "must be a string", field="data")
        return _in_chat(pressed, lambda chat_id: json_answer(self._press_button(message_id, data, chat_id)))

    def _make_forum(self, body: bytes) -> Answer:
        def make_forum(chat_id: int | None) -> Answer:
            self._make_chat_forum(chat_id)
            return Answer(204)

        return _in_chat(_json(body), make_forum)

    def _set_fault(self, body: bytes) -> Answer:
        try:
            self._faults.set(fault_from(_json(body)))
        except FaultError as error:
            return json_answer({"error": str(error), "field": error.field, "kinds": KINDS}, 400)
        return json_answer(self._faults.as_json())


def _refusal(command: str, host: str, origin: str | None) -> Answer | None:
    """Keeps other sites out: a foreign Host is DNS rebinding, a foreign Origin a forged request."""
    if re.sub(r":\d+$", "", host) not in _LOCAL_HOSTS:
        return _error(403, "the inbox answers on 127.0.0.1 and localhost only")
    if command != "GET" and origin is not None and origin != f"http://{host}":
        return _error(403, "another site may not change the inbox")
    return None


def _in_chat(body: object, action: Callable[[int | None], Answer]) -> Answer:
    """The answer of what is done in the chat that a body names with `chat_id`; None is the private one."""
    chat_id = body.get("chat_id") if isinstance(body, dict) else None
    if chat_id is not None and not _is_whole(chat_id):
        return _error(400, "must be a whole number", field="chat_id")
    try:
        return action(chat_id)
    except ApiError as error:
        return _error(400, error.description, field="chat_id")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _json(body: bytes) -> Any:
    """The JSON value in a body, None where it is none."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def _error(status: int, reason: str, **more: str) -> Answer:
    return json_answer({"error": reason, **more}, status)
