"""Sends messages to your Telegram chat by invoking Botte's Lambda function.

>>> from botte_lambda_client import BotteLambdaClient
>>> with BotteLambdaClient("botte-prod-message") as client:
...     client.send_message("Backup done")
"""

from ._client import Accepted, AuthenticationError, BotteError, Delivered, NotFound, Refused, Unavailable
from ._lambda import BotteLambdaClient
from ._message import InvalidMessage

__all__ = [
    "Accepted",
    "AuthenticationError",
    "BotteError",
    "BotteLambdaClient",
    "Delivered",
    "InvalidMessage",
    "NotFound",
    "Refused",
    "Unavailable",
]
