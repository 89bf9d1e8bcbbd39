"""What AWS's own senders have in common, and what is inside an envelope of SNS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib import senders
from chalicelib.contract.message import MAX_TEXT_BYTES, Message
from chalicelib.senders.unknown import named_values

SAMPLES = Path(__file__).parent / "samples"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:alarms"


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def fields(payload: object) -> dict[str, Any]:
    recognised = senders.recognise(payload)
    assert recognised is not None
    return recognised.fields


def in_sns(message: object, **envelope: str) -> dict[str, Any]:
    """What SNS makes of a message for a queue or an address."""
    words = message if isinstance(message, str) else json.dumps(message)
    return {"Type": "Notification", "MessageId": "m-1", "TopicArn": TOPIC, "Message": words, **envelope}


def to_lambda(*messages: object) -> dict[str, Any]:
    """What SNS makes of messages for a function."""
    return {"Records": [{"EventSource": "aws:sns", "Sns": in_sns(message)} for message in messages]}


def test_an_alarm_and_its_end_have_one_collapse_key_however_they_come() -> None:
    names = ("alarm_sns", "alarm_sns_ok", "alarm_event", "alarm_lambda", "sns_lambda_alarm", "sns_queue_alarm")
    assert {fields(sample(name))["collapse_key"] for name in names} == {
        "alarm:arn:aws:cloudwatch:eu-central-1:123456789012:alarm:orders-5xx"
    }


def test_time_series_of_one_alarm_end_each_for_itself() -> None:
    """Else the end of one would hide that another goes on."""
    event = sample("alarm_event_contributor")
    of_alarm = fields(event | {"detail": event["detail"] | {"alarmContributor": None}})["collapse_key"]
    assert fields(event)["collapse_key"] == f"{of_alarm}:6d442278dba546f6"
    through_sns = sample("alarm_sns") | {"AlarmArn": event["resources"][0], "AlarmContributorId": "6d442278dba546f6"}
    assert fields(through_sns)["collapse_key"] == fields(event)["collapse_key"]


def test_an_alarm_without_its_arn_stands_for_itself() -> None:
    assert "collapse_key" not in fields(sample("alarm_sns") | {"AlarmArn": None})


@pytest.mark.parametrize(
    ("state", "head", "is_quiet"),
    [
        ("ALARM", "🔴 <b>orders-5xx: ALARM</b>", False),
        ("OK", "🟢 <b>orders-5xx: OK</b>", True),
        ("INSUFFICIENT_DATA", "🟡 <b>orders-5xx: INSUFFICIENT DATA</b>", False),
        ("NEW_STATE", "🟡 <b>orders-5xx: NEW STATE</b>", False),
    ],
)
def test_the_first_line_tells_the_state_of_an_alarm(state: str, head: str, is_quiet: bool) -> None:
    """Only the state that all hope for comes without a sound."""
    event = sample("alarm_event")
    event["detail"]["state"]["value"] = state
    action = sample("alarm_lambda")
    action["alarmData"]["state"]["value"] = state
    for payload in (sample("alarm_sns") | {"NewStateValue": state}, event, action):
        shown = fields(payload)
        assert shown["text"].splitlines()[0] == head
        assert shown.get("disable_notification", False) is is_quiet


def test_a_message_of_bottes_own_in_sns_is_taken_as_one() -> None:
    """All of its fields count, and the subject, which SNS's mails need, does not."""
    message = {"text": "hi from sns", "chat": "ops", "id": "m-7", "collapse_key": "backup"}
    for payload in (in_sns(message, Subject="ALARM: cpu high"), to_lambda(message)):
        assert fields(payload) == message
    assert fields(in_sns({"photo": "https://example.com/a.png"})) == {"photo": "https://example.com/a.png"}


def test_sns_in_sns_is_what_is_inside() -> None:
    alarm = sample("alarm_sns")
    assert fields(to_lambda(in_sns(in_sns(alarm)))) == fields(alarm)
    assert fields(in_sns(in_sns({"text": "hi"}), Subject="Outer")) == {"text": "hi"}


