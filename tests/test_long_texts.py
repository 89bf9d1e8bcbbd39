"""20,000 characters arrive complete, in order and formatted, whatever the door."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.doors import Doors, item, queue_record, stream_record, texts
from tests.rendering.reading import looks, read, visible
from tools.dev.fake_telegram import FakeTelegram
from tools.dev.fake_telegram.markup import Entity

pytestmark = pytest.mark.slow

LENGTH = 20_000
LOG = """\
06:00:{number:02}.105 INFO  [worker-3] GET /api/v1/items/{number}?a=1&b=2 200 31ms
06:00:{number:02}.540 ERROR [worker-2] Traceback (most recent call last):
  File "/srv/app/main.py", line 88, in handle
    return self.pool[key]
KeyError: 'Zürich – 東京 🚀 <{number}>'

"""
HTML = """\
<b>Night {number}: <i>two <u>jobs</u></i> failed</b>
<blockquote expandable>The first one, <a href="https://example.com/{number}?a=1&amp;b=2">job <s>a</s> b</a>,
is behind <tg-spoiler>&lt;a secret&gt;</tg-spoiler>.</blockquote>
<pre><code class="language-python">def job(x):
    if x &lt; {number}:
        return "👩🏽‍🚀"
</code></pre>
"""
MARKDOWN = """\
*Night {number}: _two __jobs___ failed*
>The first one, [job ~a~ b](https://example.com/{number}?a=\\(1\\)),
>is behind ||a secret||\\.||
```python
def job(x):
    # Telegram keeps a hundred entities of a message, so that one with more of them has to be cut sooner.
    return "👩🏽‍🚀" * {number}
```
"""

DOORS: dict[str, Callable[[Doors, dict[str, Any]], object]] = {
    "HTTP": lambda doors, message: doors.post(message),
    "Lambda": lambda doors, message: doors.invoke(message),
    "DynamoDB": lambda doors, message: doors.stream(
        stream_record(item({name: {"S": value} for name, value in message.items()}, sort_key="s1"))
    ),
    "SQS": lambda doors, message: doors.queue(queue_record(json.dumps(message), "m1")),
}


def long(sample: str) -> str:
    text = ""
    for number in range(1000):
        more = sample.format(number=number)
        if len(text + more) > LENGTH:
            break
        text += more
    return text


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("parse_mode", "sample"),
    [pytest.param(None, LOG, id="log"), ("HTML", HTML), ("MarkdownV2", MARKDOWN)],
)
def test_a_long_text_arrives_as_it_was_written(
    doors: Doors, telegram: FakeTelegram, door: str, parse_mode: str | None, sample: str
) -> None:
    text = long(sample)
    assert len(text) > LENGTH - 500
    DOORS[door](doors, {"text": text} | ({"parse_mode": parse_mode} if parse_mode else {}))
    assert 5 <= len(telegram.messages) <= 10
    arrived = [
        look
        for sent in telegram.messages
        for look in visible(looks(sent["text"], [Entity(**entity) for entity in sent["entities"]]))
    ]
    assert arrived == visible(looks(*read(text, parse_mode)))
    assert all(sent.get("parse_mode") == parse_mode for sent in telegram.messages)
    assert max(map(len, texts(telegram.messages))) <= 4096
