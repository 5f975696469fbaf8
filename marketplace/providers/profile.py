"""What a provider says of itself: how it is reached, what it covers."""

from datetime import timedelta

from sqlalchemy import func, select

from marketplace.core.actors import Actor
from marketplace.core.context import Context, Transaction
from marketplace.core.errors import FieldError
from marketplace.core.events import Event, record
from marketplace.core.forms import Form
from marketplace.core.jobs import Job
from marketplace.core.texts import Told
from marketplace.notifications.service import Recipient, notify
from marketplace.providers import intake
from marketplace.providers.coverage import hold_provider
from marketplace.providers.models import Provider

COVERED = (
    "standards", "regions", "sectors", "headcount_min", "headcount_max", "remote",
    "open_capacity", "monthly_capacity", "languages", "weeks_to_start",
)  # fmt: skip
"""What a provider may change of its coverage."""


def update_provider(ctx: Context, actor: Actor, form: Form) -> Provider:
    """Change what the provider says of itself: website, contact, coverage, capacity."""
    with ctx.transaction() as tx:
        provider, coverage = hold_provider(tx, actor.own_provider())
        problems = intake.coverage_problems(tx.session, form, coverage)
        wanted = form.accept([*problems, *_contact_problems(tx, form, provider)])
        before = Recipient(
            provider.contact_email, provider.contact_name, intake.zone_of(tx.session, provider)
        )
        contact = {f"contact_{name}": value for name, value in wanted.get("contact", {}).items()}
        changed = intake.change(provider, wanted, ["website"])
        changed += intake.change(
            provider, contact, ["contact_name", "contact_email", "contact_phone"]
        )
        covers = intake.as_stored(tx.session, wanted.get("coverage", {}))
        covered = intake.change(coverage, covers, COVERED)
        if changed or covered:
            record(tx, actor, "provider.changed", provider.id, fields=changed + covered)
        if "contact_email" in changed:
            _tell_before(tx, provider, before)
        if covered:
            tx.afterwards(Job.REMATCH_WAITING_LEADS, provider.id)
        return provider


def _contact_problems(tx: Transaction, form: Form, provider: Provider) -> list[FieldError]:
    """Say where the address changes too often: each one before it is told. The provider is held."""
    email = (form.values.get("contact") or {}).get("email")
    if email in (None, provider.contact_email) or not tx.policy.rate_limits:
        return []
    changes = tx.session.scalars(
        select(func.count()).where(
            Event.subject_id == provider.id,
            Event.verb == "provider.changed",
            Event.at > tx.now - timedelta(days=1),
            Event.facts["fields"].contains(["contact_email"]),
        )
    ).one()
    most = tx.policy.contact_changes_a_day
    wrong = Told("may change %(most)d times a day: please wait until tomorrow", most=most)
    return [FieldError("/contact/email", wrong)] if changes >= most else []


def _tell_before(tx: Transaction, provider: Provider, before: Recipient) -> None:
    """Tell who was written to so far: letters say who a business is, and somebody may read them.

    It needs a right to manage, by a session or key that may have been stolen, and nothing more.
    """
    notify(
        tx,
        "contact_changed",
        before,
        provider.id,
        occasion=tx.now.isoformat(),
        path="/portal/profile",
        provider_id=provider.id,
        provider=provider.name,
    )
