"""The lines of docs/senders.md that try a sender, pasted into a shell: in the chat is what the page shows."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.doors import Doors, texts
from tests.recipes.conftest import TakeQueue
from tests.recipes.page import ROOT, SECTIONS, Section, section
from tools.dev.aws import EmbeddedAws
from tools.dev.fake_telegram import FakeTelegram
from tools.rehearsal.senders import AWS, run_in_shell

TRIED = [each for each in SECTIONS if each.to_try]


@pytest.fixture
def twin(doors: Doors, aws: EmbeddedAws) -> Iterator[EmbeddedAws]:
    """The embedded AWS of the doors, whose function can be invoked."""
    aws.functions = doors.functions
    yield aws
    aws.functions = None


def run(script: str, doors: Doors, twin: EmbeddedAws) -> None:
    """Runs lines that are written for the twin's own ports."""
    for of_page, of_test in {
        "http://127.0.0.1:8000": doors.url,
        "http://127.0.0.1:4566": twin.url,
        ".venv/bin/aws": str(AWS),
        "curl ": "curl --silent --show-error --fail ",
    }.items():
        script = script.replace(of_page, of_test)
    assert run_in_shell(script, os.environ, ROOT) == 0


@pytest.mark.parametrize(
    "recipe",
    [pytest.param(each, id=each.title, marks=[pytest.mark.slow] if "aws " in each.to_try else []) for each in TRIED],
)
def test_what_is_tried_arrives_as_the_page_shows_it(
    recipe: Section, doors: Doors, twin: EmbeddedAws, take_queue: TakeQueue, telegram: FakeTelegram
) -> None:
    _yours, twins, derived = section("AWS").blocks("sh")
    run("\n".join([twins, derived, recipe.to_try]), doors, twin)
    take_queue()
    assert sorted(texts(telegram.messages)) == sorted(shown.words for shown in recipe.shown)
