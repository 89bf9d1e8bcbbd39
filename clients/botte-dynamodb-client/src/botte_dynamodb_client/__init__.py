"""Sends messages to your Telegram chat by putting items into Botte's task table in DynamoDB.

>>> from botte_dynamodb_client import BotteDynamodbClient
>>> with BotteDynamodbClient("botte-prod-tasks") as client:
...     client.send_message("Backup done")
"""

from ._client import Accepted, AuthenticationError, BotteError, Delivered, NotFound, Refused, Status, Unavailable
from ._dynamodb import BotteDynamodbClient
from ._message import InvalidMessage, Message

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
]
