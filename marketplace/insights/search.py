"""Find a lead or a provider by whatever an administrator has of it, by indexes alone."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, cast, func, literal_column, select
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.orm import InstrumentedAttribute, Session

from marketplace.accounts.models import User
from marketplace.accounts.rules import normal_email
from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.core.db import words_begin
from marketplace.leads import models as lead_models
from marketplace.leads.contact_reads import note_leads_shown
from marketplace.leads.models import Lead
from marketplace.providers import models as provider_models
from marketplace.providers.models import Accreditation, Provider

AT_MOST = 20
"""Of each kind: who sees more has to type another word."""

_REFERENCE = re.compile(r"R-[0-9A-Z]{6}")


@dataclass(frozen=True)
class Found:
    """What goes by the words that were typed: by whole words first, then the newest."""

    lead_id: UUID | None
    """The one lead that is called exactly so."""
    leads: Sequence[Lead]
    providers: Sequence[Provider]


def find(ctx: Context, actor: Actor, typed: str) -> Found:
    """Return the leads and providers in which every typed word begins a word.

    Leads by reference, company, address, website and number, but for those that were erased;
    providers by the same, by who signs in for them and by the number of a certificate.
    """
    actor.require_admin()
    begun = words_begin(typed)
    if not begun:
        return Found(None, [], [])
    reference = typed.strip().upper()
    with ctx.reading() as session:
        if _REFERENCE.fullmatch(reference):
            called = session.scalar(select(Lead.id).where(Lead.reference == reference))
            if called is not None:
                return Found(called, [], [])
        lead_ids = _ids(session, Lead.id, lead_models.WORDS, begun, Lead.erased_at.is_(None))
        provider_ids = {
            *_ids(session, Provider.id, provider_models.WORDS, begun),
            *_providers_of(session, typed),
        }
        leads = session.scalars(select(Lead).where(Lead.id.in_(lead_ids)))
        providers = session.scalars(select(Provider).where(Provider.id.in_(provider_ids)))
        found = Found(
            None,
            sorted(leads, key=lambda lead: lead_ids.index(lead.id)),
            sorted(providers, key=lambda provider: provider.id, reverse=True)[:AT_MOST],
        )
    note_leads_shown(ctx, actor, found.leads)
    return found


def _ids(
    session: Session,
    column: InstrumentedAttribute[UUID],
    words: str,
    begun: str,
    *conditions: ColumnElement[bool],
) -> list[UUID]:
    """Return the rows that have all of these words, the newest first; then those they begin."""
    found: list[UUID] = []
    for wanted in (begun.replace("':*", "'"), begun):
        matches = literal_column(words).op("@@", is_comparison=True)(
            cast(func.lower(wanted), TSQUERY)
        )
        rows = select(column).where(matches, *conditions, column.not_in(found))
        found += session.scalars(rows.order_by(column.desc()).limit(AT_MOST - len(found)))
    return found


def _providers_of(session: Session, typed: str) -> Sequence[UUID]:
    """Return the providers for whom somebody signs in with this address, or of a certificate."""
    by_person = select(User.provider_id).where(
        User.email == normal_email(typed), User.provider_id.is_not(None), User.disabled_at.is_(None)
    )
    by_certificate = select(Accreditation.provider_id).where(
        func.lower(Accreditation.certificate_number) == func.lower(typed.strip())
    )
    found = session.scalars(by_person.union(by_certificate).limit(AT_MOST))
    return [each for each in found if each is not None]
