"""What needs an administrator's hand now, on one page."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, literal, or_, select, tuple_
from sqlalchemy.orm import Session

from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.core.db import one_of
from marketplace.core.policy import Policy
from marketplace.invitations import track_record
from marketplace.invitations.models import Invitation, Miss
from marketplace.invitations.rules import free_places
from marketplace.invitations.track_record import Missed
from marketplace.leads import queries as leads
from marketplace.leads.contact_reads import note_addresses_shown, note_leads_shown
from marketplace.leads.models import Lead
from marketplace.leads.rules import LeadState
from marketplace.notifications.mailboxes import OVER_CAP
from marketplace.notifications.models import Commitment, MailPause, Notification, Suppression
from marketplace.notifications.rules import CommitmentState, NotificationState, Way
from marketplace.notifications.suppressions import suppressions
from marketplace.providers.evidence import latest_evidence
from marketplace.providers.models import Accreditation, Provider
from marketplace.providers.rules import AccreditationState, ProviderState
from marketplace.quotes import opinions
from marketplace.quotes.models import Review
from marketplace.quotes.opinions import Opinion

SHOWN = 6
"""Of each kind, where all kinds are shown ..."""

SHOWN_ALONE = 36
"""... and where one kind is: what is behind them comes once these are done."""


class Kind(StrEnum):
    """What may need a hand, the most urgent first."""

    CLOCKS = "clocks"
    REVIEW = "review"
    WAITING = "waiting"
    MESSAGES = "messages"
    OBJECTIONS = "objections"
    REVIEWS = "reviews"
    APPLICATIONS = "applications"
    CLAIMS = "claims"
    EXPIRING = "expiring"
    STOPPED = "stopped"


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
class Held:
    """An accreditation that needs a look, and whose it is."""

    accreditation: Accreditation
    provider: Provider
    evidence: str | None
    """The name of the latest file that was sent along."""


@dataclass(frozen=True)
class Worklist:
    """What waits for somebody, the oldest (or most urgent) first."""

    counts: Mapping[Kind, int]
    """How many there are of each kind; those shown may be fewer."""
    at_risk: Sequence[tuple[Commitment, Lead]]
    """Open without a response, and little or none of the time left, or missed."""
    in_review: Sequence[Lead]
    waiting: Sequence[WaitingLead]
    messages: Sequence[Notification]
    """Given up, sent back, or held back."""
    paused: Sequence[MailPause]
    """Ways out by which nothing is sent at present, since we are refused there."""
    objections: Sequence[Missed]
    """Misses whose providers say that it was not their doing."""
    reviews: Sequence[Opinion]
    """Reviews that are queued or reported, or whose replies are."""
    applications: Sequence[Provider]
    claims: Sequence[Held]
    """Accreditations that nobody has looked up yet."""
    expiring: Sequence[Held]
    """Verified ones that end soon, or ended and were not renewed, the first to end first."""
    stopped: Sequence[Suppression]
    """Addresses that get no mail."""

    @property
    def is_empty(self) -> bool:
        return not self.paused and not any(self.counts.values())


def worklist(ctx: Context, actor: Actor, *, only: Kind | None = None) -> Worklist:
    """Return what needs a hand now; deadlines count from their instant, swept or not.

    `only`: of this kind more, and of the others nothing but how many there are.
    """
    actor.require_admin()
    rows = _rows(ctx.clock(), ctx.policy)
    with ctx.reading() as session:
        counts = session.execute(
            select(
                *(
                    select(func.count())
                    .select_from(
                        # Neither read nor put in order for counting.
                        each.order_by(None)
                        .with_only_columns(literal(1), maintain_column_froms=True)
                        .subquery()
                    )
                    .scalar_subquery()
                    .label(kind)
                    for kind, each in rows.items()
                )
            )
        ).one()

        def found(kind: Kind) -> Sequence[Any]:
            if only not in (None, kind):
                return []
            limit = SHOWN if only is None else SHOWN_ALONE
            return session.execute(rows[kind].limit(limit)).all()

        shown = Worklist(
            counts={kind: counts._mapping[kind] for kind in Kind},
            at_risk=[(promise, lead) for promise, lead in found(Kind.CLOCKS)],
            in_review=[lead for (lead,) in found(Kind.REVIEW)],
            waiting=_as_waiting(session, ctx.clock(), ctx.policy, found(Kind.WAITING)),
            messages=[message for (message,) in found(Kind.MESSAGES)],
            paused=session.scalars(select(MailPause).order_by(MailPause.channel)).all(),
            objections=track_record.shown(
                session, [miss for (miss,) in found(Kind.OBJECTIONS)], ctx.policy
            ),
            reviews=opinions.shown(session, [review for (review,) in found(Kind.REVIEWS)]),
            applications=[provider for (provider,) in found(Kind.APPLICATIONS)],
            claims=[Held(*row) for row in found(Kind.CLAIMS)],
            expiring=[Held(*row) for row in found(Kind.EXPIRING)],
            stopped=[suppression for (suppression,) in found(Kind.STOPPED)],
        )
    note_leads_shown(ctx, actor, shown.in_review)
    written_to = (*(each.recipient for each in shown.messages), *(s.address for s in shown.stopped))
    note_addresses_shown(ctx, actor, written_to)
    return shown


def _rows(now: datetime, policy: Policy) -> dict[Kind, Select[*tuple[Any, ...]]]:
    """What there is of each kind, in the order in which it is shown."""
    unanswered = (CommitmentState.RUNNING, CommitmentState.AT_RISK, CommitmentState.MISSED)
    held = select(Accreditation, Provider, latest_evidence().label("evidence")).join(
        Provider, Provider.id == Accreditation.provider_id
    )
    soon = now.date() + timedelta(days=max(policy.expiry_told_before))
    return {
        Kind.CLOCKS: select(Commitment, Lead)
        .join(Lead, Lead.id == Commitment.lead_id)
        .where(
            Commitment.state.in_(unanswered),
            Commitment.first_response_at.is_(None),
            Commitment.at_risk_at <= now,
            Lead.state == LeadState.OPEN,
        )
        # Those that can still be kept, then those just missed: what is weeks old can wait.
        .order_by(
            Commitment.due_at <= now, func.abs(func.extract("epoch", Commitment.due_at - now))
        ),
        Kind.REVIEW: select(Lead).where(Lead.state == LeadState.IN_REVIEW).order_by(Lead.id),
        Kind.WAITING: _waiting_rows(policy),
        Kind.MESSAGES: select(Notification)
        .where(
            one_of(Notification.channel, Way.EMAIL),
            one_of(Notification.state, *NOT_ARRIVED),
            Notification.recipient.contains("@"),  # else it is forgotten to whom
            # What strangers sent too much of is where it belongs.
            func.coalesce(Notification.last_error, "") != OVER_CAP,
        )
        .order_by(Notification.id.desc()),
        Kind.OBJECTIONS: track_record.misses(to_decide=True).order_by(Miss.objected_at),
        Kind.REVIEWS: opinions.reviews(None, to_decide=True).order_by(Review.id),
        Kind.APPLICATIONS: select(Provider)
        .where(Provider.state == ProviderState.APPLIED)
        .order_by(Provider.id),
        Kind.CLAIMS: held.where(
            Accreditation.state == AccreditationState.CLAIMED,
            Accreditation.valid_until >= now.date(),
            Provider.state != ProviderState.REJECTED,
        ).order_by(Accreditation.id),
        Kind.EXPIRING: held.where(
            Accreditation.state == AccreditationState.VERIFIED,
            Accreditation.valid_until.between(now.date() - policy.expiry_told_within, soon),
            Provider.state == ProviderState.VERIFIED,
        ).order_by(Accreditation.valid_until, Accreditation.id),
        Kind.STOPPED: suppressions().order_by(Suppression.id.desc()),
    }


def waiting_leads(
    ctx: Context, actor: Actor, *, limit: int, after: Place | None
) -> tuple[Sequence[WaitingLead], Place | None]:
    """Return the leads with an empty place, the longest waiting first, and the last one's place.

    Those that wait for nobody any more come last. `after`: from behind this place on.
    """
    actor.require_admin()
    rows = _waiting_rows(ctx.policy).limit(limit + 1)
    if after is not None:
        rows = rows.where(tuple_(*after) < _PLACE)
    with ctx.reading() as session:
        found = _as_waiting(session, ctx.clock(), ctx.policy, session.execute(rows).all())
    return found[:limit], found[limit - 1].place if len(found) > limit else None


_PLACE = tuple_(func.coalesce(Lead.waiting_since, LAST), Lead.id)


def _waiting_rows(policy: Policy) -> Select[Lead, datetime | None]:
    next_try_at = leads.next_try_at(
        at_least=policy.sweep_interval, share=policy.rematch_share, at_most=policy.rematch_at_most
    )
    return (
        select(Lead, next_try_at.label("next_try_at"))
        .where(
            Lead.state == LeadState.OPEN,
            or_(Lead.waiting_since.is_not(None), Lead.waiting_code.is_not(None)),
        )
        .order_by(*_PLACE.clauses)
    )


def _as_waiting(
    session: Session, now: datetime, policy: Policy, found: Sequence[Any]
) -> list[WaitingLead]:
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
