"""Administrators as people: who there are, invited by one of them, removed by another.

Whoever changes who there are holds them all, so that of two who remove each other at the same
moment one finds that they are none any more: one who can sign in always remains.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marketplace.accounts import passwords, queries, rules
from marketplace.accounts import service as accounting
from marketplace.accounts.models import SignIn, User
from marketplace.core.actors import OPERATOR, Actor, Kind
from marketplace.core.context import Context, Transaction
from marketplace.core.errors import Conflict, FieldError, Invalid, NotFound, NotSignedIn
from marketplace.core.events import record
from marketplace.core.forms import Form

MAILED_EVERY = 3600
"""Seconds: asked for again within the same hour, somebody gets one mail."""


def last_signed_in(session: Session, users: Sequence[User]) -> Mapping[UUID, datetime]:
    """Return when each of these began a session last, of those who have."""
    rows = session.execute(
        select(SignIn.user_id, func.max(SignIn.created_at))
        .where(SignIn.user_id.in_([each.id for each in users]))
        .group_by(SignIn.user_id)
    )
    return {row[0]: row[1] for row in rows}


def invite_admin(ctx: Context, actor: Actor, form: Form) -> User:
    """Make somebody an administrator, and mail them a link to set a password by.

    Every other administrator is told. Who is one already is named as wrong.
    """
    with ctx.transaction() as tx:
        there = hold_admins(tx, actor)
        wanted = form.accept()
        email = rules.normal_email(wanted["email"])
        if any(each.email == email for each in there):
            raise Invalid([FieldError("/email", "is an administrator's already")])
        user = accounting.admin_called(tx, email, wanted["name"], actor=actor)
        _mail_link(tx, actor, there, user)
        tell(tx, actor, there, user, "invited")
        return user


def mail_link_again(ctx: Context, actor: Actor, user_id: UUID) -> User:
    """Mail an administrator who never set a password a link to do so."""
    with ctx.transaction() as tx:
        there = hold_admins(tx, actor)
        user = _one_of(there, user_id)
        if user.can_sign_in:
            raise Conflict("they have set a password: the sign-in page mails another link")
        _mail_link(tx, actor, there, user)
        return user


def remove_admin(ctx: Context, actor: Actor, user_id: UUID) -> User:
    """Let an administrator in no more; every session of theirs ends at once."""
    with ctx.transaction() as tx:
        there = hold_admins(tx, actor)
        return _let_go(tx, actor, there, _one_of(there, user_id))


def remove_admin_called(ctx: Context, email: str) -> User:
    """Remove the administrator with this address, for an operator."""
    with ctx.transaction() as tx:
        there = hold_admins(tx, OPERATOR)
        found = next((each for each in there if each.email == rules.normal_email(email)), None)
        if found is None:
            raise NotFound("there is no such administrator")
        return _let_go(tx, OPERATOR, there, found)


def require_another(there: Sequence[User], user: User) -> None:
    """Raise `Conflict` where no other administrator remains who can sign in. All are held."""
    if not any(each.can_sign_in for each in there if each.id != user.id):
        raise Conflict("an administrator has to remain who can sign in: invite another one first")


def _let_go(tx: Transaction, actor: Actor, there: Sequence[User], user: User) -> User:
    """Let one of them in no more, and tell all of them."""
    require_another(there, user)
    accounting.remove_user(tx, user)
    record(tx, actor, "user.removed", user.id)
    tx.session.flush()
    tell(tx, actor, there, user, "removed")
    return user


def hold_admins(tx: Transaction, actor: Actor) -> Sequence[User]:
    """Return all administrators, held; who was removed a moment ago decides nothing any more."""
    actor.require_admin()
    there = tx.session.scalars(
        queries.admin_rows()
        .order_by(User.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    if actor.kind is Kind.ADMIN and not any(each.id == actor.id for each in there):
        raise NotSignedIn("please sign in")
    return there


def _one_of(there: Sequence[User], user_id: UUID) -> User:
    found = next((each for each in there if each.id == user_id), None)
    if found is None:
        raise NotFound("there is no such administrator")
    return found


def _name_of(actor: Actor, there: Sequence[User]) -> str:
    return next((each.name for each in there if each.id == actor.id), "an operator")


def _mail_link(tx: Transaction, actor: Actor, there: Sequence[User], user: User) -> None:
    accounting.send_set_password(
        tx,
        user,
        "admin_invited",
        occasion=passwords.asked_now(tx, every=MAILED_EVERY),
        by=_name_of(actor, there),
    )
    record(tx, actor, "user.invited", user.id)


def tell(tx: Transaction, actor: Actor, there: Sequence[User], user: User, what: str) -> None:
    """Tell the administrators that there are now who has come or gone, and by which of them."""
    accounting.tell_of_admin(tx, user, what, by=_name_of(actor, there))
