"""Sends messages to your Telegram chat by invoking Botte's Lambda function.

>>> from botte_lambda_client import BotteLambdaClient
>>> with BotteLambdaClient("botte-prod-message") as client:
...     client.send_message("Backup done")
"""

from ._contract.message import InvalidMessage, Message
from ._lambda import BotteLambdaClient
from ._shared.client import Accepted, AuthenticationError, BotteError, Delivered, NotFound, Refused, Status, Unavailable

__version__ = "0.1.0"
__all__ = [
    "Accepted",
    "AuthenticationError",
    "BotteError",
    "BotteLambdaClient",
    "Delivered",
    "InvalidMessage",
    "Message",
    "NotFound",
    "Refused",
    "Status",
    "Unavailable",
    "__version__",
]
