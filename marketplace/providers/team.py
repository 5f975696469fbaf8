"""Who signs in for a provider: invited by a colleague, in by a link, removed again.

Whoever invites an address learns nothing of it. Where it signs in for somebody else, its owner is
told of that instead of getting a link; the invitation looks the same, and simply is never taken up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.accounts import credentials, passwords, queries, strength
from marketplace.accounts import rules as signing_in
from marketplace.accounts import service as accounting
from marketplace.accounts.devices import Device, remember_device
from marketplace.accounts.models import User
from marketplace.core import consents, links
from marketplace.core.actors import Actor, Kind, Right, TeamRole
from marketplace.core.agreements import Agreed
from marketplace.core.consents import Whose
from marketplace.core.context import Context, Transaction
from marketplace.core.db import new_id
from marketplace.core.errors import (
    Conflict,
    FieldError,
    Gone,
    Invalid,
    NotAllowed,
    NotFound,
    NotSignedIn,
)
from marketplace.core.events import record
from marketplace.core.forms import Form
from marketplace.core.links import Purpose
from marketplace.core.texts import Told
from marketplace.notifications.service import LinkTo, Recipient, notify
from marketplace.providers import intake
from marketplace.providers.coverage import hold_provider
from marketplace.providers.models import Provider, TeamInvitation

MAILED_EVERY = 3600
"""Seconds: asked for again within the same hour, somebody gets one mail."""


@dataclass(frozen=True)
class Team:
    """Everybody who signs in for a provider, and who was invited to; the first one first."""

    members: Sequence[User]
    invited: Sequence[TeamInvitation]

    @property
    def size(self) -> int:
        return len(self.members) + len(self.invited)

    def keeps_an_owner_without(self, user: User) -> bool:
        """Return whether an owner who can sign in remains, whatever becomes of this one."""
        return any(
            each.is_owner and each.can_sign_in for each in self.members if each.id != user.id
        )


def team_of(session: Session, provider_id: UUID) -> Team:
    """Return the people of a provider."""
    invited = session.scalars(
        select(TeamInvitation)
        .where(TeamInvitation.provider_id == provider_id)
        .order_by(TeamInvitation.id)
    )
    return Team(queries.users_of_provider(session, provider_id), invited.all())


def own_team(ctx: Context, actor: Actor) -> Team:
    """Return the people of the actor's provider."""
    with ctx.reading() as session:
        return team_of(session, actor.own_provider())


def invite_member(ctx: Context, actor: Actor, form: Form) -> TeamInvitation:
    """Invite a colleague; one who is invited already is written to again, in the role given now."""
    with ctx.transaction() as tx:
        provider, me = hold_team(tx, actor)
        wanted = form.accept()
        role = wanted.get("role", TeamRole.MEMBER)
        email, team = signing_in.normal_email(wanted["email"]), team_of(tx.session, provider.id)
        if any(each.email == email for each in team.members):
            raise Invalid([FieldError("/email", "signs in for you already")])
        invitation = next((each for each in team.invited if each.email == email), None)
        if invitation is None:
            if team.size >= tx.policy.team_at_most:
                raise Conflict(
                    Told(
                        "at most %(n)s people sign in for one provider, those who are invited "
                        "included: remove somebody first",
                        n=tx.policy.team_at_most,
                    )
                )
            invitation = TeamInvitation(
                id=new_id(),
                provider_id=provider.id,
                email=email,
                name=wanted["name"],
                role=role,
                invited_by=me.id,
                invited_at=tx.now,
                expires_at=tx.now,
            )
            tx.session.add(invitation)
            record(
                tx,
                actor,
                "provider.member_invited",
                provider.id,
                invitation=str(invitation.id),
                role=role,
            )
        elif role is not invitation.role:
            set_invited_role(tx, actor, invitation, role)
        _write_to(tx, provider, me, invitation)
        return invitation


def set_invited_role(
    tx: Transaction, actor: Actor, invitation: TeamInvitation, role: TeamRole
) -> None:
    """Let somebody who is invited come in another role."""
    invitation.role = role
    record(
        tx,
        actor,
        "provider.member_role_changed",
        invitation.provider_id,
        invitation=str(invitation.id),
        role=role,
    )


def invite_again(ctx: Context, actor: Actor, invitation_id: UUID) -> TeamInvitation:
    """Mail an invitation once more, and let it run on from now."""
    with ctx.transaction() as tx:
        provider, me = hold_team(tx, actor)
        invitation = own_invitation(tx, provider, invitation_id)
        record(
            tx, actor, "provider.member_invited_again", provider.id, invitation=str(invitation.id)
        )
        _write_to(tx, provider, me, invitation)
        return invitation


def withdraw_invitation(ctx: Context, actor: Actor, invitation_id: UUID) -> None:
    """Take an invitation back: its link opens nothing from now on."""
    with ctx.transaction() as tx:
        provider, _ = hold_team(tx, actor)
        withdraw(tx, actor, own_invitation(tx, provider, invitation_id))


def withdraw(tx: Transaction, actor: Actor, invitation: TeamInvitation) -> None:
    """Forget an invitation."""
    tx.session.delete(invitation)
    record(
        tx,
        actor,
        "provider.member_invitation_withdrawn",
        invitation.provider_id,
        invitation=str(invitation.id),
    )


