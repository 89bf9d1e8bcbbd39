"""Sends messages to your Telegram chat through Botte's HTTP door.

>>> from botte_http_client import BotteHttpClient
>>> with BotteHttpClient("https://<api>.execute-api.<region>.amazonaws.com/api", "<api token>") as client:
...     client.send_message("Backup done")
"""

from ._client import Accepted, AuthenticationError, BotteError, Delivered, NotFound, Refused, Status, Unavailable
from ._http import BotteHttpClient
from ._message import InvalidMessage

__all__ = [
    "Accepted",
    "AuthenticationError",
    "BotteError",
    "BotteHttpClient",
    "Delivered",
    "InvalidMessage",
    "NotFound",
    "Refused",
    "Status",
    "Unavailable",
]
