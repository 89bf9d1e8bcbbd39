"""Lambda's event filtering: whether a record matches one of the patterns of a mapping's FilterCriteria.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from moto.events.models import EventPattern


def passes(record: Any, criteria: Mapping[str, Any] | None) -> bool:
    """Whether a record goes to the function. criteria: a mapping's FilterCriteria; without patterns everything goes."""
    patterns = [json.loads(each["Pattern"]) for each in (criteria or {}).get("Filters", [])]
    return not patterns or any(EventPattern(None, pattern).matches_event(record) for pattern in patterns)
