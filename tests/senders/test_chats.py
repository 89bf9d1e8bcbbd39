"""Posts made for Slack, Discord and what is compatible with them: their markup, links and colours."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from chalicelib import senders
from chalicelib.contract.message import Message
from chalicelib.senders.markup import from_markdown, to_markdown
from chalicelib.telegram.markup import parse

SAMPLES = Path(__file__).parent / "samples"


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def recognised(payload: object) -> senders.Recognised:
    found = senders.recognise(payload)
    assert found is not None
    return found


def words(payload: object) -> str:
    fields = recognised(payload).fields
    return parse(fields["text"], fields.get("parse_mode")).words


def buttons(payload: object) -> list[tuple[str, str]]:
    rows = recognised(payload).fields.get("reply_markup", {}).get("inline_keyboard", [])
    return [(button["text"], button["url"]) for row in rows for button in row]


@pytest.mark.parametrize(
    ("payload", "sender"),
    [
        ({"text": "hi", "username": "ci"}, "slack"),
        ({"text": "hi", "channel": "#ops"}, "slack"),
        ({"text": "hi", "icon_emoji": ":wave:"}, "slack"),
        ({"text": "hi", "response_type": "in_channel"}, "slack"),
        ({"text": "see <https://example.com|this>"}, "slack"),
        ({"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "hi"}}]}, "slack"),
        ({"attachments": [{"text": "hi"}]}, "slack"),
        ({"alias": "ci", "avatar": "https://example.com/a.png", "text": "hi"}, "slack"),
        ({"content": "hi"}, "discord"),
        ({"content": "hi", "username": "ci", "avatar_url": "https://example.com/a.png"}, "discord"),
        ({"content": None, "embeds": [{"title": "hi"}], "attachments": []}, "discord"),
    ],
)
def test_a_post_is_known_by_its_smallest_shape(payload: object, sender: str) -> None:
    assert recognised(payload).sender == sender


@pytest.mark.parametrize("post", [{"text": "hi", "username": "ci"}, {"content": "hi"}, {"embeds": [{"title": "hi"}]}])
@pytest.mark.parametrize("option", ["chat", "parse_mode", "id", "sender_app", "photo", "deliver_at", "chat_id"])
def test_what_has_an_option_of_bottes_own_is_no_post(post: dict[str, Any], option: str) -> None:
    assert senders.recognise(post | {option: "x"}) is None


@pytest.mark.parametrize(
    "payload",
    [
        {"text": "hi"},
        {"text": "2 < 3 | <b>x</b> <https://example.com>"},
        {"text": "hi", "x": 1},
        {"blocks": [{"type": "divider"}]},
        {"blocks": ["hi"], "attachments": {}},
        {"attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": {}}]},
        {"attachments": [{"filename": "a.txt", "base64": "YQ=="}]},
        {"content": "hi", "author": "ann"},
        {"content": "\u200b"},
        {"embeds": ["hi"]},
        {"components": [{"name": "cpu"}]},
    ],
)
def test_what_only_resembles_a_post_is_not_taken_for_one(payload: object) -> None:
    assert senders.recognise(payload) is None


@pytest.mark.parametrize(
    ("mrkdwn", "shown"),
    [
        ("*bold* and _italic_, `a*b*c`", "bold and italic, a*b*c"),
        ("2 * 3 * 4 and 2*3*4 and 2*3* 4, *.log and *.txt", "2 * 3 * 4 and 2*3*4 and 2*3* 4, *.log and *.txt"),
        ("snake_case_name __init__ _x", "snake_case_name __init__ _x"),
        ("a &lt; b &amp;&amp; b &gt; c, &amp;lt;", "a < b && b > c, &lt;"),
        ("<@U1> <@U1|ann> <#C1|ops> <!here> <!subteam^S1|@team>", "@U1 @ann #ops @here @team"),
        ("<!date^1392734382^{date}|18 Feb 2014>", "18 Feb 2014"),
        ("<mailto:a@example.com|a@example.com> <mailto:b@example.com>", "a@example.com b@example.com"),
        ("<https://example.com/a_b_c>", "https://example.com/a_b_c"),
        ("a < b and <b>c</b>", "a < b and <b>c</b>"),
        (":warning: :unknown_code: 10:30:45", "⚠️ :unknown_code: 10:30:45"),
        ("```\nx = 2 * 3 * 4\n```", "x = 2 * 3 * 4"),
        ("*<https://example.com|[JIRA-1] Fix (now)>*", "[JIRA-1] Fix (now)"),
        ("> quoted\n• *item*", "> quoted\n• item"),
    ],
)
def test_the_markup_of_slack_becomes_words(mrkdwn: str, shown: str) -> None:
    assert words({"text": f"first\n{mrkdwn}", "username": "ci"}) == f"first\nci\n\n{shown}"


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("# Title\n### Other\n-# small\n#1 is no title", "Title\nOther\nsmall\n#1 is no title"),
        ("**bold** ***both*** *one* \\*kept\\*", "bold both one *kept*"),
        ("[label](https://example.com/a_(b))", "[label](https://example.com/a_(b))"),
        ('[label](<https://example.com/> "title")', "label (https://example.com/)"),
        ("[https://example.com](https://example.com)", "https://example.com"),
        ("![graph](https://example.com/g.png)", "graph (https://example.com/g.png)"),
        ("`[a](https://example.com)` \x000\x00", "[a](https://example.com) 0"),
        ("**see https://example.com/_x_ now**", "see https://example.com/_x_ now"),
        ("un**closed, ```and `this", "un**closed, ```and `this"),
    ],
)
def test_markdown_becomes_words(markdown: str, shown: str) -> None:
    assert from_markdown(markdown) == shown


def test_html_becomes_words() -> None:
    html = (
        "<p>a &lt; b</p><ul><li>one</li><li>two</li></ul>1 < 2<br>see <a class='x' href='https://example.com/'>it</a>"
    )
    assert from_markdown(to_markdown(html)) == "a < b\none\ntwo\n1 < 2\nsee it (https://example.com/)"


def test_discords_mentions_and_times_are_words() -> None:
    content = "<@!1> <@&2> <#3> <a:wave:4> <t:1618953630:R> ||secret|| @everyone"
    assert words({"content": content}) == "@user @role #channel :wave: 2021-04-20 21:20 UTC secret @everyone"


def test_a_time_in_discord_is_that_of_the_calendar() -> None:
    """For 400 years, after which the calendar repeats itself."""
    times = range(0, 400 * 31_556_952, 4_000_037)  # each 46 days
    shown = words({"content": "\n".join(f"<t:{seconds}>" for seconds in times)}).split("\n")
    assert [line for line in shown if line] == [
        f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%d %H:%M} UTC" for seconds in times
    ]


def test_beside_blocks_the_text_is_not_shown() -> None:
    """It is what Slack puts into its notifications. It is shown where the blocks have no words."""
    block = {"type": "section", "text": {"type": "mrkdwn", "text": "from the block"}}
    assert words({"text": "fallback", "blocks": [block]}) == "from the block"
    assert words({"text": "fallback", "blocks": [{"type": "divider"}], "username": "ci"}) == "fallback\nci"


def test_a_fallback_is_shown_only_where_there_is_nothing_else() -> None:
    assert words({"attachments": [{"fallback": "short", "text": "long"}]}) == "long"
    assert words({"attachments": [{"fallback": "short"}]}) == "short"


def test_links_in_words_are_buttons_while_they_are_few() -> None:
    """Of many, each address stands where its label does. An address that is there twice is one button."""
    links = [f"[build {number}](https://ci.example.com/{number})" for number in range(6)]
    assert buttons({"content": " ".join(links[:5] * 2)}) == [
        (f"build {number}", f"https://ci.example.com/{number}") for number in range(5)
    ]
    assert words({"content": " ".join(links[:2])}) == "build 0 build 1"
    assert buttons({"content": "Builds\n" + " ".join(links)}) == []
    assert words({"content": "Builds\n" + links[0] + " ".join(links[1:])}).startswith(
        "Builds\nbuild 0 (https://ci.example.com/0)"
    )


def test_the_label_of_a_button_is_the_one_that_was_made_for_it() -> None:
    post = sample("slack")
    assert buttons(post) == [("Open", "https://ci.example/1")]


def test_no_address_is_lost() -> None:
    """More than eight buttons, and addresses that Telegram takes in no button, are lines."""
    actions = [{"type": "button", "text": f"b{n}", "url": f"https://example.com/{n}"} for n in range(10)]
    post = {"attachments": [{"text": "first\nsecond", "actions": actions}]}
    assert [label for label, _ in buttons(post)] == [f"b{n}" for n in range(8)]
    assert words(post) == "first\nsecond\n\nb8: https://example.com/8\nb9: https://example.com/9"
    assert words({"content": "see [it](http://localhost:9090/x)"}) == "see it\nit: http://localhost:9090/x"
    assert words({"embeds": [{"title": "CPU", "image": {"url": "attachment://graph.png"}}]}) == "CPU"


@pytest.mark.parametrize("label", ["", " ", "\u200b", "x" * 5000, "*", "\n\n"])
def test_any_label_makes_a_button_that_is_taken(label: str) -> None:
    actions = [{"type": "button", "text": {"type": "plain_text", "text": label}, "url": "https://example.com/"}]
    fields = recognised({"blocks": [{"type": "header", "text": "hi"}, {"type": "actions", "elements": actions}]}).fields
    assert Message.from_fields(fields, now=0.0).reply_markup


@pytest.mark.parametrize(
    ("colour", "mark"),
    [
        *[("danger", "🔴 "), ("warning", "🟡 "), ("good", "🟢 "), ("", ""), ("#ggg", ""), ("439FE0", "")],
        *[("#e01e5a", "🔴 "), ("D63232", "🔴 "), ("#ff0000", "🔴 "), ("#ff6347", "🔴 ")],
        *[("#daa038", "🟡 "), ("#FF8000", "🟡 "), ("#f1c40f", "🟡 "), ("#ffff00", "🟡 ")],
        *[("#2eb886", "🟢 "), ("#36a64f", "🟢 "), ("#00ff00", "🟢 "), ("#57f287", "🟢 ")],
        *[("#ffffff", ""), ("#000000", ""), ("#808080", ""), ("#5865f2", ""), ("#ff00ff", ""), ("#9b59b6", "")],
    ],
)
def test_a_colour_is_a_mark(colour: str, mark: str) -> None:
    assert words({"attachments": [{"color": colour, "title": "Build", "text": "#7"}]}) == f"{mark}Build\n#7"
    if re.fullmatch("#[0-9a-fA-F]{6}", colour):
        assert words({"embeds": [{"color": int(colour[1:], 16), "title": "Build"}]}) == f"{mark}Build"


def test_each_part_has_a_mark_of_its_own() -> None:
    """The first line tells how that is which it names; a title with a sign of its own has no other."""
    green, red = {"title": "search", "color": 0x00FF00}, {"title": "checkout", "color": 0xFF0000}
    assert words({"embeds": [green, red]}) == "🟢 search\n🔴 checkout"
    assert words({"embeds": [red | {"title": "✅ fixed"}]}) == "✅ fixed"
    assert words({"content": "Builds:", "embeds": [{"description": "failed", "color": 0xFF0000}]}) == (
        "🔴 Builds:\nfailed"
    )


def test_a_long_first_line_is_no_title() -> None:
    """What somebody wrote is not cut."""
    long = "word " * 100
    assert words({"text": f"{long}\nsecond", "username": "ci"}) == f"ci\n\n{long.strip()} \nsecond"


@pytest.mark.parametrize("piece", ["*", "`", "```", "[a](http://", "[[a]", "**a ", '<a href="http://a" ', "<@a", "\\*"])
def test_a_text_of_any_size_is_read_at_once(piece: str) -> None:
    """No pattern looks again and again at the same characters: that would take hours."""
    large = piece * (200_000 // len(piece))
    for payload in ({"content": f"first{large}"}, {"text": f"first{large}", "mrkdwn": True}):
        assert "first" in recognised(payload).fields["text"]
    assert to_markdown(large) is not None