def mail_first_link(ctx: Context, actor: Actor, user_id: UUID) -> User:
    """Mail a colleague who never set a password a link to do so."""
    with ctx.transaction() as tx:
        provider, _ = hold_team(tx, actor)
        user = colleague(tx, provider, user_id)
        if user.password_hash is not None:
            raise Conflict("they have set a password: the sign-in page mails another link")
        accounting.send_set_password(
            tx,
            user,
            "set_password",
            occasion=passwords.asked_now(tx, every=MAILED_EVERY),
            provider=provider.name,
        )
        record(tx, actor, "provider.member_invited_again", provider.id, user=str(user.id))
        return user


def invitation_to(session: Session, token: str, *, now: datetime) -> TeamInvitation | None:
    """Return the invitation that this link takes up, if it is still good."""
    link = links.link_for(session, Purpose.JOIN_TEAM, token, now=now)
    if link is None or link.used_at is not None:
        return None
    return session.get(TeamInvitation, link.subject_id)


def inviting(session: Session, invitation: TeamInvitation) -> str:
    """Return what the provider is called that somebody is invited to sign in for."""
    return session.get_one(Provider, invitation.provider_id).name


def join_team(ctx: Context, form: Form, device: Device | None = None) -> None:
    """Take an invitation up by choosing a password; or raise `Gone`, or `Conflict`.

    A password that is refused uses nothing up. The `device` is known from then on.
    """
    values = form.accept()
    token, password = values["token"], signing_in.normal_password(values["password"])
    with ctx.reading() as session:
        invitation = invitation_to(session, token, now=ctx.clock())
        if invitation is None:
            raise Gone("this link was used or has lapsed")
        provider_name = inviting(session, invitation)
    email, name = invitation.email, invitation.name
    form.accept(
        strength.password_problems(password, email=email, name=name, provider=provider_name)
    )
    hashed = credentials.hash_password(password)
    with ctx.transaction() as tx:
        provider, _ = hold_provider(tx, invitation.provider_id)
        current = tx.session.get(TeamInvitation, invitation.id)
        links.use(tx, Purpose.JOIN_TEAM, token)
        if current is None:
            raise Gone("this link was used or has lapsed")
        user = accounting.join_provider(tx, provider.id, email, name, current.role)
        if user is None:
            raise Conflict("this address signs in for another organisation by now")
        me = passwords.actor_of(user)
        passwords.replace_password(tx, me, user, hashed)
        if device is not None:
            remember_device(tx, user, device)
        tx.session.delete(current)
        consents.agree(tx, Whose.USER, user.id, Agreed.PROVIDER_TERMS)
        record(tx, me, "provider.member_joined", provider.id, user=str(user.id))


def hold_team(tx: Transaction, actor: Actor) -> tuple[Provider, User]:
    """Return the actor's provider, held so that its team stays as it is, and who the actor is.

    Somebody who was removed a moment ago, or is an owner no more, decides nothing any more.
    """
    if actor.kind is not Kind.PROVIDER or actor.id is None:
        raise NotAllowed("this is for people who signed in")
    provider, _ = hold_provider(tx, actor.own_provider())
    me = tx.session.get(User, actor.id, populate_existing=True)
    if me is None or me.disabled_at is not None or me.provider_id != provider.id:
        raise NotSignedIn("please sign in")
    passwords.actor_of(me).require(Right.TEAM)
    return provider, me


def own_invitation(tx: Transaction, provider: Provider, invitation_id: UUID) -> TeamInvitation:
    found = tx.session.get(TeamInvitation, invitation_id)
    if found is None or found.provider_id != provider.id:
        raise NotFound("there is no such invitation")
    return found


def colleague(tx: Transaction, provider: Provider, user_id: UUID) -> User:
    found = tx.session.get(User, user_id, with_for_update=True, populate_existing=True)
    if found is None or found.provider_id != provider.id or found.disabled_at is not None:
        raise NotFound("there is no such person")
    return found


def _write_to(tx: Transaction, provider: Provider, me: User, invitation: TeamInvitation) -> None:
    """Mail the link; where the address signs in for somebody else, that nothing has changed."""
    invitation.expires_at = tx.now + tx.policy.set_password_within
    zone = intake.zone_of(tx.session, provider)
    user = queries.user_by_email(tx.session, invitation.email)
    if user is None or user.is_free:
        notify(
            tx,
            "team_invited",
            Recipient(invitation.email, invitation.name, zone),
            invitation.id,
            occasion=passwords.asked_now(tx, every=MAILED_EVERY),
            link=LinkTo(Purpose.JOIN_TEAM, invitation.id, invitation.expires_at),
            provider=provider.name,
            by=me.name,
            expires_at=invitation.expires_at,
        )
    else:
        notify(
            tx,
            "team_invited_elsewhere",
            Recipient(user.email, user.name, zone),
            invitation.id,
            occasion=passwords.asked_now(tx, every=MAILED_EVERY),
            path="/sign-in",
            provider=provider.name,
            by=me.name,
        )
