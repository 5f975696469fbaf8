"""What businesses ask for where a provider works, and it does not offer: what it might take up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ARRAY, Text, any_, bindparam, cast, func, or_, select
from sqlalchemy.orm import Session

from marketplace.insights.periods import RECENT
from marketplace.leads.models import Lead
from marketplace.leads.rules import Service
from marketplace.providers.models import Coverage
from marketplace.providers.rules import ProviderKind

WORTH_SAYING = 5
"""Requests: fewer are chance, and might tell of one business."""
SAID_AT_MOST = 3

SERVICES = {
    ProviderKind.CONSULTANT: (Service.CONSULTING, Service.EITHER),
    ProviderKind.CERTIFICATION_BODY: (Service.CERTIFICATION, Service.EITHER),
}


@dataclass(frozen=True)
class NotOffered:
    """A standard, and how many requests asked for it."""

    standard: str
    requests: int


def not_offered(session: Session, coverage: Coverage, *, now: datetime) -> Sequence[NotOffered]:
    """Return the standards most asked for, in the last 90 days, where the provider works."""
    works_in = cast(bindparam("works_in", list(coverage.regions)), ARRAY(Text))
    asked = func.unnest(Lead.standards).table_valued("standard", name="asked").render_derived()
    place = func.unnest(Lead.regions).table_valued("region", name="place").render_derived()
    region = place.c.region
    is_there = or_(region == any_(works_in), func.split_part(region, "-", 1) == any_(works_in))
    requests = func.count().label("requests")
    found = (
        select(asked.c.standard, requests)
        .select_from(Lead)
        .join(asked, asked.c.standard.not_in(coverage.standards))
        .where(
            Lead.opened_at >= now - RECENT,
            Lead.service.in_(SERVICES[coverage.kind]),
            ~Lead.standards.contained_by(coverage.standards),  # most are, which is quickly seen
            select(region).where(is_there).correlate(Lead).exists(),
        )
        .group_by(asked.c.standard)
        .having(requests >= WORTH_SAYING)
        .order_by(requests.desc(), asked.c.standard)
        .limit(SAID_AT_MOST)
    )
    return [NotOffered(*row) for row in session.execute(found)]
