"""Find a lead or a provider by whatever an administrator has of it, by indexes alone."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, cast, func, literal_column, select
from sqlalchemy.dialects.postgresql import TSQUERY

from marketplace.accounts.models import User
from marketplace.accounts.rules import normal_email
from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.core.db import words_begin
from marketplace.leads import models as lead_models
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
    wanted = words_begin(typed)
    exactly = wanted.replace("':*", "'")
    if not wanted:
        return Found(None, [], [])
    reference = typed.strip().upper()
    with ctx.reading() as session:
        called = None
        if _REFERENCE.fullmatch(reference):
            called = session.scalar(select(Lead.id).where(Lead.reference == reference))
        if called is not None:
            return Found(called, [], [])
        by_words = _matches(provider_models.WORDS, wanted)
        by_person = select(User.provider_id).where(
            User.email == normal_email(typed), User.disabled_at.is_(None)
        )
        by_certificate = select(Accreditation.provider_id).where(
            func.lower(Accreditation.certificate_number) == typed.strip().lower()
        )
        ids = select(Provider.id).where(by_words).union(by_person, by_certificate)
        return Found(
            None,
            session.scalars(
                select(Lead)
                .where(_matches(lead_models.WORDS, wanted), Lead.erased_at.is_(None))
                .order_by(_matches(lead_models.WORDS, exactly).desc(), Lead.id.desc())
                .limit(AT_MOST)
            ).all(),
            session.scalars(
                select(Provider)
                .where(Provider.id.in_(ids))
                .order_by(_matches(provider_models.WORDS, exactly).desc(), Provider.id.desc())
                .limit(AT_MOST)
            ).all(),
        )


def _matches(words: str, wanted: str) -> ColumnElement[bool]:
    found: ColumnElement[bool] = literal_column(words).op("@@", is_comparison=True)(
        cast(func.lower(wanted), TSQUERY)
    )
    return found
