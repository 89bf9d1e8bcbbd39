"""What people write to the bot, on its way: held for getUpdates, or carried to the webhook.

https://core.telegram.org/bots/api#getting-updates
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import re
import threading
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from tools.dev.fake_telegram.answers import ApiError, bad_request

WEBHOOK_PORTS = (443, 80, 88, 8443)
SECRET_TOKEN_LIMIT = 256
LONG_POLL_LIMIT = 50  # seconds
DELIVERY_TIMEOUT = 30.0  # seconds, for one attempt
LONGEST_BACKOFF = 60.0  # seconds, between two attempts
_SECRET_TOKEN = re.compile(r"[A-Za-z0-9_-]*")
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Webhook:
    """Where updates are carried to."""

    url: str
    secret_token: str = ""
    max_connections: int = 40

    def __post_init__(self) -> None:
        if len(self.secret_token) > SECRET_TOKEN_LIMIT:
            raise bad_request("secret token is too long")
        if not _SECRET_TOKEN.fullmatch(self.secret_token):
            raise bad_request("secret token contains unallowed characters")
        try:
            parts = urlsplit(self.url)
            port = parts.port
        except ValueError:
            raise bad_request("invalid webhook URL specified") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise bad_request("invalid webhook URL specified")
        if _is_loopback(parts.hostname):
            return  # Only a fake can reach it; there it may be plain HTTP on any port.
        if parts.scheme != "https":
            raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
        if (port or 443) not in WEBHOOK_PORTS:
            raise bad_request("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")


class UpdateQueue:
    """Safe for threads. `retry_seconds` is the first wait after a failed delivery; it doubles up to a minute.

    `on_reply` gets the method call that a webhook may answer with.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        retry_seconds: float,
        on_reply: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._clock = clock
        self._retry_seconds = retry_seconds
        self._on_reply = on_reply
        self._changed = threading.Condition()
        self._pending: deque[dict[str, Any]] = deque()
        self._next_id = 100_000_001
        self._webhook: Webhook | None = None
        self._allowed: frozenset[str] = frozenset()  # kinds of updates; none: all
        self._last_error: tuple[int, str] | None = None
        self._poll = 0
        self._closed = True
        self._worker: threading.Thread | None = None

    def start(self) -> None:
        with self._changed:
            self._closed = False
        self._worker = threading.Thread(target=self._carry, name="fake-telegram-webhook", daemon=True)
        self._worker.start()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def add(self, kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Makes the next update, such as {"update_id": ..., "message": ...}. One of a kind that is not allowed goes to
        nobody."""
        with self._changed:
            update = {"update_id": self._next_id, kind: dict(content)}
            self._next_id += 1
            if not self._allowed or kind in self._allowed:
                self._pending.append(update)
                self._changed.notify_all()
        return update

    def set_webhook(
        self, webhook: Webhook | None, *, drop_pending: bool = False, allowed: Collection[str] | None = None
    ) -> str:
        """Sets the webhook, or deletes it with None; what Telegram says about it.

        allowed: the kinds of updates that are made from now on, none for all; None leaves it as it is.
        """
        with self._changed:
            allows_others = self._allow(allowed)
            same = webhook == self._webhook and not drop_pending and not allows_others
            self._webhook = webhook
            if drop_pending:
                self._pending.clear()
            if same:
                return "Webhook is already set" if webhook else "Webhook is already deleted"
            self._last_error = None
            self._changed.notify_all()
            return "Webhook was set" if webhook else "Webhook was deleted"

    def webhook_info(self) -> dict[str, Any]:
        """A WebhookInfo object."""
        with self._changed:
            info: dict[str, Any] = {
                "url": self._webhook.url if self._webhook else "",
                "has_custom_certificate": False,
                "pending_update_count": len(self._pending),
            }
            if self._webhook:
                info["max_connections"] = self._webhook.max_connections
            if self._allowed:
                info["allowed_updates"] = sorted(self._allowed)
            if self._last_error:
                info["last_error_date"], info["last_error_message"] = self._last_error
            return info

    def get(
        self, offset: int, limit: int, timeout: float, allowed: Collection[str] | None = None
    ) -> list[dict[str, Any]]:
        """The pending updates from `offset` on; those before it are forgotten. Waits up to `timeout` seconds for one.

        allowed: as for set_webhook. Raises ApiError (409) while a webhook is set, or when another call takes over.
        """
        with self._changed:
            self._refuse_beside_webhook()
            self._allow(allowed)
            self._poll += 1
            poll = self._poll
            self._changed.notify_all()
            self._forget_before(offset)
            self._changed.wait_for(
                lambda: bool(self._pending or self._webhook or self._closed) or poll != self._poll, timeout
            )
            if self._webhook:
                raise ApiError(409, "Conflict: terminated by setWebhook request")
            if poll != self._poll:
                raise ApiError(
                    409,
                    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
                )
            return list(self._pending)[:limit]

    def _allow(self, kinds: Collection[str] | None) -> bool:
        """Whether that changes something."""
        before = self._allowed
        if kinds is not None:
            self._allowed = frozenset(kinds)
        return self._allowed != before

    def _refuse_beside_webhook(self) -> None:
        if self._webhook:
            raise ApiError(
                409,
                "Conflict: can't use getUpdates method while webhook is active; "
                "use deleteWebhook to delete the webhook first",
            )

    def _forget_before(self, offset: int) -> None:
        if offset < 0:
            offset = self._next_id + offset
        while self._pending and self._pending[0]["update_id"] < offset:
            self._pending.popleft()

    def _carry(self) -> None:
        """The worker: one update after the other, each until the webhook takes it."""
        failures = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_over() or (self._webhook is not None and bool(self._pending)))
                if self._is_over() or self._webhook is None:
                    return
                webhook, update = self._webhook, self._pending[0]
            error = self._deliver(webhook, update)
            with self._changed:
                if error is None:
                    failures = 0
                    if self._pending and self._pending[0] is update:
                        self._pending.popleft()
                    continue
                self._last_error = (int(self._clock()), error)
                wait = min(self._retry_seconds * 2**failures, LONGEST_BACKOFF)
                failures += 1
                self._changed.wait_for(partial(self._is_replaced, webhook), wait)

    def _is_replaced(self, webhook: Webhook) -> bool:
        return self._is_over() or self._webhook != webhook

    def _is_over(self) -> bool:
        """Whether the calling worker is to end; after a restart there is another one."""
        return self._closed or self._worker is not threading.current_thread()

    def _deliver(self, webhook: Webhook, update: Mapping[str, Any]) -> str | None:
        """Carries one update; None when it was taken, else what went wrong."""
        headers = {"Content-Type": "application/json"}
        if webhook.secret_token:
            headers["X-Telegram-Bot-Api-Secret-Token"] = webhook.secret_token
        request = urllib.request.Request(webhook.url, json.dumps(update).encode(), headers, method="POST")
        try:
            with _NO_PROXY.open(request, timeout=DELIVERY_TIMEOUT) as answer:
                self._reply(answer.read())
        except urllib.error.HTTPError as error:
            return f"Wrong response from the webhook: {error.code} {error.reason}"
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            return "Connection timed out" if isinstance(reason, TimeoutError) else f"Connection failed: {reason}"
        return None

    def _reply(self, body: bytes) -> None:
        try:
            reply = json.loads(body)
        except ValueError:
            return
        if isinstance(reply, dict) and isinstance(reply.get("method"), str):
            self._on_reply(reply)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
