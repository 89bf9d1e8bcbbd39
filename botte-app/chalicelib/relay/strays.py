"""Chats that are configured no more, and to which a delivery is owed still."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from itertools import islice

from ..errors import TableUnavailable
from ..outbox.table import Outbox

STRAYS_SECONDS = 900.0
MAX_STRAYS = 50  # lanes that are read in a run beside the configured ones
MAX_SEARCH_SECONDS = 2.0

_log = logging.getLogger("botte.relay")


class Strays:
    """Finds in ``outbox`` to which chats deliveries are owed: those to others than the configured are to be parked.

    clock: epoch seconds.
    """

    def __init__(self, outbox: Outbox, *, clock: Callable[[], float]) -> None:
        self._chats: dict[str, None] = {}
        self._outbox = outbox
        self._clock = clock
        self._search: Iterator[str] | None = None
        self._searched = 0.0

    def some(self, names: Collection[str]) -> list[str]:
        """Some that were found, and are none of the configured names. Those to which is owed still are found again."""
        some = list(islice(self._chats, MAX_STRAYS))
        for chat in some:
            del self._chats[chat]
        return [chat for chat in some if chat not in names]

    def look(self) -> None:
        """Looks for them: every 15 minutes, for 2 s, and in the next run on."""
        now = self._clock()
        if self._search is None and now >= self._searched + STRAYS_SECONDS:
            self._search, self._searched = self._outbox.chats(), now
        try:
            for chat in self._search or ():
                self._chats[chat] = None
                if self._clock() > now + MAX_SEARCH_SECONDS:
                    return
        except TableUnavailable as error:
            _log.warning("chats that are configured no more are not looked for", extra={"reason": error.reason})
        self._search = None
