"""Draws the plan of a history from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from tests.simulation import hostile
from tests.simulation.keys import draw_flapping, give_keys
from tests.simulation.moods import draw_crowded, draw_lossy
from tests.simulation.plan import CHATS, DAY, FOREVER, HOUR, MINUTE, Plan
from tests.simulation.scheduler import EPOCH
from tests.simulation.submission import Door, Submission, text_of
from tests.simulation.weather import INDEX, PARAMETERS, SLOW_TABLE, TABLE, TELEGRAM, Phase

DOORS: Sequence[Door] = ("http", "http", "sync", "async", "task", "task", "task", "queue", "fifo", "fifo")


def draw(seed: int) -> Plan:
    """The plan of a seed."""
    random = Random(f"plan {seed}")
    (make,) = random.choices((_draw_mixed, draw_crowded, draw_lossy), (63, 25, 12))
    keys = Random(f"keys 167 {seed}")
    chance = keys.random()
    plan = make(seed, random)
    if make is _draw_mixed and chance < 0.15:
        plan = draw_flapping(seed, keys)
    elif make is _draw_mixed and chance < 0.55:
        plan = give_keys(plan, keys)
    is_for_ever = any(phase.end == FOREVER for phase in plan.phases)
    return replace(plan, limit=plan.calm + (5 * DAY if is_for_ever else 3 * HOUR))


def _draw_mixed(seed: int, random: Random) -> Plan:
    """Everything at once."""
    length = random.choice((random.uniform(5, 20),) * 5 + (random.uniform(20, 60),)) * MINUTE
    chats = dict(list(CHATS.items())[: random.randint(2, 4)])
    submissions = _draw_submissions(random, length, list(chats))
    return Plan(
        seed=seed,
        submissions=submissions,
        phases=[
            *_draw_weather(random, length, list(chats)),
            *_draw_poison(random, length, submissions),
        ],
        removals=_draw_removals(random, length, list(chats)),
        chats=chats,
        calm=EPOCH + length,
        kill_rate=random.choice((0.0, 0.05, 0.2)),
        stall_rate=random.choice((0.0, 0.0, 0.1)),
        cold_rate=random.choice((0.02, 0.3)),
        twice_rate=random.choice((0.1, 0.5)),
        record_loss=random.choice((0.0, 0.0, 0.3)),
        lag_rate=random.choice((0.0, 0.0, 0.2)),
        batch=random.choice((2, 10, 100)),
        page=random.choice((2, 100)),
    )


def _draw_submissions(random: Random, length: float, chats: Sequence[str]) -> list[Submission]:
    """Messages of all kinds; some come in bursts, some again, some with another's id."""
    sent: list[Submission] = []
    count = random.randint(6, 28)
    bursts = [random.uniform(0.0, length) for _ in range(random.randint(2, count))]
    times = sorted(random.choice(bursts) + random.choice((0.0, 0.5, 5.0)) for _ in range(count))
    for number, time in enumerate(times, start=1):
        at, tag = EPOCH + time, f"m{number}"
        chance = random.random()
        if chance < 0.1 and sent:
            again = hostile.again(random, random.choice(sent), tag, at)
            sent += [again] if again else []
        elif chance < 0.18:
            sent.append(hostile.odd(random, tag, at))
        else:
            sent.append(_draw_message(random, tag, at, chats))
    return sorted(sent, key=lambda each: each.at)


def _draw_message(random: Random, tag: str, at: float, chats: Sequence[str]) -> Submission:
    door = random.choice(DOORS)
    fields: dict[str, object] = {"text": text_of(tag, random.choice((1,) * 6 + (2, 3)))}
    chat = random.choice(("default", *chats))
    if chat != "default":
        fields["chat"] = chat
    if random.random() < 0.3:
        fields["id"] = f"id-{tag}"
    if random.random() < 0.12:
        fields["deliver_at"] = int(at + random.choice((-10.0, 5.0, random.uniform(0.0, 30 * MINUTE))))
    if door == "fifo":
        return Submission(at, tag, door, fields, group=random.choice("ab"))
    if door != "task":
        return Submission(at, tag, door, fields)
    more = hostile.foreign_attributes(random) if random.random() < 0.3 else {}
    kind = random.random()
    if kind < 0.4:
        group = random.choice("xy")
        return Submission(
            at, tag, door, fields, group=f"tasks {group}", partition=f"BOTTE_MESSAGE#{group}", sort=tag, more=more
        )
    if kind < 0.7:
        return Submission(at, tag, door, fields, sort=tag, more=more)
    fields.pop("id", None)
    return Submission(at, tag, door, fields, partition=f"BOTTE_MESSAGE#id-{tag}", sort=f"id-{tag}", more=more)


def _draw_weather(random: Random, length: float, chats: Sequence[str]) -> list[Phase]:
    def phase(where: str, *kinds: str, most: float = length) -> Phase:
        start = random.uniform(0.0, length)
        end = min(length, start + random.uniform(5.0, most))
        kind = random.choice(kinds)
        seconds = random.choice((2.0, 4.0, 30.0, 60.0, 120.0, 600.0)) if kind == "busy" else random.uniform(1.0, 30.0)
        return Phase(EPOCH + start, EPOCH + end, where, kind, random.choice((0.3, 0.7, 1.0)), seconds)

    kinds = ("down", "error", "lost", "busy", "hang")
    phases = [phase(TELEGRAM, *kinds, "token") for _ in range(random.choice((0, 0, 1, 2)))]
    phases += [phase(f"chat {random.choice(chats)}", *kinds, "refuse") for _ in range(random.choice((0, 1, 2, 3)))]
    phases += [phase(TABLE, "throttle", "lost", most=3 * MINUTE) for _ in range(random.choice((0, 0, 1, 2)))]
    phases += [phase(SLOW_TABLE, "slow")._replace(seconds=4.0) for _ in range(random.randint(0, 1))]
    phases += [phase(INDEX, "stale") for _ in range(random.choice((0, 0, 1)))]
    phases += [phase(PARAMETERS, "away", most=2 * MINUTE) for _ in range(random.choice((0, 0, 0, 1)))]
    return phases


def _draw_poison(random: Random, length: float, sent: Sequence[Submission]) -> list[Phase]:
    """Messages that always get 500, or whose answer is always lost: for some time after the storm, or one for ever."""
    tags = random.sample([each.tag for each in sent], min(len(sent), random.choice((0, 0, 1, 3))))
    if random.random() < 0.02:
        return [Phase(EPOCH, FOREVER, f"message {random.choice(sent).tag}", "error")]
    ends = EPOCH + length + random.uniform(0.0, HOUR)
    kinds = ("error", "error", "lost")
    return [Phase(EPOCH, ends, f"message {tag}", random.choice(kinds)) for tag in tags]


def _draw_removals(random: Random, length: float, chats: Sequence[str]) -> list[tuple[str, float, float]]:
    if random.random() < 0.75:
        return []
    start = random.uniform(0.0, length)
    end = random.choice((start + random.uniform(0.0, length), FOREVER - EPOCH))
    return [(random.choice(chats[1:]), EPOCH + start, EPOCH + end)]
