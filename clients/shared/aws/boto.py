"""The client that stands on boto3, and what the errors of boto3 mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    ValidationError,
)

from ..client import AuthenticationError, BotteError, Client, NotFound, Unavailable

_NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, ProfileNotFound)
# https://docs.aws.amazon.com/awssupport/latest/APIReference/CommonErrors.html
_NOT_ALLOWED = (
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)
_NOT_THERE = ("ResourceNotFoundException", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
# The messages are valid: what AWS finds wrong is where they go, such as a table with another key.
_NOT_BOTTE = (
    "InvalidAddress",
    "InvalidParameterValue",
    "InvalidParameterValueException",
    "UnsupportedOperation",
    "ValidationException",
)


class AwsClient(Client):
    """A client that uses one boto3 client. resource: what it sends through, by name, ARN or URL."""

    def __init__(self, service: str, resource: str, client: Any, **options: Any) -> None:
        self._resource = resource
        self._is_own = client is None
        self._boto3: Any = client or make_client(service, **options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._resource!r})"

    def close(self) -> None:
        """Closes the connections, except those of a boto3 client that was passed in."""
        if self._is_own:
            self._boto3.close()


def make_client(service: str, session: Any, *, connect_timeout: float, read_timeout: float) -> Any:
    """A boto3 client, which threads may share. Times in seconds. Raises BotteError."""
    retries = {"mode": "standard", "total_max_attempts": 3}
    config = Config(connect_timeout=connect_timeout, read_timeout=read_timeout, retries=retries)
    with translated(f"AWS {service}"):
        return (session or boto3.Session()).client(service, config=config)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turns the errors of boto3 into those of the clients. what: the resource that is used."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise _translation(what, error) from error


def _translation(what: str, error: Exception) -> BotteError:
    if isinstance(error, ClientError):
        code = error.response["Error"]["Code"]
        if code in _NOT_ALLOWED:
            return AuthenticationError(f"{what}: {error}; check the AWS credentials and their permissions")
        if code in _NOT_THERE:
            return NotFound(
                f"{what} does not exist in this AWS account and region: check its name, and AWS_DEFAULT_REGION"
            )
        if code in _NOT_BOTTE:
            return NotFound(f"{what} takes no message: {error}; check its name")
    if isinstance(error, _NO_CREDENTIALS):
        return AuthenticationError(f"{what}: {error}; give AWS credentials, in the environment or with a session")
    if isinstance(error, NoRegionError):
        return NotFound(f"{what}: the region is missing; set AWS_DEFAULT_REGION, or pass a session that has one")
    if isinstance(error, (ParamValidationError, ValidationError)):
        return NotFound(f"{what}: {error}; check its name, and the region")
    return Unavailable(f"{what}: {error}")
