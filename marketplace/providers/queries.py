"""Who goes by a name, who is of one legal entity, and who is related."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    cast,
    func,
    literal_column,
    or_,
    select,
    text,
    type_coerce,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, aliased

from marketplace.providers.models import Provider, Relationship
from marketplace.providers.name_numbers import entities_in, without_numbers
from marketplace.providers.names import Search
from marketplace.providers.rules import ProviderState, name_key

READ_AT_MOST = 10_000
"""How many names one way of looking reads, should a word be in more of them."""

_WORDS: ColumnElement[Any] = type_coerce(
    literal_column("string_to_array(providers.name_key, ' ')"), ARRAY(Text)
)
"""The words of a name, exactly as the index has them."""


class Bearer(NamedTuple):
    """A provider that bears a name, and what it is called itself."""

    id: UUID
    name: str
    name_key: str
    legal_entity: str | None


def bearers(session: Session, names: Collection[str]) -> dict[str, list[Bearer]]:
    """Return who bears each of these names: whoever has its key, or a number that stands in it.

    By key (`rules.name_key`, with such a number and without) rejected providers included, by
    number not.
    """
    keys = {name: {name_key(name), name_key(without_numbers(name))} for name in names}
    entities = {name: entities_in(name) for name in names}
    bears: list[ColumnElement[bool]] = [Provider.name_key.in_(set().union(*keys.values()))]
    if numbered := set().union(*entities.values()):
        # As the index of legal entities says it, or it could not be used.
        counts = Provider.state != literal_column(f"'{ProviderState.REJECTED}'")
        bears.append(Provider.legal_entity.in_(numbered) & counts)
    rows = session.execute(
        select(Provider.id, Provider.name, Provider.name_key, Provider.legal_entity)
        .where(or_(*bears))
        .order_by(Provider.id)
    )
    found = [Bearer(*row) for row in rows]
    return {
        name: [
            each
            for each in found
            if each.name_key in keys[name] or each.legal_entity in entities[name]
        ]
        for name in names
    }


def related_to(session: Session, ids: Collection[UUID], *, since: date = date.min) -> set[UUID]:
    """Return everybody in a relationship with these providers that had not ended by `since`.

    Whoever declared it. These themselves are among them where they are in one.
    """
    pairs = session.execute(
        select(Relationship.provider_id, Relationship.other_id).where(
            or_(Relationship.provider_id.in_(ids), Relationship.other_id.in_(ids)),
            or_(Relationship.valid_until.is_(None), Relationship.valid_until >= since),
        )
    )
    return {each for pair in pairs for each in pair}


def others_of_entity(session: Session, ids: Collection[UUID]) -> dict[UUID, set[UUID]]:
    """Return who else, rejected ones left out, is of one legal entity with these providers."""
    one, other = aliased(Provider), aliased(Provider)
    same = and_(
        other.legal_entity == one.legal_entity,
        other.id != one.id,
        # In so many words, or the index could not be used.
        other.state != literal_column(f"'{ProviderState.REJECTED}'"),
    )
    found: dict[UUID, set[UUID]] = defaultdict(set)
    for each, other_id in session.execute(
        select(one.id, other.id).join(other, same).where(one.id.in_(ids))
    ):
        found[each].add(other_id)
    return dict(found)


def names_like(session: Session, search: Search, *, limit: int) -> dict[UUID, str]:
    """Return providers whose names may resemble one: at most `limit` for each way of looking.

    By indexes alone, and bounded, so that it takes as long among a million names as among a
    thousand; rejected providers included.
    """
    looks = [_WORDS.overlap(list(spelt)) for spelt in (search.any_of, search.mistyped) if spelt]
    if search.all_of:
        together = (
            and_(*(_WORDS.overlap(list(spelt)) for spelt in words)) for words in search.all_of
        )
        looks.append(or_(*together))
    if search.start is not None:
        # As a range and not as a pattern, which a prepared statement could not look up.
        looks.append(
            Provider.name_key.op("~>=~", is_comparison=True)(search.start)
            & Provider.name_key.op("~<~", is_comparison=True)(search.start + "\U0010ffff")
        )
    if not looks:
        return {}
    # The planner takes each of a hundred spellings for as frequent as the rarest word it knows,
    # and would rather read the table: seconds instead of milliseconds.
    session.execute(text("SET LOCAL enable_seqscan = off"))
    found = session.execute(union_all(*(_likeliest(look, search, limit) for look in looks)))
    names = {row.id: row.name for row in found}
    session.execute(text("SET LOCAL enable_seqscan = DEFAULT"))
    return names


def _likeliest(look: ColumnElement[bool], search: Search, limit: int) -> Select[tuple[UUID, str]]:
    """Return what one way of looking finds, those first that share most words and add fewest."""
    read = (
        select(Provider.id, Provider.name, _WORDS.label("words"))
        .where(look)
        .limit(READ_AT_MOST)
        .subquery()
    )
    distance: ColumnElement[int] = func.cardinality(read.c.words)
    for spelt in search.words:
        distance -= 2 * cast(read.c.words.overlap(list(spelt)), Integer)
    return select(read.c.id, read.c.name).order_by(distance, read.c.id).limit(limit)
