"""What is over is forgotten by itself: one list of rules, each a number of the policy.

Every rule finds its rows by their age, a few at a time, and acts by the steps that erasure uses
where it is the same thing. It may run late, twice, or on two machines; a dry run counts and changes
nothing.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Select,
    delete,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)
from sqlalchemy import exists as there_is
from sqlalchemy.orm import Session

from marketplace.accounts.models import EmailChange, KnownDevice, SignIn, User
from marketplace.core.actors import Actor
from marketplace.core.context import Context, Transaction
from marketplace.core.db import one_of
from marketplace.core.events import Event
from marketplace.core.idempotency import IdempotentRequest
from marketplace.core.links import Link
from marketplace.core.policy import Policy
from marketplace.core.sweeps import BATCH, OF_AN_INTERVAL, sweep
from marketplace.core.texts import N_
from marketplace.invitations.models import Invitation, QuoteDraft
from marketplace.invitations.rules import LIVE
from marketplace.leads.models import Lead
from marketplace.leads.rules import REMEMBERED, LeadState
from marketplace.notifications.forgetting import forget_message
from marketplace.notifications.models import Notification, Suppression
from marketplace.notifications.rules import NotificationState, SuppressionReason, Way
from marketplace.privacy.leaving import forget_contact
from marketplace.privacy.people import let_out_long_ago
from marketplace.providers.models import Provider, TeamInvitation
from marketplace.providers.rules import ProviderState
from marketplace.quotes.erasure import forget_in_time, forget_who_advised


@dataclass(frozen=True)
class Rule:
    """What is over after how long, and what becomes of it."""

    name: str
    says: str
    of: Any
    """The table."""
    since: Any
    """The column, or what is worked out of several, from when on its time counts."""
    kept: Callable[[Policy], timedelta]
    where: tuple[ColumnElement[bool], ...] = ()
    act: Callable[[Transaction, UUID], None] | None = None
    """What is done to each; none: the rows are deleted, many together."""

    def over(self, now: datetime, policy: Policy) -> tuple[ColumnElement[bool], ...]:
        """Return what is so of the rows whose time is over."""
        return (self.since <= now - self.kept(policy), *self.where)


_under_way = (NotificationState.QUEUED, NotificationState.SENDING)
_rejected_at = (
    select(func.max(Event.at))
    .where(Event.subject_id == Provider.id, Event.verb == "provider.rejected")
    .correlate(Provider)
    .scalar_subquery()
)
# In the text of the statement: only so does PostgreSQL know that its partial indexes serve.
_is_remembered = literal_column(f"leads.business_key LIKE '{REMEMBERED}%'", Boolean())
_names_somebody = literal_column("notifications.recipient NOT LIKE 'erased:%'", Boolean())
_is_live = there_is().where(
    Invitation.id == QuoteDraft.invitation_id, Invitation.state.in_(sorted(LIVE))
)


def _until_no_advice_counts(policy: Policy) -> timedelta:
    """Return how long it matters whom a business chose: until the cooling-off is over."""
    return policy.engagement + timedelta(days=366) * policy.impartiality_years


RULES = (
    Rule(
        "unconfirmed_forms",
        N_("Forms that nobody confirmed: who sent them"),
        Lead,
        Lead.created_at,
        lambda policy: policy.unconfirmed_kept,
        (one_of(Lead.state, LeadState.LAPSED), Lead.erased_at.is_(None)),
        forget_in_time,
    ),
    Rule(
        "turned_away_requests",
        N_("Requests that were refused or superseded: who sent them"),
        Lead,
        Lead.finished_at,
        lambda policy: policy.turned_away_kept,
        (one_of(Lead.state, LeadState.REJECTED, LeadState.SUPERSEDED), Lead.erased_at.is_(None)),
        forget_in_time,
    ),
    Rule(
        "finished_requests",
        N_("Requests that have ended: who sent them, texts, and the files that came with quotes"),
        Lead,
        Lead.finished_at,
        lambda policy: policy.contacts_kept,
        (
            one_of(Lead.state, LeadState.AWARDED, LeadState.CLOSED, LeadState.EXPIRED),
            Lead.erased_at.is_(None),
        ),
        forget_in_time,
    ),
    Rule(
        "who_advised_whom",
        N_("By what a business is known again that a consultant from here advised"),
        Lead,
        func.coalesce(Lead.outcome_at, Lead.finished_at),
        _until_no_advice_counts,
        (_is_remembered, Lead.erased_at.is_not(None)),
        forget_who_advised,
    ),
    Rule(
        "messages",
        N_("Our e-mails: to whom they went and what they said"),
        Notification,
        Notification.created_at,
        lambda policy: policy.messages_kept,
        (
            Notification.channel == Way.EMAIL,
            _names_somebody,
            Notification.state.not_in(_under_way),
        ),
        forget_message,
    ),
    Rule(
        "webhook_calls",
        N_("Calls to the webhooks of providers"),
        Notification,
        Notification.created_at,
        lambda policy: policy.calls_kept,
        (
            Notification.channel == Way.WEBHOOK,
            _names_somebody,
            Notification.state.not_in(_under_way),
        ),
    ),
    Rule(
        "links",
        N_("Links that have lapsed"),
        Link,
        Link.expires_at,
        lambda policy: policy.links_kept,
    ),
    Rule(
        "sign_ins",
        N_("Sessions that have ended"),
        SignIn,
        func.least(func.coalesce(SignIn.ended_at, SignIn.expires_at), SignIn.expires_at),
        lambda policy: policy.sign_ins_kept,
    ),
    Rule(
        "email_changes",
        N_("Changes of address that are over"),
        EmailChange,
        EmailChange.expires_at,
        lambda policy: policy.sign_ins_kept,
    ),
    Rule(
        "devices",
        N_("Devices that nobody signs in with any longer"),
        KnownDevice,
        KnownDevice.last_used_at,
        lambda policy: policy.devices_kept,
    ),
    Rule(
        "team_invitations",
        N_("Invitations to a team that nobody took up"),
        TeamInvitation,
        TeamInvitation.expires_at,
        lambda policy: policy.team_invitations_kept,
    ),
    Rule(
        "people_let_out",
        N_("People who are let in no longer: who they were"),
        User,
        User.disabled_at,
        lambda policy: policy.people_kept,
        (User.erased_at.is_(None),),
        let_out_long_ago,
    ),
    Rule(
        "rejected_applications",
        N_("Providers that were turned away: who their contact was"),
        Provider,
        func.coalesce(_rejected_at, Provider.created_at),
        lambda policy: policy.applications_kept,
        (Provider.state == ProviderState.REJECTED, Provider.erased_at.is_(None)),
        forget_contact,
    ),
    Rule(
        "suppressions",
        N_("Addresses that mail came back from, or that get mail again"),
        Suppression,
        func.coalesce(Suppression.lifted_at, Suppression.since),
        lambda policy: policy.suppressions_kept,
        (
            or_(
                Suppression.reason == SuppressionReason.HARD_BOUNCE,
                Suppression.lifted_at.is_not(None),
            ),
        ),
    ),
    Rule(
        "drafts",
        N_("Unsent quotes under invitations that have ended"),
        QuoteDraft,
        QuoteDraft.saved_at,
        lambda policy: policy.drafts_kept,
        (~_is_live,),
    ),
    Rule(
        "idempotent_answers",
        N_("Answers kept for requests that are sent twice"),
        IdempotentRequest,
        IdempotentRequest.begun_at,
        lambda policy: policy.idempotency_window,
    ),
)


@dataclass(frozen=True)
class Over:
    """What of a rule is over."""

    rule: Rule
    kept: timedelta
    count: int
    oldest: datetime | None
    """Since when the oldest of them counts."""
    done: int = 0
    """How many of them are forgotten now."""

    @property
    def kept_days(self) -> float:
        return self.kept / timedelta(days=1)


def retention_report(ctx: Context, actor: Actor) -> list[Over]:
    """Return what is over by each rule, and change nothing."""
    actor.require_admin()
    with ctx.reading() as session:
        return [_over(session, rule, ctx) for rule in RULES]


def apply_retention(ctx: Context, actor: Actor) -> list[Over]:
    """Forget all that is over, and return what was, by each rule, and how much of it is gone."""
    actor.require_admin()
    found = retention_report(ctx, actor)
    return [
        Over(each.rule, each.kept, each.count, each.oldest, _all_of(ctx, each.rule))
        for each in found
    ]


def forget_what_is_over(ctx: Context) -> int:
    """Forget what is over, as far as a run has time for it; return how much that was.

    Where one rule has taken that time, those behind it have theirs once less is over by it: each
    run begins with another.
    """
    begun = time.monotonic()
    first = int(ctx.clock().timestamp()) // 60 % len(RULES)
    done = 0
    for rule in (*RULES[first:], *RULES[:first]):
        done += forget(ctx, rule)
        if time.monotonic() - begun > ctx.policy.sweep_interval.total_seconds() * OF_AN_INTERVAL:
            break
    return done


def forget(ctx: Context, rule: Rule) -> int:
    """Forget what is over by one rule, as far as a run has time for it; return how much."""
    if rule.act is not None:
        return sweep(ctx, f"forget_{rule.name}", _due(rule, ctx.policy), rule.act)
    ends_at = time.monotonic() + ctx.policy.sweep_interval.total_seconds() * OF_AN_INTERVAL
    done = 0
    while True:
        with ctx.transaction() as tx:
            gone = _delete_some(tx, rule)
        done += gone
        if gone < BATCH or time.monotonic() > ends_at:
            return done


def _all_of(ctx: Context, rule: Rule) -> int:
    done = 0
    while gone := forget(ctx, rule):
        done += gone
    return done


def _due(rule: Rule, policy: Policy) -> Callable[[Session, datetime, int], Sequence[UUID]]:
    def due(session: Session, now: datetime, limit: int) -> Sequence[UUID]:
        rows: Select[Any] = select(rule.of.id).where(*rule.over(now, policy))
        return session.scalars(rows.order_by(rule.since).limit(limit)).all()

    return due


def _delete_some(tx: Transaction, rule: Rule) -> int:
    """Delete a batch; rows that somebody else holds are left to whoever comes next."""
    key = tuple_(*rule.of.__table__.primary_key.columns)
    some = (
        select(*rule.of.__table__.primary_key.columns)
        .where(*rule.over(tx.now, tx.policy))
        .limit(BATCH)
        .with_for_update(of=rule.of, skip_locked=True)
    )
    gone: Any = tx.session.execute(
        delete(rule.of).where(key.in_(some)).execution_options(synchronize_session=False)
    )
    return int(gone.rowcount)


def _over(session: Session, rule: Rule, ctx: Context) -> Over:
    rows = select(func.count(), func.min(rule.since)).select_from(rule.of)
    count, oldest = session.execute(rows.where(*rule.over(ctx.clock(), ctx.policy))).one()
    return Over(rule, rule.kept(ctx.policy), count, oldest)
