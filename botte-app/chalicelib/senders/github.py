"""GitHub, and those whose payloads are like its own: Gitea, Forgejo and Gogs.

https://docs.github.com/en/webhooks/webhook-events-and-payloads
https://docs.gitea.com/usage/webhooks

Only a header names the event, so it is told by what the payload has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .commits import commit_lines, first_line
from .notice import Fields, Notice, collapse_key
from .payload import Payload, part, parts, text
from .unknown import named_values

# Marks and words of states and conclusions. One that is not known is not taken for a good one.
_STATES = {
    "success": ("🟢", "succeeded"),
    "failure": ("🔴", "failed"),
    "error": ("🔴", "failed"),
    "timed_out": ("🔴", "timed out"),
    "startup_failure": ("🔴", "failed to start"),
    "cancelled": ("🟡", "cancelled"),
    "action_required": ("🟡", "action required"),
    "stale": ("🟡", "stale"),
    "waiting": ("🟡", "waits for approval"),
    **dict.fromkeys(
        ("neutral", "skipped", "inactive", "requested", "created", "queued", "pending", "in_progress"), ("", "")
    ),
}
# The most particular first: a job comes with its deployment, and that with the run which made it.
_RUNS = ("deployment_status", "workflow_job", "deployment", "workflow_run", "check_run", "check_suite")
_REVIEWS = {
    "approved": "approved",
    "changes_requested": "requests changes to",
    "dismissed": "dismissed a review of",
    "pull_request_review_approved": "approved",
    "pull_request_review_rejected": "requests changes to",
}
_ACTIONS = {"synchronize": "got new commits", "synchronized": "got new commits", "create": "created"}
_ENDS = ("fixed", "resolve", "dismiss", "auto_dismiss", "closed")  # how the actions begin that end an alert
_NAMES = ("title", "full_name", "name", "tag_name", "login")
_NOUNS = {"forkee": "Fork", "hook": "Webhook", "key": "Deploy key", "rule": "Branch protection rule"}
# What comes with many events, and is the subject of none; and what somebody gives a workflow.
_OTHERS = ("label", "assignee", "requested_reviewer")
_AMBIENT = ("repository", "sender", "organization", "installation", "enterprise", "changes", "action", *_OTHERS)
_GIVEN = ("inputs", "client_payload")
_NUMBERED = ("pull_request", "issue", "discussion")  # a repository counts these together
_REPOSITORY_ACTIONS = ("created", "deleted", "archived", "unarchived", "edited", "renamed", "transferred")


def read(payload: Payload) -> Fields | None:
    """An event of a repository or an organization, or the ping of a new webhook; None for anything else."""
    if text(payload, "zen") and "hook_id" in payload:
        lines = [_place(payload), text(payload, "zen")]
        return Notice(title="GitHub's webhook works", lines=lines, is_quiet=True).to_fields()
    if not _place(payload) or not _who(payload):
        return None
    run = next((name for name in _RUNS if part(payload, name)), "")
    if {"ref", "before", "after"} <= payload.keys():
        notice = _push(payload)
    elif {"ref", "ref_type"} <= payload.keys():
        verb = "created" if {"master_branch", "sha"} & payload.keys() else "deleted"
        notice = _event(payload, f"{_who(payload)} {verb} {text(payload, 'ref_type')} {text(payload, 'ref')}")
    elif run or {"context", "state", "sha"} <= payload.keys():
        notice = _run(payload, run, part(payload, run) if run else payload)
    elif part(payload, "comment") or part(payload, "review"):
        notice = _remark(payload)
    elif part(payload, "alert"):
        notice = _alert(payload, part(payload, "alert"))
    else:
        notice = _thing(payload) if _subject(payload) else _rest(payload)
    return notice.to_fields()


def _event(payload: Payload, title: str, *facts: str, url: str = "", key: Sequence[str] = (), **more: Any) -> Notice:
    """What all events have in common: where it was and who did it. key: the name of what it is about."""
    place = _place(payload) if title.startswith(_who(payload)) else f"{_place(payload)}, by {_who(payload)}"
    links = [("Open", url or text(payload, "repository", "html_url"))]
    name = collapse_key("github", _place(payload), *key) if key else None
    return Notice(title=title, lines=[*facts, place], links=links, collapse_key=name, **more)


def _place(payload: Payload) -> str:
    return text(payload, "repository", "full_name") or text(payload, "organization", "login")


def _who(payload: Payload) -> str:
    return text(payload, "sender", "login")


def _push(payload: Payload) -> Notice:
    kind, _, name = text(payload, "ref").removeprefix("refs/").partition("/")
    where = f"tag {name}" if kind == "tags" else name or kind
    commits, after = parts(payload, "commits"), text(payload, "after")
    count = text(payload, "total_commits") or str(len(commits))
    if payload.get("deleted") is True or (after and not after.strip("0")):
        what = f"deleted {where}"
    elif not commits:
        what = f"pushed {where}"
    else:
        verb = "force-pushed" if payload.get("forced") is True else "pushed"
        what = f"{verb} {count} commit{'' if count == '1' else 's'} to {where}"
    lines = commit_lines(payload, 7)
    url = text(payload, "compare") or text(payload, "compare_url")
    return _event(payload, f"{_who(payload)} {what}", *lines, url=url)


def _run(payload: Payload, name: str, run: Payload) -> Notice:
    """A workflow, a job, a check, a deployment, or the status that another tool gives a commit."""
    deployment = part(payload, "deployment")
    title = text(run, "context") or text(run, "name") or text(payload, "workflow", "name") or text(run, "app", "name")
    key = (name, text(run, "id")) if name else (text(run, "sha"), title)
    if name.startswith("deployment"):
        title = f"Deployment to {text(deployment, 'environment') or '?'}"
        key = ("deployment", text(deployment, "id"))
    elif name == "workflow_job":
        title = " / ".join(filter(None, (text(run, "workflow_name"), title)))
    state = text(run, "conclusion") or text(run, "state") or text(run, "status") or text(payload, "action")
    mark, words = _STATES.get(state, ("🟡", ""))
    branch = text(run, "head_branch") or text(run, "check_suite", "head_branch")
    return _event(
        payload,
        f"{title or 'Workflow'}: {words or state.replace('_', ' ') or '?'}{f' on {branch}' if branch else ''}",
        text(run, "display_title") or first_line(text(run, "head_commit", "message")) or text(run, "output", "title"),
        text(run, "description"),
        *(f"Failed: {text(step, 'name')}" for step in parts(run, "steps") if text(step, "conclusion") == "failure"),
        mark=mark,
        details=text(run, "output", "summary"),
        url=text(run, "html_url") or text(run, "target_url") or text(run, "log_url"),
        key=key,
        is_quiet=mark in ("", "🟢"),
    )


def _remark(payload: Payload) -> Notice:
    """A comment or a review. It has no key: a second must not take the place of the first."""
    remark, action = part(payload, "comment") or part(payload, "review"), text(payload, "action")
    if not part(payload, "comment"):
        verb = _REVIEWS.get(text(remark, "state") or text(remark, "type"), "reviewed")
    else:
        verb = "commented on" if action == "created" else f"{action or 'changed'} a comment on"
    name = _subject(payload)
    thing, title = _described(name, part(payload, name))
    if name in ("comment", "review"):
        thing, title = f"commit {text(remark, 'commit_id')[:7]}", ""
    words = f"{_who(payload)} {verb} {_lowered(thing)}{f': {title}' if title else ''}"
    url, body = text(remark, "html_url"), text(remark, "body") or text(remark, "content")
    return _event(payload, words, body=body, url=url or text(part(payload, name), "html_url"))


def _alert(payload: Payload, alert: Payload) -> Notice:
    """What Dependabot, or the scanning of code or secrets, found. Each has numbers of its own."""
    action, advisory, rule = text(payload, "action"), part(alert, "security_advisory"), part(alert, "rule")
    name = text(alert, "dependency", "package", "name") or text(alert, "affected_package_name")
    severity = text(advisory, "severity") or text(rule, "security_severity_level") or text(rule, "severity")
    words = text(advisory, "summary") or text(rule, "description") or text(alert, "secret_type_display_name")
    words = words or text(alert, "secret_type") or name
    is_over = action.startswith(_ENDS)
    return _event(
        payload,
        f"Security alert {_ACTIONS.get(action, action.replace('_', ' '))}{f': {words}' if words else ''}",
        ", ".join(filter(None, (severity, name or text(alert, "most_recent_instance", "location", "path")))),
        mark="🟢" if is_over else "🔴",
        details=text(advisory, "description") or text(rule, "full_description"),
        url=text(alert, "html_url"),
        key=("alert", text(alert, "html_url") or text(alert, "id")),
        is_quiet=is_over,
    )


def _thing(payload: Payload) -> Notice:
    """A pull request, an issue, a release, and anything else that something is done to."""
    name, action = _subject(payload), text(payload, "action")
    thing = part(payload, name)
    what, title = _described(name, thing)
    if "thread" in payload:
        action = f"thread {action}"
    elif thing.get("merged") is True and action == "closed":
        action = "merged"
    number, head, base = text(thing, "number"), text(thing, "head", "ref"), text(thing, "base", "ref")
    others = [_described(other, part(payload, other)) for other in _OTHERS if other != name and part(payload, other)]
    key = (f"#{number}",) if name in _NUMBERED else (name, number or text(thing, "id"))
    return _event(
        payload,
        f"{what} {_ACTIONS.get(action, action.replace('_', ' '))}".strip() + (f": {title}" if title else ""),
        f"{head} → {base}" if head and base else "",
        *map(": ".join, others),
        details=text(thing, "body") or ("" if title else _values(thing)),
        url=text(thing, "html_url"),
        key=key if number or name == "release" else (),
    )


def _rest(payload: Payload) -> Notice:
    """What has no subject: it is about the repository itself, or shown as it is."""
    action = text(payload, "action").replace("_", " ")
    title = f"Repository {action}" if action in _REPOSITORY_ACTIONS else f"Event {action}".strip()
    if "starred_at" in payload:
        title = f"{_who(payload)} {'took back a star' if action == 'deleted' else 'gave a star'}"
    return _event(payload, title, details=_values({name: payload[name] for name in payload if name not in _AMBIENT}))


def _subject(payload: Payload) -> str:
    """The name of the part that an event is about."""
    names = [*_NUMBERED, "release", *(name for name in payload if name not in (*_AMBIENT, *_GIVEN)), "label"]
    return next((name for name in names if part(payload, name)), "")


def _described(name: str, thing: Payload) -> tuple[str, str]:
    """What kind of thing it is, with its number, and its title."""
    if name == "issue" and "pull_request" in thing:
        name = "pull_request"
    kind = _NOUNS.get(name, name.replace("_", " ").capitalize())
    title = next(filter(None, (text(thing, key) for key in _NAMES)), "")
    return f"{kind} #{text(thing, 'number')}".removesuffix(" #"), title


def _values(thing: Payload) -> str:
    """The values of a thing that say something to a person."""
    said = ((name, value) for name, value in named_values(thing) if not name.endswith(("url", "_at", "node_id", "sha")))
    return "\n".join(f"{name}: {value}" for name, value in said)


def _lowered(words: str) -> str:
    return words[:1].lower() + words[1:]
