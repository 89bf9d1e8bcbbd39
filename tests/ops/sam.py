"""CloudFormation and SAM for what `chalice package` makes of Botte: moto knows nothing of SAM, nor of an API's body.

botocore checks every name and value that the template has for a function, its mappings and its retries.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

Client = Callable[[str], Any]
_PSEUDO = {"AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::AccountId": "123456789012"}
_AS_THEY_ARE = ("FunctionName", "Runtime", "Handler", "Timeout", "MemorySize", "Architectures", "Environment", "Tags")


class Stack:
    """Makes the resources of a template. client: gives the client of a service."""

    def __init__(self, name: str, template: dict[str, Any], client: Client) -> None:
        self._name = name
        self._resources: dict[str, dict[str, Any]] = template["Resources"]
        self._client = client
        self._arns: dict[str, str] = {}
        self._api_id = ""

    def make(self) -> None:
        makers = {
            "AWS::Logs::LogGroup": self._make_log_group,
            "AWS::IAM::Role": self._make_role,
            "AWS::Serverless::Function": self._make_function,
            "AWS::Serverless::Api": self._make_api,
            "AWS::Lambda::Permission": self._make_permission,
        }
        for kind, make in makers.items():  # in this order each finds what it refers to
            for name, resource in self._resources.items():
                if resource["Type"] == kind:
                    make(name, resource["Properties"])

    def _make_log_group(self, _name: str, properties: dict[str, Any]) -> None:
        logs, group = self._client("logs"), properties["LogGroupName"]
        logs.create_log_group(logGroupName=group)
        logs.put_retention_policy(logGroupName=group, retentionInDays=properties["RetentionInDays"])

    def _make_role(self, name: str, properties: dict[str, Any]) -> None:
        iam, role = self._client("iam"), properties["RoleName"]
        trust = json.dumps(properties["AssumeRolePolicyDocument"])
        made = iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)
        self._arns[name] = made["Role"]["Arn"]
        for policy in properties["Policies"]:
            document = json.dumps(policy["PolicyDocument"])
            iam.put_role_policy(RoleName=role, PolicyName=policy["PolicyName"], PolicyDocument=document)

    def _make_function(self, name: str, properties: dict[str, Any]) -> None:
        functions, function = self._client("lambda"), properties["FunctionName"]
        bucket, key = properties["CodeUri"].removeprefix("s3://").split("/")
        given = {each: properties[each] for each in _AS_THEY_ARE}
        given["Tags"] = {**given["Tags"], "aws:cloudformation:stack-name": self._name}  # as CloudFormation does
        role = self._resolved(properties["Role"])
        made = functions.create_function(**given, Role=role, Code={"S3Bucket": bucket, "S3Key": key})
        self._arns[name] = made["FunctionArn"]
        logging = self._resolved(properties["LoggingConfig"])
        functions.update_function_configuration(FunctionName=function, LoggingConfig=logging)
        if "EventInvokeConfig" in properties:
            for destination in properties["EventInvokeConfig"].get("DestinationConfig", {}).values():
                assert destination.pop("Type") == "SQS"
            functions.put_function_event_invoke_config(FunctionName=function, **properties["EventInvokeConfig"])
        for event in properties.get("Events", {}).values():
            settings = self._resolved(event["Properties"])
            if event["Type"] == "Schedule":
                self._make_schedule(function, self._arns[name], settings)
            else:
                source = settings.pop({"DynamoDB": "Stream", "SQS": "Queue"}[event["Type"]])
                functions.create_event_source_mapping(FunctionName=function, EventSourceArn=source, **settings)

    def _make_schedule(self, function: str, arn: str, settings: dict[str, Any]) -> None:
        events, rule = self._client("events"), settings["Name"]
        events.put_rule(Name=rule, ScheduleExpression=settings["Schedule"])
        events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": arn}])
        self._allow(function, "events.amazonaws.com")

    def _make_api(self, _name: str, properties: dict[str, Any]) -> None:
        gateway, stage = self._client("apigateway"), properties["StageName"]
        assert properties["OpenApiVersion"]  # without it SAM makes a second stage
        body = json.dumps(self._resolved(properties["DefinitionBody"]))
        self._api_id = gateway.import_rest_api(body=body)["id"]
        gateway.create_deployment(restApiId=self._api_id, stageName=stage)
        (methods,) = properties["MethodSettings"]
        path = f"{methods['ResourcePath']}/{methods['HttpMethod']}/throttling"
        changes = [
            {"op": "replace", "path": f"{path}/{setting}", "value": str(methods[name])}
            for setting, name in (("rateLimit", "ThrottlingRateLimit"), ("burstLimit", "ThrottlingBurstLimit"))
        ]
        gateway.update_stage(restApiId=self._api_id, stageName=stage, patchOperations=changes)

    def _make_permission(self, _name: str, properties: dict[str, Any]) -> None:
        function = self._resources[properties["FunctionName"]["Ref"]]["Properties"]["FunctionName"]
        self._allow(function, properties["Principal"])

    def _allow(self, function: str, principal: str) -> None:
        self._client("lambda").add_permission(
            FunctionName=function, StatementId=principal[:6], Action="lambda:InvokeFunction", Principal=principal
        )

    def _resolved(self, value: Any) -> Any:
        """The value with what its Ref, Fn::GetAtt and Fn::Sub stand for."""
        match value:
            case {"Ref": str(name)}:
                return self._resources[name]["Properties"]["LogGroupName"]
            case {"Fn::GetAtt": [name, "Arn"]}:
                return self._arns[name]
            case {"Fn::Sub": str(text)}:
                known = {**_PSEUDO, **{f"{name}.Arn": arn for name, arn in self._arns.items()}}
                return re.sub(r"\$\{([\w:.]+)\}", lambda found: known[found[1]], text)
            case dict():
                return {name: self._resolved(each) for name, each in value.items()}
            case list():
                return [self._resolved(each) for each in value]
        return value
