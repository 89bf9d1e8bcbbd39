"""Lambda's event filtering: whether a record matches one of the patterns of a mapping's FilterCriteria.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_MISSING = object()


def passes(record: Mapping[str, Any], criteria: Mapping[str, Any] | None) -> bool:
    """Whether a record goes to the function. criteria: a mapping's FilterCriteria; without patterns everything goes."""
    patterns = [json.loads(each["Pattern"]) for each in (criteria or {}).get("Filters", [])]
    return not patterns or any(_matches(record, pattern) for pattern in patterns)


def _matches(value: Any, pattern: Any) -> bool:
    if isinstance(pattern, Mapping):
        found = value if isinstance(value, Mapping) else {}
        return all(_matches(found.get(name, _MISSING), each) for name, each in pattern.items())
    return any(_matches_one(value, rule) for rule in pattern)


def _matches_one(value: Any, rule: Any) -> bool:
    """A rule on a leaf: a value, or ``prefix`` or ``exists``, the two that are needed here."""
    leaf = value is not _MISSING and not isinstance(value, Mapping)
    if not isinstance(rule, Mapping):
        return leaf and value == rule
    ((kind, wanted),) = rule.items()
    if kind == "exists":
        return leaf is wanted
    if kind == "prefix":
        return isinstance(value, str) and value.startswith(wanted)
    raise ValueError(f"a filter rule that the rehearsal does not know: {kind}")
