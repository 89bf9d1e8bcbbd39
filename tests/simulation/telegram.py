"""Telegram as the world has it: it does what it is asked for, or what the weather makes it do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chalicelib.errors import Ambiguous, BotTokenRejected, MessageGone, NotModified, Refused, Unavailable
from tests.simulation.chats import label_of
from tests.simulation.submission import WORDS
from tests.simulation.weather import TELEGRAM, Phase

if TYPE_CHECKING:
    from tests.simulation.processes import Process
    from tests.simulation.world import World

HANG_SECONDS = 13.0  # the relay's own timeouts: 3 s to connect, 10 s to read
MAX_DELETION_SECONDS = 300.0


class ProcessTelegram:
    """Telegram, as one process reaches it: a ``Sender``."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process

    def call(self, method: str, fields: Mapping[str, Any], file: tuple[str, bytes] | None = None) -> Any:
        world, process = self._world, self._process
        process.wait(method, world.random.uniform(0.02, 0.15))
        chat = world.chat_named(fields["chat_id"]) if "chat_id" in fields else ""
        label = label_of(fields["text"]) if "text" in fields else world.chats.label(chat, fields.get("message_id", 0))
        places = [TELEGRAM] + ([f"message {label.partition('.')[0]}", f"chat {chat}"] if chat else [])
        phase = world.weather.at(world.clock(), *places)
        if phase is not None and world.random.random() >= phase.rate:
            phase = None
        seconds = HANG_SECONDS if phase and phase.kind == "hang" else world.random.uniform(0.03, 0.4)
        is_taken = phase is None or (phase.kind in ("lost", "hang") and world.random.random() < 0.5)
        facts: dict[str, Any] = {"method": method} | ({"chat": chat, "label": label} if chat else {})
        outcome = phase.kind if phase else "ok"
        facts |= {"retry_after": phase.seconds} if phase and outcome == "busy" else {}
        until, id, refusal = world.clock() + seconds, 0, None
        if is_taken and chat:
            try:
                id = self._act(method, chat, fields)
            except Refused as error:
                refusal, is_taken = error, False
                outcome = _OUTCOMES[type(error)] if phase is None else outcome
        if label.startswith(WORDS):
            facts |= {"message_id": fields.get("message_id", id), "text": fields.get("text", "").replace("\n", " / ")}
        world.note(process.name, "telegram", **facts, outcome=outcome, taken=is_taken and bool(chat), until=until)
        if is_taken and chat:
            process.done(method)
        process.wait(method, seconds)
        if phase is not None:
            raise self._error(phase)
        if refusal is not None:
            raise refusal
        if method == "deleteMessage":
            return True
        return {"message_id": id, "date": int(world.clock()), "chat": {"id": fields.get("chat_id")}}

    def _act(self, method: str, chat: str, fields: Mapping[str, Any]) -> int:
        """Does what a call asks for, and gives the id of its message. Raises Refused."""
        world, id = self._world, int(fields.get("message_id", 0))
        match method:
            case "sendMessage":
                id = world.chats.send(chat, fields["text"])
                if world.plan.deletion_rate and world.random.random() < world.plan.deletion_rate:
                    seconds = world.random.uniform(0.0, MAX_DELETION_SECONDS)
                    world.clock.after(seconds, world.chats.delete_by_hand, chat, id)
            case "editMessageText":
                world.chats.edit(chat, id, fields["text"])
            case "deleteMessage":
                world.chats.delete(chat, id)
            case _:
                raise AssertionError(method)
        return id

    def _error(self, phase: Phase) -> Exception:
        match phase.kind:
            case "down":
                return Unavailable("Telegram cannot be reached: NewConnectionError")
            case "error":
                return Unavailable("Telegram says 500 Internal Server Error")
            case "lost" | "hang":
                return Ambiguous("Telegram's answer was lost: ReadTimeoutError")
            case "busy":
                return Unavailable("Telegram says 429 Too Many Requests", retry_after=phase.seconds)
            case "refuse":
                return Refused("403 Forbidden: bot was kicked from the group chat")
            case "token":
                return BotTokenRejected("Telegram does not know the bot token: 401 Unauthorized")
        raise AssertionError(phase.kind)


_OUTCOMES = {NotModified: "not modified", MessageGone: "gone", Refused: "not found"}
