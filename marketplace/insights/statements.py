"""A provider's own statement of a month: what it was owed, what it had, what it made of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session

from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.core.events import Event
from marketplace.core.texts import N_, Told
from marketplace.insights.periods import Months, one_month
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import InvitationState
from marketplace.invitations.track_record import WAS_STRUCK
from marketplace.matching.models import Credit, CreditMonth


@dataclass(frozen=True)
class Statement:
    """One provider, one month (UTC). An invitation belongs to the month in which it was sent."""

    months: Months
    eligible: int
    """Requests in which it could have been chosen: somebody of its band was."""
    entitled: float
    """Its fair share of the invitations to them."""
    invited: int
    opened: int
    """Looked at, accepted or quoted."""
    answered: int
    """By a quote, a question or a no."""
    answered_in_time: int
    """Before the deadline, which was not let pass with a question alone."""
    declined: int
    released: int
    expired: int
    won: int
    turns_given_back: int
    """Invitations that cost it nothing in the end."""
    balance: float
    """Turns that it is owed now."""

    @property
    def balance_means(self) -> str:
        """The balance in a sentence for the provider."""
        return meaning(self.balance)


def meaning(balance: float) -> str:
    """Return in a sentence what a balance of turns, of two decimals, means for its provider."""
    if balance == 0:
        return N_("You have had exactly your fair share of invitations so far.")
    if balance == 1:
        return N_(
            "You are owed 1 turn: of providers that fit a request equally well, those that are "
            "owed the most are invited first."
        )
    if balance == -1:
        return N_(
            "You are 1 turn ahead of your fair share: of providers that fit a request equally "
            "well, those that are owed more are invited first until this has evened out."
        )
    if balance > 0:
        return Told(
            "You are owed %(turns)s turns: of providers that fit a request equally well, those "
            "that are owed the most are invited first.",
            turns=f"{balance:g}",
        )
    return Told(
        "You are %(turns)s turns ahead of your fair share: of providers that fit a request equally "
        "well, those that are owed more are invited first until this has evened out.",
        turns=f"{-balance:g}",
    )


def own_statement(ctx: Context, actor: Actor, *, month: date | None) -> Statement:
    """Return the statement of whoever asks; months before it joined are all zeros."""
    provider_id = actor.own_provider()
    months = one_month(month, ctx.clock())
    with ctx.reading() as session:
        credit = session.get(Credit, provider_id)
        kept: Credit | CreditMonth | None = credit
        if credit is None or credit.month != months.first:
            kept = session.get(CreditMonth, (provider_id, months.first))
        return Statement(
            months=months,
            eligible=kept.eligible if kept else 0,
            entitled=round(kept.entitled, 2) if kept else 0.0,
            balance=round(credit.balance, 2) if credit else 0.0,
            **_counts(session, provider_id, months),
        )


def _counts(session: Session, provider_id: UUID, months: Months) -> Mapping[str, int]:
    declined = Invitation.state == InvitationState.DECLINED
    expired = Invitation.state == InvitationState.EXPIRED
    answered = or_(Invitation.responded_at.is_not(None), declined)
    first_answer_at = func.coalesce(Invitation.responded_at, Invitation.ended_at)
    in_time = and_(answered, first_answer_at < Invitation.respond_by, ~expired)
    given_back = exists().where(
        Event.subject_id == Invitation.id, Event.verb == "invitation.turn_given_back"
    )
    counted = {
        "opened": Invitation.opened_at.is_not(None),
        "answered": answered,
        "answered_in_time": in_time,
        "declined": declined,
        "released": and_(Invitation.released_at.is_not(None), ~WAS_STRUCK),
        "expired": and_(expired, ~WAS_STRUCK),
        "won": Invitation.state == InvitationState.WON,
        "turns_given_back": given_back,
    }
    found = session.execute(
        select(
            func.count().label("invited"),
            *(func.count().filter(each).label(name) for name, each in counted.items()),
        ).where(
            Invitation.provider_id == provider_id,
            Invitation.sent_at >= months.starts_at,
            Invitation.sent_at < months.ends_at,
        )
    )
    return dict(found.mappings().one())
