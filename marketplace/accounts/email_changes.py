"""Another e-mail address to sign in by: confirmed on both, stopped on the old one alone.

Whoever asks learns nothing of the address: where somebody signs in with it already, its owner is
told so by mail, and the change simply never happens.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import column, select, table, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from marketplace.accounts import notices, passwords, queries, rules, sessions
from marketplace.accounts.models import EmailChange, User
from marketplace.accounts.proving import proven
from marketplace.core import links
from marketplace.core.actors import Actor
from marketplace.core.context import Context, Transaction
from marketplace.core.db import new_id
from marketplace.core.errors import FieldError, Gone
from marketplace.core.events import record
from marketplace.core.forms import Form
from marketplace.core.links import Purpose
from marketplace.notifications.service import LinkTo, notify

SIDES = (Purpose.EMAIL_OLD, Purpose.EMAIL_NEW)
"""The links to the address of now, and to the one that is wanted."""


def open_change(session: Session, user_id: UUID) -> EmailChange | None:
    """Return the change that a user has asked for and that is neither done nor stopped."""
    return session.scalar(
        select(EmailChange).where(
            EmailChange.user_id == user_id,
            EmailChange.done_at.is_(None),
            EmailChange.stopped_at.is_(None),
        )
    )


def ask_email_change(ctx: Context, actor: Actor, token: str, form: Form) -> None:
    """Write to both addresses; one that was asked for before is stopped."""
    wanted = rules.normal_email(form.values.get("email") or "")
    with ctx.reading() as session:
        user = None if actor.id is None else session.get(User, actor.id)
        is_same = user is not None and user.email == wanted
    problems = [FieldError("/email", "is the one that you sign in with already")] if is_same else []
    with proven(ctx, actor, token, form, more=problems) as it:
        tx, user = it.tx, it.user
        before = open_change(tx.session, user.id)
        if before is not None:
            before.stopped_at = tx.now
            tx.session.flush()
        change = EmailChange(
            id=new_id(),
            user_id=user.id,
            email=wanted,
            asked_at=tx.now,
            expires_at=tx.now + tx.policy.email_change_within,
        )
        tx.session.add(change)
        record(tx, actor, "user.email_change_asked", user.id)
        _write(tx, user, change, "email_change_old", Purpose.EMAIL_OLD, email=wanted)
        if queries.user_by_email(tx.session, wanted) is None:
            _write(tx, user, change, "email_change_new", Purpose.EMAIL_NEW)
        else:
            notify(tx, "email_change_taken", notices.stranger(wanted), change.id, path="/sign-in")


def _write(
    tx: Transaction, user: User, change: EmailChange, template: str, side: Purpose, **values: Any
) -> None:
    """Write to one side; to the new address, which may be a stranger's, without a name."""
    notify(
        tx,
        template,
        notices.stranger(change.email) if side is Purpose.EMAIL_NEW else notices.owner(tx, user),
        change.id,
        link=LinkTo(side, change.id, change.expires_at),
        expires_at=change.expires_at,
        **values,
    )


def change_for(session: Session, token: str, ctx: Context) -> tuple[EmailChange, Purpose]:
    """Return which change a link is about, and to which address it went; or raise `Gone`."""
    side = next((each for each in SIDES if token.startswith(f"{each}_")), Purpose.EMAIL_NEW)
    link = links.link_for(session, side, token, now=ctx.clock())
    change = session.get(EmailChange, link.subject_id) if link and link.used_at is None else None
    if change is None or change.is_over:
        raise Gone("this link was used or has lapsed")
    return change, side


def confirm_email_change(ctx: Context, form: Form) -> bool:
    """Confirm a change on one side; return whether it is done, since both have.

    Then every session ends, links that set the password are good no more, letters to their provider
    that went to the address of before go to this one, and both are told. Where somebody signs in
    with the address by now it is as gone as any other.
    """
    token = form.accept()["token"]
    with ctx.reading() as session:
        found, side = change_for(session, token, ctx)
    with ctx.transaction() as tx:
        user, change = _locked(tx, found)
        links.use(tx, side, token)
        if side is Purpose.EMAIL_OLD:
            change.old_confirmed_at = tx.now
        else:
            change.new_confirmed_at = tx.now
        actor = passwords.actor_of(user)
        record(tx, actor, "user.email_change_confirmed", user.id, side=side.name.lower())
        if change.old_confirmed_at is None or change.new_confirmed_at is None:
            return False
        notices.tell_owner(tx, user, "email")
        before = user.email
        try:
            with tx.session.begin_nested():
                user.email = change.email
                tx.session.flush()
        except IntegrityError:
            raise Gone("this link was used or has lapsed") from None
        change.done_at = tx.now
        passwords.end_sessions(tx, user)
        passwords.end_links(tx, user)
        record(tx, actor, "user.email_changed", user.id)
        _take_letters_along(tx, actor, user, before)
        notices.tell_owner(tx, user, "email")
        return True


# By name: providers stand above accounts, so their classes cannot be imported here.
_provider = table("providers", column("id"), column("contact_email"))
_coverage = table("coverage", column("provider_id"))


def _take_letters_along(tx: Transaction, actor: Actor, user: User, before: str) -> None:
    """Let what a provider is written to at somebody's address of before go to the one of now.

    Some of it says who a business is, and would go on to an address that whoever removes or erases
    them does not know to be theirs.
    """
    written_to = tx.session.scalar(
        update(_provider)
        .where(_provider.c.id == user.provider_id, _provider.c.contact_email == before)
        .values(contact_email=user.email)
        .returning(_provider.c.id)
    )
    if written_to is not None:
        record(tx, actor, "provider.changed", written_to, fields=["contact_email"])


def stop_email_change(ctx: Context, form: Form) -> None:
    """Stop a change by the link to the address of now, and end every session: it was not them."""
    token = form.accept()["token"]
    with ctx.reading() as session:
        found, side = change_for(session, token, ctx)
        if side is not Purpose.EMAIL_OLD:
            raise Gone("this link was used or has lapsed")
    with ctx.transaction() as tx:
        user, change = _locked(tx, found)
        links.use(tx, side, token)
        change.stopped_at = tx.now
        passwords.end_sessions(tx, user)
        record(tx, passwords.actor_of(user), "user.email_change_stopped", user.id)


def cancel_email_change(ctx: Context, actor: Actor, token: str) -> None:
    """Take back what one has asked for; nothing asked for is fine."""
    with ctx.transaction() as tx:
        user = sessions.locked_person(tx, actor)
        sessions.own_session(tx, actor, token)
        change = open_change(tx.session, user.id)
        if change is not None:
            change.stopped_at = tx.now
            record(tx, actor, "user.email_change_stopped", user.id)


def _locked(tx: Transaction, found: EmailChange) -> tuple[User, EmailChange]:
    """Hold the user and the change, look again, and return both; or raise `Gone`.

    Their provider is held before them, as by whoever removes them.
    """
    whose = select(User.provider_id).where(User.id == found.user_id).scalar_subquery()
    tx.session.execute(select(_coverage).where(_coverage.c.provider_id == whose).with_for_update())
    user = queries.lock_user(tx.session, found.user_id)
    change = tx.session.get(EmailChange, found.id, populate_existing=True)
    if (
        change is None
        or change.is_over
        or change.expires_at <= tx.now
        or user.disabled_at is not None
    ):
        raise Gone("this link was used or has lapsed")
    return user, change