def test_what_any_sender_sends_through_sns_is_shown_as_from_itself() -> None:
    for name in ("alertmanager", "eventbridge", "s3", "destination_failure", "cost_anomaly_sns"):
        assert fields(in_sns(sample(name), Subject="Subject")) == fields(sample(name))


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"Type": "Notification", "Message": "disk full"}, "disk full"),
        ({"Type": "Notification", "Message": " 42 "}, "42"),
        ({"Type": "Notification", "Message": '{"default": "for all", "sms": "short"}'}, "for all"),
        ({"Type": "Notification", "Message": '{"default": "{\\"text\\": \\"hi\\"}"}'}, "hi"),
        ({"Type": "Notification", "Message": '{"disk": "full"}'}, "disk: full"),
        ({"Type": "Notification", "Message": '{"disk": "full"'}, '{"disk": "full"'),
        ({"Type": "Notification", "Message": {"text": "hi"}}, "hi"),
        ({"Type": "Notification", "Message": "<b>& more"}, "&lt;b&gt;&amp; more"),
        ({"Type": "Notification", "Message": "", "Subject": "Done"}, "<b>Done</b>"),
        ({"Type": "Notification", "Message": None, "TopicArn": TOPIC}, "<b>SNS topic alarms: no words</b>"),
        ({"Type": "Notification", "Message": '{"disk": "full"}', "Subject": "Disk"}, "<b>Disk</b>\ndisk: full"),
    ],
)
def test_whatever_is_in_sns_is_shown(payload: dict[str, Any], words: str) -> None:
    assert fields(payload)["text"] == words


def test_several_messages_in_one_event_are_all_shown() -> None:
    """In one message, that no other takes the place of."""
    shown = fields(to_lambda("1 < 2", {"text": "*a* < b", "chat": "ops"}))
    assert "1 &lt; 2" in shown["text"]
    assert "*a* &lt; b" in shown["text"]
    assert "collapse_key" not in shown


@pytest.mark.parametrize("sender", ["sns_subscription_confirmation", "sns_unsubscribe_confirmation"])
@pytest.mark.parametrize(
    ("address", "is_link"),
    [
        ("https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&Token=y", True),
        ("https://sns.cn-north-1.amazonaws.com.cn/?Action=ConfirmSubscription&Token=y", True),
        ("http://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&Token=y", False),
        ("https://sns.amazonaws.com.evil.example/", False),
        ("https://evilamazonaws.com/", False),
        ("https://evil.example/?.amazonaws.com", False),
        ("https://evil.example#.amazonaws.com", False),
        ("https://sns.amazonaws.com@evil.example/", False),
        ("https://evil.example\\.amazonaws.com/", False),
        ("https://[", False),
    ],
)
def test_a_subscription_is_confirmed_by_a_link_to_amazon_alone(sender: str, address: str, is_link: bool) -> None:
    """Any other address is shown in words, with a warning."""
    shown = fields(sample(sender) | {"SubscribeURL": address})
    links = [button["url"] for row in shown.get("reply_markup", {}).get("inline_keyboard", []) for button in row]
    assert links == ([address] if is_link else [])
    assert ("Do not open its address" in shown["text"]) is not is_link


@pytest.mark.parametrize("detail", [["disk full"], "disk full"])
def test_an_event_whose_detail_is_no_object_is_shown(detail: object) -> None:
    assert "disk full" in fields(sample("eventbridge") | {"detail": detail})["text"]


@pytest.mark.parametrize("value", [[1] * 20_000, ["é" * 1000] * 100, "é" * 200_000], ids=["many", "long", "one"])
def test_an_event_of_any_size_becomes_a_message_that_is_taken(value: object) -> None:
    """Each of the values is shown with its name: together they would be larger than a message may be."""
    event = sample("eventbridge") | {"detail": {"n" * 1000: value}}
    for payload in (event, in_sns(event["detail"])):
        message = Message.from_fields(fields(payload), now=0.0)
        assert "n" * 1000 in (message.text or "")


def test_a_name_that_many_values_share_takes_no_more_memory_than_a_message() -> None:
    values = named_values({"n" * 1000: [1] * 100_000})
    assert sum(len(name) + len(value) for name, value in values) < 2 * MAX_TEXT_BYTES
    assert values[-1] == ("…", "and more")


@pytest.mark.parametrize(
    "payload",
    [
        {"text": "hi", "chat": "ops"},
        {"text": "hi", "source": "app", "detail": {}},
        {"Type": "Notification", "text": "hi"},
        {"Records": [{"eventSource": "aws:sqs", "body": "hi"}]},
        {"Records": [{"EventSource": "aws:ses", "Sns": {}}]},
        {"alarmData": {"alarmName": "x"}},
        {"requestContext": {"http": {"method": "POST"}}, "requestPayload": {}},
        {"anomalyId": "x", "text": "hi"},
    ],
)
def test_what_only_resembles_a_sender_is_not_taken_for_it(payload: dict[str, Any]) -> None:
    assert senders.recognise(payload) is None
