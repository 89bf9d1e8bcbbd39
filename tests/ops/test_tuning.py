"""What Chalice cannot set is set on functions and mappings that are there, whatever state they are in."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from tools.dev.aws import EmbeddedAws, Resources
from tools.ops.checks_aws import check_async
from tools.ops.deployed import find_mappings
from tools.ops.mappings import differences, stream_settings, tune_mappings
from tools.ops.stage import Stage
from tools.ops.tuning import async_policies, tune_functions


@pytest.fixture
def stage(aws: EmbeddedAws, resources: Resources, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A stage whose functions and mappings are there as Chalice makes them, on the tables and the queue of the twin."""
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    stage = Stage("prod")
    stage.queue_name = resources.queue_url.rpartition("/")[2]
    role = aws.client("iam").create_role(RoleName="any", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "")
    client, sqs = aws.client("lambda"), aws.client("sqs")
    for name in stage.handlers.values():
        arguments = {"FunctionName": name, "Role": role, "Code": {"ZipFile": code.getvalue()}}
        client.create_function(**arguments, Runtime="python3.12", Handler="app.app")
    queue = sqs.get_queue_attributes(QueueUrl=resources.queue_url, AttributeNames=["QueueArn"])["Attributes"]
    sources = {"dynamodb_message": resources.stream_arn, "sqs_message": queue["QueueArn"]}
    made = [
        client.create_event_source_mapping(
            FunctionName=stage.handlers[handler], EventSourceArn=source, StartingPosition="LATEST"
        )
        for handler, source in sources.items()
    ]
    yield stage
    for mapping in made:
        client.delete_event_source_mapping(UUID=mapping["UUID"])
    for name in stage.handlers.values():
        client.delete_function(FunctionName=name)
    aws.client("iam").delete_role(RoleName="any")


def mappings(stage: Stage) -> list[Any]:
    return [each for name in ("dynamodb_message", "sqs_message") for each in find_mappings(stage, name)]


def test_mappings_that_are_off_are_switched_on(stage: Stage) -> None:
    for mapping in mappings(stage):
        stage.call("lambda", "update_event_source_mapping", UUID=mapping["UUID"], Enabled=False)
    assert [each["State"] for each in mappings(stage)] == ["Disabled", "Disabled"]
    told = tune_mappings(stage)
    assert told.startswith("stream: switched on again, filtered")
    assert "; queue: switched on again, 1000 attempts" in told
    assert [each["State"] for each in mappings(stage)] == ["Enabled", "Enabled"]
    assert differences(mappings(stage)[0], stream_settings(stage)) == []
    assert "switched on" not in tune_mappings(stage)


def test_a_run_of_the_schedule_that_has_to_wait_is_dropped_and_a_message_is_kept(stage: Stage) -> None:
    assert [finding.told for finding in check_async(stage) if finding.mend] == [
        "botte-prod-message has not 2 retries within 21600 s, then the failures queue",
        "botte-prod-redeliver has not 0 retries within 60 s",
    ]
    told = tune_functions(stage)
    assert told.endswith("async invokes of botte-prod-message: 2 retries within 6 h; of botte-prod-redeliver: none")
    for function, policy in async_policies(stage).items():
        found = stage.call("lambda", "get_function_event_invoke_config", FunctionName=function)
        assert {name: found[name] for name in policy} == policy
    assert [finding.mend for finding in check_async(stage)] == [None, None]
