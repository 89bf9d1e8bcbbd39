"""Commits, as the hosts of repositories tell of them."""

from __future__ import annotations

from .payload import Payload, parts, text

MAX_COMMITS = 10


def commit_lines(payload: Payload, id_length: int) -> list[str]:
    """A line for each commit of a push, with so many characters of its id; of more than ten, the first."""
    commits = parts(payload, "commits")
    shown = commits[:MAX_COMMITS]
    lines = [f"{text(commit, 'id')[:id_length]} {first_line(text(commit, 'message'))}" for commit in shown]
    return lines if len(commits) <= MAX_COMMITS else [*lines, "…"]


def first_line(words: str) -> str:
    """The first line of a commit's message, which is its title."""
    return words.partition("\n")[0]
