"""What a provider says of itself: how it is reached, what it covers, when it is away."""

from uuid import UUID

from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.core.db import new_id
from marketplace.core.errors import FieldError, NotFound
from marketplace.core.events import record
from marketplace.core.forms import Form
from marketplace.core.jobs import Job
from marketplace.providers import intake
from marketplace.providers.coverage import hold_provider
from marketplace.providers.models import Pause, Provider

COVERED = (
    "standards", "regions", "sectors", "headcount_min", "headcount_max", "remote",
    "open_capacity", "monthly_capacity", "languages", "weeks_to_start",
)  # fmt: skip
"""What a provider may change of its coverage."""


def update_provider(ctx: Context, actor: Actor, form: Form) -> Provider:
    """Change what the provider says of itself: website, contact, coverage, capacity."""
    with ctx.transaction() as tx:
        provider, coverage = hold_provider(tx, actor.own_provider())
        wanted = form.accept(intake.coverage_problems(tx.session, form, coverage))
        contact = {f"contact_{name}": value for name, value in wanted.get("contact", {}).items()}
        changed = intake.change(provider, wanted, ["website"])
        changed += intake.change(
            provider, contact, ["contact_name", "contact_email", "contact_phone"]
        )
        covers = intake.as_stored(tx.session, wanted.get("coverage", {}))
        covered = intake.change(coverage, covers, COVERED)
        if changed or covered:
            record(tx, actor, "provider.changed", provider.id, fields=changed + covered)
        if covered:
            tx.afterwards(Job.REMATCH_WAITING_LEADS, provider.id)
        return provider


def add_pause(ctx: Context, actor: Actor, form: Form) -> Pause:
    """Stop invitations to the provider for a time."""
    with ctx.transaction() as tx:
        provider, _ = hold_provider(tx, actor.own_provider())
        start, end = form.values.get("from"), form.values.get("until")
        problems = []
        if end is not None and end <= tx.now:
            problems.append(FieldError("/until", "is in the past"))
        elif start is not None and end is not None and end <= start:
            problems.append(FieldError("/until", "must be later than its beginning"))
        wanted = form.accept(problems)
        pause = Pause(
            id=new_id(),
            provider_id=provider.id,
            starts_at=wanted["from"],
            ends_at=wanted["until"],
            created_at=tx.now,
        )
        tx.session.add(pause)
        record(tx, actor, "provider.paused", provider.id, pause=str(pause.id))
        return pause


def delete_pause(ctx: Context, actor: Actor, pause_id: UUID) -> None:
    """End a pause, or take back one that has not begun."""
    with ctx.transaction() as tx:
        provider, _ = hold_provider(tx, actor.own_provider())
        pause = tx.session.get(Pause, pause_id)
        if pause is None or pause.provider_id != provider.id:
            raise NotFound("there is no such pause")
        tx.session.delete(pause)
        record(tx, actor, "provider.pause_ended", provider.id, pause=str(pause.id))
        tx.afterwards(Job.REMATCH_WAITING_LEADS, provider.id)
