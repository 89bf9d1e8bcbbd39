"""Sends messages to your Telegram chat through Botte's SQS queue.

>>> from botte_sqs_client import BotteSqsClient
>>> with BotteSqsClient("botte-prod-messages") as client:
...     client.send_message("Backup done")
"""

from ._client import Accepted, AuthenticationError, BotteError, Delivered, NotFound, Refused, Unavailable
from ._message import InvalidMessage, Message
from ._sqs import BotteSqsClient

__all__ = [
    "Accepted",
    "AuthenticationError",
    "BotteError",
    "BotteSqsClient",
    "Delivered",
    "InvalidMessage",
    "Message",
    "NotFound",
    "Refused",
    "Unavailable",
]
