"""Tell the holder of an accreditation before it expires, and once matching has stopped for it.

That it has stopped is no doing of this sweep: an accreditation counts by its dates.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, case, cast, func, or_, select
from sqlalchemy.orm import Session, aliased

from marketplace.core.actors import SYSTEM
from marketplace.core.context import Context, Transaction
from marketplace.core.events import record_each
from marketplace.core.policy import Policy
from marketplace.core.sweeps import sweep
from marketplace.notifications.service import Recipient, notify
from marketplace.providers import intake
from marketplace.providers.coverage import hold_provider
from marketplace.providers.models import Accreditation, Provider
from marketplace.providers.rules import AccreditationState, ProviderState

OVER = 0
"""The notice that matching has stopped; the others are called by how many days before they come."""


def tell_of_expiring_accreditations(ctx: Context) -> int:
    """Tell every provider whose time for that has come; return how many there were.

    Each notice once per accreditation and day on which it ends, all of one day in one letter; of
    several that were missed the last is enough.
    """
    return sweep(
        ctx,
        "tell_of_expiring_accreditations",
        lambda session, now, limit: _to_tell(session, now.date(), ctx.policy, limit),
        _tell,
    )


def _to_tell(session: Session, today: date, policy: Policy, limit: int) -> Sequence[UUID]:
    due = _due(Accreditation.provider_id, today, policy)
    return session.scalars(due.distinct().limit(limit)).all()


def _tell(tx: Transaction, provider_id: UUID) -> None:
    provider, _ = hold_provider(tx, provider_id)
    today = tx.now.date()
    rows = tx.session.execute(
        _due(Accreditation, today, tx.policy)
        .add_columns(_notice(today, tx.policy).label("notice"))
        .where(Accreditation.provider_id == provider.id)
        .order_by(Accreditation.valid_until, "notice", Accreditation.id)
    ).all()
    for occasion, of_one_day in groupby(rows, key=lambda row: row.notice):
        held = [row.Accreditation for row in of_one_day]
        for each in held:
            each.expiry_told = occasion
        valid_until = held[0].valid_until
        notify(
            tx,
            "accreditation_expires",
            Recipient(
                provider.contact_email, provider.contact_name, intake.zone_of(tx.session, provider)
            ),
            held[0].id,
            occasion=occasion,
            path="/portal/accreditations",
            provider_id=provider.id,
            provider=provider.name,
            standards=sorted({each.standard for each in held}),
            valid_until=valid_until.isoformat(),
            is_over=valid_until < today,
        )
        told = {each.id: {"notice": occasion} for each in held}
        record_each(tx, SYSTEM, "accreditation.expiry_told", told)


def _due(what: Any, today: date, policy: Policy) -> Select[Any]:
    """Return accreditations that count, or did until lately, with a notice that was not given.

    What has been renewed, by one that goes on for longer, is no news.
    """
    longer = aliased(Accreditation)
    renewed = select(longer.id).where(
        longer.provider_id == Accreditation.provider_id,
        longer.standard == Accreditation.standard,
        or_(longer.edition.is_(None), longer.edition == Accreditation.edition),
        longer.state == AccreditationState.VERIFIED,
        longer.valid_until > Accreditation.valid_until,
        or_(longer.valid_from.is_(None), longer.valid_from <= Accreditation.valid_until + 1),
    )
    return (
        select(what)
        .join(Provider, Provider.id == Accreditation.provider_id)
        .where(
            Provider.state == ProviderState.VERIFIED,
            Accreditation.state == AccreditationState.VERIFIED,
            Accreditation.valid_until.between(
                today - policy.expiry_told_within,
                today + timedelta(days=max(policy.expiry_told_before)),
            ),
            Accreditation.expiry_told.is_distinct_from(_notice(today, policy)),
            ~renewed.exists(),
        )
    )


def _notice(today: date, policy: Policy) -> ColumnElement[str]:
    """Return which notice is the last that is due, as so many days before which day."""
    stages = [
        (Accreditation.valid_until <= today + timedelta(days=days), days)
        for days in sorted(policy.expiry_told_before)
    ]
    stage = case((Accreditation.valid_until < today, OVER), *stages)
    return func.concat(cast(stage, Text), " before ", cast(Accreditation.valid_until, Text))
