"""The chats themselves: what people see in them, and may delete."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.errors import MessageGone, NotModified, Refused

Place = tuple[str, int]


class Chats:
    """The texts of all messages, each by its chat and its id."""

    def __init__(self, note: Callable[..., None]) -> None:
        self._note = note
        self._texts: dict[Place, str] = {}
        self._labels: dict[Place, str] = {}

    def send(self, chat: str, text: str) -> int:
        """The id of a new message."""
        id = len(self._labels) + 1
        self._texts[chat, id] = text
        self._labels[chat, id] = label_of(text)
        return id

    def edit(self, chat: str, id: int, text: str) -> None:
        if (chat, id) not in self._texts:
            raise MessageGone("400 Bad Request: message to edit not found")
        if self._texts[chat, id] == text:
            raise NotModified("400 Bad Request: message is not modified")
        self._texts[chat, id] = text
        self._labels[chat, id] = label_of(text)

    def delete(self, chat: str, id: int) -> None:
        if self._texts.pop((chat, id), None) is None:
            raise Refused("400 Bad Request: message to delete not found")

    def delete_by_hand(self, chat: str, id: int) -> None:
        """Somebody deletes a message, if it is still there."""
        if self._texts.pop((chat, id), None) is not None:
            self._note("", "deleted", chat=chat, message_id=id)

    def label(self, chat: str, id: int) -> str:
        """The label that a message had last."""
        return self._labels.get((chat, id), "")


def label_of(text: str) -> str:
    return text.partition(" ")[0]
