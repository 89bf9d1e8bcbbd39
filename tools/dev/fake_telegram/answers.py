"""What the fake answers over HTTP: Bot API results, Bot API errors, and JSON for the inbox."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, ready to be sent."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] | None = None


class ApiError(Exception):
    """A Bot API refusal (https://core.telegram.org/bots/api#making-requests).

    `description` is Telegram's whole text, such as "Bad Request: chat not found"; `parameters` is a
    ResponseParameters object (`retry_after` in seconds, `migrate_to_chat_id`).
    """

    def __init__(self, error_code: int, description: str, parameters: Mapping[str, int] | None = None) -> None:
        super().__init__(description)
        self.error_code = error_code
        self.description = description
        self.parameters = dict(parameters or {})

    def answer(self) -> Answer:
        body: dict[str, object] = {"ok": False, "error_code": self.error_code, "description": self.description}
        headers: dict[str, str] = {}
        if self.parameters:
            body["parameters"] = self.parameters
        if "retry_after" in self.parameters:
            headers["Retry-After"] = str(self.parameters["retry_after"])
        return json_answer(body, self.error_code, headers)


def bad_request(reason: str) -> ApiError:
    """A 400. As in Telegram the reason begins with a small letter, unless it is a constant like BUTTON_URL_INVALID."""
    if not (len(reason) > 1 and (reason[1] == "_" or reason[1].isupper())):
        reason = reason[:1].lower() + reason[1:]
    return ApiError(400, f"Bad Request: {reason}")


def too_many_requests(retry_after: int) -> ApiError:
    """A 429 that asks for a wait of `retry_after` seconds."""
    return ApiError(429, f"Too Many Requests: retry after {retry_after}", {"retry_after": retry_after})


def result_answer(result: object) -> Answer:
    """A Bot API success."""
    return json_answer({"ok": True, "result": result})


def json_answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(body, ensure_ascii=False).encode(), headers=headers)
