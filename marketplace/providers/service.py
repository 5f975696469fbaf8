"""Let providers in, and say whether they may be invited."""

from typing import Any
from uuid import UUID, uuid5

from marketplace.accounts import queries as accounts
from marketplace.accounts import service as accounting
from marketplace.accounts.letters import tell_admins
from marketplace.accounts.rules import normal_email
from marketplace.core import consents
from marketplace.core.actors import ANYBODY, Actor
from marketplace.core.agreements import Agreed
from marketplace.core.consents import Whose
from marketplace.core.context import Context, Transaction
from marketplace.core.errors import Conflict, FieldError
from marketplace.core.events import record
from marketplace.core.forms import Form
from marketplace.core.jobs import Job
from marketplace.core.links import Purpose
from marketplace.notifications.service import LinkTo, Recipient, notify
from marketplace.providers import intake
from marketplace.providers.coverage import hold_provider
from marketplace.providers.models import Provider
from marketplace.providers.rules import ProviderEvent, ProviderState

APPLICATION_MAILED_ONCE_IN = 86_400
"""Seconds in which an application is confirmed and announced once, however often it is sent."""

LETTER = {
    ProviderEvent.APPROVE: "application_approved",
    ProviderEvent.REJECT: "application_rejected",
    ProviderEvent.SUSPEND: "provider_suspended",
    ProviderEvent.REINSTATE: "provider_reinstated",
}


def apply_to_join(ctx: Context, form: Form) -> None:
    """Take an application in; what comes of it goes by mail.

    Nobody learns whether the provider is known already: an administrator is told either way.
    """
    with ctx.transaction() as tx:
        values = form.accept(intake.application_problems(tx.session, form))
        intake.hold_identity(tx, values)
        provider = intake.known_provider(tx.session, values)
        if provider is None:
            provider = intake.new_provider(tx, values)
            record(tx, ANYBODY, "provider.applied", provider.id, kind=provider.kind)
            consents.agree(tx, Whose.PROVIDER, provider.id, Agreed.PROVIDER_TERMS)
        else:
            # Whoever names a provider that is here already agrees to nothing in its place.
            record(tx, ANYBODY, "provider.applied_again", provider.id, kind=values["kind"])
        contact = values["contact"]
        zone = intake.zone_of(tx.session, provider)
        occasion = str(int(tx.now.timestamp()) // APPLICATION_MAILED_ONCE_IN)
        email = normal_email(contact["email"])
        # By the link of the letter whoever applied takes back what is theirs: of somebody who
        # names a provider that is here already, that is the letter. Both read the same.
        theirs = provider.id if email == provider.contact_email else uuid5(provider.id, email)
        notify(
            tx,
            "application_received",
            Recipient(email, contact["name"], zone),
            theirs,
            occasion=occasion,
            link=LinkTo(Purpose.WITHDRAW, theirs, tx.now + tx.policy.applications_kept),
            provider=values["name"],
        )
        tell_admins(
            tx,
            "application_to_review",
            provider.id,
            occasion=occasion,
            path=f"/admin/providers/{provider.id}",
            provider=values["name"],
        )


def create_provider(ctx: Context, actor: Actor, form: Form) -> Provider:
    """Write a provider down as an administrator; it still has to be approved."""
    actor.require_admin()
    with ctx.transaction() as tx:
        problems = intake.application_problems(tx.session, form)
        if not problems and not form.problems:
            intake.hold_identity(tx, form.values)
            problems += _taken(tx, form.values)
        provider = intake.new_provider(tx, form.accept(problems))
        record(tx, actor, "provider.created", provider.id, kind=provider.kind)
        return provider


def _taken(tx: Transaction, values: dict[str, Any]) -> list[FieldError]:
    known = intake.known_provider(tx.session, values)
    if known is not None:
        field = "registration_number" if intake.entity_of(values) else "name"
        return [FieldError(f"/{field}", f"is the provider {known.name} ({known.id}) already")]
    if accounts.user_by_email(tx.session, values["contact"]["email"]) is not None:
        return [FieldError("/contact/email", "signs in for somebody else already")]
    return []


def approve_provider(ctx: Context, actor: Actor, provider_id: UUID) -> Provider:
    """Verify a provider that applied, and give its contact a way to sign in."""
    return _move(ctx, actor, provider_id, ProviderEvent.APPROVE, "approved")


def reject_provider(ctx: Context, actor: Actor, provider_id: UUID, *, reason: str) -> Provider:
    """Turn an application away, and say why."""
    return _move(ctx, actor, provider_id, ProviderEvent.REJECT, "rejected", reason)


def suspend_provider(ctx: Context, actor: Actor, provider_id: UUID, *, reason: str) -> Provider:
    """Stop inviting a provider; what it holds is taken back, answered or not."""
    return _move(ctx, actor, provider_id, ProviderEvent.SUSPEND, "suspended", reason)


def reinstate_provider(ctx: Context, actor: Actor, provider_id: UUID) -> Provider:
    """Invite a suspended provider again."""
    return _move(ctx, actor, provider_id, ProviderEvent.REINSTATE, "reinstated")


def _move(
    ctx: Context,
    actor: Actor,
    provider_id: UUID,
    event: ProviderEvent,
    done: str,
    reason: str | None = None,
) -> Provider:
    actor.require_admin()
    with ctx.transaction() as tx:
        provider, coverage = hold_provider(tx, provider_id)
        if provider.erased_at is not None:
            raise Conflict("this provider has left, and nobody is known who could answer for it")
        provider.apply(event, now=tx.now, reason=reason)
        coverage.state = provider.state
        record(tx, actor, f"provider.{done}", provider.id)
        if event is ProviderEvent.APPROVE:
            let_contact_sign_in(tx, actor, provider)
        said = {} if reason is None else {"reason": reason}
        tell(tx, provider, LETTER[event], **said)
        if provider.state is ProviderState.VERIFIED:
            tx.afterwards(Job.REMATCH_WAITING_LEADS, provider.id)
        else:
            tx.afterwards(Job.RECHECK_PROVIDER, provider.id)
        return provider


def let_contact_sign_in(tx: Transaction, actor: Actor, provider: Provider) -> None:
    """Make a user of the provider's contact, and mail a set-password link to one without.

    An address that signs in for somebody else raises `Conflict`.
    """
    email, name = provider.contact_email, provider.contact_name
    user = accounting.ensure_provider_user(tx, provider.id, email, name, actor=actor)
    if user is None:
        raise Conflict("the contact's e-mail address signs in for somebody else already")
    if user.password_hash is None:
        accounting.send_set_password(
            tx, user, "set_password", occasion=f"{tx.now:%Y-%m-%d}", provider=provider.name
        )


def tell(tx: Transaction, provider: Provider, template: str, **values: Any) -> None:
    """Write to a provider's contact; the mail's action leads into the portal."""
    zone = intake.zone_of(tx.session, provider)
    notify(
        tx,
        template,
        Recipient(provider.contact_email, provider.contact_name, zone),
        provider.id,
        occasion=tx.now.isoformat(),
        path="/portal",
        provider_id=provider.id,
        provider=provider.name,
        **values,
    )
