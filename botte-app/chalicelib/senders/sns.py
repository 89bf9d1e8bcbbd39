"""SNS, to Lambda, over HTTPS and around the body of a queue's message.

https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
https://docs.aws.amazon.com/sns/latest/dg/http-notification-json.html
https://docs.aws.amazon.com/sns/latest/dg/http-subscription-confirmation-json.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from ..contract.message import InvalidMessage, check_url, parse_json
from ..senders import recognise
from . import unknown
from .notice import Fields, Notice
from .payload import Payload, part, parts, text

_AMAZON = re.compile(r"sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")
_CONFIRMATIONS = ("SubscriptionConfirmation", "UnsubscribeConfirmation")
# What MessageStructure "json" is for. Without it, the object for all of them arrives.
# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
_PROTOCOLS = {"default", "http", "https", "email", "email-json", "sms", "sqs", "lambda", "firehose", "application"}


def read(payload: Payload) -> Fields | None:
    """What somebody published, or a subscription that wants to be confirmed; None for anything else."""
    envelopes = [part(each, "Sns") for each in parts(payload, "Records") if text(each, "EventSource") == "aws:sns"]
    if len(envelopes) > 1:  # SNS does not do that
        words = [text(envelope, name) for envelope in envelopes for name in ("Subject", "Message")]
        return Notice(title=f"{len(envelopes)} messages of SNS", body="\n\n".join(filter(None, words))).to_fields()
    if envelopes:
        return _notification(envelopes[0])
    if text(payload, "Type") == "Notification" and "Message" in payload:
        return _notification(payload)
    return _confirmation(payload) if text(payload, "Type") in _CONFIRMATIONS and "SubscribeURL" in payload else None


def _notification(envelope: Payload) -> Fields:
    fields = _inner(envelope.get("Message"), text(envelope, "Subject"))
    return fields or Notice(title=text(envelope, "Subject") or f"{_topic(envelope)}: no words").to_fields()


def _inner(message: object, subject: str) -> Fields | None:
    """What is in an envelope: a sender's JSON, a message of Botte's own, or words."""
    value = _parsed(message) if isinstance(message, str) else message
    if isinstance(value, Mapping):
        if text(value, "default") and value.keys() <= _PROTOCOLS:
            return _inner(value["default"], subject)
        recognised = recognise(value)
        if recognised:
            return recognised.fields
        if any(text(value, name) for name in ("text", "photo", "document")):
            return dict(value)
    if isinstance(value, str) and value.strip():
        return Notice(title=subject, body=value).to_fields()
    return unknown.read(value, subject)


def _parsed(message: str) -> object:
    try:
        value = parse_json(message)
    except InvalidMessage:
        return message
    return value if isinstance(value, (Mapping, list)) else message


def _confirmation(envelope: Payload) -> Fields:
    """Botte fetches nothing: whoever reads it opens the link, which is a link only if it leads to Amazon."""
    address, is_new = text(envelope, "SubscribeURL"), text(envelope, "Type") == _CONFIRMATIONS[0]
    is_amazons = _is_amazons(address)
    return Notice(
        mark="🟡",
        title=f"{_topic(envelope)} {'wants to send here' if is_new else 'no longer sends here'}",
        lines=[text(envelope, "TopicArn")],
        body="" if is_amazons else f"Do not open its address. It is odd, as it is not Amazon's:\n{address}",
        links=[("Confirm the subscription" if is_new else "Subscribe again", address)] if is_amazons else [],
    ).to_fields()


def _topic(envelope: Payload) -> str:
    return f"SNS topic {text(envelope, 'TopicArn').rpartition(':')[2]}".strip()


def _is_amazons(address: str) -> bool:
    try:
        check_url("SubscribeURL", address, ("https",))
    except InvalidMessage:
        return False
    return _AMAZON.fullmatch(urlsplit(address).hostname or "") is not None
