"""What moto lacks for the whole of `chalice deploy` to run on it. Made in a process of its own, and never undone.

Found with moto 5.2.5 and chalice 1.34: https://github.com/getmoto/moto/blob/5.2.5/moto/apigateway/models.py
"""

from __future__ import annotations

import itertools
import json
from typing import Any

from moto.apigateway.models import APIGatewayBackend
from moto.apigateway.responses import APIGatewayResponse
from moto.awslambda.models import LambdaBackend, LambdaFunction
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import Table
from moto.logs.metric_filters import MetricFilters
from moto.sns.models import SNSBackend
from moto.sqs.models import sqs_backends

from tools.rehearsal.stack_patch import patch_stack_updates

_generations = itertools.count(1)


def patch_moto() -> None:
    """To be called once, before the first request."""
    _take_swagger_2()
    _take_endpoint_type()
    _keep_throttling()
    _keep_logging_config()
    _leave_event_sources_to_the_rehearsal()
    _replace_event_invoke_config()
    _replace_metric_filter()
    _leave_mail_unconfirmed()
    _replace_streams()
    patch_stack_updates()


def _take_swagger_2() -> None:
    """ImportRestApi and PutRestApi take Swagger 2.0, and no description, as AWS's do."""
    put, load = APIGatewayBackend.put_rest_api, APIGatewayBackend.import_rest_api

    def put_rest_api(self: Any, function_id: str, api_doc: dict[str, Any], *args: Any, **options: Any) -> Any:
        return put(self, function_id, {k: v for k, v in api_doc.items() if k != "swagger"}, *args, **options)

    def import_rest_api(self: Any, api_doc: dict[str, Any], *args: Any, **options: Any) -> Any:
        return load(self, {**api_doc, "info": {"description": "", **api_doc["info"]}}, *args, **options)

    setattr(APIGatewayBackend, "put_rest_api", put_rest_api)  # noqa: B010 - a method cannot be assigned to
    setattr(APIGatewayBackend, "import_rest_api", import_rest_api)  # noqa: B010 - a method cannot be assigned to


def _take_endpoint_type() -> None:
    """ImportRestApi makes an API of the type that it is asked for."""
    create = APIGatewayResponse.create_rest_api

    def create_rest_api(self: Any) -> Any:
        status, headers, body = create(self)
        if status == 200 and (types := self.querystring.get("endpointConfigurationTypes")):
            api = self.backend.get_rest_api(json.loads(body)["id"])
            api.endpoint_configuration["types"] = types
            body = json.dumps(api.to_dict())
        return status, headers, body

    setattr(APIGatewayResponse, "create_rest_api", create_rest_api)  # noqa: B010 - a method cannot be assigned to


def _keep_throttling() -> None:
    """A new deployment leaves the settings of its stage as they are."""
    create = APIGatewayBackend.create_deployment

    def create_deployment(self: Any, function_id: str, name: str, *args: Any, **options: Any) -> Any:
        before = self.get_rest_api(function_id).stages.get(name)
        made = create(self, function_id, name, *args, **options)
        after = self.get_rest_api(function_id).stages.get(name)
        if before is not None and after is not None:
            after.method_settings = before.method_settings
        return made

    setattr(APIGatewayBackend, "create_deployment", create_deployment)  # noqa: B010 - a method cannot be assigned to


def _keep_logging_config() -> None:
    """A function has a log format; and each change of it makes new execution environments (``generation``)."""
    update, describe = LambdaFunction.update_configuration, LambdaFunction.get_configuration

    def update_configuration(self: Any, changes: dict[str, Any]) -> Any:
        if "LoggingConfig" in changes:
            self.logging_config = changes["LoggingConfig"]
        self.generation = next(_generations)
        update(self, changes)
        return self.get_configuration()

    def get_configuration(self: Any, on_create: bool = False) -> Any:
        default = {"LogFormat": "Text", "LogGroup": self.logs_group_name}
        logging_config = {**default, **getattr(self, "logging_config", {})}
        return {**describe(self, on_create), "LoggingConfig": logging_config}

    setattr(LambdaFunction, "update_configuration", update_configuration)  # noqa: B010 - a method cannot be assigned to
    setattr(LambdaFunction, "get_configuration", get_configuration)  # noqa: B010 - a method cannot be assigned to


def _leave_event_sources_to_the_rehearsal() -> None:
    """moto would call a function in the middle of PutItem, with all records that there ever were."""
    create = LambdaBackend.create_event_source_mapping

    def create_event_source_mapping(self: Any, spec: dict[str, Any]) -> Any:
        made = create(self, spec)
        for table in dynamodb_backends[self.account_id][self.region_name].tables.values():
            table.lambda_event_source_mappings.clear()
        for queue in sqs_backends[self.account_id][self.region_name].queues.values():
            queue.lambda_event_source_mappings.clear()
        return made

    setattr(LambdaBackend, "create_event_source_mapping", create_event_source_mapping)  # noqa: B010 - a method cannot be assigned to


def _replace_event_invoke_config() -> None:
    """The last PutFunctionEventInvokeConfig counts; moto keeps the first."""
    put = LambdaBackend.put_function_event_invoke_config

    def put_function_event_invoke_config(self: Any, function_name: str, config: dict[str, Any]) -> Any:
        self.get_function(function_name).event_invoke_config.clear()
        return put(self, function_name, config)

    setattr(LambdaBackend, "put_function_event_invoke_config", put_function_event_invoke_config)  # noqa: B010 - a method cannot be assigned to


def _replace_metric_filter() -> None:
    """PutMetricFilter replaces the filter of that name; moto adds another one."""
    add = MetricFilters.add_filter

    def add_filter(self: Any, name: str, pattern: str, group: str, transformations: Any) -> None:
        self.delete_filter(name, group)
        add(self, name, pattern, group, transformations)

    setattr(MetricFilters, "add_filter", add_filter)  # noqa: B010 - a method cannot be assigned to


def _leave_mail_unconfirmed() -> None:
    """Who is subscribed by mail has to open a link in it first; with moto all subscriptions are confirmed."""
    subscribe_anyone = SNSBackend.subscribe

    def subscribe(self: Any, topic_arn: str, endpoint: str, protocol: str) -> Any:
        made = subscribe_anyone(self, topic_arn, endpoint, protocol)
        if protocol == "email":
            made.arn = "PendingConfirmation"
        return made

    setattr(SNSBackend, "subscribe", subscribe)  # noqa: B010 - a method cannot be assigned to


def _replace_streams() -> None:
    """A stream that is switched off may be switched on again, as another one; moto takes it for the old one."""
    set_specification = Table.set_stream_specification

    def set_stream_specification(self: Any, streams: dict[str, Any] | None) -> None:
        set_specification(self, streams)
        if not (self.stream_specification or {}).get("StreamEnabled"):
            self.latest_stream_label = None

    setattr(Table, "set_stream_specification", set_stream_specification)  # noqa: B010 - a method cannot be assigned to
