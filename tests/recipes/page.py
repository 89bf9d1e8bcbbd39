"""docs/senders.md, taken apart."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "senders.md").read_text()


class Shown(NamedTuple):
    """How a message looks in the chat, as the page says. sample: that of tests/senders/samples; empty if it is none."""

    sample: str
    text: str

    @property
    def words(self) -> str:
        """The text of the message, without its buttons."""
        return "\n".join(line for line in self.text.splitlines() if not line.startswith("[ ")).strip()


class Section(NamedTuple):
    """What is below a heading."""

    title: str
    text: str

    def blocks(self, language: str) -> list[str]:
        """The blocks that set something up, or are to be copied."""
        return re.findall(rf"^```{language}\n(.*?)^```$", self.text.replace(self.to_try, ""), re.DOTALL | re.MULTILINE)

    @property
    def to_try(self) -> str:
        """The lines that try it on the twin; empty if there are none."""
        found = re.search(r"^Try it:\n\n```sh\n(.*?)^```$", self.text, re.DOTALL | re.MULTILINE)
        return found[1] if found else ""

    @property
    def shown(self) -> list[Shown]:
        pattern = r"(?:\(\.\./tests/senders/samples/(\w+)\.json\)[^\n]*\n\n)?^```text\n(.*?)\n```$"
        return [Shown(*found) for found in re.findall(pattern, self.text, re.DOTALL | re.MULTILINE)]


def _sections() -> list[Section]:
    parts = re.split(r"^##+ (.*)\n", PAGE, flags=re.MULTILINE)
    return [Section(title, text) for title, text in zip(parts[1::2], parts[2::2], strict=True)]


SECTIONS = _sections()


def section(title: str) -> Section:
    [found] = [each for each in SECTIONS if each.title == title]
    return found
