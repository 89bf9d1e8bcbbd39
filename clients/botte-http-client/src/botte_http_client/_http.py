"""The client of the HTTP door."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import requests

from ._shared.client import (
    Accepted,
    AuthenticationError,
    BotteError,
    Client,
    Delivered,
    NotFound,
    Refused,
    Status,
    Unavailable,
    address,
    check_id,
    make_heartbeat,
    make_message,
    naming,
    pause,
    read_invalid,
    to_json,
)

_LOST = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)
_ADDRESS, _TOKEN = "the address (BOTTE_URL)", "the API token (BOTTE_TOKEN)"
_TOO_MUCH = re.compile("/(message|hook|health|version|openapi.json)(/.*)?$")
_VISIBLE_ASCII = re.compile("[\x21-\x7e]+")
_WRONG_PATH = re.compile("^Missing Authentication Token$|Authorization header")


class BotteHttpClient(Client):
    """Sends through Botte's HTTP door; anything on the Internet can.

    Every message has an idempotency key, kept across retries: a retry never doubles it. Retried is what may pass: no
    connection, no or half an answer, 409, 429 and 5xx.

    base_url: such as ``https://<api>.execute-api.<region>.amazonaws.com/api``; else ``BOTTE_URL``.
    api_token: else ``BOTTE_TOKEN``.
    connect_timeout, read_timeout: seconds; the door takes up to 29 seconds to answer.
    retries: how often after the first attempt. backoff: seconds before the first retry, then doubling.
    max_wait: the longest wait, in seconds, that ``Retry-After`` may ask for; for more, Unavailable is raised at once.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_token: str | None = None,
        *,
        connect_timeout: float = 5.0,
        read_timeout: float = 35.0,
        retries: int = 3,
        backoff: float = 0.5,
        max_wait: float = 30.0,
    ) -> None:
        self._base_url = _checked_url(address("base_url", base_url, "BOTTE_URL").strip())
        self._token = _Authorization(api_token or os.environ.get("BOTTE_TOKEN") or "")
        self._timeout = (connect_timeout, read_timeout)
        self._retries, self._backoff, self._max_wait = retries, backoff, max_wait
        self._session = requests.Session()
        # Nothing of a session changes from one request to the next, so threads can share it.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def __repr__(self) -> str:
        return f"BotteHttpClient({self._base_url!r})"

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
        key = str(message.id)
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        with naming(message):
            try:
                answer = self._call("POST", "/message", data=to_json(message).encode(), headers=headers)
            except _InFlight:
                return Accepted(key)
            return Accepted(answer["id"]) if answer.status == 202 else Delivered(answer["message_id"], answer.json)

    def send_heartbeat(
        self, name: str, *, every: int | str, chat: str | None = None, sender_app: str | None = None
    ) -> float:
        message = make_heartbeat(name, every, chat, sender_app)
        headers = {"Content-Type": "application/json"}
        return float(self._call("POST", "/message", data=to_json(message).encode(), headers=headers)["due_at"])

    def get_status(self, id: str) -> Status:
        """What became of a message that was accepted, or that had an id.

        Raises NotFound where nothing is kept under the id, InvalidMessage for what cannot be one; other BotteErrors.
        """
        check_id(id)
        answer = self._call("GET", f"/message/{quote(id, safe='')}")
        known = {name: answer[name] for name in Status.__dataclass_fields__}
        return Status(**{**known, "message_ids": tuple(answer["message_ids"])})

    def health(self) -> bool:
        """Whether the door answers. It sends no token, and does not try again."""
        try:
            return bool(self._request("GET", "/health", auth=_no_token)["status"] == "ok")
        except BotteError:
            return False

    def version(self) -> str:
        """The version of the Botte that answers. It sends no token."""
        return str(self._call("GET", "/version", auth=_no_token)["version"])

    def close(self) -> None:
        self._session.close()

    def _call(self, method: str, path: str, **options: Any) -> _Answer:
        """The answer of the door, after as many attempts as it takes. Raises BotteError."""
        attempt = 0
        while True:
            try:
                return self._request(method, path, **options)
            except Unavailable as error:
                wait = max(pause(attempt, self._backoff, self._max_wait), error.retry_after or 0.0)
                if attempt == self._retries or wait > self._max_wait:
                    raise
            time.sleep(wait)
            attempt += 1

    def _request(self, method: str, path: str, **options: Any) -> _Answer:
        """The answer of the door, after one attempt. Raises BotteError."""
        options = {"auth": self._token, "timeout": self._timeout, "allow_redirects": False, **options}
        try:
            response = self._session.request(method, self._base_url + path, **options)
        except _LOST as error:
            # The text of such an error is not for people, and nobody knows what it will hold one day.
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise NotFound(f"the certificate of {self._base_url} is not trusted: check {_ADDRESS}") from None
            reason = f"{self._base_url} gives no answer ({type(error).__name__}): check the connection, and {_ADDRESS}"
            raise Unavailable(reason) from None
        except (OSError, ValueError) as error:  # a RequestException is an OSError
            check = f"check {_ADDRESS}, and what the environment says of proxies and certificates"
            raise NotFound(f"{self._base_url} cannot be used ({type(error).__name__}): {check}") from None
        answer = _Answer.of(response, self._base_url)
        answer.check()
        return answer


