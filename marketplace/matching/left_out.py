"""Who would be left out of a request for certification that follows on, and for whose sake.

To be said before it is sent: the very rules of matching (ISO/IEC 17021-1, 5.2.7), on the facts of
now. When it is matched they are asked once more.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.leads import queries as leads
from marketplace.matching import queries
from marketplace.matching.eligibility import Adviser, advised_obstacle
from marketplace.providers import queries as providers
from marketplace.providers.facts import provider_facts
from marketplace.providers.models import Provider
from marketplace.providers.rules import ProviderKind, ProviderState, years_before
from marketplace.quotes import outcome

SHOWN_AT_MOST = 20


@dataclass(frozen=True)
class LeftOut:
    """Certification bodies that may not be invited for a while, and who advised the business."""

    advisers: list[str]
    """Consultants as the business knows them, named or chosen, those whose advice counts still."""
    bodies: list[dict[str, Any]]
    """`[{"name", "why"}]`, by name; of many the first."""
    years: int


def left_out(ctx: Context, actor: Actor) -> LeftOut:
    """Return who would be left out of the request that follows on the business' own.

    Raises `Conflict` where none can.
    """
    with ctx.reading() as session:
        lead = leads.lead_of(session, actor, actor.own_lead())
        consultant = outcome.consultant_of(session, lead)
        advisers = queries.advisers_of(session, lead, ctx.policy.engagement, to_follow=True)
        today, years = ctx.clock().date(), ctx.policy.impartiality_years
        since = years_before(today, years)
        counting = [each for each in advisers if each.ended_on is None or each.ended_on > since]
        named = [
            each["name"]
            for each in lead.consultants_used
            if not each["ended_on"] or date.fromisoformat(each["ended_on"][:10]) > since
        ]
        found = []
        facts = provider_facts(session, _suspects(session, counting, since), now=ctx.clock())
        for body in facts.values():
            obstacle = advised_obstacle(counting, body, today=today, years=years)
            if body.state is ProviderState.VERIFIED and obstacle is not None:
                found.append({"name": body.name, "why": obstacle.why})
        return LeftOut(
            advisers=list(dict.fromkeys([*named, consultant.name])),
            bodies=sorted(found, key=lambda each: each["name"])[:SHOWN_AT_MOST],
            years=years,
        )


def _suspects(session: Session, advisers: Collection[Adviser], since: date) -> list[UUID]:
    """Return those who advised, who bear their names, and whoever is related to them."""
    ids = {each.provider_id for each in advisers if each.provider_id is not None}
    keys = {each.name_key for each in advisers if each.name_key is not None}
    named = ids | providers.related_to(session, ids, since=since)
    return list(
        session.scalars(
            select(Provider.id).where(
                Provider.kind == ProviderKind.CERTIFICATION_BODY,
                or_(Provider.id.in_(named), Provider.name_key.in_(keys)),
            )
        )
    )
