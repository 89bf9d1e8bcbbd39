"""Sends messages to your Telegram chat through Botte's HTTP door.

>>> from botte_http_client import BotteHttpClient
>>> with BotteHttpClient("https://<api>.execute-api.<region>.amazonaws.com/api", "<api token>") as client:
...     client.send_message("Backup done")
"""

from typing import TYPE_CHECKING

from ._contract.message import InvalidMessage, Message
from ._shared.client import Accepted, AuthenticationError, BotteError, Delivered, NotFound, Refused, Status, Unavailable

if TYPE_CHECKING:
    from ._http import BotteHttpClient

__version__ = "0.1.0"
__all__ = [
    "Accepted",
    "AuthenticationError",
    "BotteError",
    "BotteHttpClient",
    "Delivered",
    "InvalidMessage",
    "Message",
    "NotFound",
    "Refused",
    "Status",
    "Unavailable",
    "__version__",
]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Imports the client, and with it requests, when it is asked for: the command's help needs neither."""
        if name != "BotteHttpClient":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from ._http import BotteHttpClient

        return BotteHttpClient
