"""Let somebody back in who lost telephone and recovery codes, and whom nobody else can invite.

An administrator takes the second factor off, having made sure who asks (ASVS 6.4.4). The password
is still needed, so that this alone lets nobody in; and everybody concerned is told at once.
"""

from enum import StrEnum
from uuid import UUID

from marketplace.accounts import factors, notices, passwords, queries
from marketplace.accounts.models import User
from marketplace.accounts.rules import Role
from marketplace.core.actors import Actor
from marketplace.core.context import Context, Transaction
from marketplace.core.errors import Conflict, NotAllowed, NotFound
from marketplace.core.events import record
from marketplace.notifications.service import notify


class Checked(StrEnum):
    """How it was made sure who asks: never by what somebody said who called or wrote."""

    CALLED_BACK = "called_back"
    """By a call to a number that the organisation publishes, or that we had before."""
    IN_PERSON = "in_person"
    DOCUMENT = "document"
    """By a letter of the organisation, signed by somebody who stands in the register for it."""


def take_factor_off(ctx: Context, actor: Actor, user_id: UUID, *, checked: Checked) -> User:
    """Take the second factor and recovery codes of a provider's person away; sessions end.

    Never one's own, and no administrator's: of those an operator on the server knows the person.
    """
    actor.require_admin()
    with ctx.transaction() as tx:
        user = tx.session.get(User, user_id, with_for_update=True, populate_existing=True)
        if user is None or user.disabled_at is not None:
            raise NotFound("there is no such person")
        if user.role is not Role.PROVIDER or user.id == actor.id:
            raise NotAllowed("an administrator's second factor is replaced by an operator alone")
        if not user.has_second_factor:
            raise Conflict("there is no second factor")
        factors.forget(tx, user)
        ended = passwords.end_sessions(tx, user)
        record(tx, actor, "user.second_factor_taken_off", user.id, reason=checked, sessions=ended)
        notices.tell_owner(tx, user, "second_factor_taken_off")
        _tell_the_others(tx, user)
        return user


def _tell_the_others(tx: Transaction, user: User) -> None:
    if user.provider_id is None:
        return
    for each in queries.users_of_provider(tx.session, user.provider_id):
        if each.id != user.id:
            notify(
                tx,
                "factor_taken_off",
                notices.owner(tx, each),
                user.id,
                occasion=tx.now.isoformat(),
                path="/portal/team",
                person=user.name,
                at=tx.now,
            )
