"""What Botte costs in a month, by arithmetic: `python -m tools.ops.costs` prints the tables of docs/costs.md.

The prices are in tools/ops/prices.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from tools.ops.prices import FREE, HOME, HOURS, NETWORK, PRICES
from tools.ops.tuning import REQUESTS_PER_SECOND

VOLUMES = (100, 10_000, 1_000_000)
DOORS = ("HTTP", "Lambda", "DynamoDB", "SQS")

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

# Of a flood. API Gateway counts the requests of each method by itself, and charges for none that it turns away.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
DAY_SECONDS = 86_400
METHODS = 8  # of the HTTP door; with an API token three of them may send
SENDING_METHODS = 3
REFUSED_SECONDS = 0.005  # to say that a token is wrong
HELD_SECONDS = 5.3  # a message that Telegram turns away: Botte waits for up to 5 s, then keeps it
_KEPT_WRITES = 2  # of the row, and in the index of what is due
LARGEST_ANSWER_GB = 47e-6  # of GET /openapi.json, which needs no token


def usage(door: str, messages: int) -> dict[str, float]:
    """What a month with so many messages through a door takes, with what Botte takes without any."""
    used: defaultdict[str, float] = defaultdict(float)
    used["Lambda requests"] += MINUTES
    used["Lambda GB-s"] += MINUTES * IDLE_SECONDS * SCHEDULE_MEMORY_GB
    used["table reads"] += _READS
    used["log GB"] += MINUTES * LOG_GB
    used["Lambda requests"] += messages
    used["Lambda GB-s"] += (messages * SEND_SECONDS + starts(messages) * INIT_SECONDS) * MEMORY_GB
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


def starts(messages: int) -> int:
    """How many new processes they take: one that has had nothing to do for five minutes is ended."""
    return min(messages, MINUTES // 5)


def flood(days: int, *, with_token: bool) -> dict[str, float]:
    """What somebody can have Botte take who sends as much as the throttling lets through. with_token: an API token."""
    of_method = REQUESTS_PER_SECOND * DAY_SECONDS * days
    calls = of_method * (SENDING_METHODS if with_token else METHODS)
    used = {
        "API calls": calls,
        "Lambda requests": calls,
        "Lambda GB-s": calls * (HELD_SECONDS if with_token else REFUSED_SECONDS) * MEMORY_GB,
        "log GB": calls * LOG_GB,
    }
    if with_token:
        return {**used, "table writes": calls * _KEPT_WRITES, "table GB": calls * ROW_GB * days / 30}
    return {**used, "GB to the Internet": of_method * LARGEST_ANSWER_GB}


def cost(used: Mapping[str, float], *, free_tier: bool, region: str = HOME) -> float:
    """Dollars."""
    return sum(_dollars(name, amount, free_tier=free_tier, region=region) for name, amount in used.items())


def _dollars(name: str, amount: float, *, free_tier: bool = True, region: str = HOME) -> float:
    return PRICES[region][name] * max(0.0, amount - FREE.get(name, 0.0) * free_tier)


def table() -> str:
    """The costs in Markdown: with what is free for ever, and in brackets without it."""
    rows = [
        [
            f"${cost(usage(door, volume), free_tier=True):.2f} (${cost(usage(door, volume), free_tier=False):.2f})"
            for volume in VOLUMES
        ]
        for door in DOORS
    ]
    return _markdown(["door", *(f"{volume:,} messages" for volume in VOLUMES)], zip(DOORS, rows, strict=True))


def regions() -> str:
    """What a million messages cost in each region, in Markdown."""
    most = VOLUMES[-1]
    rows = [[f"${cost(usage(door, most), free_tier=True, region=each):.2f}" for each in PRICES] for door in DOORS]
    return _markdown([f"{most:,} messages", *PRICES], zip(DOORS, rows, strict=True))


def bill(door: str, messages: int) -> str:
    """A month, line by line, in Markdown."""
    rows = [
        (
            name,
            [
                f"{amount:,.2f}" if amount < 100 else f"{amount:,.0f}",
                f"{FREE.get(name, 0):,.0f}",
                f"${PRICES[HOME][name]:.10f}".rstrip("0"),
                f"${_dollars(name, amount):.4f}",
            ],
        )
        for name, amount in usage(door, messages).items()
    ]
    return _markdown([f"{messages:,} through {door}", "taken", "free", "price of one", "costs"], rows)


def floods() -> str:
    """What a flood of the HTTP door costs, in Markdown; what is free in a month is taken off the month."""
    rows = []
    for title, with_token in (("the URL", False), ("the URL and an API token", True)):
        month = flood(30, with_token=with_token)
        parts = {name: _dollars(name, amount) for name, amount in month.items()}
        functions = parts["Lambda requests"] + parts["Lambda GB-s"]
        rest = sum(parts.values()) - parts["API calls"] - functions - parts["log GB"]
        day = cost(flood(1, with_token=with_token), free_tier=False)
        dollars = (day, sum(parts.values()), parts["API calls"], functions, parts["log GB"], rest)
        rows.append((title, [f"{month['API calls'] / 30:,.0f}", *(f"${each:,.0f}" for each in dollars)]))
    return _markdown(
        ["who has", "calls a day", "a day", "a month", "API Gateway", "Lambda", "logs", "answers, or tables"], rows
    )


def network() -> str:
    """What the other ways out of a VPC cost in a month, in each availability zone, in Markdown."""
    rows = [(region, [f"${each * HOURS:.2f}" for each in prices]) for region, prices in NETWORK.items()]
    return _markdown(["a month, each zone", "interface endpoint", "NAT gateway"], rows)


def _markdown(header: list[str], rows: Iterable[tuple[str, list[str]]]) -> str:
    lines = [header, *([name, *cells] for name, cells in rows)]
    shown = [f"| {' | '.join(cells)} |" for cells in lines]
    return "\n".join([shown[0], "|---" * len(header) + "|", *shown[1:]])


if __name__ == "__main__":
    print(table(), regions(), bill("DynamoDB", 10_000), floods(), network(), sep="\n\n")
