"""What a run reads: whom the lead wants, which leads wait; and the runs that were stored."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Text,
    Uuid,
    all_,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.orm import Session

from marketplace.catalogue import queries as catalogue
from marketplace.core.db import one_of
from marketplace.core.direct import Direct
from marketplace.core.policy import Policy
from marketplace.invitations.models import Invitation
from marketplace.leads.advisers import is_decided
from marketplace.leads.models import Lead
from marketplace.leads.rules import LeadState, Service, remembered
from marketplace.matching.eligibility import Adviser, Wanted
from marketplace.matching.models import MatchingRun
from marketplace.providers import queries as providers
from marketplace.providers.models import Coverage, Provider
from marketplace.providers.rules import ProviderKind, name_key

NOBODY = UUID(int=0)
"""An id that nothing has."""


def wanted_of(session: Session, lead: Lead, policy: Policy, today: date) -> Wanted:
    """Return what eligibility needs to know of a lead, with those who advised the business."""
    wanted = Wanted(
        service=lead.service,
        editions=lead.editions,
        ended=_ended(session, lead, today),
        regions=tuple(lead.regions),
        headcount=lead.headcount,
        sector=lead.sector,
        sector_codes=frozenset(),
        remote_ok=lead.remote_ok,
        weeks=_weeks(lead, policy.weeks_of_timeframe, today),
        language=lead.language,
    )
    if ProviderKind.CERTIFICATION_BODY not in wanted.kinds:
        return wanted  # of those who certify alone it is asked how they are scoped, and who advised
    advisers = advisers_of(session, lead, policy.engagement)
    codes = catalogue.codes_beside(session, lead.sector) if lead.sector else ()
    return replace(wanted, advisers=tuple(advisers), sector_codes=frozenset(codes))


def advisers_of(
    session: Session, lead: Lead, engagement: timedelta, *, to_follow: bool = False
) -> list[Adviser]:
    """Return who advised the business of a lead; `to_follow`: as a lead that follows it has it."""
    before = _chosen_before(session, lead, engagement, to_follow=to_follow)
    advisers = [*_named_advisers(session, lead), *before]
    # Advice by one entry of a legal entity is advice by all of it.
    known = {each.provider_id for each in advisers if each.provider_id is not None}
    others = providers.others_of_entity(session, known) if known else {}
    return advisers + [
        replace(each, provider_id=other)
        for each in advisers
        if each.provider_id is not None
        for other in others.get(each.provider_id, ())
    ]


def _ended(session: Session, lead: Lead, today: date) -> tuple[str, ...]:
    """Return the standards of whose edition the time is over, while the lead waited."""
    is_new = lead.certification_status.needs_a_new_one
    known = catalogue.editions_of(session, lead.standards)
    return tuple(
        code
        for code, edition in lead.editions.items()
        if code in known and known[code].has_ended(edition, today, is_new=is_new)
    )


def _weeks(lead: Lead, weeks_of: Mapping[str, int], today: date) -> int | None:
    """Return within how many weeks work should begin: by the time-frame, or by the day it names."""
    timeframe = lead.timeframe or ""
    asked = [weeks_of[timeframe]] if timeframe in weeks_of else []
    if lead.needed_by is not None:
        asked.append(max(0, (lead.needed_by - today).days // 7))
    return min(asked, default=None)


def _named_advisers(session: Session, lead: Lead) -> list[Adviser]:
    """Return those named in the form: as what is decided, else as every provider of that name.

    One that somebody else here bears the name of as well counts for all of them until an
    administrator has said which it is, or that it is none: then that, and nothing else. A name that
    only resembles a provider's counts for nobody until then.
    """
    undecided = {each["name"] for each in lead.consultants_used if not is_decided(each)}
    borne = providers.bearers(session, undecided) if undecided else {}
    advisers = []
    for each in lead.consultants_used:
        ended_on = date.fromisoformat(each["ended_on"][:10]) if each.get("ended_on") else None
        if not is_decided(each):
            ids = (*(bearer.id for bearer in borne[each["name"]]), None)
            advisers += [Adviser(name_key(each["name"]), known, ended_on) for known in ids]
        elif each["provider_id"]:
            advisers.append(Adviser(None, UUID(each["provider_id"]), ended_on))
    return advisers


def _chosen_before(
    session: Session, lead: Lead, engagement: timedelta, *, to_follow: bool
) -> list[Adviser]:
    """Return the consultants that the same business chose before: they advise it, or did.

    Whether it chose in time, or said only when it was asked that it had taken one of those invited.
    By who the business is and not by the link of a follow-on alone, so that sending a new form
    does not make anybody forget. `engagement`: how long one is taken to have advised it.
    """
    itself, follows = (NOBODY, lead.id) if to_follow else (lead.id, lead.follows_lead_id)
    rows = _CHOSEN_BEFORE.rows(
        session,
        {
            "lead": itself,
            "follows": follows,
            "business": lead.business_key,
            "remembered": remembered(lead.business_key),
        },
    )
    return [
        Adviser(key, provider_id, (chosen_at + engagement).date() if chosen_at else None)
        for provider_id, key, chosen_at in rows
    ]


_advised: Any = Lead.__table__.c
_held: Any = Invitation.__table__.c
_CHOSEN_BEFORE = Direct(
    select(
        Provider.id,
        Provider.name_key,
        func.coalesce(_advised.outcome_at, _advised.finished_at).label("chosen_at"),
    )
    .join(Invitation.__table__, _held.provider_id == Provider.id)
    .join(
        Lead.__table__,
        func.coalesce(_advised.outcome_invitation_id, _advised.awarded_invitation_id) == _held.id,
    )
    .where(
        or_(
            _advised.id == bindparam("follows", type_=Uuid()),
            _advised.business_key == bindparam("business", type_=Text()),
            _advised.business_key == bindparam("remembered", type_=Text()),
        ),
        _advised.id != bindparam("lead", type_=Uuid()),
        Provider.kind == literal_column(f"'{ProviderKind.CONSULTANT}'"),
    )
)


def waiting_leads(
    session: Session, provider_id: UUID | None = None, *, limit: int = 500
) -> list[UUID]:
    """Return open leads with an empty place, the longest waiting first.

    `provider_id`: only those that this provider's coverage row fits.
    """
    waiting = select(Lead.id).where(
        one_of(Lead.state, LeadState.OPEN), Lead.waiting_since.is_not(None)
    )
    if provider_id is not None:
        region = func.unnest(Lead.regions).column_valued("region")
        uncovered = (
            select(region)
            .where(
                region != all_(Coverage.regions),
                func.split_part(region, "-", 1) != all_(Coverage.regions),
            )
            .correlate(Lead, Coverage)
        )
        waiting = waiting.join(Coverage, Coverage.provider_id == provider_id).where(
            Lead.service.in_([Service.EITHER, _service_of_kind]),
            Lead.standards.contained_by(Coverage.standards),
            Lead.headcount.between(Coverage.headcount_min, Coverage.headcount_max),
            or_(and_(Lead.remote_ok, Coverage.remote), ~uncovered.exists()),
        )
    return list(session.scalars(waiting.order_by(Lead.waiting_since).limit(limit)))


_service_of_kind = case(
    (Coverage.kind == ProviderKind.CONSULTANT, Service.CONSULTING), else_=Service.CERTIFICATION
)


def runs_at(session: Session, invitation: Invitation) -> list[MatchingRun]:
    """Return the runs for its lead of the moment at which an invitation was sent."""
    return list(
        session.scalars(
            select(MatchingRun).where(
                MatchingRun.lead_id == invitation.lead_id, MatchingRun.at == invitation.sent_at
            )
        )
    )


def last_run(session: Session, lead_id: UUID) -> MatchingRun | None:
    """Return the last stored run for a lead."""
    return session.scalar(
        select(MatchingRun)
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
