"""What needs an administrator's hand now, on one page."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, or_, select, tuple_
from sqlalchemy.orm import Session

from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.core.policy import Policy
from marketplace.invitations import track_record
from marketplace.invitations.models import Invitation, Miss
from marketplace.invitations.rules import free_places
from marketplace.invitations.track_record import Missed
from marketplace.leads import queries as leads
from marketplace.leads.models import Lead
from marketplace.leads.rules import LeadState
from marketplace.notifications.models import Commitment, MailPause, Notification, Suppression
from marketplace.notifications.rules import CommitmentState, NotificationState, Way
from marketplace.notifications.suppressions import suppressions
from marketplace.providers.models import Provider
from marketplace.providers.rules import ProviderState

SHOWN = 25
"""Of each kind; the lists behind it hold the rest."""

NOT_ARRIVED = (
    NotificationState.FAILED,
    NotificationState.BOUNCED,
    NotificationState.DROPPED,
    NotificationState.SUPPRESSED,
)

Place = tuple[datetime, UUID]
"""Where a lead stands in the waiting queue: since when it waits, and its id."""

LAST = datetime(9999, 12, 31, tzinfo=UTC)
"""Where those stand that wait for nobody: behind all that do."""


@dataclass(frozen=True)
class WaitingLead:
    """An open lead with an empty place that could not be filled."""

    lead: Lead
    waited: timedelta | None
    """None where as many were asked as may be: nobody is looked for any more."""
    empty_places: int
    invitations: int
    """How many it led to so far ..."""
    invitations_at_most: int
    """... of how many it may."""
    next_try_at: datetime | None
    """When a sweep tries it again; anything that could help does so at once."""

    @property
    def waiting_seconds(self) -> int | None:
        return None if self.waited is None else int(self.waited.total_seconds())

    @property
    def place(self) -> Place:
        return (self.lead.waiting_since or LAST, self.lead.id)


@dataclass(frozen=True)
class Worklist:
    """What waits for somebody, the oldest (or most urgent) first."""

    in_review: Sequence[Lead]
    waiting: Sequence[WaitingLead]
    at_risk: Sequence[tuple[Commitment, Lead]]
    """Open without a response, and little or none of the time left, or missed."""
    paused: Sequence[MailPause]
    """Ways out by which nothing is sent at present, since we are refused there."""
    objections: Sequence[Missed]
    """Misses whose providers say that it was not their doing."""
    applications: Sequence[Provider]
    messages: Sequence[Notification]
    """Given up, sent back, or held back."""
    stopped: Sequence[Suppression]
    """Addresses that get no mail."""


def worklist(ctx: Context, actor: Actor) -> Worklist:
    """Return what needs a hand now; deadlines count from their instant, swept or not."""
    actor.require_admin()
    with ctx.reading() as session:
        unanswered = (CommitmentState.RUNNING, CommitmentState.AT_RISK, CommitmentState.MISSED)
        clocks = session.execute(
            select(Commitment, Lead)
            .join(Lead, Lead.id == Commitment.lead_id)
            .where(
                Commitment.state.in_(unanswered),
                Commitment.first_response_at.is_(None),
                Commitment.at_risk_at <= ctx.clock(),
                Lead.state == LeadState.OPEN,
            )
            .order_by(Commitment.due_at)
            .limit(SHOWN)
        )
        return Worklist(
            in_review=session.scalars(
                select(Lead).where(Lead.state == LeadState.IN_REVIEW).order_by(Lead.id).limit(SHOWN)
            ).all(),
            waiting=_waiting(session, ctx.clock(), ctx.policy, limit=SHOWN),
            at_risk=[(promise, lead) for promise, lead in clocks],
            paused=session.scalars(select(MailPause).order_by(MailPause.channel)).all(),
            objections=track_record.shown(
                session,
                session.scalars(
                    track_record.misses(to_decide=True).order_by(Miss.objected_at).limit(SHOWN)
                ).all(),
                ctx.policy,
            ),
            applications=session.scalars(
                select(Provider)
                .where(Provider.state == ProviderState.APPLIED)
                .order_by(Provider.id)
                .limit(SHOWN)
            ).all(),
            messages=session.scalars(
                select(Notification)
                .where(
                    Notification.channel == Way.EMAIL,
                    Notification.state.in_(NOT_ARRIVED),
                    Notification.recipient.not_like("erased:%"),
                )
                .order_by(Notification.id.desc())
                .limit(SHOWN)
            ).all(),
            stopped=session.scalars(
                suppressions().order_by(Suppression.id.desc()).limit(SHOWN)
            ).all(),
        )


def waiting_leads(
    ctx: Context, actor: Actor, *, limit: int, after: Place | None
) -> tuple[Sequence[WaitingLead], Place | None]:
    """Return the leads with an empty place, the longest waiting first, and the last one's place.

    Those that wait for nobody any more come last. `after`: from behind this place on.
    """
    actor.require_admin()
    with ctx.reading() as session:
        found = _waiting(session, ctx.clock(), ctx.policy, limit=limit + 1, after=after)
    return found[:limit], found[limit - 1].place if len(found) > limit else None


def _waiting(
    session: Session, now: datetime, policy: Policy, *, limit: int, after: Place | None = None
) -> list[WaitingLead]:
    next_try_at = leads.next_try_at(
        at_least=policy.sweep_interval, share=policy.rematch_share, at_most=policy.rematch_at_most
    )
    place = tuple_(func.coalesce(Lead.waiting_since, LAST), Lead.id)
    rows = select(Lead, next_try_at).where(
        Lead.state == LeadState.OPEN,
        or_(Lead.waiting_since.is_not(None), Lead.waiting_code.is_not(None)),
    )
    if after is not None:
        rows = rows.where(place > tuple_(*after))
    found = session.execute(rows.order_by(*place.clauses).limit(limit)).all()
    held = _held_by(session, [lead.id for lead, _ in found])
    return [
        WaitingLead(
            lead=lead,
            waited=None if lead.waiting_since is None else now - lead.waiting_since,
            empty_places=len(
                free_places((each.holding for each in held[lead.id]), places=policy.places)
            ),
            invitations=len(held[lead.id]),
            invitations_at_most=policy.max_invitations,
            next_try_at=again,
        )
        for lead, again in found
    ]


def _held_by(session: Session, lead_ids: Collection[UUID]) -> dict[UUID, list[Invitation]]:
    held: dict[UUID, list[Invitation]] = defaultdict(list)
    for each in session.scalars(select(Invitation).where(Invitation.lead_id.in_(lead_ids))):
        held[each.lead_id].append(each)
    return held


def provider_names(ctx: Context, actor: Actor, ids: Collection[UUID]) -> dict[str, str]:
    """Return what these providers are called, by id as text."""
    actor.require_admin()
    with ctx.reading() as session:
        rows = session.execute(select(Provider.id, Provider.name).where(Provider.id.in_(ids)))
        return {str(provider_id): name for provider_id, name in rows}
