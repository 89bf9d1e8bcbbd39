"""The owner is told of what was parked, by the app and on DynamoDB. ``outbox/test_parkings.py`` has the rest."""

from __future__ import annotations

import pytest

from chalicelib.doors.queue import read_queue
from chalicelib.relay.parkings import PAUSE_SECONDS
from tests.conftest import NewRelay
from tests.doors import Clock, Doors, Script, Table, item, queue_record, stream_record
from tests.notices import notices
from tools.dev.fake_telegram import FakeTelegram

BAD = '{"chat_id": 5}'
RUN = 90.0


def test_what_each_function_parks_is_told_in_one_message(doors: Doors, telegram: FakeTelegram) -> None:
    assert doors.queue(queue_record(BAD, "queued")).function_error is None
    assert doors.stream(stream_record(item({"chat_id": {"N": "5"}}, sort_key="s1"))).function_error is None
    assert doors.invoke({"chat_id": 5}).function_error == "Unhandled"
    assert doors.redeliver().function_error is None
    assert [message["text"] for message in telegram.messages] == [
        "3 messages were parked, the first because: "
        "chat_id: raw chat ids are not taken; name a configured chat in 'chat'\n"
        "make failed STAGE=local lists them, make redrive STAGE=local sends them again."
    ]


@pytest.mark.parametrize("count", [0, 1])
def test_the_count_comes_and_goes_on_dynamodb(new_relay: NewRelay, table: Table, clock: Clock, count: int) -> None:
    sender = Script(clock)
    relay = new_relay(sender=sender)

    def queue(*ids: str) -> None:
        relay.take(read_queue([queue_record(BAD, id) for id in ids]), deadline=clock() + RUN)

    queue("one", "two")
    relay.redeliver(deadline=clock() + RUN)
    queue(*["three"] * count)
    for _ in range(2):
        clock.now += PAUSE_SECONDS
        relay.redeliver(deadline=clock() + RUN)
    assert [int(text.split()[0]) for text in notices(text for _, _, text in sender.calls)] == [2, 1][: 1 + count]
    parked = str(2 + count)
    assert table.row("count") == {"PK": "PARKINGS", "SK": "count", "Parked": parked, "Told": parked}
