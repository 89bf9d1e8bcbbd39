"""The AWS operations that a request can ask for."""

from __future__ import annotations

from urllib.parse import parse_qs

from tools.dev.wsgi_server import Environ

_SERVICES = {
    "DynamoDB_20120810": "DynamoDB",
    "DynamoDBStreams_20120810": "DynamoDBStreams",
    "AmazonSQS": "SQS",
    "AmazonSSM": "SSM",
    "cloudformation": "CloudFormation",
    "sqs": "SQS",
    "sts": "STS",
}
# What makes a stream record, or a message that can be received, and of which service.
CHANGES = {
    "DynamoDB.BatchExecuteStatement": "DynamoDB",
    "DynamoDB.BatchWriteItem": "DynamoDB",
    "DynamoDB.DeleteItem": "DynamoDB",
    "DynamoDB.ExecuteStatement": "DynamoDB",
    "DynamoDB.ExecuteTransaction": "DynamoDB",
    "DynamoDB.PutItem": "DynamoDB",
    "DynamoDB.TransactWriteItems": "DynamoDB",
    "DynamoDB.UpdateItem": "DynamoDB",
    "SQS.ChangeMessageVisibility": "SQS",
    "SQS.ChangeMessageVisibilityBatch": "SQS",
    "SQS.SendMessage": "SQS",
    "SQS.SendMessageBatch": "SQS",
}


def operation_name(environ: Environ, body: bytes) -> str:
    """The operation's name such as `DynamoDB.PutItem`, from the JSON protocol's header or the query protocol's body."""
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target is not None:
        service, _, action = str(target).partition(".")
    else:
        # Credential=local/20300131/us-east-1/cloudformation/aws4_request
        scope = environ.get("HTTP_AUTHORIZATION", "").split(",")[0].split("/")
        service = scope[3] if len(scope) > 3 else "unknown"
        action = parse_qs(body.decode("latin-1")).get("Action", [environ["REQUEST_METHOD"]])[0]
    return f"{_SERVICES.get(service, service)}.{action}"
