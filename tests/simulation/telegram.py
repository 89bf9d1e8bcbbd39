"""Telegram as the world has it: it takes messages, or does what the weather makes it do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chalicelib.errors import Ambiguous, BotTokenRejected, Refused, Unavailable
from tests.simulation.weather import TELEGRAM, Phase

if TYPE_CHECKING:
    from tests.simulation.processes import Process
    from tests.simulation.world import World

HANG_SECONDS = 13.0  # the relay's own timeouts: 3 s to connect, 10 s to read


class ProcessTelegram:
    """Telegram, as one process reaches it: a ``Sender``."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process

    def call(self, method: str, fields: Mapping[str, Any], file: tuple[str, bytes] | None = None) -> dict[str, Any]:
        world, process = self._world, self._process
        process.wait(method, world.random.uniform(0.02, 0.15))
        chat = world.chat_named(fields["chat_id"]) if "chat_id" in fields else ""
        label = str(fields.get("text", "")).partition(" ")[0]
        places = [TELEGRAM] + ([f"message {label.partition('.')[0]}", f"chat {chat}"] if chat else [])
        phase = world.weather.at(world.clock(), *places)
        if phase is not None and world.random.random() >= phase.rate:
            phase = None
        seconds = HANG_SECONDS if phase and phase.kind == "hang" else world.random.uniform(0.03, 0.4)
        is_taken = phase is None or (phase.kind in ("lost", "hang") and world.random.random() < 0.5)
        facts: dict[str, Any] = {"method": method} | ({"chat": chat, "label": label} if chat else {})
        outcome = phase.kind if phase else "ok"
        facts |= {"retry_after": phase.seconds} if phase and outcome == "busy" else {}
        until = world.clock() + seconds
        world.note(process.name, "telegram", **facts, outcome=outcome, taken=is_taken and bool(chat), until=until)
        if is_taken and chat:
            process.done(method)
        process.wait(method, seconds)
        if phase is not None:
            raise self._error(phase)
        world.message_ids += 1
        return {"message_id": world.message_ids, "date": int(world.clock()), "chat": {"id": fields.get("chat_id")}}

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
