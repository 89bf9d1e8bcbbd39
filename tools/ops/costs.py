"""What Botte costs in a month, by arithmetic: `python -m tools.ops.costs` prints the table of docs/costs.md.

Prices of us-east-1 in US dollars, as AWS publishes them; PRICES_OF says when they were last compared.
Lambda on arm64: https://aws.amazon.com/lambda/pricing/, REST API: https://aws.amazon.com/api-gateway/pricing/,
on demand: https://aws.amazon.com/dynamodb/pricing/on-demand/, https://aws.amazon.com/sqs/pricing/,
logs: https://aws.amazon.com/cloudwatch/pricing/, the aws/ssm key: https://aws.amazon.com/kms/pricing/
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

PRICES_OF = "December 2025"
VOLUMES = (100, 10_000, 1_000_000)
DOORS = ("HTTP", "Lambda", "DynamoDB", "SQS")

# The price of one, and how many are free each month for ever. The free tiers of an account's first year are left out.
PRICES: Mapping[str, tuple[float, float]] = {
    "API calls": (3.50e-6, 0),
    "Lambda requests": (0.20e-6, 1e6),
    "Lambda GB-s": (0.0000133334, 400_000),
    "table writes": (0.625e-6, 0),
    "table reads": (0.125e-6, 0),
    "table GB": (0.25, 25),
    "queue requests": (0.40e-6, 1e6),
    "log GB": (0.53, 5),  # taken in, and kept for a month
    "key requests": (3e-6, 20_000),
}
# Of the functions of the doors, and of the schedule's, as .chalice/config.json has them.
MEMORY_GB, SCHEDULE_MEMORY_GB = 1.0, 0.25
SEND_SECONDS = 0.3  # nearly all of it is waiting for Telegram
INIT_SECONDS = 0.3  # until a new process takes its first event: docs/performance.md
IDLE_SECONDS = 0.02
LOG_GB = 1.5e-6  # of an invocation, with Lambda's own lines
MINUTES = 43_800  # of a month
ROW_GB = 1e-6
KEPT_MONTHS = 14 / 30  # of a row that was sent
IDLE_POLLS = 648_000  # five pollers, each waiting 20 s for a message, all month

CHATS = 1

# A row that owes a delivery is in the index ``due`` as well: its claim writes to it, and how it ended takes it out.
_CLAIM_AND_MARK = 4
_PUT_AND_DELETE = 2  # of the item in the task table
# The schedule asks every minute what is due in each chat. Every 15 minutes it looks through the task table, which is a
# consistent read, and through the index for chats that are configured no more; both are nearly empty. A read that may
# be a moment old counts half.
_READS = MINUTES * 0.5 * CHATS + MINUTES / 15 * (1 + 0.5)


def usage(door: str, messages: int) -> dict[str, float]:
    """What a month with so many messages through a door takes, with what Botte takes without any."""
    used: defaultdict[str, float] = defaultdict(float)
    used["Lambda requests"] += MINUTES
    used["Lambda GB-s"] += MINUTES * IDLE_SECONDS * SCHEDULE_MEMORY_GB
    used["table reads"] += _READS
    used["log GB"] += MINUTES * LOG_GB
    used["Lambda requests"] += messages
    # A process that has had nothing to do for some minutes is ended, so a message in five minutes starts a new one.
    used["Lambda GB-s"] += (messages * SEND_SECONDS + min(messages, MINUTES // 5) * INIT_SECONDS) * MEMORY_GB
    used["log GB"] += messages * LOG_GB
    # The bot token is a SecureString, which the schedule reads every five minutes together with the chats. So does the
    # function of a door while messages come, and the HTTP one its own token, too.
    used["key requests"] += MINUTES // 5 + (2 if door == "HTTP" else 1) * min(messages, MINUTES // 5)
    if door == "HTTP":
        used["API calls"] += messages
    if door in ("DynamoDB", "SQS"):
        used["table writes"] += messages * (_CLAIM_AND_MARK + _PUT_AND_DELETE * (door == "DynamoDB"))
        used["table GB"] += messages * ROW_GB * KEPT_MONTHS
    if door == "SQS":
        used["queue requests"] += IDLE_POLLS + 3 * messages
    return used


def cost(used: Mapping[str, float], *, free_tier: bool) -> float:
    """Dollars a month."""
    return sum(PRICES[name][0] * max(0.0, amount - PRICES[name][1] * free_tier) for name, amount in used.items())


def table() -> str:
    """The costs in Markdown: with what is free for ever, and in brackets without it."""
    lines = ["| door | " + " | ".join(f"{volume:,} messages" for volume in VOLUMES) + " |", "|---" * 4 + "|"]
    for door in DOORS:
        cells = []
        for volume in VOLUMES:
            used = usage(door, volume)
            cells.append(f"${cost(used, free_tier=True):.2f} (${cost(used, free_tier=False):.2f})")
        lines.append(f"| {door} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
