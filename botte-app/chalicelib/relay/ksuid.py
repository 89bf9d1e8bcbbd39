"""KSUIDs: ids that sort by the second they were made in. https://github.com/segmentio/ksuid

Made here, and not by a package, to keep the Lambda small.
"""

from __future__ import annotations

_EPOCH = 1_400_000_000
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def ksuid(now: float, random: bytes) -> str:
    """The KSUID for a time (epoch seconds) and 16 random bytes: 27 letters and digits."""
    if len(random) != 16:
        raise ValueError("a KSUID takes 16 random bytes")
    number = int.from_bytes((int(now) - _EPOCH).to_bytes(4, "big") + random, "big")
    digits = ""
    for _ in range(27):
        number, digit = divmod(number, 62)
        digits = _ALPHABET[digit] + digits
    return digits
