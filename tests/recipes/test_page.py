"""What docs/senders.md shows is what comes, and what it leads to is there."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from chalicelib.contract.message import Message
from chalicelib.senders import SENDERS
from tests.recipes.page import PAGE, ROOT, SECTIONS, Section, Shown, section
from tools.senders import main

SHOWN = [shown for each in SECTIONS for shown in each.shown]


@pytest.mark.parametrize("shown", [each for each in SHOWN if each.sample], ids=lambda shown: shown.sample)
def test_a_sample_looks_as_the_page_shows_it(shown: Shown) -> None:
    printed = (ROOT / f"tests/senders/samples/{shown.sample}.txt").read_text()
    assert shown.text == printed.rpartition("\n\nsender: ")[0]


@pytest.mark.parametrize("sender", SENDERS)
def test_each_sender_has_its_place_on_the_page(sender: str) -> None:
    assert any(shown.sample.startswith(sender) for shown in SHOWN)


def test_what_the_page_links_to_is_there() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", PAGE):
        path, _, anchor = target.partition("#")
        page = (ROOT / "docs" / path).resolve() if path else ROOT / "docs" / "senders.md"
        assert page.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
            assert anchor in [re.sub(r"[^a-z0-9 -]", "", each.lower()).replace(" ", "-") for each in headings], target


def test_each_recipe_is_found_from_the_top_of_the_page() -> None:
    top = PAGE.partition("\n## ")[0]
    for recipe in [each for each in SECTIONS if each.shown]:
        assert f"[{recipe.title}](#" in top


def test_grafana_knows_the_settings_of_its_contact_point() -> None:
    """https://grafana.com/docs/grafana/latest/alerting/set-up/provision-alerting-resources/file-provisioning/"""
    [block] = section("Grafana").blocks("yaml")
    provisioned = yaml.safe_load(block)
    assert provisioned.keys() == {"apiVersion", "contactPoints"}
    [contact_point] = provisioned["contactPoints"]
    assert contact_point.keys() == {"orgId", "name", "receivers"}
    [receiver] = contact_point["receivers"]
    assert receiver.keys() == {"uid", "type", "settings"}
    assert receiver["type"] == "webhook"
    assert receiver["settings"].keys() == {"url", "httpMethod", "authorization_scheme", "authorization_credentials"}


def test_the_bodies_that_a_user_writes_are_messages() -> None:
    bodies = [json.loads(block) for each in SECTIONS for block in each.blocks("json")]
    assert len([Message.from_fields(body, now=0.0) for body in bodies]) == 2


def test_the_command_that_shows_a_payload_shows_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [command] = section("Trying it").blocks("sh")
    _, _, module, path = command.split()
    assert module == "tools.senders"
    monkeypatch.chdir(ROOT)
    assert main([path]) == 0
    assert capsys.readouterr().out == (ROOT / path).with_suffix(".txt").read_text()


@pytest.mark.parametrize("recipe", SECTIONS, ids=lambda each: each.title)
def test_zsh_reads_the_lines_as_other_shells_do(recipe: Section) -> None:
    """To zsh, ``:`` behind a variable without braces is a modifier, ``?`` without quotes a pattern, ``#`` a word."""
    for block in [*recipe.blocks("sh"), recipe.to_try]:
        assert not re.search(r"\$\w+:|^#|\s#|^[^']*https?:[^' ]*\?", block, re.MULTILINE)
