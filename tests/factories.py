"""Make what a test needs, by the product's own use cases where they are not what is tested."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from marketplace.core.actors import RIGHTS_OF, Actor, Kind, TeamRole
from marketplace.core.context import Context
from marketplace.core.db import new_id
from marketplace.leads import service as leads
from marketplace.leads.models import Lead
from marketplace.matching import service as matching
from marketplace.providers.models import Accreditation, Coverage, Provider, Relationship
from marketplace.providers.rules import (
    AccreditationState,
    ProviderKind,
    ProviderState,
    RelationshipKind,
    name_key,
)
from marketplace.web.api.common import LeadIn
from marketplace.web.requests import load

ADMIN = Actor(Kind.ADMIN)

LEAD_FORM: dict[str, Any] = {
    "company": {
        "name": "Acme Fabrication Pty Ltd",
        "country": "AU",
        "registration_number": "51 824 753 556",
        "website": "https://acme.example",
    },
    "contact": {
        "name": "Jo Tran",
        "email": "jo@acme.example",
        "phone": "+61 2 5550 1234",
        "role": "Operations manager",
    },
    "service": "consulting",
    "standards": ["ISO 9001"],
    "regions": ["AU-NSW"],
    "headcount": 42,
    "sector": "17",
    "timeframe": "3_months",
    "remote_ok": False,
    "notes": "Needed for a state government tender.",
    "consent": {"share_with_matched_providers": True, "terms_version": "2026-11"},
}


def lead_form(number: int = 0, **changes: Any) -> dict[str, Any]:
    """Return a lead form of business `number`, with some fields changed."""
    form = {
        **LEAD_FORM,
        "company": dict(LEAD_FORM["company"]),
        "contact": dict(LEAD_FORM["contact"]),
    }
    if number:
        form["company"] |= {
            "name": f"Invented Works {number} Pty Ltd",
            "registration_number": None,
            "website": f"https://works{number}.example",
        }
        form["contact"]["email"] = f"sam@works{number}.example"
    return {**form, **changes}


class Factory:
    """Makes leads, providers and what hangs on them, committed."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self._numbers = itertools.count(1)

    def provider(
        self,
        kind: str = "consultant",
        *,
        name: str | None = None,
        state: str = "verified",
        standards: tuple[str, ...] = ("ISO 9001", "ISO 14001"),
        regions: tuple[str, ...] = ("AU",),
        sectors: tuple[str, ...] = ("17",),
        headcount: tuple[int, int] = (1, 1_000_000),
        remote: bool = False,
        open_capacity: int = 1000,
        monthly_capacity: int = 1000,
        legal_entity: str | None = None,
        accredited: bool = True,
    ) -> Provider:
        """Make a provider; a certification body is accredited for each of its standards."""
        number = next(self._numbers)
        name = name or f"{kind.replace('_', ' ').title()} Number {number}"
        now = self.ctx.clock()
        provider = Provider(
            id=new_id(),
            kind=ProviderKind(kind),
            state=ProviderState(state),
            name=name,
            name_key=name_key(name),
            country="AU",
            legal_entity=legal_entity,
            website=f"https://provider{number}.example",
            contact_name=f"Contact {number}",
            contact_email=f"quotes@provider{number}.example",
            created_at=now,
            verified_at=now,
        )
        covered = Coverage(
            provider_id=provider.id,
            kind=provider.kind,
            state=provider.state,
            standards=list(standards),
            regions=list(regions),
            sectors=list(sectors),
            headcount_min=headcount[0],
            headcount_max=headcount[1],
            remote=remote,
            open_capacity=open_capacity,
            monthly_capacity=monthly_capacity,
            open_count=0,
            month=date(now.year, now.month, 1),
            month_count=0,
            shuffle=(number * 7_919_000_001) % (2**31 - 1),
        )
        with self.ctx.transaction() as tx:
            tx.session.add(provider)
            tx.session.flush()
            tx.session.add(covered)
        if accredited and kind == "certification_body":
            for standard in standards:
                self.accreditation(provider, standard=standard)
        return provider

    def accreditation(self, provider: Provider, **changes: Any) -> Accreditation:
        """Make a verified accreditation of a certification body."""
        today = self.ctx.clock().date()
        values: dict[str, Any] = {
            "id": new_id(),
            "provider_id": provider.id,
            "body": "JASANZ",
            "standard": "ISO 9001",
            "edition": None,
            "certificate_number": f"CERT-{next(self._numbers)}",
            "sectors": None,
            "valid_from": None,
            "valid_until": today + timedelta(days=365),
            "state": AccreditationState.VERIFIED,
            "created_at": self.ctx.clock(),
            "verified_at": self.ctx.clock(),
        }
        accreditation = Accreditation(**{**values, **changes})
        with self.ctx.transaction() as tx:
            tx.session.add(accreditation)
        return accreditation

    def relationship(self, one: Provider, other: Provider, **changes: Any) -> Relationship:
        """Declare two providers related."""
        values: dict[str, Any] = {
            "id": new_id(),
            "provider_id": one.id,
            "other_id": other.id,
            "kind": RelationshipKind.DECLARED,
            "valid_from": None,
            "valid_until": None,
        }
        relationship = Relationship(**{**values, **changes})
        with self.ctx.transaction() as tx:
            tx.session.add(relationship)
        return relationship

    def lead(self, number: int | None = None, **changes: Any) -> Lead:
        """Send a form and let it in at once, without confirmation or review."""
        number = next(self._numbers) if number is None else number
        policy = replace(self.ctx.policy, lead_confirmation="off", lead_review="off")
        ctx = replace(self.ctx, policy=policy)
        receipt = leads.submit_lead(ctx, load(LeadIn(), lead_form(number, **changes)))
        return self.lead_called(receipt.reference)

    def leads_like(self, lead: Lead, number: int) -> list[UUID]:
        """Write so many requests down as this one is, each of another business; return their ids.

        By one statement: what a form goes through is not what is tried with hundreds.
        """
        fresh = {"id": "gen_random_uuid()", "reference": "'R-' || n", "business_key": "'b' || n"}
        names = [column.name for column in Lead.__table__.columns]
        columns = ", ".join(f'"{name}"' for name in names)
        values = ", ".join(fresh.get(name, f'leads."{name}"') for name in names)
        rows = text(
            f"INSERT INTO leads ({columns}) SELECT {values} FROM leads,"
            " generate_series(1, :number) n WHERE leads.id = :id RETURNING id"
        )
        with self.ctx.transaction() as tx:
            return [*tx.session.scalars(rows, {"number": number, "id": lead.id})]

    def matched_lead(self, **changes: Any) -> Lead:
        """Make an open lead and let it be matched."""
        lead = self.lead(**changes)
        matching.match_lead(self.ctx, lead.id)
        return lead

    def lead_called(self, reference: str) -> Lead:
        return self.ask(lambda session: session.query(Lead).filter_by(reference=reference).one())

    def ask(self, question: Callable[[Any], Any]) -> Any:
        """Put a question to the database, in a transaction of its own."""
        with self.ctx.reading() as session:
            answer = question(session)
            session.expunge_all()
            return answer


def business_of(lead: Lead) -> Actor:
    """Return the business that a request link of this lead stands for."""
    return Actor(Kind.BUSINESS, id=lead.id, lead_id=lead.id)


def person_of(provider_id: UUID) -> Actor:
    """Return a person signed in for a provider."""
    return Actor(
        Kind.PROVIDER, id=new_id(), provider_id=provider_id, rights=RIGHTS_OF[TeamRole.OWNER]
    )
