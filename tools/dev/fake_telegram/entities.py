"""How Telegram makes overlapping entities fit: what cannot nest is dropped, what touches is joined."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tools.dev.fake_telegram.markup import Entity, in_order

_STYLES = frozenset({"bold", "italic", "underline", "strikethrough", "spoiler"})
_QUOTES = frozenset({"blockquote", "expandable_blockquote"})
_CODE = frozenset({"pre", "code"})


def fit_together(entities: Iterable[Entity]) -> list[Entity]:
    """Entities as a message carries them.

    Code, links, mentions and emoji never overlap each other: the first one stays. So it is with quotations, which
    may hold the others whole. Styles may overlap anything but code; two of one style that touch become one.
    """
    ordered = in_order(list(entities))
    quotes = _without_overlaps([entity for entity in ordered if entity.type in _QUOTES])
    solid = _without_overlaps([entity for entity in ordered if entity.type not in _STYLES | _QUOTES])
    solid = [entity for entity in solid if all(_fits(entity, quote) for quote in quotes)]
    code = [entity for entity in solid if entity.type in _CODE]
    styles: list[Entity] = []
    for style in sorted(_STYLES):
        for joined in _joined([entity for entity in ordered if entity.type == style]):
            styles.extend(_outside(joined, code))
    return in_order([*quotes, *solid, *styles])


def _without_overlaps(ordered: list[Entity]) -> list[Entity]:
    kept: list[Entity] = []
    for entity in ordered:
        if not kept or entity.offset >= kept[-1].end:
            kept.append(entity)
    return kept


def _fits(entity: Entity, quote: Entity) -> bool:
    """Whether an entity is wholly inside or wholly outside of a quotation."""
    inside = quote.offset <= entity.offset and entity.end <= quote.end
    return inside or entity.end <= quote.offset or quote.end <= entity.offset


def _joined(ordered: list[Entity]) -> list[Entity]:
    joined: list[Entity] = []
    for entity in ordered:
        if joined and entity.offset <= joined[-1].end:
            last = joined[-1]
            joined[-1] = replace(last, length=max(last.end, entity.end) - last.offset)
        else:
            joined.append(entity)
    return joined


def _outside(style: Entity, code: list[Entity]) -> list[Entity]:
    """The pieces of a style that lie outside of all code."""
    pieces: list[Entity] = []
    begin = style.offset
    for span in code:
        if span.offset < style.end and span.end > begin:
            if span.offset > begin:
                pieces.append(replace(style, offset=begin, length=span.offset - begin))
            begin = span.end
    if begin < style.end:
        pieces.append(replace(style, offset=begin, length=style.end - begin))
    return pieces
