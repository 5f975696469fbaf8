"""How reviews are found: for businesses, for the provider they are of, and for administrators."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, or_, select, true
from sqlalchemy.orm import Session

from marketplace.accounts.models import User
from marketplace.core.db import one_of
from marketplace.core.policy import Policy
from marketplace.leads.models import Lead
from marketplace.providers import queries as providers
from marketplace.providers.models import Provider
from marketplace.quotes import moderation
from marketplace.quotes.models import Review, ReviewReply
from marketplace.quotes.moderation import Party, ReviewState


@dataclass(frozen=True)
class Opinion:
    """A review as it is shown: how good, what was said, by whom at most, and what was replied."""

    review: Review
    reply: ReviewReply | None
    sector: str | None
    region: str
    """The first of the request."""
    reference: str
    provider: str

    @property
    def comment(self) -> str | None:
        """What anybody may read of it."""
        return None if self.review.comment_is_private else self.review.comment

    @property
    def month(self) -> date:
        """In which it was written (UTC), by its first day."""
        return self.review.created_at.astimezone(UTC).date().replace(day=1)

    @property
    def by_whom(self) -> dict[str, str | None]:
        """All that is told of the business that wrote it."""
        return {
            "sector": self.sector,
            "region": self.region,
            "month": f"{self.month:%Y-%m}",
        }

    @property
    def shown_reply(self) -> ReviewReply | None:
        """The reply, where anybody may read it."""
        return self.reply if self.reply and self.reply.is_shown and self.reply.text else None


def is_reviewed(session: Session, invitation_id: UUID) -> bool:
    """Return whether the business has reviewed the holder of this invitation."""
    reviewed = select(Review.id).where(Review.invitation_id == invitation_id)
    return session.scalar(reviewed) is not None


def given(session: Session, lead_id: UUID) -> dict[UUID, Opinion]:
    """Return what a business said of the holders of its invitations, by invitation."""
    rows = session.execute(_opinions().where(Review.lead_id == lead_id))
    return {found.review.invitation_id: found for found in map(_opinion, rows)}


def ratings(
    session: Session, provider_ids: Collection[UUID], policy: Policy
) -> dict[UUID, tuple[float | None, int]]:
    """Return the mean rating of each provider, and of how many reviews that show it is the mean.

    The mean is None where they are too few for one.
    """
    rows = session.execute(
        select(Review.provider_id, func.sum(Review.rating), func.count())
        .where(Review.provider_id.in_(provider_ids), one_of(Review.state, ReviewState.SHOWN))
        .group_by(Review.provider_id)
    )
    return {
        provider_id: (moderation.mean(total, n, at_least=policy.rating_from), n)
        for provider_id, total, n in rows
    }


def latest(
    session: Session, provider_ids: Collection[UUID], *, at_most: int
) -> dict[UUID, list[Opinion]]:
    """Return the latest reviews of each provider that show; of one without any, nothing."""
    ids = latest_ids(provider_ids, at_most=at_most)
    rows = _opinions().where(Review.id.in_(ids)).order_by(Review.id.desc())
    found: dict[UUID, list[Opinion]] = {}
    for opinion in map(_opinion, session.execute(rows)):
        found.setdefault(opinion.review.provider_id, []).append(opinion)
    return found


def latest_ids(provider_ids: Collection[UUID], *, at_most: int) -> Select[UUID]:
    """Return the ids of the latest reviews of each provider that show."""
    of_each = (
        reviews_of(Provider.id)
        .with_only_columns(Review.id)
        .order_by(Review.id.desc())
        .limit(at_most)
        .correlate(Provider)
        .lateral()
    )
    ids = select(of_each.c.id).select_from(Provider).join(of_each, true())
    return ids.where(Provider.id.in_(provider_ids))


def reviews_of(provider_id: Any) -> Select[Review]:
    """Return a provider's reviews as far as they show, to be paged."""
    return select(Review).where(
        Review.provider_id == provider_id, one_of(Review.state, ReviewState.SHOWN)
    )


def reviews(state: ReviewState | None, *, to_decide: bool = False) -> Select[Review]:
    """Return reviews for administrators, to be paged: in a state, or those that wait for a word."""
    rows = select(Review)
    if state is not None:
        rows = rows.where(Review.state == state)
    if to_decide:
        # As two looks at two small indexes, and not as one at every review.
        own = select(Review.id).where(_waits(Review))
        replies = select(ReviewReply.review_id).where(_waits(ReviewReply))
        rows = rows.where(Review.id.in_(own.union(replies)))
    return rows


def _waits(model: Any) -> Any:
    return or_(
        one_of(model.state, ReviewState.QUEUED),
        model.reported_at.is_not(None) & model.decided_at.is_(None),
    )


def shown(session: Session, found: Sequence[Review]) -> list[Opinion]:
    """Return these reviews as they are shown, in their order."""
    rows = session.execute(_opinions().where(Review.id.in_([each.id for each in found])))
    about = {opinion.review.id: opinion for opinion in map(_opinion, rows)}
    return [about[each.id] for each in found]


def _opinions() -> Select[Any]:
    return (
        select(
            Review,
            ReviewReply,
            Lead.sector,
            Lead.regions[1].label("region"),
            Lead.reference,
            Provider.name,
        )
        .join(Lead, Lead.id == Review.lead_id)
        .join(Provider, Provider.id == Review.provider_id)
        .outerjoin(ReviewReply, ReviewReply.review_id == Review.id)
    )


def _opinion(row: Any) -> Opinion:
    return Opinion(*row)


def parties(session: Session, provider_id: UUID) -> list[Party]:
    """Return by what a provider, those of its legal entity and those related to it are known.

    Related at any time: whoever was once knows it well enough not to judge it.
    """
    ids = {provider_id} | providers.related_to(session, {provider_id})
    ids |= set(providers.others_of_entity(session, {provider_id}).get(provider_id, ()))
    addresses: dict[UUID, list[str]] = {each: [] for each in ids}
    for user in session.scalars(select(User).where(User.provider_id.in_(ids))):
        if user.provider_id is not None:
            addresses[user.provider_id].append(user.email)
    return [
        Party([each.contact_email, *addresses[each.id]], each.website, each.legal_entity)
        for each in session.scalars(select(Provider).where(Provider.id.in_(ids)))
    ]
