"""What a deployment would change, and to which deployment one goes back."""

from __future__ import annotations

import zipfile
from pathlib import Path

from tools.dev.aws import RESOURCES_FILE
from tools.ops.changes import compare, flatten
from tools.ops.history import History, Source
from tools.ops.resources import resources
from tools.ops.wanted import content_digest

FIRST, SECOND, THIRD = (Source(commit, False, "2026-11-28T13:00:00Z") for commit in ("first", "second", "third"))


def test_only_what_is_different_is_told_by_resource_with_its_sign() -> None:
    there = {"queue q": {"a": "1"}, "function f": {"memory": "1", "x": "", "same": "s"}, "schedule s": {}}
    wanted = {"function f": {"memory": "2", "y": "", "same": "s"}, "schedule s": {}, "role r": {"allow a on b": ""}}
    changes = compare(there, wanted, with_new_rights=True)
    assert changes.lines == (
        "~ function f",
        "    ~ memory: 1 -> 2",
        "    - x",
        "    + y",
        "- queue q",
        "+ role r",
        "    + allow a on b",
    )
    assert changes.taken == ("- x (function f)", "- queue q")
    assert changes.summary == "1 made, 1 changed, 1 taken away"
    assert "    + allow a on b" not in compare(there, wanted, with_new_rights=False).lines


def test_the_value_of_a_variable_that_goes_is_not_told_as_it_may_be_a_secret() -> None:
    there = {"function f": {"environment TOKEN": "secret", "memory": "1"}}
    changes = compare(there, {"function f": {}}, with_new_rights=False)
    assert changes.taken == ("- environment TOKEN (function f)", "- memory: 1 (function f)")
    assert "secret" not in str(changes)


def test_nothing_is_told_where_nothing_is_different() -> None:
    changes = compare({"queue q": {"a": "1"}}, {"queue q": {"a": "1"}}, with_new_rights=True)
    assert not changes
    assert changes.summary == "nothing would change"


def test_nested_settings_are_told_one_by_one() -> None:
    nested = {"a": {"b": 1, "c": ["x", "y"]}, "d": [{"e": True}], "f": {}, "g": None, "h": [], "i": 0}
    assert dict(flatten(nested)) == {"a.b": "1", "a.c": '["x", "y"]', "d.0.e": "true", "i": "0"}


def test_the_parameters_of_a_stack_tell_which_resources_it_has() -> None:
    template = RESOURCES_FILE.read_text()
    small = resources(template, {"Stage": "prod"})
    assert "table botte-prod-tasks" in small
    assert not [name for name in small if name.startswith("alarm ")]
    large = resources(template, {"Stage": "prod", "WithQueue": "true", "WithAlarms": "true", "AlarmEmail": "me@x"})
    made = compare(small, large, with_new_rights=False)
    assert {"+ queue botte-prod-messages", "+ topic botte-prod-alarms", "+ alarm botte-prod-parked"} <= set(made.lines)
    assert not made.taken
    assert "- queue botte-prod-messages" in compare(large, small, with_new_rights=False).taken


def test_the_same_files_in_another_order_and_of_another_day_are_the_same_package(tmp_path: Path) -> None:
    def archive(name: str, year: int, files: list[tuple[str, str]]) -> Path:
        with zipfile.ZipFile(tmp_path / name, "w") as made:
            for path, content in files:
                made.writestr(zipfile.ZipInfo(path, (year, 1, 1, 0, 0, 0)), content)
        return tmp_path / name

    one = content_digest(archive("1.zip", 1980, [("a", "1"), ("b", "2")]))
    assert content_digest(archive("2.zip", 2026, [("b", "2"), ("a", "1")])) == one
    assert content_digest(archive("3.zip", 1980, [("a", "1"), ("b", "3")])) != one


def deployed(history: History, source: Source, *, works: bool = True) -> History:
    history.begin(source)
    if works:
        history.succeed(source)
    return history


def test_one_goes_back_to_the_good_deployment_before_the_good_one() -> None:
    history = deployed(History(), FIRST)
    assert history.last() is None
    assert deployed(history, SECOND).last() == FIRST
    assert deployed(history, FIRST).last() == SECOND  # which is how a rollback is noted


def test_one_goes_back_to_the_good_deployment_from_one_whose_doors_fail() -> None:
    history = deployed(deployed(History(), FIRST), SECOND)
    assert deployed(history, THIRD, works=False).last() == SECOND
    assert deployed(history, SECOND).last() == FIRST


def test_a_rollback_that_was_stopped_goes_on_and_one_whose_doors_fail_is_good_no_more() -> None:
    history = deployed(deployed(History(), FIRST), SECOND)
    deployed(history, THIRD, works=False)
    history.fail(THIRD)
    assert history.last() == SECOND
    deployed(history, SECOND, works=False)  # which was stopped before it changed anything
    assert history.last() == SECOND
    history.fail(THIRD)  # so nothing had to be changed for this one
    assert history.last() == SECOND
    history.fail(SECOND)
    assert history.last() == FIRST
    deployed(history, FIRST, works=False)
    history.fail(FIRST)
    assert history.last() is None


def test_the_same_commit_again_is_no_step_on() -> None:
    history = deployed(deployed(History(), FIRST), SECOND)
    assert deployed(history, SECOND).last() == FIRST
    history.succeed(THIRD)  # nothing had to be changed for it
    assert (history.good, history.last()) == (THIRD, FIRST)


def test_what_no_commit_has_cannot_be_brought_back() -> None:
    assert FIRST.can_be_deployed
    assert not Source("first", True, "").can_be_deployed
    assert not Source("", False, "").can_be_deployed
