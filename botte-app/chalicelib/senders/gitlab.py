"""GitLab's webhooks of projects and groups, and its system hooks.

https://docs.gitlab.com/user/project/integrations/webhook_events/
https://docs.gitlab.com/administration/system_hooks/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .commits import commit_lines, first_line
from .notice import Fields, Notice, collapse_key
from .payload import Payload, part, parts, text
from .unknown import named_values

# Marks and words of states. One that is not known is not taken for a good one.
_STATES = {
    "success": ("🟢", "succeeded"),
    "failed": ("🔴", "failed"),
    "canceled": ("🟡", "cancelled"),
    "manual": ("🟡", "waits for somebody to start it"),
    "blocked": ("🟡", "waits for approval"),
    **dict.fromkeys(("created", "waiting_for_resource", "preparing", "pending", "running", "canceling"), ("", "")),
    **dict.fromkeys(("skipped", "scheduled", "waiting_for_callback"), ("", "")),
}
_ACTIONS = {
    "open": "opened",
    "close": "closed",
    "reopen": "reopened",
    "update": "updated",
    "merge": "merged",
    "create": "created",
    "delete": "deleted",
    "approval": "approved by one",
    "unapproval": "no longer approved by one",
    "unapproved": "no longer approved",
    "award": "given",
    "revoke": "taken back",
}
_FACTS = ("severity", "expires_at", "access_level", "group_access")
_FOUND = ("detected", "confirmed")  # vulnerabilities that somebody has to look at
_SIGNS = {"merge_request": "!", "issue": "#", "work_item": "#"}


def read(payload: Payload) -> Fields | None:
    """An event of a project or a group, or of all of GitLab; None for anything else."""
    kind = text(payload, "object_kind")
    parts_of_a_kind = ("project", "group", "object_attributes", "repository")
    if not (any(part(payload, name) for name in parts_of_a_kind) if kind else _is_of_system(payload)):
        return None
    readers = {"push": _push, "tag_push": _push, "note": _note, **dict.fromkeys(_SIGNS, _thing)}
    runs = ("pipeline", "build", "job", "deployment")
    reader = _run if kind in runs else readers.get(kind, _rest)
    return reader(payload).to_fields()


def _is_of_system(payload: Payload) -> bool:
    keys = payload.keys()
    return bool(text(payload, "event_name")) and (
        {"created_at", "updated_at"} <= keys or {"project_id", "refs"} <= keys
    )


def _event(payload: Payload, title: str, *facts: str, url: str = "", key: Sequence[str] = (), **more: Any) -> Notice:
    """What all events have in common: where it was and who did it. key: the name of what it is about."""
    who, place = _who(payload), _place(payload)
    by = "" if not who or title.startswith(who) else f"by {who}"
    links = [("Open", url or text(payload, "project", "web_url"))]
    name = collapse_key("gitlab", place, *key) if key else None
    return Notice(
        title=title, lines=[*facts, ", ".join(filter(None, (place, by)))], links=links, collapse_key=name, **more
    )


def _place(payload: Payload) -> str:
    names = ("path_with_namespace", "project_path_with_namespace", "project_name", "group_name")
    place = text(payload, "project", "path_with_namespace") or text(payload, "group", "full_path")
    return place or next(filter(None, (text(payload, name) for name in names)), "")


def _who(payload: Payload) -> str:
    """Who did it. In an event of the system, a user name is of whom it was done to."""
    return text(payload, "user", "name") or (text(payload, "user_name") if "object_kind" in payload else "")


def _push(payload: Payload) -> Notice:
    name = text(payload, "ref").removeprefix("refs/heads/").removeprefix("refs/tags/")
    where = f"tag {name}" if text(payload, "object_kind") == "tag_push" else name
    before, after = text(payload, "before"), text(payload, "after")
    commits = parts(payload, "commits")
    count = text(payload, "total_commits_count") or str(len(commits))
    what = f"pushed {count} commit{'' if count == '1' else 's'} to {where}" if commits else f"pushed {where}"
    if after and not after.strip("0"):
        what = f"deleted {where}"
    lines = commit_lines(payload, 8)
    page = text(payload, "project", "web_url")
    url = f"{page}/-/compare/{before}...{after}" if page and commits and before.strip("0") else ""
    return _event(payload, f"{_who(payload) or 'Somebody'} {what}", *lines, url=url)


def _run(payload: Payload) -> Notice:
    """A pipeline, a job or a deployment."""
    kind, run = text(payload, "object_kind"), part(payload, "object_attributes")
    page = text(payload, "project", "web_url") or text(payload, "repository", "homepage")
    if kind == "pipeline":
        id, state, ref = text(run, "id"), text(run, "status"), text(run, "ref")
        title, url = (
            f"{text(payload, 'project', 'name')} pipeline".strip(),
            text(run, "url") or (f"{page}/-/pipelines/{id}" if page and id else ""),
        )
    elif kind == "deployment":
        id, state, ref = text(payload, "deployment_id"), text(payload, "status"), text(payload, "ref")
        title, url = f"Deployment to {text(payload, 'environment') or '?'}", text(payload, "deployable_url")
    else:
        id, state, ref = text(payload, "build_id"), text(payload, "build_status"), text(payload, "ref")
        title, url = f"Job {text(payload, 'build_name')}".strip(), f"{page}/-/jobs/{id}" if page and id else ""
    mark, words = _STATES.get(state, ("🟡", ""))
    is_failed, failed = state == "failed", [build for build in parts(payload, "builds") if _is_failure(build)]
    return _event(
        payload,
        f"{title}: {words or state.replace('_', ' ') or '?'}{f' on {ref}' if ref else ''}",
        text(payload, "commit_title") or first_line(text(payload, "commit", "message")),
        *(
            f"Failed: {': '.join(filter(None, (text(build, 'name'), _reason(build, 'failure_reason'))))}"
            for build in failed
            if is_failed
        ),
        _reason(payload, "build_failure_reason") if is_failed else "",
        mark=mark,
        url=url,
        key=(kind, id),
        is_quiet=mark in ("", "🟢"),
    )


def _is_failure(build: Payload) -> bool:
    return text(build, "status") == "failed" and build.get("allow_failure") is not True


def _reason(payload: Payload, name: str) -> str:
    reason = text(payload, name).replace("_", " ")
    return "" if reason == "unknown failure" else reason


def _thing(payload: Payload) -> Notice:
    """A merge request, an issue or another item of work, such as an incident."""
    kind, thing = text(payload, "object_kind"), part(payload, "object_attributes")
    action, number, title = text(thing, "action"), f"{_SIGNS[kind]}{text(thing, 'iid')}", text(thing, "title")
    is_incident, is_over = text(thing, "type") == "Incident", text(thing, "state") == "closed"
    source, target = text(thing, "source_branch"), text(thing, "target_branch")
    changed = [name.replace("_", " ") for name in part(payload, "changes") if not name.startswith(("updated", "last_"))]
    what = (text(thing, "type") if kind != "merge_request" else "") or kind.replace("_", " ").capitalize()
    return _event(
        payload,
        f"{what} {number} {_done(action)}".strip() + (f": {title}" if title else ""),
        f"{source} → {target}" if source and target else "",
        f"Changed: {', '.join(changed)}" if changed and action == "update" else "",
        mark=("🟢" if is_over else "🔴") if is_incident else "",
        details=text(thing, "description"),
        url=text(thing, "url"),
        key=(number,) if text(thing, "iid") else (),
        is_quiet=is_incident and is_over,
    )


def _note(payload: Payload) -> Notice:
    """A comment. It has no key: a second must not take the place of the first."""
    note = part(payload, "object_attributes")
    verb = "edited a comment on" if text(note, "action") == "update" else "commented on"
    kind = next((name for name in ("merge_request", "issue", "snippet", "commit") if part(payload, name)), "")
    thing = part(payload, kind)
    number = text(thing, "id")[:8] if kind == "commit" else f"{_SIGNS.get(kind, '')}{text(thing, 'iid')}"
    title = text(thing, "title") or first_line(text(thing, "message"))
    target = " ".join(filter(None, (kind.replace("_", " ") or "something", number)))
    words = f"{_who(payload) or 'Somebody'} {verb} {target}{f': {title}' if title else ''}"
    return _event(payload, words, body=text(note, "note"), url=text(note, "url"))


def _rest(payload: Payload) -> Notice:
    """A release, a milestone, a token that expires, a new member, and whatever GitLab will send one day."""
    kind, thing = text(payload, "object_kind"), part(payload, "object_attributes") or payload
    state = text(thing, "action") or text(payload, "action") or text(thing, "state") if kind else ""
    state = "expires" if kind == "access_token" else state
    name = next(filter(None, (text(thing, key) for key in ("title", "name", "tag", "user_name", "username"))), "")
    what = (kind or text(payload, "event_name")).replace("_", " ").capitalize()
    values = "\n".join(
        f"{name}: {value}"
        for name, value in named_values(thing)
        if "_at" not in name and not name.startswith("project.")
    )
    return _event(
        payload,
        f"{what} {_done(state)}".strip() + (f": {name}" if name else ""),
        *(f"{key.replace('_', ' ').capitalize()}: {text(thing, key)}" for key in _FACTS if text(thing, key)),
        mark="🟡" if kind == "access_token" else "🔴" if kind == "vulnerability" and state in _FOUND else "",
        details=text(thing, "description") if kind == "release" else values,
        url=text(thing, "url"),
    )


def _done(action: str) -> str:
    return _ACTIONS.get(action, action.replace("_", " "))
