"""FakeTelegram: a stand-in for the Telegram Bot API on this machine."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import Any

from tools.dev.fake_telegram.answers import ApiError
from tools.dev.fake_telegram.bot_api import BotApi
from tools.dev.fake_telegram.bot_door import BotDoor
from tools.dev.fake_telegram.calls import Call, as_parameters
from tools.dev.fake_telegram.chats import Chats
from tools.dev.fake_telegram.faults import Fault, FaultSwitch, fault_from
from tools.dev.fake_telegram.inbox import Inbox
from tools.dev.fake_telegram.inbox_door import InboxDoor
from tools.dev.fake_telegram.markup import utf16_length
from tools.dev.fake_telegram.pace import Pace
from tools.dev.fake_telegram.presses import Presses
from tools.dev.fake_telegram.server import Server
from tools.dev.fake_telegram.updates import UpdateQueue, Webhook

TWIN_BOT_TOKEN = "1234567890:AA-fake-bot-token-of-the-local-twin"
TWIN_CHAT_ID = 2137200685
_COMMAND = re.compile(r"(?<!\S)/[A-Za-z0-9_]{1,64}(@\w+)?")


class FakeTelegram:
    """A Bot API server with an inbox page, on 127.0.0.1.

    port: 0 takes a free one. chats: names by chat id, positive for private chats and negative for supergroups; any
    other chat is "chat not found". pace: how fast a chat may be written to, None for no limit. clock: seconds since
    1970. webhook_retry_seconds: the wait after a failed webhook delivery, which doubles up to a minute.
    http_door_url: shown on the page. status_source: counts of sent, pending and failed messages for the page.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        bot_token: str = TWIN_BOT_TOKEN,
        chats: Mapping[int, str] | None = None,
        pace: Pace | None = Pace(),  # noqa: B008 - frozen
        clock: Callable[[], float] = time.time,
        webhook_retry_seconds: float = 1.0,
        http_door_url: str = "http://127.0.0.1:8000",
        status_source: Callable[[], Mapping[str, int]] | None = None,
    ) -> None:
        if not re.fullmatch(r"[1-9]\d*:[A-Za-z0-9_-]+", bot_token):
            raise ValueError("bot_token: must look like 1234567890:AA...")
        self._port = port
        self._bot_token = bot_token
        self._clock = clock
        self._chats = Chats(chats if chats is not None else {TWIN_CHAT_ID: "You"})
        self._inbox = Inbox()
        self._faults = FaultSwitch(self._on_fault)
        self._updates = UpdateQueue(clock, webhook_retry_seconds, self._on_webhook_reply)
        self._presses = Presses(self._chats, self._inbox, self._updates, clock)
        self._bot_api = BotApi(
            bot_token=bot_token,
            chats=self._chats,
            inbox=self._inbox,
            updates=self._updates,
            presses=self._presses,
            pace=pace,
            clock=clock,
        )
        self._inbox_door = InboxDoor(
            self._inbox,
            self._faults,
            receive=self.receive,
            press=self.press,
            make_forum=self.make_forum,
            http_door_url=http_door_url,
            status_source=status_source,
        )
        self._server: Server | None = None

    def start(self) -> None:
        """Opens the port, the same as before after a stop. Raises OSError where it is taken."""
        bot_door = BotDoor(self._bot_token, self._bot_api, self._faults, self._inbox)
        self._inbox.open()
        self._server = Server(self._port, bot_door, self._inbox_door, self._inbox)
        self._port = self._server.server_address[1]
        self._server.start()
        self._updates.start()

    def stop(self) -> None:
        """Closes the port and all connections; answers that wait are dropped."""
        if self._server is None:
            return
        self._server.stopping.set()
        self._faults.release()
        self._inbox.close()
        self._updates.close()
        self._server.stop()
        self._server = None

    def __enter__(self) -> FakeTelegram:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        """What goes into TELEGRAM_API_URL, such as "http://127.0.0.1:8081"."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What the bot sent, oldest first, as in GET /inbox/messages."""
        return self._inbox.messages

    @property
    def callback_answers(self) -> list[dict[str, Any]]:
        """What answerCallbackQuery said, oldest first: `callback_query_id`, `chat_id`, `message_id`, `data`, `text`,
        `show_alert`."""
        return self._inbox.callback_answers

    @property
    def connections(self) -> int:
        """TCP connections that carried a Bot API request."""
        return self._inbox.stats["connections"]

    @property
    def requests(self) -> int:
        """Bot API requests, refused ones too."""
        return self._inbox.stats["requests"]

    @property
    def stats(self) -> dict[str, int]:
        """Counts of connections, requests, accepted messages, ambiguous answers and refused requests."""
        return self._inbox.stats

    def wait_for(self, condition: Callable[[list[dict[str, Any]]], bool], timeout: float = 5.0) -> bool:
        """Waits until the messages meet a condition; whether they did within `timeout` seconds."""
        return self._inbox.wait_for(condition, timeout)

    def clear(self) -> None:
        """Forgets all messages; message ids go on."""
        self._inbox.clear()

    def mark_mended(self, message_ids: Collection[int], fields: Collection[str]) -> None:
        """Shows on the page which fields of a message Botte changed or left out, as Botte tells its sender."""
        self._inbox.mark_mended(message_ids, fields)

    def set_fault(self, options: Mapping[str, Any]) -> None:
        """Misbehaves from now on, as PUT /inbox/fault. Raises FaultError (a ValueError) naming the option at fault."""
        self._faults.set(fault_from(options))

    def set_webhook(self, url: str, secret_token: str) -> None:
        """As the Bot API's setWebhook, but not counted as a request."""
        self._updates.set_webhook(Webhook(url, secret_token))

    def receive(self, text: str, chat_id: int | None = None) -> dict[str, Any]:
        """Makes the update of the owner writing to the bot, in the private chat unless another is named.

        Raises ApiError where the chat is unknown.
        """
        chat = self._chats.find(str(self._chats.owner_id if chat_id is None else chat_id))
        message: dict[str, Any] = {
            "message_id": self._inbox.next_message_id(),
            "from": self._chats.owner(),
            "chat": chat,
            "date": int(self._clock()),
            "text": text,
        }
        commands = [
            {
                "type": "bot_command",
                "offset": utf16_length(text[: found.start()]),
                "length": found.end() - found.start(),
            }
            for found in _COMMAND.finditer(text)
        ]
        if commands:
            message["entities"] = commands
        update = self._updates.add("message", message)
        self._inbox.add_update(update)
        return update

    def press(
        self, message_id: int, data: str, chat_id: int | None = None, user: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Makes the update of somebody pressing a button of a message, as POST /inbox/press.

        chat_id: where the message is said to be, None for where it is. user: what tells them from the owner, such as
        {"id": 7, "first_name": "Anna"}. Any data is taken, as from programs that are not Telegram's own.
        Raises ApiError where the chat is unknown.
        """
        return self._presses.press(message_id, data, chat_id, user)

    def make_forum(self, chat_id: int | None = None) -> None:
        """Gives a chat topics, the private chat unless another is named: createForumTopic works there, and a message
        to a thread that is no topic is refused. Raises ApiError where the chat is unknown."""
        chat = self._chats.find(str(self._chats.owner_id if chat_id is None else chat_id))
        self._chats.make_forum(chat["id"])

    def _on_fault(self, fault: Fault) -> None:
        if fault.kind == "migrate":
            self._chats.add(fault.migrate_to_chat_id, "Supergroup")
        self._inbox.tell("fault", self._faults.as_json())

    def _on_webhook_reply(self, reply: Mapping[str, Any]) -> None:
        """A webhook may answer an update with a method call (https://core.telegram.org/bots/api#making-requests)."""
        call = Call(reply["method"].lower(), as_parameters(reply))
        if not call.sends_message:
            return
        try:
            self._bot_api.answer(call)
        except ApiError:
            return  # As with the real one, nobody is told.
