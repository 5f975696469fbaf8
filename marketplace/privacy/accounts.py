"""What is kept of somebody who signs in: handed to them, and forgotten when they say so."""

from typing import Any

from sqlalchemy import delete, or_, select

from marketplace.accounts import administrators, credentials, keys, rules
from marketplace.accounts import queries as accounts
from marketplace.accounts.models import ApiKey, KnownDevice, SignIn, User
from marketplace.accounts.rules import Role
from marketplace.core.actors import Actor, Kind
from marketplace.core.consents import consents_of
from marketplace.core.context import Context, Transaction
from marketplace.core.db import Json
from marketplace.core.errors import Conflict, FieldError, Invalid, NotAllowed, NotSignedIn
from marketplace.core.events import Event, record
from marketplace.core.forms import Form
from marketplace.core.jobs import Job
from marketplace.core.links import Link
from marketplace.leads.masking import Identity, mask_identities
from marketplace.notifications.models import Notification
from marketplace.privacy.export import event_of, message_of, row_of
from marketplace.privacy.leaving import erase_contact
from marketplace.privacy.people import forget_user
from marketplace.providers.coverage import hold_provider
from marketplace.providers.members import keep_an_owner
from marketplace.providers.models import Provider, TeamInvitation
from marketplace.providers.rules import ProviderEvent, ProviderState
from marketplace.providers.team import hold_team
from marketplace.providers.webhooks import Webhook
from marketplace.quotes.erasure import cover_in_quotes_of

LEFT = "It has left."


def account_data(ctx: Context, actor: Actor) -> dict[str, Any]:
    """Return everything about whoever asks, and of nobody else; that they asked is recorded."""
    with ctx.transaction() as tx:
        me = _me(tx, actor)
        record(tx, actor, "user.data_exported", me.id)
    with ctx.reading() as session:
        written = or_(Notification.subject_id == me.id, Notification.recipient == me.email)
        lists = {
            "sessions": select(SignIn).where(SignIn.user_id == me.id).order_by(SignIn.created_at),
            "devices": select(KnownDevice)
            .where(KnownDevice.user_id == me.id)
            .order_by(KnownDevice.first_used_at),
            "api_keys": select(ApiKey).where(ApiKey.made_by == me.id).order_by(ApiKey.id),
        }
        found: Json = {
            "exported_at": ctx.clock(),
            "account": row_of(me),
            "consents": [row_of(each) for each in consents_of(session, [me.id])],
        }
        for name, rows in lists.items():
            found[name] = [row_of(each) for each in session.scalars(rows)]
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
        found["contact_of_provider"] = _as_contact(session.get(Provider, me.provider_id), me)
        return found


def _as_contact(provider: Provider | None, me: User) -> Json | None:
    if provider is None or provider.contact_email != me.email:
        return None
    names = ("contact_name", "contact_email", "contact_phone")
    return {name: getattr(provider, name) for name in names}


def erase_account(ctx: Context, actor: Actor, form: Form) -> None:
    """Forget who somebody is, once their password says that it is them; or raise.

    `Conflict` where they are the last owner of a provider that is verified, or the last
    administrator: they hand over first, or the provider leaves. What they did stays under an id.
    """
    password_hash = _check_password(ctx, actor, form)
    with ctx.transaction() as tx:
        me = _hold_me(tx, actor, password_hash)
        forget_user(tx, actor, me, verb="user.erased")
        if me.role is Role.ADMIN:
            tx.session.flush()
            administrators.tell(tx, actor, [me], me, "removed")


def _hold_me(tx: Transaction, actor: Actor, password_hash: str) -> User:
    """Return whoever acts, held with those who stay, so that of two one finds itself the last."""
    if actor.kind is Kind.ADMIN:
        there = administrators.hold_admins(tx, actor)
        me = _me(tx, actor, password_hash)
        administrators.require_another(there, me)
        return me
    provider, _ = hold_provider(tx, actor.own_provider())
    me = _me(tx, actor, password_hash)
    if provider.state is ProviderState.VERIFIED:
        keep_an_owner(tx, provider, me)
    keys.let_go_of_keys(tx, actor, me, to=None)
    if provider.contact_email == me.email:
        erase_contact(tx, actor, provider)
    record(tx, actor, "provider.member_removed", provider.id, user=str(me.id))
    return me


def leave(ctx: Context, actor: Actor, form: Form) -> None:
    """Let a provider leave for good: an owner says so, and says who they are by their password.

    It is invited no more, and what it holds is taken back, by the steps of a suspension; the people
    who sign in for it, its keys, its webhook and its contact are forgotten. What it is called, and
    the quotes that businesses have, stay, with the names of its people covered.
    """
    password_hash = _check_password(ctx, actor, form)
    with ctx.transaction() as tx:
        provider, me = hold_team(tx, actor)
        _me(tx, actor, password_hash)
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


def _check_password(ctx: Context, actor: Actor, form: Form) -> str:
    """Return the hash that the password in a form is right for, or raise; a slow check."""
    password = rules.normal_password(form.accept()["password"])
    with ctx.reading() as session:
        me = session.get(User, actor.id) if actor.id else None
    stored = me.password_hash if me else None
    is_exact = me is None or me.password_is_exact
    if not credentials.is_password(password, stored, is_exact=is_exact) or stored is None:
        raise Invalid([FieldError("/password", "is not right")])
    return stored


def _me(tx: Transaction, actor: Actor, password_hash: str | None = None) -> User:
    """Return whoever acts, locked; `password_hash`: what their password was checked against."""
    if actor.kind not in (Kind.PROVIDER, Kind.ADMIN) or actor.id is None:
        raise NotAllowed("this is for people who signed in")
    me = accounts.lock_user(tx.session, actor.id)
    if me.disabled_at is not None and me.role is not Role.ADMIN:
        raise NotSignedIn("please sign in")
    if password_hash is not None and me.password_hash != password_hash:
        raise Conflict("the password was changed a moment ago")
    return me
