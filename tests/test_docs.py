"""The pages lead where they say, and the reference names what there is."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from chalicelib import settings
from chalicelib.contract.message import FIELDS
from chalicelib.doors.openapi import document
from chalicelib.settings import VERSION, Settings

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(chain(ROOT.glob("*.md"), ROOT.glob("docs/*.md"), ROOT.glob("clients/*/README.md")))
REFERENCE = (ROOT / "docs" / "reference.md").read_text()


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^(```|~~~).*?^\1\n", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def links(page: Path) -> Iterator[str]:
    """The links of a page, and its pictures, but those to other sites."""
    yield from re.findall(r"\]\((?![a-z+]+:)([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", prose(page)))


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in an address, as GitHub has it: the second of a name has a number."""
    found: list[str] = []
    for heading in re.findall(r"^#{1,6} (.*)$", prose(page), re.MULTILINE):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        found.append(re.sub(r"[^\w -]", "", words).replace(" ", "-"))
    return {name if not (twice := found[:at].count(name)) else f"{name}-{twice}" for at, name in enumerate(found)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_each_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/*.md")), ids=lambda page: page.name)
def test_each_page_is_led_to_from_another(page: Path) -> None:
    others = [other for other in PAGES if other != page]
    assert any((other.parent / link.partition("#")[0]).resolve() == page for other in others for link in links(other))


def section(title: str) -> str:
    return REFERENCE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_reference_has_every_field_of_a_message() -> None:
    assert [name for name in FIELDS if f"`{name}`" not in section("The message")] == []


def test_the_reference_has_every_variable_that_a_stage_reads() -> None:
    read = re.findall(r"environ\.get\(\"([A-Z]\w+)\"\)", inspect.getsource(Settings))
    assert len(read) == 7
    assert [name for name in read if f"`{name}`" not in section("Settings")] == []


def test_the_reference_has_every_parameter() -> None:
    names = [settings.BOT_TOKEN, settings.CHATS, settings.MUTES, settings.HTTP_API_TOKEN]
    names += [settings.HOOK_TOKENS, settings.WEBHOOK_SECRET]
    assert re.findall(r"^\| `([a-z-]+)` \|", section("Parameters"), re.MULTILINE) == names


def test_the_reference_has_every_path_of_the_http_door_and_every_status_that_it_answers() -> None:
    paths = document(VERSION, "/")["paths"]
    operations = [(method, path, found) for path, methods in paths.items() for method, found in methods.items()]
    for method, path, operation in operations:
        assert f"`{method.upper()} {path.replace('{', '<').replace('}', '>')}`" in section("HTTP")
        for status in operation["responses"]:
            assert re.search(rf"^\|.*\b{status}\b.*\|", section("HTTP"), re.MULTILINE), status


def test_chalice_guesses_the_policy_that_the_page_shows() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    [shown] = re.findall(r"^\$ .*chalice gen-policy\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    chalice = Path(sys.executable).with_name("chalice")
    printed = subprocess.check_output([chalice, "gen-policy"], cwd=ROOT / "botte-app", text=True)
    assert shown.strip() == printed.strip()
