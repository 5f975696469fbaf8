"""Who is said to have advised a business: which providers here they may be, and who decides that.

A name that is a provider's for certain (`providers.rules.name_key`) counts at the next matching,
and nobody is asked. One that only resembles a provider's counts when an administrator says so.
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.core.errors import Conflict, FieldError, Invalid
from marketplace.core.events import record
from marketplace.core.jobs import Job
from marketplace.leads import queries, rules
from marketplace.leads.models import Lead
from marketplace.leads.rules import Signals
from marketplace.providers import names
from marketplace.providers import queries as providers
from marketplace.providers.models import Provider
from marketplace.providers.rules import name_key

LIKE_AT_MOST = 100
"""How many names are compared with one that was given, for each way of looking."""

Doubts = Mapping[str, Mapping[UUID, str]]
"""By a name in a form: what the providers are called that it may be, the likeliest first."""


def doubts(session: Session, named: Collection[str]) -> dict[str, dict[UUID, str]]:
    """Return which of these names may be providers', though none of them is for certain."""
    certain = providers.ids_by_name_key(session, {name_key(name) for name in named})
    found = {}
    for name in dict.fromkeys(named):
        if name_key(name) in certain:
            continue
        like: dict[UUID, str] = {}
        for search in names.searches(name):
            like |= providers.names_like(session, search, limit=LIKE_AT_MOST)
        if resembling := names.resembling(name, like):
            found[name] = {provider_id: like[provider_id] for provider_id in resembling}
    return found


def noted(adviser: dict[str, Any], doubts: Doubts) -> dict[str, Any]:
    """Return an entry of the form as a lead keeps it: with whom it resembles, if that is so."""
    resembles = doubts.get(adviser["name"])
    return {**adviser, "resembles": [str(each) for each in resembles]} if resembles else adviser


def told(adviser: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry as the business sent it, without what is known of it here."""
    return {"name": adviser["name"], "ended_on": adviser["ended_on"]}


def decide_consultant(
    ctx: Context, actor: Actor, lead_id: UUID, *, name: str, provider_id: UUID | None
) -> list[dict[str, Any]]:
    """Say that a consultant whom the form names is this provider, or (None) none that is here.

    May be said again, otherwise too, until the request is finished. Where the request is open, it
    is matched anew: what may no longer stand is taken back.
    """
    actor.require_admin()
    with ctx.transaction() as tx:
        lead = queries.lock_lead(tx.session, lead_id)
        if lead.is_open:
            lead.require_running(tx.now)
        elif lead.is_finished:
            raise Conflict("this request is finished")
        problems = []
        if all(each["name"] != name for each in lead.consultants_used):
            problems.append(FieldError("/name", "is not a consultant whom this request names"))
        if provider_id is not None and tx.session.get(Provider, provider_id) is None:
            problems.append(FieldError("/provider_id", "is not a provider"))
        if problems:
            raise Invalid(problems)
        if _decide(lead, name, provider_id, now=tx.now):
            record(
                tx,
                actor,
                "lead.consultant_decided",
                lead.id,
                consultant=1 + [each["name"] for each in lead.consultants_used].index(name),
                provider=provider_id and str(provider_id),
            )
            if lead.is_open:
                tx.afterwards(Job.MATCH_LEADS, lead.id)
        return advisers_of(tx.session, lead)


def _decide(lead: Lead, name: str, provider_id: UUID | None, *, now: datetime) -> bool:
    """Write the decision down; return whether it was not there already."""
    decision = {
        "provider_id": provider_id and str(provider_id),
        "decided_at": now.isoformat().replace("+00:00", "Z"),
    }
    stands = [
        each["name"] != name
        or ("decided_at" in each and each["provider_id"] == decision["provider_id"])
        for each in lead.consultants_used
    ]
    if all(stands):
        return False
    lead.consultants_used = [
        each if stood else {**each, **decision}
        for each, stood in zip(lead.consultants_used, stands, strict=True)
    ]
    _no_longer_doubt(lead, name)
    return True


def _no_longer_doubt(lead: Lead, *named: str) -> None:
    """Take these names out of the reasons for which a person should look at the lead."""
    in_doubt = lead.signals.get("consultants_in_doubt", {})
    kept = {name: like for name, like in in_doubt.items() if name not in named}
    if kept != in_doubt:
        lead.signals = {**lead.signals, "consultants_in_doubt": kept}
        lead.review_reasons = rules.review_reasons(Signals(**lead.signals))


def forget_advisers(lead: Lead) -> None:
    """Take out of a lead whom it names as advisers, wherever that was written down."""
    _no_longer_doubt(lead, *lead.signals.get("consultants_in_doubt", {}))
    lead.consultants_used = []


def advisers_of(session: Session, lead: Lead) -> list[dict[str, Any]]:
    """Return whom a lead names as advisers, with the providers that they may be or are."""
    ids = {UUID(each) for entry in lead.consultants_used for each in _ids_of(entry)}
    rows = session.execute(select(Provider.id, Provider.name).where(Provider.id.in_(ids)))
    known = {str(row.id): {"id": row.id, "name": row.name} for row in rows}
    return [
        {
            "name": entry["name"],
            "ended_on": entry["ended_on"] and date.fromisoformat(entry["ended_on"]),
            "resembles": [known[each] for each in entry.get("resembles", []) if each in known],
            "provider": known.get(entry.get("provider_id") or ""),
            "decided_at": entry.get("decided_at") and datetime.fromisoformat(entry["decided_at"]),
        }
        for entry in lead.consultants_used
    ]


def _ids_of(entry: Mapping[str, Any]) -> list[str]:
    decided = entry.get("provider_id")
    return [*entry.get("resembles", []), *([decided] if decided else [])]
