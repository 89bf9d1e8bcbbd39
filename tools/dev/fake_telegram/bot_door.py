"""The way into the Bot API: the token in the path, the fault in force, and what is to be sent back how."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field

from tools.dev.fake_telegram.answers import Answer, ApiError
from tools.dev.fake_telegram.bot_api import BotApi
from tools.dev.fake_telegram.calls import Call, read_call
from tools.dev.fake_telegram.faults import Fault, FaultSwitch
from tools.dev.fake_telegram.inbox import Inbox

_PATH = re.compile(r"/bot(?P<token>[^/]+)/(?P<method>[^/]+)")
_WELL_FORMED_TOKEN = re.compile(r"\d+:[A-Za-z0-9_-]{30,}")


@dataclass(frozen=True)
class Delivery:
    """An answer, the seconds to wait before it (ended early by `released`), and the share of it that is sent."""

    answer: Answer
    wait: float = 0.0
    share_sent: float = 1.0
    released: threading.Event = field(default_factory=threading.Event)


class BotDoor:
    """Safe for threads."""

    def __init__(self, bot_token: str, bot_api: BotApi, faults: FaultSwitch, inbox: Inbox) -> None:
        self._bot_token = bot_token
        self._bot_api = bot_api
        self._faults = faults
        self._inbox = inbox

    def deliver(self, path: str, query: str, content_type: str, body: bytes) -> Delivery:
        """What is to be sent back for one request."""
        try:
            call = read_call(self._method(path), query, content_type, body)
        except ApiError as error:
            return Delivery(self._refused(error.answer()))
        fault, released = self._faults.take(call)
        answer = fault.answer()
        if answer is not None:
            return Delivery(self._refused(answer))
        if fault.kind == "cut_before_accept":
            return Delivery(Answer(200), share_sent=0)
        answer = self._carried_out(call)
        if fault.kind in ("cut_after_accept", "hang_after_accept") and call.sends_message and answer.status == 200:
            self._inbox.lose_answer(call.content, json.loads(answer.body)["result"]["message_id"])
        return _under(fault, answer, released)

    def _method(self, path: str) -> str:
        found = _PATH.fullmatch(path)
        if found is None or (found["token"] != self._bot_token and not _WELL_FORMED_TOKEN.fullmatch(found["token"])):
            raise ApiError(404, "Not Found")
        if found["token"] != self._bot_token:
            raise ApiError(401, "Unauthorized")
        return found["method"]

    def _carried_out(self, call: Call) -> Answer:
        try:
            return self._bot_api.answer(call)
        except ApiError as error:
            return self._refused(error.answer())

    def _refused(self, answer: Answer) -> Answer:
        self._inbox.count("refused")
        return answer


def _under(fault: Fault, answer: Answer, released: threading.Event) -> Delivery:
    if fault.kind == "cut_after_accept":
        return Delivery(answer, share_sent=0.5)
    if fault.kind == "hang_after_accept":
        return Delivery(answer, wait=fault.delay, share_sent=0, released=released)
    if fault.kind == "slow":
        return Delivery(answer, wait=fault.delay, released=released)
    return Delivery(answer)
