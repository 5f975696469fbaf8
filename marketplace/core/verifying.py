"""Whether the log is what was written: the chain worked out anew, and what is not in it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice
from types import MappingProxyType
from typing import Any

import psycopg
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marketplace.core.chain import FIELDS, Sealed, faults
from marketplace.core.context import Context
from marketplace.core.direct import driver
from marketplace.core.events import EventSeal
from marketplace.core.log_guard import open_doors
from marketplace.core.sealing_log import Head, Tail, head, tail

NONE_NOTED: Mapping[int, bytes] = MappingProxyType({})

AT_A_TIME = 2000
"""Rows that are held at once, however long the log."""

_SEALS = f"""
    SELECT coalesce(s.seq, 0), s.event_id::text, s.form, coalesce(s.hash, ''), e.id IS NOT NULL,
        {", ".join(f"e.{each}" if "(" not in each else each for each in FIELDS)}
    FROM event_seals s LEFT JOIN events e ON e.id = s.event_id ORDER BY s.seq
"""  # nosec B608  # our own words

_ELSEWHERE = {
    "event {}: not sealed, and it does not wait to be": """
        SELECT id FROM events e
        WHERE NOT EXISTS (SELECT FROM event_seals s WHERE s.event_id = e.id)
            AND NOT EXISTS (SELECT FROM unsealed_events u WHERE u.event_id = e.id)
        """,
    "event {}: gone before it was sealed": """
        SELECT event_id FROM unsealed_events u
        WHERE NOT EXISTS (SELECT FROM events e WHERE e.id = u.event_id)
            AND NOT EXISTS (SELECT FROM event_seals s WHERE s.event_id = u.event_id)
        """,
    "event {}: sealed more than once": """
        SELECT event_id FROM event_seals GROUP BY event_id HAVING count(*) > 1
        """,
}
"""What a walk along the chain cannot show. Each is asked of the same picture of the database, in
which an event is sealed or waits."""


@dataclass(frozen=True)
class Verified:
    """What was found."""

    events: int
    head: Head
    tail: Tail
    found: list[str]
    """What is wrong, a line each, so many at most as `verify_shows`."""
    more: int
    """How many there are besides."""


def verify_log(ctx: Context, anchors: Mapping[int, bytes] = NONE_NOTED) -> Verified:
    """Look at every event and every seal, in bounded memory, beside whoever writes meanwhile."""
    with ctx.reading() as session:
        waits = tail(session)
        wrong = chain(
            open_doors(session),
            wrong_with(session, anchors),
            _late(waits, ctx.clock(), ctx.policy.seal_within),
        )
        found = list(islice(wrong, ctx.policy.verify_shows))
        more = sum(1 for _ in wrong)
        events = session.scalars(select(func.count()).select_from(EventSeal)).one()
        return Verified(events, head(session), waits, found, more)


def wrong_with(session: Session, anchors: Mapping[int, bytes] = NONE_NOTED) -> Iterator[str]:
    """Yield how the log differs from what was written, a line each: first along the chain."""
    yield from faults(_seals(session), anchors)
    for says, question in _ELSEWHERE.items():
        with _cursor(session, "elsewhere") as cursor:
            for (event_id,) in cursor.execute(question):
                yield says.format(event_id)


def _seals(session: Session) -> Iterator[Sealed]:
    with _cursor(session, "seals") as cursor:
        for seq, event_id, form, hash_, is_there, *event in cursor.execute(_SEALS):
            yield Sealed(seq, event_id, form, hash_, event if is_there else None)


def _cursor(session: Session, name: str) -> "psycopg.ServerCursor[Any]":
    cursor = driver(session).cursor(name)
    cursor.itersize = AT_A_TIME
    return cursor


def _late(waits: Tail, now: datetime, at_most: timedelta) -> Iterator[str]:
    if waits.since is not None and now - waits.since > at_most:
        yield (
            f"events that wait to be sealed: {waits.count}, the oldest since "
            f"{waits.since:%Y-%m-%d %H:%M:%S} UTC; does a worker run?"
        )
