"""What each of a provider's people may do, and whoever leaves: an owner who can sign in remains.

Whoever changes a team holds its provider, so that of two owners who demote each other at the same
moment one finds that they are an owner no more.
"""

from uuid import UUID

from marketplace.accounts import keys, passwords, queries
from marketplace.accounts import service as accounting
from marketplace.accounts.models import User
from marketplace.core.actors import Actor, TeamRole
from marketplace.core.context import Context, Transaction
from marketplace.core.errors import Conflict
from marketplace.core.events import record
from marketplace.notifications.service import Recipient, notify
from marketplace.providers.models import Provider, TeamInvitation
from marketplace.providers.team import colleague, hold_team, set_invited_role, team_of, withdraw


def change_role(
    ctx: Context, actor: Actor, member_id: UUID, *, role: TeamRole
) -> User | TeamInvitation:
    """Give a colleague, or somebody invited, another role. It ends every session of theirs.

    Keys that they answer for do no more than they may from now on. Of an owner no more the
    invitations are taken back, as of somebody who is removed.
    """
    with ctx.transaction() as tx:
        provider, _ = hold_team(tx, actor)
        invitation = tx.session.get(TeamInvitation, member_id)
        if invitation is not None and invitation.provider_id == provider.id:
            if role is not invitation.role:
                set_invited_role(tx, actor, invitation, role)
            return invitation
        user = colleague(tx, provider, member_id)
        if role is user.team_role:
            return user
        keep_an_owner(tx, provider, user)
        was, user.team_role = user.team_role, role
        if not user.is_owner:
            _withdraw_those_of(tx, actor, provider, user)
        passwords.end_sessions(tx, user)
        record(
            tx,
            actor,
            "provider.member_role_changed",
            provider.id,
            user=str(user.id),
            was=was,
            role=role,
        )
        notify(
            tx,
            "team_role_changed",
            Recipient(user.email, user.name, queries.zone_of(tx.session, user)),
            user.id,
            occasion=tx.now.isoformat(),
            path="/sign-in",
            provider=provider.name,
            role=role,
        )
        return user


def remove_member(
    ctx: Context, actor: Actor, member_id: UUID, *, keep_keys: bool = False
) -> User | TeamInvitation:
    """Let somebody sign in for the provider no more; every session of theirs ends at once.

    The keys that they answer for are revoked, since they may know them; or, where `keep_keys` says
    that the provider's software goes on with them, whoever removes them answers for the keys. Of
    somebody who is only invited it takes the invitation back. Whom they invited and who has not
    come yet is not let in by that any more: it may be themselves, by another address. Where letters
    to the provider went to them, they go to an owner who stays: some say who a business is.
    """
    with ctx.transaction() as tx:
        provider, me = hold_team(tx, actor)
        invitation = tx.session.get(TeamInvitation, member_id)
        if invitation is not None and invitation.provider_id == provider.id:
            withdraw(tx, actor, invitation)
            return invitation
        user = colleague(tx, provider, member_id)
        keep_an_owner(tx, provider, user)
        heir = me if user.id != me.id else owner_beside(tx, provider, me)
        keys.let_go_of_keys(tx, actor, user, to=heir if keep_keys else None)
        _withdraw_those_of(tx, actor, provider, user)
        if provider.contact_email == user.email and heir is not None:
            hand_contact_on(tx, actor, provider, heir)
        accounting.remove_user(tx, user)
        record(tx, actor, "provider.member_removed", provider.id, user=str(user.id))
        return user


def _withdraw_those_of(tx: Transaction, actor: Actor, provider: Provider, user: User) -> None:
    """Take back whom somebody invited and who has not come yet. The team is held."""
    for each in team_of(tx.session, provider.id).invited:
        if each.invited_by == user.id:
            withdraw(tx, actor, each)


def hand_contact_on(tx: Transaction, actor: Actor, provider: Provider, heir: User) -> None:
    """Let an owner who stays be written to instead of somebody who leaves."""
    provider.contact_name, provider.contact_email = heir.name, heir.email
    provider.contact_phone = None
    changed = ["contact_name", "contact_email", "contact_phone"]
    record(tx, actor, "provider.changed", provider.id, fields=changed)


def keep_an_owner(tx: Transaction, provider: Provider, user: User) -> None:
    """Raise `Conflict` where no owner remains who can sign in. The team is held."""
    if not team_of(tx.session, provider.id).keeps_an_owner_without(user):
        raise Conflict("an owner has to remain who can sign in: make somebody else an owner first")


def owner_beside(tx: Transaction, provider: Provider, user: User) -> User | None:
    """Return an owner who can sign in and is somebody else, if there is one. The team is held."""
    members = team_of(tx.session, provider.id).members
    owners = (each for each in members if each.is_owner and each.can_sign_in)
    return next((each for each in owners if each.id != user.id), None)
