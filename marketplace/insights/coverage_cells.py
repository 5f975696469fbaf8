"""The statement behind the coverage report: every cell, from the rows of providers and requests."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    CTE,
    Double,
    FromClause,
    Integer,
    Tuple,
    all_,
    and_,
    any_,
    cast,
    column,
    func,
    or_,
    select,
    tuple_,
    union,
    union_all,
    values,
)

from marketplace.catalogue.models import AccreditationBody
from marketplace.catalogue.rules import Recognition
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import LIVE, InvitationState
from marketplace.leads.models import Lead
from marketplace.leads.rules import Service
from marketplace.matching.eligibility import Wanted
from marketplace.providers.models import Accreditation, Coverage
from marketplace.providers.rules import AccreditationState, ProviderKind, ProviderState

_AT_THE_END = (InvitationState.WON, InvitationState.LOST, InvitationState.WITHDRAWN)
"""What a live invitation becomes when its request finishes."""


def cells(since: datetime, today: date, places: int) -> CTE:
    """Return a row per standard, region and kind that anybody asks for or covers.

    `since`: requests opened from then on count; each has `places` places.
    """
    offers, wanted = _offers(today), _wanted(_asked(since, places))
    present = _present(offers, wanted)
    remote = (
        select(offers.c.kind, offers.c.standard, func.count().label("providers"))
        .where(offers.c.remote)
        .group_by(offers.c.kind, offers.c.standard)
        .subquery()
    )
    cell = [func.coalesce(present.c[name], wanted.c[name]) for name in ("standard", "region")]
    kind = func.coalesce(present.c.kind, wanted.c.kind, type_=Coverage.kind.type)
    n, lacking = func.coalesce(wanted.c.n, 0), func.coalesce(wanted.c.with_empty_place, 0)
    both = present.join(
        wanted,
        and_(*(present.c[name] == wanted.c[name] for name in ("standard", "region", "kind"))),
        full=True,
    ).outerjoin(remote, and_(remote.c.kind == kind, remote.c.standard == cell[0]))
    return (
        select(
            cell[0].label("standard"),
            cell[1].label("region"),
            kind.label("kind"),
            func.coalesce(present.c.providers, 0).label("providers"),
            (func.coalesce(remote.c.providers, 0) - func.coalesce(present.c.remote, 0)).label(
                "remote_providers"
            ),
            n.label("n"),
            lacking.label("with_empty_place"),
        )
        .select_from(both)
        .cte("cells")
    )


def rank(row: FromClause) -> Tuple:
    """Return by what cells are ordered: the one to recruit for next is the least.

    The most requests with an empty place, the largest share of them, the fewest providers.
    """
    share = func.coalesce(-cast(row.c.with_empty_place, Double) / func.nullif(row.c.n, 0), 1.0)
    return tuple_(
        -row.c.with_empty_place, share, row.c.providers, -row.c.n,
        row.c.standard, row.c.region, row.c.kind,
    )  # fmt: skip


def _offers(today: date) -> CTE:
    """Every standard that a verified provider could take: a body, only where it is accredited."""
    accredited = (
        select(Accreditation.provider_id, Accreditation.standard)
        .join(AccreditationBody, AccreditationBody.code == Accreditation.body)
        .where(
            Accreditation.state == AccreditationState.VERIFIED,
            or_(Accreditation.valid_from.is_(None), Accreditation.valid_from <= today),
            Accreditation.valid_until >= today,
            AccreditationBody.recognition == Recognition.RECOGNISED,
            or_(
                AccreditationBody.recognised_for.is_(None),
                Accreditation.standard == any_(AccreditationBody.recognised_for),
            ),
        )
        .distinct()
        .subquery()
    )
    offered = _each(Coverage.standards, "standard")
    verified = (Coverage.kind, Coverage.regions, Coverage.remote)
    return union_all(
        select(*verified, offered).where(
            Coverage.state == ProviderState.VERIFIED, Coverage.kind == ProviderKind.CONSULTANT
        ),
        select(*verified, accredited.c.standard)
        .join(accredited, accredited.c.provider_id == Coverage.provider_id)
        .where(
            Coverage.state == ProviderState.VERIFIED,
            Coverage.kind == ProviderKind.CERTIFICATION_BODY,
            accredited.c.standard == any_(Coverage.standards),
        ),
    ).cte("offers")


def _asked(since: datetime, places: int) -> CTE:
    """The requests of the period that ask for the same, and how many were left with an empty place.

    Most ask for what others do: of those alike, standards and regions are taken apart once.
    """
    held = (
        select(Invitation.lead_id, func.count().label("places"))
        .join(Lead, Lead.id == Invitation.lead_id)
        .where(
            Lead.opened_at >= since,
            or_(
                Invitation.state.in_(LIVE),
                and_(Invitation.state.in_(_AT_THE_END), Invitation.ended_at >= Lead.finished_at),
                and_(Invitation.accepted_at.is_not(None), Invitation.passed_on_at.is_(None)),
            ),
        )
        .group_by(Invitation.lead_id)
        .subquery()
    )
    lacks = func.coalesce(held.c.places, 0) < places
    return (
        select(
            Lead.service,
            Lead.standards,
            Lead.regions,
            func.count().label("n"),
            func.count().filter(lacks).label("lacking"),
        )
        .outerjoin(held, held.c.lead_id == Lead.id)
        .where(Lead.opened_at >= since)
        .group_by(Lead.service, Lead.standards, Lead.regions)
        .cte("asked")
    )


def _present(offers: CTE, wanted: CTE) -> FromClause:
    """How many are there for a standard, in every region that anybody names.

    Who is in a whole country is in each part of it, once, whichever parts it names besides.
    """
    region = _each(offers.c.regions, "region")
    country = _country(region)
    named = (
        select(
            offers.c.kind,
            offers.c.standard,
            region,
            func.count().label("providers"),
            func.count().filter(offers.c.remote).label("remote"),
        )
        .where(or_(region == country, country != all_(offers.c.regions)))
        .group_by(offers.c.kind, offers.c.standard, region)
        .cte("named")
    )
    regions = union(select(named.c.region), select(wanted.c.region)).cte("regions")
    country = _country(regions.c.region)
    covering = union_all(
        select(regions.c.region, regions.c.region.label("by")),
        select(regions.c.region, country.label("by")).where(country != regions.c.region),
    ).subquery()
    return (
        select(
            named.c.kind,
            named.c.standard,
            covering.c.region,
            cast(func.sum(named.c.providers), Integer).label("providers"),
            cast(func.sum(named.c.remote), Integer).label("remote"),
        )
        .join(covering, covering.c.by == named.c.region)
        .group_by(named.c.kind, named.c.standard, covering.c.region)
        .subquery()
    )


def _wanted(asked: CTE) -> CTE:
    """How many requests there were for a standard, in every region, by whom they call for."""
    pairs = [(service, kind) for service in Service for kind in _kinds(service)]
    columns = (column("service", Lead.service.type), column("kind", Coverage.kind.type))
    calls = values(*columns, name="calls").data(pairs)
    standard, region = _each(asked.c.standards, "standard"), _each(asked.c.regions, "region")
    return (
        select(
            calls.c.kind,
            standard,
            region,
            cast(func.sum(asked.c.n), Integer).label("n"),
            cast(func.sum(asked.c.lacking), Integer).label("with_empty_place"),
        )
        .select_from(asked.join(calls, calls.c.service == asked.c.service))
        .group_by(calls.c.kind, standard, region)
        .cte("wanted")
    )


def _kinds(service: Service) -> frozenset[ProviderKind]:
    return Wanted(service, {}, (), (), 1, None, frozenset(), remote_ok=False).kinds


def _each(words: Any, name: str) -> Any:
    return func.unnest(words).column_valued(name, joins_implicitly=True)


def _country(region: Any) -> Any:
    return func.split_part(region, "-", 1)
