"""Monitoring and development tools: what an incident and its end have in common, and what tells them apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib import senders

SAMPLES = Path(__file__).parent / "samples"


def sample(name: str, **changes: object) -> Any:
    """A sample, with other values at some places: ``workflow_run__conclusion`` is one in an object."""
    payload = json.loads((SAMPLES / f"{name}.json").read_text())
    for path, value in changes.items():
        *names, last = path.split("__")
        place = payload
        for each in names:
            place = place[int(each) if isinstance(place, list) else each]
        place[last] = value
    return payload


def fields(payload: object) -> dict[str, Any]:
    recognised = senders.recognise(payload)
    assert recognised is not None
    return recognised.fields


def look(payload: object) -> tuple[str, bool]:
    """The mark before the title, and whether it comes without a sound."""
    shown = fields(payload)
    first = shown["text"].splitlines()[0]
    return ("" if first.startswith("<b>") else first.split()[0]), shown.get("disable_notification", False)


@pytest.mark.parametrize(
    ("trouble", "end"),
    [
        (sample("alertmanager"), sample("alertmanager_resolved")),
        (sample("grafana"), sample("grafana_resolved")),
        (sample("grafana_legacy"), sample("grafana_legacy_ok")),
        (sample("github_workflow_run"), sample("github_workflow_run_success")),
        (sample("github_workflow_job"), sample("github_workflow_job", workflow_job__conclusion="success")),
        (sample("github_deployment_status"), sample("github_deployment_status", deployment_status__state="success")),
        (sample("github_status"), sample("github_status", state="success", id=2)),
        (sample("github_dependabot_alert"), sample("github_dependabot_alert_fixed")),
        (sample("gitlab_pipeline"), sample("gitlab_pipeline_success")),
        (sample("gitlab_job"), sample("gitlab_job", build_status="success")),
        (sample("gitlab_deployment"), sample("gitlab_deployment", status="success")),
        (sample("gitlab_incident"), sample("gitlab_incident_closed")),
        (sample("sentry_issue"), sample("sentry_issue_resolved")),
        (sample("sentry_alert"), sample("sentry_issue_resolved")),
        (sample("sentry_metric_alert"), sample("sentry_metric_alert_resolved")),
    ],
)
def test_an_incident_and_its_end_have_one_key_and_only_the_end_is_quiet(trouble: object, end: object) -> None:
    assert fields(trouble)["collapse_key"] == fields(end)["collapse_key"]
    assert look(trouble) == ("🔴", False)
    assert look(end) == ("🟢", True)


@pytest.mark.parametrize(
    ("payload", "mark", "is_quiet"),
    [
        (sample("alertmanager_group"), "🟡", False),
        (sample("grafana_no_data"), "🟡", False),
        (sample("grafana_no_data", status="resolved", alerts__0__status="resolved"), "🟢", True),
        (sample("grafana_legacy", state="no_data"), "🟡", False),
        (sample("github_workflow_run", workflow_run__conclusion="cancelled"), "🟡", False),
        (sample("github_workflow_run", workflow_run__conclusion="skipped"), "", True),
        (sample("github_workflow_run", workflow_run__conclusion="a_new_word"), "🟡", False),
        (sample("github_workflow_run_in_progress"), "", True),
        (sample("github_ping"), "", True),
        (sample("github_push"), "", False),
        (sample("gitlab_pipeline", object_attributes__status="running"), "", True),
        (sample("gitlab_pipeline", object_attributes__status="a_new_word"), "🟡", False),
        (sample("gitlab_access_token"), "🟡", False),
        (sample("sentry_issue", action="archived"), "", True),
        (sample("sentry_issue", action="assigned"), "", False),
        (sample("sentry_metric_alert", action="warning"), "🟡", False),
        (sample("sentry_alert", data__event__level="a_new_word"), "🟡", False),
    ],
)
def test_what_is_neither_trouble_nor_its_end_looks_like_that(payload: object, mark: str, is_quiet: bool) -> None:
    """What is not known is not taken for a good end."""
    assert look(payload) == (mark, is_quiet)


@pytest.mark.parametrize(
    "payload",
    [
        sample("github_push"),
        sample("github_gitea_push"),
        sample("github_issue_comment"),
        sample("github_review"),
        sample("gitlab_push"),
        sample("gitlab_note"),
        sample("sentry_comment"),
        sample("alertmanager", groupKey=""),
        sample("grafana", groupKey=None),
        sample("github_workflow_run", workflow_run__id=None),
        sample("gitlab_pipeline", object_attributes__id=""),
        sample("sentry_issue", data__issue__id=None),
    ],
)
def test_what_somebody_wrote_and_what_has_no_name_takes_the_place_of_nothing(payload: object) -> None:
    assert "collapse_key" not in fields(payload)


def test_things_that_are_counted_apart_have_keys_of_their_own() -> None:
    """A milestone, an alert and an issue may all have the number 1; in GitLab a merge request, too."""
    issue = fields(sample("github_issues"))["collapse_key"]
    assert issue != fields(sample("github_milestone"))["collapse_key"]
    assert (
        fields(sample("gitlab_issue", object_attributes__iid=1))["collapse_key"]
        != (fields(sample("gitlab_merge_request"))["collapse_key"])
    )
    assert issue == fields(sample("github_pull_request", pull_request__number=1))["collapse_key"]


def test_organizations_of_one_grafana_do_not_end_each_others_alerts() -> None:
    assert fields(sample("grafana"))["collapse_key"] != fields(sample("grafana_resolved", orgId=2))["collapse_key"]


def test_alerts_that_fire_stand_before_those_that_do_not() -> None:
    group = sample("alertmanager")
    group["alerts"].reverse()
    assert fields(group)["text"].splitlines() == fields(sample("alertmanager"))["text"].splitlines()


def test_a_group_of_very_many_alerts_says_how_many_there_are() -> None:
    group = sample("alertmanager", truncatedAlerts=30)
    group["alerts"] = group["alerts"][:1] * 70
    lines = fields(group)["text"].splitlines()
    assert lines[0] == "🔴 <b>DiskFull firing (100 alerts)</b>"
    assert "… and 85 more" in lines


def test_a_group_that_fires_is_not_over_although_the_alerts_that_are_shown_are() -> None:
    """Alertmanager leaves some out, and those may fire."""
    assert look(sample("alertmanager_resolved", status="firing", truncatedAlerts=3)) == ("🔴", False)


def test_an_address_that_is_too_long_to_read_is_in_the_details() -> None:
    address = "http://prometheus:9090/graph?g0.expr=" + "x" * 200
    text = fields(sample("alertmanager", alerts__0__generatorURL=address))["text"]
    assert address in text.partition("<blockquote expandable>")[2]


@pytest.mark.parametrize(
    "payload",
    [
        {"text": "hi", "chat": "ops"},
        {"text": "hi", "title": "x", "message": "y", "state": "ok", "orgId": 1},
        {"alerts": [], "groupKey": "x", "receiver": "y"},
        {"alerts": [{"status": "firing"}], "text": "hi"},
        {"text": "hi", "repository": "acme/shop", "sender": "sam"},
        {"text": "hi", "repository": {"full_name": "acme/shop"}, "action": "opened"},
        {"text": "hi", "object_kind": "push"},
        {"text": "hi", "event_name": "user_create"},
        {"text": "hi", "action": "created", "data": {"issue": {}}, "actor": {"name": "sam"}},
        {"text": "hi", "project": "shop", "message": "x", "level": "error", "url": "https://example.com"},
    ],
)
def test_what_only_resembles_a_sender_is_not_taken_for_it(payload: dict[str, Any]) -> None:
    assert senders.recognise(payload) is None


def test_an_escape_sequence_takes_no_markup_of_ours_with_it() -> None:
    """What a terminal would do is cleaned out of the words before they are laid out."""
    fields = senders.to_fields({"title": "job \x1b]8;;", "message": "words\x07 done"})
    assert fields["text"] == "<b>job ]8;;</b>\nwords done"
