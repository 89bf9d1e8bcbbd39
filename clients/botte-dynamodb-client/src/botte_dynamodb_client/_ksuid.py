"""KSUIDs that rise: ids that sort by the second they were made in, and within it in the order of their making.

A group has the order in which the table's stream tells of its items. Of items that no stream tells of, Botte knows
nothing but the sort keys.
"""

from __future__ import annotations

import secrets
import threading

from ksuid import Ksuid

_lock = threading.Lock()
_last = 0


def next_ksuid() -> str:
    """A KSUID greater than every one that this process has made, whatever its threads, clients and clock do."""
    global _last
    made = int.from_bytes(bytes(Ksuid()), "big")
    with _lock:
        # The step is random, so that processes forked from this one go on differently.
        _last = max(made, _last + 1 + secrets.randbits(64))
        return str(Ksuid.from_bytes(_last.to_bytes(Ksuid.BYTES_LENGTH, "big")))
