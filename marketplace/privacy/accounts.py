"""What is kept of somebody who signs in: handed to them, and forgotten when they say so."""

from typing import Any

from sqlalchemy import ColumnElement, and_, delete, or_, select
from sqlalchemy.orm import Session

from marketplace.accounts import administrators, keys, notices, sessions
from marketplace.accounts import queries as accounts
from marketplace.accounts.models import ApiKey, EmailChange, KnownDevice, SignIn, User
from marketplace.accounts.proving import NOT_RIGHT, is_fresh
from marketplace.accounts.rules import Role
from marketplace.core.actors import Actor, Kind
from marketplace.core.consents import consents_of
from marketplace.core.context import Context, Transaction
from marketplace.core.db import Json
from marketplace.core.errors import FieldError, Invalid, NotAllowed, NotSignedIn
from marketplace.core.events import Event, record, record_contact_reads, record_once_a_day
from marketplace.core.jobs import Job
from marketplace.core.links import Link
from marketplace.invitations.letters import NAMES_THE_CONTACT
from marketplace.invitations.queries import leads_told_of
from marketplace.leads.masking import Identity, mask_identities
from marketplace.notifications.models import Notification, Suppression
from marketplace.notifications.rules import address_key
from marketplace.privacy.export import event_of, message_of, row_of
from marketplace.privacy.leaving import erase_contact
from marketplace.privacy.people import forget_user
from marketplace.providers import service as providers
from marketplace.providers.coverage import hold_provider
from marketplace.providers.members import hand_contact_on, keep_an_owner, owner_beside
from marketplace.providers.models import Provider, TeamInvitation
from marketplace.providers.rules import ProviderEvent, ProviderState
from marketplace.providers.team import hold_team
from marketplace.providers.webhooks import Webhook
from marketplace.quotes.erasure import cover_in_quotes_of

LEFT = "It has left."


def account_data(ctx: Context, actor: Actor) -> dict[str, Any]:
    """Return everything about whoever asks, and of nobody else; that they asked is recorded.

    Once a day: it stands among what is handed out, which would be another at each look. So are the
    businesses whose contacts stand in the mails that went to them.
    """
    with ctx.transaction() as tx:
        me = _me(tx, actor)
        written = _written_to(tx.session, me)
        record_once_a_day(tx, actor, "user.data_exported", me.id)
        _note_contacts(tx, actor, me, written)
    with ctx.reading() as session:
        lists = {
            "sessions": select(SignIn).where(SignIn.user_id == me.id).order_by(SignIn.created_at),
            "devices": select(KnownDevice)
            .where(KnownDevice.user_id == me.id)
            .order_by(KnownDevice.first_used_at),
            "email_changes": select(EmailChange)
            .where(EmailChange.user_id == me.id)
            .order_by(EmailChange.id),
            # Of who invited them nothing is said: a name of theirs would be somebody else's.
            "invitations": select(TeamInvitation)
            .where(TeamInvitation.email == me.email)
            .order_by(TeamInvitation.id),
            "mail_stopped": select(Suppression)
            .where(Suppression.address == address_key(me.email))
            .order_by(Suppression.id),
            "api_keys": select(ApiKey).where(ApiKey.made_by == me.id).order_by(ApiKey.id),
        }
        found: Json = {
            "exported_at": ctx.clock(),
            "account": row_of(me),
            "consents": [row_of(each) for each in consents_of(session, [me.id])],
        }
        for name, rows in lists.items():
            found[name] = [row_of(each, but=["invited_by"]) for each in session.scalars(rows)]
        found["messages"] = [
            message_of(each)
            for each in session.scalars(
                select(Notification).where(written).order_by(Notification.id)
            )
        ]
        done = or_(Event.actor_id == me.id, Event.subject_id == me.id)
        found["events"] = [
            event_of(each, is_own=each.actor_id == me.id)
            for each in session.scalars(select(Event).where(done).order_by(Event.id))
        ]
        provider = session.get(Provider, me.provider_id) if me.provider_id else None
        found["contact_of_provider"] = _as_contact(provider, me)
        return found


def _written_to(session: Session, me: User) -> ColumnElement[bool]:
    """Return what holds of messages about a user, or to them, at whichever address."""
    before = notices.former_addresses(session, me).items()
    return or_(
        Notification.subject_id == me.id,
        Notification.recipient == me.email,
        *(
            and_(Notification.recipient == address, Notification.created_at <= until)
            for address, until in before
        ),
    )


def _note_contacts(tx: Transaction, actor: Actor, me: User, written: ColumnElement[bool]) -> None:
    naming = select(Notification.subject_id).where(
        written, Notification.template.in_(NAMES_THE_CONTACT)
    )
    leads = leads_told_of(tx.session, tx.session.scalars(naming).all())
    provider = {"provider": str(me.provider_id)} if me.provider_id else {}
    record_contact_reads(tx, actor, leads, **provider)


def _as_contact(provider: Provider | None, me: User) -> Json | None:
    if provider is None or provider.contact_email != me.email:
        return None
    names = ("contact_name", "contact_email", "contact_phone")
    return {name: getattr(provider, name) for name in names}