@dataclass(frozen=True)
class _Answer:
    status: int
    json: dict[str, Any]
    text: str
    retry_after: float | None
    base_url: str

    @classmethod
    def of(cls, response: requests.Response, base_url: str) -> _Answer:
        try:
            parsed = json.loads(response.content)
        except (ValueError, RecursionError):
            parsed = None
        found = parsed if isinstance(parsed, dict) else {}
        text = str(found.get("Message") or found.get("message") or "")
        # API Gateway, and others on the way, may repeat what they were sent.
        token = response.request.headers.get("Authorization", "").removeprefix("Bearer ")
        text = _hide(text, token) if token else text
        return cls(response.status_code, found, text, _seconds(response), base_url)

    def __getitem__(self, name: str) -> Any:
        if name not in self.json:
            raise self._not_botte()
        return self.json[name]

    def check(self) -> None:
        """Raises what the answer means, if it is not a good one. Only Botte's own errors have a ``Code``."""
        own, text = "Code" in self.json, self.text
        if self.status in (200, 202) and self.json:
            return
        if self.status in (400, 413, 415, 422) and own:
            raise read_invalid(text)
        # To a wrong path API Gateway says 403 as well.
        if self.status in (401, 403) and (own or not _WRONG_PATH.search(text)):
            raise AuthenticationError(f"{text or 'the API token is not taken'}: check {_TOKEN}")
        if self.status == 404 and own:
            raise NotFound(f"{text}: nothing was sent with it, or it was too long ago")
        if self.status == 409 and own:
            raise _InFlight("a message with this id is being sent right now", retry_after=self.retry_after)
        if self.status == 502 and own:
            raise Refused(text.partition(": ")[2])
        if self.status in (200, 202, 429) or self.status >= 500:
            reason = f"Botte answered {self.status}: {text or 'not in JSON'}"
            raise Unavailable(reason, retry_after=self.retry_after)
        raise self._not_botte()

    def _not_botte(self) -> NotFound:
        too_much = _TOO_MUCH.search(self.base_url)
        advice = f"leave out {too_much[0]} at the end of" if too_much else "check"
        return NotFound(f"{self.base_url} answered {self.status}, but not as Botte does: {advice} {_ADDRESS}")


class _InFlight(Unavailable):
    """An earlier attempt has brought the message in: it will be delivered."""


class _Authorization(requests.auth.AuthBase):
    """Puts the API token into a request. As ``auth``, a password of .netrc cannot take its place."""

    def __init__(self, token: str) -> None:
        self._token = token.strip()
        if not self._token:
            raise AuthenticationError("api_token is missing: pass it, or set BOTTE_TOKEN")
        if not _VISIBLE_ASCII.fullmatch(self._token):
            what = "has visible ASCII characters only, without spaces: leave out what was copied with it"
            raise AuthenticationError(f"{_TOKEN} is malformed: a token {what}")

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _no_token(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _hide(text: str, token: str) -> str:
    """The text without the token, in any case, and as it stands in an address."""
    known = "|".join(re.escape(each) for each in (token, quote(token, safe="")))
    return re.sub(known, "<api token>", text, flags=re.IGNORECASE)


def _checked_url(url: str) -> str:
    """An address that can be one, without a slash at its end. Raises NotFound, which does not show it."""
    advice = _advice(url)
    if advice:
        like = "https://<api>.execute-api.<region>.amazonaws.com/api"
        raise NotFound(f"{_ADDRESS} must be like {like}: {advice}")
    return url.rstrip("/")


def _advice(url: str) -> str | None:
    """What to change of an address that cannot be one."""
    if re.search(r"[\x00-\x20\x7f]", url):
        return "leave out spaces and line breaks"
    try:
        parts = urlsplit(url)
    except ValueError:
        return "check its host"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "it has to begin with https:// and a host"
    if "@" in parts.netloc:
        return "leave out the user and the password before @"
    rest = re.search("[?#]", url)
    return f"leave out {rest[0]} and what follows" if rest else None


def _seconds(response: requests.Response) -> float | None:
    """``Retry-After``, in seconds or as a date (https://www.rfc-editor.org/rfc/rfc9110#name-retry-after)."""
    value = response.headers.get("Retry-After", "")
    if value.isdecimal():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (TypeError, ValueError, OverflowError):
        return None
    date = date if date.tzinfo else date.replace(tzinfo=timezone.utc)
    return max(0.0, (date - datetime.now(timezone.utc)).total_seconds())
