"""Take a provider's quote, and every revision of it."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm.attributes import flag_modified

from marketplace.core.actors import Actor
from marketplace.core.context import Context, Transaction
from marketplace.core.db import new_id
from marketplace.core.events import record
from marketplace.core.forms import Form
from marketplace.invitations import service as invitations
from marketplace.invitations.endings import forget_drafts
from marketplace.invitations.queries import invitations_for_lead as held_by_lead
from marketplace.invitations.rules import InvitationEvent, InvitationState, all_have_quoted
from marketplace.leads import service as leading
from marketplace.leads.models import Lead
from marketplace.notifications.service import notify
from marketplace.providers.models import Provider
from marketplace.quotes import asking, attachments, intake, queries, rules
from marketplace.quotes.models import Quote


def put_quote(ctx: Context, actor: Actor, invitation_id: UUID, form: Form) -> Quote:
    """Take a quote, or a new version of it, and accept the invitation if that has not happened.

    In time up to `respond_by`, but not at it; revisions until the request is finished. The same
    quote with the same files sent twice is one version.
    """
    with ctx.transaction() as tx:
        lead, invitation = invitations.lock_for_answer(tx, actor, invitation_id)
        provider = tx.session.get_one(Provider, invitation.provider_id)
        found = intake.problems(
            tx.session, form, lead, provider, policy=tx.policy, today=tx.now.date()
        )
        values = form.accept(found)
        invitations.require_may_answer(tx, lead, invitation)
        invitation.apply(InvitationEvent.QUOTE, now=tx.now)
        forget_drafts(tx, [invitation.id])
        # A total that was sent along is a check of the sum, and no part of what is quoted.
        body = as_json({name: value for name, value in values.items() if name != "total"})
        files = attachments.send_along(tx, invitation.id)
        before = queries.latest(tx.session, invitation.id)
        if before is not None and (before.body, before.attachment_ids) == (body, files):
            return before
        quote = Quote(
            id=new_id(),
            invitation_id=invitation.id,
            version=before.version + 1 if before else 1,
            kind=values["kind"],
            body=body,
            currency=values["currency"],
            total=rules.total(values["kind"], body),
            valid_until=values["valid_until"],
            submitted_at=tx.now,
            attachment_ids=files,
        )
        is_first = before is None and not queries.has_quotes(tx.session, lead.id)
        tx.session.add(quote)
        tx.session.flush()
        _keep_open_while_it_stands(tx, lead)
        if is_first:
            asking.plan_ask(tx, lead)
        invitations.note_response(tx, lead, invitation)
        record(tx, actor, "quote.submitted", invitation.id, version=quote.version)
        _tell_business(tx, lead, provider, quote, is_first=is_first)
        return quote


def _keep_open_while_it_stands(tx: Transaction, lead: Lead) -> None:
    last_day = queries.latest_validity(tx.session, lead.id)
    end = None
    if last_day:
        # No later than a lead may run at most: a day at the end of all calendars has no next one.
        last_day = min(last_day, (tx.now + tx.policy.lead_lifetime_at_most).date())
        end = datetime.combine(last_day, time.min, UTC) + timedelta(days=1)
    leading.move_expiry(tx, lead, quotes_valid_until=end)
    # Written down where it has not moved as well: how long an answer takes would else tell a
    # provider, revision by revision, until when another's quote stands.
    flag_modified(lead, "expires_at")


def _tell_business(
    tx: Transaction, lead: Lead, provider: Provider, quote: Quote, *, is_first: bool
) -> None:
    held = [each.state for each in held_by_lead(tx.session, lead.id)]
    if quote.version == 1 and all_have_quoted(held):
        notify(
            tx,
            "all_quotes_in",
            leading.contact_of(lead),
            lead.id,
            occasion=str(quote.invitation_id),
            link=leading.request_link(tx, lead),
            reference=lead.reference,
            provider=provider.name,
            quotes=held.count(InvitationState.QUOTED),
            is_looking=lead.waiting_since is not None,
        )
        return
    each = tx.policy.versions_told_each if tx.policy.rate_limits else quote.version
    told_as = rules.told_as(quote.version, now=tx.now, each=each)
    notify(
        tx,
        "quote_received",
        leading.contact_of(lead),
        lead.id,
        occasion=f"{quote.invitation_id}/{told_as}",
        link=leading.request_link(tx, lead),
        reference=lead.reference,
        provider=provider.name,
        is_first=is_first,
        revised=quote.version > 1,
    )


def as_json(value: Any) -> Any:
    """Return form values as JSON can hold them: amounts, rates, dates and ids as text."""
    if isinstance(value, dict):
        return {name: as_json(each) for name, each in value.items()}
    if isinstance(value, list):
        return [as_json(each) for each in value]
    return str(value) if isinstance(value, date | UUID | Decimal) else value
