"""S3's event notifications: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html"""

from __future__ import annotations

from urllib.parse import unquote_plus

from .notice import Fields, Notice
from .payload import Payload, part, parts, text

_DONE_TO_IT = {"ObjectCreated": "created", "ObjectRemoved": "removed"}


def read(payload: Payload) -> Fields | None:
    """What happened to objects in a bucket, or that a bucket tries its notifications; None for anything else."""
    if text(payload, "Event") == "s3:TestEvent":
        return Notice(mark="🟢", title=f"S3 bucket {text(payload, 'Bucket')} can send", is_quiet=True).to_fields()
    records = [each for each in parts(payload, "Records") if text(each, "eventSource") == "aws:s3"]
    if not records:
        return None
    names = [text(each, "eventName") for each in records]
    events = [_DONE_TO_IT.get(name.partition(":")[0], name) for name in names]
    if len(records) == 1:
        what = _key(records[0]).rstrip("/").rpartition("/")[2] or "S3 object"
        lines = [_place(records[0])]
    else:
        what = f"{len(records)} objects in S3"
        lines = [f"{event}: {_place(each)}" for event, each in zip(events, records, strict=True)]
    return Notice(
        mark="🔴" if any("Failed" in name or "Lost" in name for name in names) else "",
        title=": ".join(filter(None, (what, ", ".join(filter(None, dict.fromkeys(events)))))),
        lines=lines,
    ).to_fields()


def _key(record: Payload) -> str:
    return unquote_plus(text(record, "s3", "object", "key"))  # as in the query of an address


def _place(record: Payload) -> str:
    place = "/".join(filter(None, (text(record, "s3", "bucket", "name"), _key(record))))
    size = part(record, "s3", "object").get("size")
    return f"{place}, {size:,} bytes" if isinstance(size, int) else place
