"""What Lambda sends to a function's destination: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""

from __future__ import annotations

from collections.abc import Mapping

from .notice import Fields, Notice
from .payload import Payload, part, text
from .unknown import named_values

_EVENT = "Lambda Function Invocation Result"  # the same in EventBridge, with Success or Failure


def read(payload: Payload) -> Fields | None:
    """A function that succeeded, or that failed as often as it is tried; None for anything else."""
    record = part(payload, "detail") if text(payload, "detail-type").startswith(_EVENT) else payload
    context, response = part(record, "requestContext"), record.get("responsePayload")
    arn, condition = text(context, "functionArn"), text(context, "condition")
    if not arn or not condition:
        return None
    is_ok = condition == "Success"
    attempts = text(context, "approximateInvokeCount")
    error = ": ".join(filter(None, (text(response, "errorType"), text(response, "errorMessage"))))
    if isinstance(response, Mapping):
        response = {name: value for name, value in response.items() if name not in ("errorType", "errorMessage")}
    rest = {"requestId": context.get("requestId"), "request": record.get("requestPayload"), "response": response}
    rest |= {name: value for name, value in record.items() if name.endswith("BatchInfo")}
    return Notice(
        mark="🟢" if is_ok else "🔴",
        title=f"Lambda {arn.partition(':function:')[2].partition(':')[0] or arn} {'succeeded' if is_ok else 'failed'}",
        lines=[] if is_ok else [f"{condition}, attempts: {attempts}" if attempts else condition],
        body=error,
        details="\n".join(f"{name}: {value}" for name, value in named_values(rest)),
        is_quiet=is_ok,
    ).to_fields()
