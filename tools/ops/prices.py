"""What AWS charges for what Botte takes, in US dollars; PRICES_OF says when it was last compared.

Lambda on arm64: https://aws.amazon.com/lambda/pricing/, REST API: https://aws.amazon.com/api-gateway/pricing/,
on demand: https://aws.amazon.com/dynamodb/pricing/on-demand/, https://aws.amazon.com/sqs/pricing/,
logs: https://aws.amazon.com/cloudwatch/pricing/, the aws/ssm key: https://aws.amazon.com/kms/pricing/,
to the Internet: https://aws.amazon.com/ec2/pricing/on-demand/, NAT: https://aws.amazon.com/vpc/pricing/,
interface endpoints: https://aws.amazon.com/privatelink/pricing/
"""

from __future__ import annotations

from collections.abc import Mapping

PRICES_OF = "August 2026"
HOME = "us-east-1"

_EVERYWHERE = {
    "Lambda requests": 0.20e-6,
    "Lambda GB-s": 0.0000133334,
    "queue requests": 0.40e-6,
    "key requests": 3e-6,
    "GB to the Internet": 0.09,
}
# The price of one. A GB of logs is taken in, and kept for a month.
PRICES: Mapping[str, Mapping[str, float]] = {
    "us-east-1": {
        **_EVERYWHERE,
        "API calls": 3.50e-6,
        "table writes": 0.625e-6,
        "table reads": 0.125e-6,
        "table GB": 0.25,
        "log GB": 0.50 + 0.03,
    },
    "eu-central-1": {
        **_EVERYWHERE,
        "API calls": 3.70e-6,
        "table writes": 0.7625e-6,
        "table reads": 0.1525e-6,
        "table GB": 0.306,
        "log GB": 0.63 + 0.0324,
    },
}
# How many are free each month, for ever. What was free in the first year of an older account is left out.
FREE: Mapping[str, float] = {
    "Lambda requests": 1e6,
    "Lambda GB-s": 400_000,
    "table GB": 25,
    "queue requests": 1e6,
    "log GB": 5,
    "key requests": 20_000,
    "GB to the Internet": 100,
}
# Of an hour, in each availability zone: an interface endpoint, a NAT gateway with its public address.
NETWORK: Mapping[str, tuple[float, float]] = {
    "us-east-1": (0.010, 0.045 + 0.005),
    "eu-central-1": (0.012, 0.052 + 0.005),
    "sa-east-1": (0.021, 0.093 + 0.005),
}
HOURS = 730  # of a month
