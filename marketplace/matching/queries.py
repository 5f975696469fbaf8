"""What a run reads: the bench, credits, records, the funnel; and the runs that were stored."""

import random
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace.catalogue.rules import covering
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import InvitationState
from marketplace.leads.models import Lead
from marketplace.matching.eligibility import Adviser, Filter, Wanted
from marketplace.matching.models import Credit, MatchingRun
from marketplace.providers import queries as providers
from marketplace.providers.models import Coverage, Provider
from marketplace.providers.rules import ProviderState, month_of, name_key

SHUFFLE_RANGE = 2**31 - 1

RECORD_SPAN = timedelta(days=365)
"""How far back a provider's record of answers reaches."""


def wanted_of(session: Session, lead: Lead, *, engagement: timedelta) -> Wanted:
    """Return what eligibility needs to know of a lead, with those who advised the business.

    `engagement`: how long one that was chosen here is taken to have advised it.
    """
    from_form = [
        Adviser(
            name_key=name_key(each["name"]),
            provider_id=None,
            ended_on=datetime.fromisoformat(each["ended_on"]).date()
            if each.get("ended_on")
            else None,
        )
        for each in lead.consultants_used
    ]
    known = providers.ids_by_name_key(session, [each.name_key for each in from_form])
    advisers = [
        Adviser(adviser.name_key, provider_id, adviser.ended_on)
        for adviser in from_form
        for provider_id in (*sorted(known.get(adviser.name_key, ())), None)
    ]
    advisers += _chosen_before(session, lead, engagement)
    return Wanted(
        service=lead.service,
        editions=lead.editions,
        regions=tuple(lead.regions),
        headcount=lead.headcount,
        sector=lead.sector,
        remote_ok=lead.remote_ok,
        advisers=tuple(advisers),
    )


def _chosen_before(session: Session, lead: Lead, engagement: timedelta) -> list[Adviser]:
    """Return the consultants that the same business chose before: they advise it, or did.

    By who the business is and not by the link of a follow-on alone, so that sending a new form
    does not make anybody forget.
    """
    rows = session.execute(
        select(Provider.id, Provider.name_key, Lead.finished_at)
        .join(Invitation, Invitation.provider_id == Provider.id)
        .join(Lead, Lead.awarded_invitation_id == Invitation.id)
        .where(
            or_(Lead.id == lead.follows_lead_id, Lead.business_key == lead.business_key),
            Lead.id != lead.id,
            Provider.kind == "consultant",
        )
    )
    return [
        Adviser(key, provider_id, (chosen_at + engagement).date() if chosen_at else None)
        for provider_id, key, chosen_at in rows
    ]


def candidates(
    session: Session, wanted: Wanted, *, now: datetime, seed: int, batch: int
) -> Iterator[list[UUID]]:
    """Yield all who may come into question, batch by batch, from a random point of the shuffle on.

    Everybody comes once: from the point to the end, then from the beginning up to the point.
    """
    start = random.Random(seed).randrange(SHUFFLE_RANGE)
    for after, until in ((start, None), (-1, start)):
        place: int | None = after
        while place is not None:
            found = providers.candidate_ids(
                session,
                kinds=wanted.kinds,
                standards=list(wanted.editions),
                regions=wanted.regions,
                remote_ok=wanted.remote_ok,
                headcount=wanted.headcount,
                now=now,
                after_shuffle=place,
                limit=batch,
            )
            inside = [each for shuffle, each in found if until is None or shuffle <= until]
            if inside:
                yield inside
            place = found[-1][0] if found and len(inside) == len(found) else None


def funnel(session: Session, wanted: Wanted, *, now: datetime) -> list[tuple[Filter, int]]:
    """Return how many providers each filter of the coverage row leaves, one after the other."""
    reached = and_(*(Coverage.regions.overlap(covering(region)) for region in wanted.regions))
    if wanted.remote_ok:
        reached = or_(reached, Coverage.remote)
    used = Coverage.month == month_of(now)
    conditions = (
        (Filter.KIND, Coverage.kind.in_(wanted.kinds)),
        (Filter.STATE, Coverage.state == ProviderState.VERIFIED),
        (Filter.STANDARDS, Coverage.standards.contains(list(wanted.editions))),
        (Filter.REGIONS, reached),
        (
            Filter.HEADCOUNT,
            and_(
                Coverage.headcount_min <= wanted.headcount,
                Coverage.headcount_max >= wanted.headcount,
            ),
        ),
        (
            Filter.CAPACITY,
            and_(
                Coverage.open_count < Coverage.open_capacity,
                Coverage.monthly_capacity > 0,
                or_(~used, Coverage.month_count < Coverage.monthly_capacity),
            ),
        ),
    )
    counts = [
        func.count().filter(and_(*(condition for _, condition in conditions[: index + 1])))
        for index in range(len(conditions))
    ]
    row = session.execute(select(*counts).select_from(Coverage)).one()
    return [(name, int(left)) for (name, _), left in zip(conditions, row, strict=True)]


def lock_credits(session: Session, ids: Collection[UUID]) -> dict[UUID, Credit]:
    """Hold the credit rows of these providers, in the order of their ids; new ones start at 0."""
    ordered = sorted(ids)
    if ordered:
        session.execute(
            insert(Credit)
            .values([{"provider_id": each, "balance": 0.0} for each in ordered])
            .on_conflict_do_nothing()
        )
    rows = session.scalars(
        select(Credit)
        .where(Credit.provider_id.in_(ordered))
        .order_by(Credit.provider_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {row.provider_id: row for row in rows}


def records(
    session: Session, ids: Collection[UUID], *, now: datetime
) -> dict[UUID, tuple[int, int]]:
    """Return, by provider, how many invitations of the last year it answered and missed."""
    missed = (InvitationState.RELEASED, InvitationState.EXPIRED)
    # A question does not stop the clock: without a quote by then it is a miss all the same.
    is_missed = Invitation.state.in_(missed)
    answered = or_(
        Invitation.responded_at.is_not(None), Invitation.state == InvitationState.DECLINED
    )
    rows = session.execute(
        select(
            Invitation.provider_id,
            func.count().filter(and_(answered, ~is_missed)),
            func.count().filter(is_missed),
        )
        .where(Invitation.provider_id.in_(ids), Invitation.sent_at > now - RECORD_SPAN)
        .group_by(Invitation.provider_id)
    )
    return {provider_id: (int(good), int(bad)) for provider_id, good, bad in rows}


def last_outcome(session: Session, lead_id: UUID) -> str | None:
    """Return what the last stored run for a lead came to."""
    return session.scalar(
        select(MatchingRun.outcome)
        .where(MatchingRun.lead_id == lead_id)
        .order_by(MatchingRun.id.desc())
        .limit(1)
    )


def runs_of_lead(session: Session, lead_id: UUID) -> list[MatchingRun]:
    """Return every run for a lead, the latest first."""
    return list(
        session.scalars(
            select(MatchingRun)
            .where(MatchingRun.lead_id == lead_id)
            .order_by(MatchingRun.id.desc())
        )
    )
