"""Sends messages to your Telegram chat through Botte's SQS queue.

>>> from botte_sqs_client import BotteSqsClient
>>> with BotteSqsClient("botte-prod-messages") as client:
...     client.send_message("Backup done")
"""

from ._contract.message import InvalidMessage, Message
from ._shared.client import Accepted, AuthenticationError, BotteError, Delivered, NotFound, Refused, Status, Unavailable
from ._sqs import BotteSqsClient

__version__ = "0.1.0"
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
    "Status",
    "Unavailable",
    "__version__",
]
