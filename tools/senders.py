"""Shows what a sender's payload looks like in the chat: ``python -m tools.senders FILE``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from chalicelib.contract.message import InvalidMessage, parse_json
from chalicelib.senders import recognise, unknown
from chalicelib.telegram.markup import parse


def show(body: str) -> Iterator[str]:
    """The lines that show a body: its words and buttons, its sender and options. Raises InvalidMessage."""
    payload = parse_json(body)
    recognised = recognise(payload)
    fields = recognised.fields if recognised else unknown.read(payload)
    if fields is None:
        raise InvalidMessage("body", "has no words")
    yield from parse(str(fields["text"]), fields.get("parse_mode")).words.splitlines()
    for row in fields.get("reply_markup", {}).get("inline_keyboard", []):
        yield " ".join(f"[ {button['text']} ] {button['url']}" for button in row)
    yield ""
    yield f"sender: {recognised.sender if recognised else 'not recognised'}"
    for option in ("collapse_key", "disable_notification"):
        if option in fields:
            yield f"{option}: {fields[option]}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.senders", description=__doc__)
    parser.add_argument("file", type=Path, help="a payload, as the sender sends it")
    try:
        print("\n".join(show(parser.parse_args(arguments).file.read_text())))
    except (InvalidMessage, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
