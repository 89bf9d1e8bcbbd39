"""Sends messages to your Telegram chat by putting items into Botte's task table in DynamoDB.

>>> from botte_dynamodb_client import BotteDynamodbClient
>>> with BotteDynamodbClient("botte-prod-tasks") as client:
...     client.send_message("Backup done")
"""

from ._contract.message import InvalidMessage, Message
from ._dynamodb import BotteDynamodbClient
from ._shared.client import Accepted, AuthenticationError, BotteError, Delivered, NotFound, Refused, Status, Unavailable

__version__ = "0.1.0"
__all__ = [
    "Accepted",
    "AuthenticationError",
    "BotteDynamodbClient",
    "BotteError",
    "Delivered",
    "InvalidMessage",
    "Message",
    "NotFound",
    "Refused",
    "Status",
    "Unavailable",
    "__version__",
]
