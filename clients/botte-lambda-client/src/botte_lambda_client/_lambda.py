"""The client of the Lambda door."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from ._contract.message import Message
from ._shared.aws.boto import AwsClient, translated
from ._shared.client import (
    Accepted,
    Delivered,
    NotFound,
    Refused,
    Unavailable,
    address,
    make_heartbeat,
    make_message,
    naming,
    read_invalid,
    to_json,
)


class BotteLambdaClient(AwsClient):
    """Sends by invoking Botte's function ``botte-<stage>-message``; for code that has AWS credentials.

    Every message has an id, so that boto3, which invokes again when an answer is lost, does not double it.

    function: name or ARN; else ``BOTTE_FUNCTION``.
    asynchronous: does not wait for Telegram; ``send_message`` then always returns ``Accepted``, and bad input, or a
    message that Telegram refuses, is seen by Botte's operator only.
    session: a ``boto3.Session``. client: a boto3 client of yours, whose timeouts and retries are its own.
    connect_timeout, read_timeout: seconds; the function takes up to 60 seconds to answer.
    """

    def __init__(
        self,
        function: str | None = None,
        *,
        asynchronous: bool = False,
        session: Any = None,
        client: Any = None,
        connect_timeout: float = 5.0,
        read_timeout: float = 65.0,
    ) -> None:
        super().__init__(
            "lambda",
            address("function", function, "BOTTE_FUNCTION"),
            client,
            session=session,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
        )
        self._asynchronous = asynchronous

    def send_message(
        self,
        text: str | None = None,
        *,
        sender_app: str | None = None,
        id: str | None = None,
        chat: str | None = None,
        parse_mode: Literal["HTML", "MarkdownV2"] | None = None,
        disable_notification: bool | None = None,
        protect_content: bool | None = None,
        message_thread_id: int | None = None,
        link_preview_options: Mapping[str, object] | None = None,
        reply_markup: Mapping[str, object] | None = None,
        photo: str | None = None,
        document: str | None = None,
        deliver_at: int | None = None,
        collapse_key: str | None = None,
        renotify: bool | None = None,
        ack: bool | None = None,
        escalate_after: int | None = None,
        urgent: bool | None = None,
    ) -> Delivered | Accepted:
        message = make_message(locals())
        with naming(message):
            answer = self._invoke(message)
            if answer is None or (answer.get("status") == "accepted" and answer.get("id") == message.id):
                return Accepted(str(message.id))
            return Delivered(self._told(answer, "message_id"), answer)

    def send_heartbeat(
        self, name: str, *, every: int | str, chat: str | None = None, sender_app: str | None = None
    ) -> float | None:
        """As ``Client.send_heartbeat`` says; returns None where the client is ``asynchronous``."""
        answer = self._invoke(make_heartbeat(name, every, chat, sender_app))
        return None if answer is None else float(self._told(answer, "due_at"))

    def _invoke(self, message: Message) -> dict[str, Any] | None:
        """What the function answers, where it is waited for."""
        kind = "Event" if self._asynchronous else "RequestResponse"
        with translated(f"the function {self._resource}"):
            invoked = self._boto3.invoke(
                FunctionName=self._resource, InvocationType=kind, Payload=to_json(message).encode()
            )
            payload = invoked["Payload"].read()
        if self._asynchronous:
            return None
        answer = self._read(payload)
        if "FunctionError" in invoked:
            raise self._failure(answer)
        return answer

    def _told(self, answer: dict[str, Any], name: str) -> Any:
        """A value of the answer. Raises NotFound."""
        if name not in answer:
            raise NotFound(f"the function {self._resource} does not answer as Botte does: check its name")
        return answer[name]

    def _read(self, payload: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(payload)
        except ValueError:
            raise Unavailable(f"the function {self._resource} gave half an answer") from None
        return answer if isinstance(answer, dict) else {}

    def _failure(self, answer: dict[str, Any]) -> Exception:
        """What the function raised. https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html"""
        kind, text = str(answer.get("errorType", "no error type")), str(answer.get("errorMessage", ""))
        if kind == "InvalidMessage":
            return read_invalid(text)
        if kind == "Refused":
            return Refused(text)
        return Unavailable(f"the function {self._resource} failed ({kind}); its log tells why")