def erase_account(ctx: Context, actor: Actor, token: str) -> None:
    """Forget who somebody is that has just proved to be it (`own.proved_for`); or raise.

    `Conflict` where they are the last owner of a provider that is or was verified, or the last
    administrator: they hand over first, or the provider leaves. What they did stays under an id.
    """
    with ctx.transaction() as tx:
        if actor.kind is Kind.ADMIN:
            there = administrators.hold_admins(tx, actor)
            me = _me(tx, actor)
            administrators.require_another(there, me)
        else:
            provider, _ = hold_provider(tx, actor.own_provider())
            me = _me(tx, actor)
            _leave_team(tx, actor, provider, me)
        _require_proof(ctx, tx, actor, token)
        _forget_invitations_of(tx, me)
        forget_user(tx, actor, me, verb="user.erased")
        if me.role is Role.ADMIN:
            tx.session.flush()
            administrators.tell(tx, actor, [me], me, "removed")


def _forget_invitations_of(tx: Transaction, me: User) -> None:
    """Forget that other teams have asked somebody in who wants to be known nowhere."""
    asked = select(TeamInvitation.id).where(TeamInvitation.email == me.email)
    tx.session.execute(delete(Link).where(Link.subject_id.in_(asked)))
    tx.session.execute(delete(TeamInvitation).where(TeamInvitation.email == me.email))


WITH_DEALINGS = (ProviderState.VERIFIED, ProviderState.SUSPENDED)
"""In which states businesses may hold quotes of a provider, for which somebody has to answer."""


def _leave_team(tx: Transaction, actor: Actor, provider: Provider, me: User) -> None:
    """Take somebody out of their team, which goes on: an owner remains, and is the contact then.

    Of a provider that nobody ever asked anything, somebody may go with whom it ends.
    """
    if provider.state in WITH_DEALINGS:
        keep_an_owner(tx, provider, me)
    keys.let_go_of_keys(tx, actor, me, to=None)
    if provider.contact_email == me.email:
        _hand_contact_on(tx, actor, provider, me)
    record(tx, actor, "provider.member_removed", provider.id, user=str(me.id))


def _hand_contact_on(tx: Transaction, actor: Actor, provider: Provider, me: User) -> None:
    """Let an owner who stays be written to instead; of a provider without one nobody is known."""
    heir = owner_beside(tx, provider, me)
    if heir is None:
        erase_contact(tx, actor, provider)
        return
    hand_contact_on(tx, actor, provider, heir)
    tx.session.flush()
    providers.tell(tx, provider, "contact_handed_on")


def leave(ctx: Context, actor: Actor, token: str) -> None:
    """Let a provider leave for good: an owner says so that has just proved to be it.

    It is invited no more, and what it holds is taken back, by the steps of a suspension; the people
    who sign in for it, its keys, its webhook and its contact are forgotten. What it is called, and
    the quotes that businesses have, stay, with the names of its people covered.
    """
    with ctx.transaction() as tx:
        provider, me = hold_team(tx, actor)
        _require_proof(ctx, tx, actor, token)
        _, coverage = hold_provider(tx, provider.id)
        if provider.state is ProviderState.VERIFIED:
            provider.apply(ProviderEvent.SUSPEND, now=tx.now, reason=LEFT)
            coverage.state = provider.state
        people = tx.session.scalars(
            select(User).where(User.provider_id == provider.id).order_by(User.id).with_for_update()
        ).all()
        cover_in_quotes_of(tx, provider.id, _covering(provider, people))
        for each in people:
            if each.erased_at is None:
                keys.let_go_of_keys(tx, actor, each, to=None)
                forget_user(tx, actor, each, verb="user.erased")
        invited = select(TeamInvitation.id).where(TeamInvitation.provider_id == provider.id)
        tx.session.execute(delete(Link).where(Link.subject_id.in_(invited)))
        tx.session.execute(delete(TeamInvitation).where(TeamInvitation.provider_id == provider.id))
        tx.session.execute(delete(Webhook).where(Webhook.provider_id == provider.id))
        erase_contact(tx, actor, provider)
        provider.state_reason = LEFT
        record(tx, actor, "provider.left", provider.id, user=str(me.id))
        tx.afterwards(Job.RECHECK_PROVIDER, provider.id)


def _covering(provider: Provider, people: Any) -> Any:
    """Return what covers the names and addresses of a provider's people in a text."""
    contact = (provider.contact_name, provider.contact_email, provider.contact_phone)
    known = [contact, *((each.name, each.email, None) for each in people if not each.erased_at)]
    identities = [Identity("", name, email, phone) for name, email, phone in known]
    return lambda text: mask_identities(text, identities)


def _require_proof(ctx: Context, tx: Transaction, actor: Actor, token: str) -> None:
    if not is_fresh(sessions.own_session(tx, actor, token), ctx):
        raise Invalid([FieldError("/current_password", NOT_RIGHT)])


def _me(tx: Transaction, actor: Actor) -> User:
    """Return whoever acts, locked."""
    if actor.kind not in (Kind.PROVIDER, Kind.ADMIN) or actor.id is None:
        raise NotAllowed("this is for people who signed in")
    me = accounts.lock_user(tx.session, actor.id)
    if me.disabled_at is not None:
        raise NotSignedIn("please sign in")
    return me
