"""The statement behind the coverage report: every cell, from the rows of providers and requests."""

from functools import cache
from typing import Any

from sqlalchemy import (
    CTE,
    Date,
    DateTime,
    Double,
    FromClause,
    Integer,
    Select,
    all_,
    and_,
    any_,
    bindparam,
    cast,
    distinct,
    func,
    literal,
    or_,
    select,
    union,
    union_all,
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


@cache
def cells() -> Select[*tuple[Any, ...]]:
    """Return a row per standard, region and kind that anybody asks for or covers.

    The one to recruit for next comes first: the most requests with an empty place, the largest
    share of them, the fewest providers. Made once: it takes `since`, from when on requests were
    opened that count; `places`, how many each of them has; and `today`.
    """
    offers, wanted = _offers(), _wanted(_asked())
    present = _present(offers, wanted)
    of_remote = (
        select(offers.c.kind, _each(offers.c.standards, "standard"))
        .where(offers.c.remote)
        .subquery()
    )
    remote = select(*of_remote.c, func.count().label("providers")).group_by(*of_remote.c).subquery()
    standard, region = (
        func.coalesce(present.c[name], wanted.c[name]).label(name)
        for name in ("standard", "region")
    )
    kind = func.coalesce(present.c.kind, wanted.c.kind, type_=Coverage.kind.type).label("kind")
    providers = func.coalesce(present.c.providers, 0).label("providers")
    n = func.coalesce(wanted.c.n, 0).label("n")
    lacking = func.coalesce(wanted.c.with_empty_place, 0).label("with_empty_place")
    elsewhere = func.coalesce(remote.c.providers, 0) - func.coalesce(present.c.remote, 0)
    both = present.join(
        wanted,
        and_(*(present.c[name] == wanted.c[name] for name in ("standard", "region", "kind"))),
        full=True,
    ).outerjoin(remote, and_(remote.c.kind == kind, remote.c.standard == standard))
    return (
        select(standard, region, kind, providers, elsewhere.label("remote_providers"), n, lacking)
        .select_from(both)
        .order_by(
            -lacking,
            func.coalesce(-cast(lacking, Double) / func.nullif(n, 0), 1.0),
            providers,
            -n,
            standard,
            region,
            kind,
        )
    )


def _offers() -> CTE:
    """Every verified provider with the standards that it could take: a body, where accredited."""
    today = bindparam("today", type_=Date())
    covers = (Coverage.kind, Coverage.regions, Coverage.remote)
    return union_all(
        select(*covers, Coverage.standards).where(
            Coverage.state == ProviderState.VERIFIED, Coverage.kind == ProviderKind.CONSULTANT
        ),
        select(*covers, func.array_agg(distinct(Accreditation.standard)).label("standards"))
        .join(Accreditation, Accreditation.provider_id == Coverage.provider_id)
        .join(AccreditationBody, AccreditationBody.code == Accreditation.body)
        .where(
            Coverage.state == ProviderState.VERIFIED,
            Coverage.kind == ProviderKind.CERTIFICATION_BODY,
            Accreditation.standard == any_(Coverage.standards),
            Accreditation.state == AccreditationState.VERIFIED,
            or_(Accreditation.valid_from.is_(None), Accreditation.valid_from <= today),
            Accreditation.valid_until >= today,
            AccreditationBody.recognition == Recognition.RECOGNISED,
            or_(
                AccreditationBody.recognised_for.is_(None),
                Accreditation.standard == any_(AccreditationBody.recognised_for),
            ),
        )
        .group_by(Coverage.provider_id),
    ).cte("offers")


def _asked() -> FromClause:
    """The requests of the period that ask for the same, and how many were left with an empty place.

    Most ask for what others do: of those alike, standards and regions are taken apart once.
    """
    holds = or_(
        Invitation.state.in_(LIVE),
        and_(Invitation.state.in_(_AT_THE_END), Invitation.ended_at >= Lead.finished_at),
        and_(Invitation.accepted_at.is_not(None), Invitation.passed_on_at.is_(None)),
    )
    lacks = func.count(Invitation.id) < bindparam("places", type_=Integer())
    each = (
        select(Lead.service, Lead.standards, Lead.regions, lacks.label("lacks"))
        .outerjoin(Invitation, and_(Invitation.lead_id == Lead.id, holds))
        .where(Lead.opened_at >= bindparam("since", type_=DateTime(timezone=True)))
        .group_by(Lead.id)
        .subquery()
    )
    alike = (each.c.service, each.c.standards, each.c.regions)
    lacking = func.count().filter(each.c.lacks)
    return (
        select(*alike, func.count().label("n"), lacking.label("lacking"))
        .group_by(*alike)
        .subquery()
    )


def _present(offers: CTE, wanted: CTE) -> FromClause:
    """How many are there for a standard, in every region that anybody names.

    Who is in a whole country is in each part of it, once, whichever parts it names besides. Many
    offer the same in one place: of those alike, standards are taken apart once.
    """
    each = select(offers, _each(offers.c.regions, "region")).subquery()
    country = _country(each.c.region)
    is_counted = or_(
        func.cardinality(each.c.regions) == 1,
        each.c.region == country,
        country != all_(each.c.regions),
    )
    alike = (each.c.kind, each.c.standards, each.c.region, each.c.remote)
    groups = select(*alike, func.count().label("n")).where(is_counted).group_by(*alike).subquery()
    offered = select(
        groups.c.kind,
        _each(groups.c.standards, "standard"),
        groups.c.region,
        groups.c.remote,
        groups.c.n,
    ).subquery()
    named = (
        select(
            offered.c.kind,
            offered.c.standard,
            offered.c.region,
            func.sum(offered.c.n).label("providers"),
            func.coalesce(func.sum(offered.c.n).filter(offered.c.remote), 0).label("remote"),
        )
        .group_by(offered.c.kind, offered.c.standard, offered.c.region)
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


def _wanted(asked: FromClause) -> CTE:
    """How many requests there were for a standard, in every region, by whom they call for."""
    calls = union_all(
        *(
            select(
                literal(service, Lead.service.type).label("service"),
                literal(kind, Coverage.kind.type).label("kind"),
            )
            for service in Service
            for kind in sorted(_kinds(service))
        )
    ).subquery()
    by_standard = select(asked, _each(asked.c.standards, "standard")).subquery()
    each = select(by_standard, _each(by_standard.c.regions, "region")).subquery()
    return (
        select(
            calls.c.kind,
            each.c.standard,
            each.c.region,
            cast(func.sum(each.c.n), Integer).label("n"),
            cast(func.sum(each.c.lacking), Integer).label("with_empty_place"),
        )
        .select_from(each.join(calls, calls.c.service == each.c.service))
        .group_by(calls.c.kind, each.c.standard, each.c.region)
        .cte("wanted")
    )


def _kinds(service: Service) -> frozenset[ProviderKind]:
    return Wanted(service, {}, (), (), 1, None, frozenset(), remote_ok=False).kinds


def _each(words: Any, name: str) -> Any:
    """Return a row for each, beside the others that are selected: far cheaper than a join."""
    return func.unnest(words).label(name)


def _country(region: Any) -> Any:
    return func.split_part(region, "-", 1)
