"""`export-providers`: the same format that is imported, so that what goes out can come in again."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, TextIO
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.core.events import NOTHING_IN_PARTICULAR, record
from marketplace.core.formulas import shown
from marketplace.providers.cells import COLUMNS, FURTHER_COLUMNS
from marketplace.providers.models import Accreditation, Coverage, Provider, Relationship
from marketplace.providers.rules import AccreditationState, ProviderState

BATCH = 2000


def export_providers(ctx: Context, actor: Actor, out: TextIO) -> int:
    """Write every provider that was not rejected; return how many there were.

    Open `out` with `newline=""`. Left out are withdrawn accreditations and relationships that
    end: the format has no place for them. What a spreadsheet would run, since whoever applies may
    be called `=HYPERLINK(...)`, has an apostrophe in front, which an import takes off again.
    """
    actor.require_admin()
    writer = csv.DictWriter(out, (*COLUMNS, *FURTHER_COLUMNS))
    writer.writeheader()
    written = 0
    with ctx.reading() as session:
        for rows in _batches(session):
            ids = [provider.id for provider, _ in rows]
            held, related = _accreditations(session, ids), _related(session, ids)
            for provider, coverage in rows:
                cells = _cells(provider, coverage, held[provider.id], related[provider.id])
                writer.writerow(
                    {name: shown(it) if isinstance(it, str) else it for name, it in cells.items()}
                )
            written += len(rows)
            session.expunge_all()
    with ctx.transaction() as tx:
        record(tx, actor, "providers.exported", NOTHING_IN_PARTICULAR, count=written)
    return written


def _batches(session: Session) -> Iterator[Sequence[tuple[Provider, Coverage]]]:
    last: UUID | None = None
    while True:
        wanted = (
            select(Provider, Coverage)
            .join(Coverage, Coverage.provider_id == Provider.id)
            .where(Provider.state != ProviderState.REJECTED)
            .order_by(Provider.id)
            .limit(BATCH)
        )
        if last is not None:
            wanted = wanted.where(Provider.id > last)
        rows = [(provider, coverage) for provider, coverage in session.execute(wanted)]
        if not rows:
            return
        last = rows[-1][0].id
        yield rows


def _cells(
    provider: Provider, coverage: Coverage, held: list[str], related: list[str]
) -> dict[str, Any]:
    return {
        "name": provider.name,
        "kind": provider.kind.value,
        "country": provider.country,
        "registration_number": provider.registration_number,
        "website": provider.website,
        "contact_name": provider.contact_name,
        "email": provider.contact_email,
        "phone": provider.contact_phone,
        "standards": ";".join(coverage.standards),
        "regions": ";".join(coverage.regions),
        "sectors": ";".join(coverage.sectors),
        "headcount_min": coverage.headcount_min,
        "headcount_max": coverage.headcount_max,
        "remote": "yes" if coverage.remote else "no",
        "open_capacity": coverage.open_capacity,
        "monthly_capacity": coverage.monthly_capacity,
        "related_to": ";".join(related),
        "accreditations": ";".join(held),
        "languages": ";".join(coverage.languages),
        "weeks_to_start": coverage.weeks_to_start,
    }


def _accreditations(session: Session, ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    found: dict[UUID, list[str]] = defaultdict(list)
    seen = set()
    for each in session.scalars(
        select(Accreditation)
        .where(
            Accreditation.provider_id.in_(ids),
            Accreditation.state != AccreditationState.WITHDRAWN,
        )
        # Of one that was renewed, only the latest: an entry is there once.
        .order_by(
            Accreditation.provider_id,
            Accreditation.state == AccreditationState.EXPIRED,
            Accreditation.id.desc(),
        )
    ):
        standard = each.standard if each.edition is None else f"{each.standard}:{each.edition}"
        identity = (each.provider_id, each.body, each.certificate_number, standard)
        if identity not in seen:
            seen.add(identity)
            parts = [each.body, each.certificate_number, standard, each.valid_until.isoformat()]
            parts += [",".join(each.sectors)] if each.sectors else []
            found[each.provider_id].append("|".join(parts))
    return found


def _related(session: Session, ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """Return whom each is related to.

    By the number of the legal entity, which only one has in a country, else by the address: a name
    may be somebody else's too.
    """
    own, other = aliased(Provider), aliased(Provider)
    found: dict[UUID, list[str]] = defaultdict(list)
    for provider_id, country, at_home, number, email in session.execute(
        select(own.id, own.country, other.country, other.registration_number, other.contact_email)
        .select_from(Relationship)
        .join(own, own.id == Relationship.provider_id)
        .join(other, other.id == Relationship.other_id)
        .where(
            Relationship.provider_id.in_(ids),
            Relationship.valid_until.is_(None),
            other.state != ProviderState.REJECTED,
        )
        .order_by(Relationship.id)
    ):
        named = email
        if number is not None and country == at_home and any(map(str.isdigit, number)):
            named = number
        if named not in found[provider_id]:
            found[provider_id].append(named)
    return found
