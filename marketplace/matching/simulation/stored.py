"""Months that were, to be run again: the leads that opened in them, and the providers as they are.

Providers are taken as they are now: who is not verified any more takes no part, who was verified
during the time joins then, and each begins without credit and without open invitations. How they
answer is the model of `answering`, with what their records say: how much they let lapse (a Beta
posterior around `Policy.record_prior`), and their median hours to a response where there are a few.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from marketplace.core.policy import Policy
from marketplace.invitations import queries as invitations
from marketplace.leads.models import Lead
from marketplace.matching import queries
from marketplace.matching.models import Credit
from marketplace.matching.simulation.answering import Habits
from marketplace.matching.simulation.markets import Market, Member, Request
from marketplace.providers.facts import provider_facts
from marketplace.providers.models import Coverage, Provider
from marketplace.providers.rules import ProviderFacts, ProviderState, month_of

BATCH = 500


def stored_market(
    session: Session, policy: Policy, *, since: datetime, until: datetime, seed: int
) -> Market:
    """Return the leads that opened from `since` up to `until`, and today's verified providers.

    Read in batches, without locks.
    """
    requests = tuple(_requests(session, policy, since, until))
    members = tuple(_members(session, policy, since))
    return Market(
        name=f"{len(members)} verified providers, {len(requests)} leads opened from "
        f"{since.date()} to {until.date()}",
        members=members,
        requests=requests,
        starts_at=since,
        ends_at=until,
        seed=seed,
    )


def _requests(
    session: Session, policy: Policy, since: datetime, until: datetime
) -> Iterator[Request]:
    opened = select(Lead).where(Lead.opened_at >= since, Lead.opened_at < until)
    in_order = opened.order_by(Lead.opened_at, Lead.id).limit(BATCH)
    batch = list(session.scalars(in_order))
    while batch:
        for lead in batch:
            opened_at = lead.opened_at or since
            yield Request(
                id=lead.id,
                wanted=queries.wanted_of(session, lead, policy, opened_at.date()),
                opened_at=opened_at,
                finished_at=lead.finished_at or opened_at + policy.lead_lifetime,
            )
        last = (batch[-1].opened_at, batch[-1].id)
        session.expunge_all()
        batch = list(
            session.scalars(in_order.where(tuple_(Lead.opened_at, Lead.id) > tuple_(*last)))
        )


def _members(session: Session, policy: Policy, since: datetime) -> Iterator[Member]:
    known = (
        select(Coverage.shuffle, Provider.id, Provider.verified_at, Credit.answered, Credit.missed)
        .join(Provider, Provider.id == Coverage.provider_id)
        .outerjoin(Credit, Credit.provider_id == Provider.id)
        .where(Provider.state == ProviderState.VERIFIED)
    )
    in_order = known.order_by(Coverage.shuffle, Provider.id).limit(BATCH)
    batch = list(session.execute(in_order))
    while batch:
        ids = [row.id for row in batch]
        facts = provider_facts(session, ids, now=since)
        hours = invitations.response_hours(session, ids)
        for row in batch:
            joined = row.verified_at is not None and row.verified_at > since
            yield Member(
                facts=_at_the_beginning(facts[row.id], since),
                habits=_habits(row.answered, row.missed, hours.get(row.id), policy),
                joins_at=row.verified_at if joined else None,
            )
        last = (batch[-1].shuffle, batch[-1].id)
        batch = list(
            session.execute(in_order.where(tuple_(Coverage.shuffle, Provider.id) > tuple_(*last)))
        )


def _at_the_beginning(facts: ProviderFacts, since: datetime) -> ProviderFacts:
    return facts._replace(open_count=0, month=month_of(since), month_count=0)


def _habits(
    answered: float | None, missed: float | None, hours: float | None, policy: Policy
) -> Habits:
    """Return how a provider answers, by its record as far as there is one."""
    model, prior = Habits(), policy.record_prior
    expected = prior[1] / sum(prior)
    believed = ((missed or 0.0) + prior[1]) / ((answered or 0.0) + (missed or 0.0) + sum(prior))
    silent = believed / expected
    to_look = model.hours_to_look if hours is None else min(model.hours_to_look, hours / 4)
    return replace(
        model,
        never_looks=min(0.95, model.never_looks * silent),
        stays_silent=min(0.6, model.stays_silent * silent),
        hours_to_look=max(0.05, to_look),
        hours_to_act=model.hours_to_act if hours is None else max(0.1, hours - to_look),
    )
