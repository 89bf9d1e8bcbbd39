"""What ``botte run`` tells of a command, and other text, as the HTML of a message."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from ._contract.escaping import escaped
from ._contract.message import clean, has_words

if TYPE_CHECKING:
    from ._run import Outcome

_SHOWN_UNITS = 3500  # of UTF-16, as Telegram counts: with the first line it fits into one message


def preformatted(text: str) -> str:
    """The text as HTML that shows it as it is, in letters of one width. What has nothing to show stays like that."""
    return f"<pre>{escaped(text, 'HTML')}</pre>" if has_words(clean(text)) else text


def write_report(name: str, outcome: Outcome, lines: int) -> str:
    """The message about a command that has ended, as HTML."""
    mark = "✅" if outcome.code == 0 else "❌"
    who = f"<b>{escaped(name, 'HTML')}</b> on {escaped(os.uname().nodename, 'HTML')}"
    first = f"{mark} {who}: exit code {outcome.code}{_signal(outcome.code)}, {_duration(outcome.seconds)}"
    last = preformatted(outcome.last_lines(lines, _SHOWN_UNITS)) if lines else ""
    return f"{first}\n{last}" if last.strip() else first


def _signal(code: int) -> str:
    try:
        return f" ({signal.Signals(code - 128).name})"
    except ValueError:
        return ""


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
