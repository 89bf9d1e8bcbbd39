"""Who the bot can write to: the chats by id, and the users behind the private ones."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tools.dev.fake_telegram.answers import bad_request
from tools.dev.fake_telegram.markup import Entity


class Chats:
    """Chats by id: positive ids are private chats, negative ids are supergroups. Safe for threads."""

    def __init__(self, names: Mapping[int, str]) -> None:
        if not names:
            raise ValueError("names: at least one chat is needed")
        self._lock = threading.Lock()
        self._names = dict(names)
        self._forums: set[int] = set()
        self.owner_id = next((chat_id for chat_id in names if chat_id > 0), next(iter(names)))

    def add(self, chat_id: int, name: str) -> None:
        """Makes a chat known, unless it is."""
        with self._lock:
            self._names.setdefault(chat_id, name)

    def make_forum(self, chat_id: int) -> None:
        """Gives a chat topics."""
        with self._lock:
            self._forums.add(chat_id)

    def is_forum(self, chat_id: int) -> bool:
        with self._lock:
            return chat_id in self._forums

    def find(self, chat_id: str) -> dict[str, Any]:
        """A Chat object by the id in a request. Raises ApiError."""
        if not chat_id:
            raise bad_request("chat_id is empty")
        known = int(chat_id) if re.fullmatch(r"-?\d{1,18}", chat_id) else 0
        with self._lock:
            name = self._names.get(known)
        if name is None:
            raise bad_request("chat not found")
        if known < 0:
            forum = {"is_forum": True} if self.is_forum(known) else {}
            return {"id": known, "title": name, "type": "supergroup", **forum}
        return {"id": known, "first_name": name, "type": "private"}

    def user(self, user_id: int) -> dict[str, Any] | None:
        """A User object, None for a stranger."""
        with self._lock:
            name = self._names.get(user_id) if user_id > 0 else None
        return {"id": user_id, "is_bot": False, "first_name": name} if name is not None else None

    def owner(self) -> dict[str, Any]:
        """The User object of whoever writes to the bot and presses its buttons."""
        return self.user(self.owner_id) or {"id": abs(self.owner_id), "is_bot": False, "first_name": "You"}

    def entity_object(self, entity: Entity) -> dict[str, Any] | None:
        """A MessageEntity object, None where it mentions a stranger: Telegram drops those."""
        fields = {name: value for name, value in asdict(entity).items() if value is not None and name != "user_id"}
        if entity.user_id is None:
            return fields
        user = self.user(entity.user_id)
        return {**fields, "user": user} if user else None
