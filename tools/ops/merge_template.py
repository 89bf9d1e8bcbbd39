"""What `chalice package` leaves out of its CloudFormation template, as a template for its ``--merge-template``.

The values are those that `make deploy` sets, and stand where it has them: nothing has to be kept in step.
"""

from __future__ import annotations

import json
from typing import Any

from tools.ops.deployed import role_name, rule_name
from tools.ops.mappings import stream_settings
from tools.ops.stage import Stage
from tools.ops.tuning import BURST, LOGGING, REQUESTS_PER_SECOND, RETENTION_DAYS, async_policies, log_group


def show_merge_template(stage: Stage) -> int:
    """Prints the template as JSON. Raises StageError where AWS cannot be asked for the account's number."""
    print(json.dumps({"Resources": _resources(stage)}, indent=2))
    return 0


def _resources(stage: Stage) -> dict[str, Any]:
    """Names, logs, async retries, the stream's filter and retries, and throttling, in SAM's words.

    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification.html
    """
    resources: dict[str, Any] = {}
    for handler, function in stage.handlers.items():
        logs = f"{_title(handler, 'API')}Logs"
        group = {"LogGroupName": log_group(function), "RetentionInDays": RETENTION_DAYS}
        resources[logs] = {"Type": "AWS::Logs::LogGroup", "Properties": group}
        # The reference has the group made first: a function would make one without retention.
        logging = {**LOGGING, "LogGroup": {"Ref": logs}}
        resources[_title(handler, "API")] = {"Properties": {"FunctionName": function, "LoggingConfig": logging}}
        resources[f"{_title(handler, 'Api')}Role"] = {"Properties": {"RoleName": role_name(stage, handler)}}
    retries = async_policies(stage)
    message, redeliver = retries[stage.handlers["message"]], retries[stage.handlers["redeliver"]]
    message["DestinationConfig"]["OnFailure"]["Type"] = "SQS"
    resources["Message"]["Properties"]["EventInvokeConfig"] = message
    resources["Redeliver"]["Properties"]["EventInvokeConfig"] = redeliver
    stream = {"DynamodbMessageDynamodbEventSource": {"Properties": stream_settings(stage)}}
    resources["DynamodbMessage"]["Properties"]["Events"] = stream
    resources["Redeliver"]["Properties"]["Events"] = {"RedeliverEvent": {"Properties": {"Name": rule_name(stage)}}}
    limits = {"ThrottlingRateLimit": REQUESTS_PER_SECOND, "ThrottlingBurstLimit": BURST}
    methods = [{"ResourcePath": "/*", "HttpMethod": "*", **limits}]
    # Where no version is given, SAM makes a second stage, called Stage, that nothing throttles.
    resources["RestAPI"] = {"Properties": {"MethodSettings": methods, "OpenApiVersion": "2.0"}}
    return resources


def _title(handler: str, api: str) -> str:
    """A handler as Chalice writes it in its template: ``DynamodbMessage``. api: how that of the HTTP door begins."""
    return "".join(api if word == "api" else word.title() for word in handler.split("_"))
