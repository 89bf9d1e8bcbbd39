"""A small Chalice app of Botte's shape, and the embedded AWS that it runs on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from chalice.app import Chalice, Rate

from tools.dev.aws import EmbeddedAws, Resources
from tools.dev.functions import Functions
from tools.dev.pump import Pump

Call = tuple[dict[str, Any], Any]


class Recorder:
    """Notes what each handler of the small app was called with, and fails or answers as a test wants.

    `respond[name]` takes the event and the context; what it raises or returns is what the handler does.
    """

    def __init__(self) -> None:
        self.respond: dict[str, Callable[[Any, Any], Any]] = {}
        self._calls: dict[str, list[Call]] = {}
        self._condition = threading.Condition()

    def handle(self, name: str, event: Any, context: Any) -> Any:
        with self._condition:
            self._calls.setdefault(name, []).append((event, context))
            self._condition.notify_all()
        respond = self.respond.get(name)
        return respond(event, context) if respond else None

    def calls(self, name: str) -> list[Call]:
        with self._condition:
            return list(self._calls.get(name, []))

    def records(self, name: str) -> list[dict[str, Any]]:
        return [record for event, _ in self.calls(name) for record in event["Records"]]

    def wait_for(self, name: str, done: Callable[[list[Call]], bool], timeout: float = 30.0) -> list[Call]:
        """Waits until the calls of one handler satisfy `done`."""
        with self._condition:
            assert self._condition.wait_for(lambda: done(self._calls.get(name, [])), timeout), self._calls
            return list(self._calls[name])

    def wait_for_records(self, name: str, count: int) -> list[dict[str, Any]]:
        self.wait_for(name, lambda calls: sum(len(event["Records"]) for event, _ in calls) >= count)
        return self.records(name)


def small_app(recorder: Recorder, stream_arn: str, *, batch_size: int = 100) -> Chalice:
    app = Chalice(app_name="botte", configure_logs=False)

    @app.route("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.lambda_function(name="message")
    def message(event: Any, context: Any) -> Any:
        return recorder.handle("message", event, context)

    @app.on_dynamodb_record(stream_arn, batch_size=batch_size, name="dynamodb_message")
    def dynamodb_message(event: Any) -> Any:
        return recorder.handle("dynamodb_message", event.to_dict(), event.context)

    @app.on_sqs_message(queue="botte-local-messages", batch_size=10, name="sqs_message")
    def sqs_message(event: Any) -> Any:
        return recorder.handle("sqs_message", event.to_dict(), event.context)

    @app.schedule(Rate(1, unit=Rate.MINUTES), name="redeliver")
    def redeliver(event: Any) -> Any:
        return recorder.handle("redeliver", event.to_dict(), event.context)

    return app


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as running:
        yield running


@pytest.fixture
def resources(aws: EmbeddedAws) -> Resources:
    return aws.create_resources(bot_token="42:local", chat_id=2137200685)


@pytest.fixture
def functions(recorder: Recorder, aws: EmbeddedAws) -> Iterator[Functions]:
    """The handlers of the small app behind the Invoke API of the embedded AWS; no stream, so it starts fast."""
    made = Functions(small_app(recorder, "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/s"), "local")
    aws.functions = made
    yield made
    made.stop()


StartPump = Callable[..., Pump]


@pytest.fixture
def start_pump(aws: EmbeddedAws, resources: Resources, recorder: Recorder) -> Iterator[StartPump]:
    """Starts the pump of the small app with the options given: `batch_size`, and those of `Pump`."""
    running: list[Pump] = []

    def start(*, batch_size: int = 100, **options: Any) -> Pump:
        app = small_app(recorder, resources.stream_arn, batch_size=batch_size)
        pump = Pump(app, Functions(app, "local"), aws, retry_delays=(0.01, 0.05), **options)
        pump.start()
        running.append(pump)
        return pump

    yield start
    for pump in running:
        pump.stop()
