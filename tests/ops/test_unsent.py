"""The queue of the SQS door is closed and emptied before it goes; a queue that does not empty is opened again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tools.ops.stage import Stage, StageError
from tools.ops.unsent import empty_queues


class DrainingStage(Stage):
    """A stage whose queue has so many messages, each time it is asked, the last for good. state: of its mapping."""

    def __init__(self, *counts: int, state: str = "Enabled") -> None:
        super().__init__("prod")
        self._counts = list(counts)
        self._state = state
        self.policy = ""

    @property
    def closed(self) -> bool:
        return bool(self.policy) and json.loads(self.policy)["Statement"][0]["Action"] == "sqs:SendMessage"

    def find(self, service: str, operation: str, **arguments: object) -> Any:
        return {"QueueUrl": "url"} if arguments["QueueName"] == "botte-prod-messages" else None

    def pages(self, service: str, operation: str, key: str, **arguments: object) -> Iterator[Any]:
        arn = "arn:aws:lambda:us-east-1:123456789012:function:botte-prod-sqs_message"
        yield {"FunctionArn": arn, "State": self._state}

    def call(self, service: str, operation: str, **arguments: Any) -> Any:
        if operation == "set_queue_attributes":
            self.policy = arguments["Attributes"]["Policy"]
        elif operation == "receive_message":
            return {}
        elif "Policy" in arguments["AttributeNames"]:
            return {"Attributes": {"QueueArn": "arn", **({"Policy": self.policy} if self.policy else {})}}
        else:
            assert self.closed  # a count before that tells nothing
            count = self._counts.pop(0) if len(self._counts) > 1 else self._counts[0]
            return {"Attributes": {"ApproximateNumberOfMessages": "0", arguments["AttributeNames"][1]: str(count)}}
        return {}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.ops.unsent._POLL_SECONDS", 0.0)
    monkeypatch.setattr("tools.ops.unsent._CLOSING_SECONDS", 0.0)
    monkeypatch.setattr("tools.ops.unsent._PATIENCE_SECONDS", 0.2)


def test_a_queue_is_waited_for_while_its_function_takes_what_is_in_it() -> None:
    stage = DrainingStage(3, 3, 2, 1, 0)
    assert empty_queues(stage, *stage.queues) == "botte-prod-messages is closed, and none holds a message"
    assert stage.closed


@pytest.mark.parametrize("stage", [DrainingStage(2), DrainingStage(2, state="Disabled"), DrainingStage(3, 2)])
def test_a_queue_that_does_not_empty_is_opened_again(stage: DrainingStage) -> None:
    with pytest.raises(StageError, match="messages would be deleted: 2 in botte-prod-messages"):
        empty_queues(stage, *stage.queues)
    assert not stage.closed


def test_a_queue_that_was_closed_before_stays_closed() -> None:
    stage = DrainingStage(0)
    empty_queues(stage, *stage.queues)
    stage._counts = [1]
    with pytest.raises(StageError, match="1 in botte-prod-messages"):
        empty_queues(stage, *stage.queues)
    assert stage.closed
