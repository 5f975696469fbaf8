"""Who is said to have advised a business: which providers here they may be, and who decides that.

Nobody is asked where one provider bears the name (`providers.queries.bearers`), and neither its
legal form nor its registration number contradicts it. Where they do, where several bear the name,
or where it only resembles a provider's, an administrator is. What is decided counts, and nothing
else. Until then whoever bears the name counts, on the safe side; whoever has one that only
resembles it does not.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.accounts.letters import tell_admins
from marketplace.core.actors import SYSTEM, Actor
from marketplace.core.context import Context, Transaction
from marketplace.core.errors import Conflict, FieldError, Invalid
from marketplace.core.events import record
from marketplace.core.jobs import Job
from marketplace.leads import queries, rules
from marketplace.leads.models import Lead
from marketplace.leads.trust import doubt
from marketplace.providers import names
from marketplace.providers import queries as providers
from marketplace.providers.models import Provider
from marketplace.providers.name_numbers import entities_in
from marketplace.providers.queries import Bearer

LIKE_AT_MOST = 100
"""How many names are compared with one that was given, for each way of looking."""

Doubts = Mapping[str, Mapping[UUID, str]]
"""By a name in a form: what the providers are called that it may be, the likeliest first."""


def doubts(session: Session, named: Collection[str]) -> dict[str, dict[UUID, str]]:
    """Return which of these names may be providers', though none of them is for certain."""
    found = {}
    for name, bearers in providers.bearers(session, named).items():
        if _are_surely_one(name, bearers):
            continue
        like: dict[UUID, str] = {}
        for search in names.searches(name):
            like |= providers.names_like(session, search, limit=LIKE_AT_MOST)
        may_be = {each.id: each.name for each in bearers}
        may_be |= {each: like[each] for each in names.resembling(name, like)}
        if may_be:
            found[name] = dict(islice(may_be.items(), names.ASKED_AT_MOST))
    return found


def _are_surely_one(name: str, bearers: Sequence[Bearer]) -> bool:
    """Return whether the providers that bear a name are one company, and the name is its own."""
    companies = {each.legal_entity or each.id for each in bearers}
    numbers = entities_in(name)
    return len(companies) == 1 and any(
        names.is_surely(name, each.name)
        and (not numbers or each.legal_entity is None or each.legal_entity in numbers)
        for each in bearers
    )


def noted(adviser: dict[str, Any], doubts: Doubts) -> dict[str, Any]:
    """Return an entry as a lead keeps it: with whom it may be, if anybody, beside who is there."""
    there = adviser.get("resembles", [])
    may_be = [str(each) for each in doubts.get(adviser["name"], ())]
    resembles = list(dict.fromkeys([*there, *may_be]))
    return {**adviser, "resembles": resembles} if resembles else adviser


def is_decided(adviser: Mapping[str, Any]) -> bool:
    """Return whether an administrator has said which provider an entry is, or that it is none."""
    return "provider_id" in adviser


def look_again(tx: Transaction, lead: Lead) -> None:
    """Compare whom an open lead names, as far as undecided, with the providers there are by now.

    Who has joined since is noted, and administrators are told once. Meanwhile the request goes on.
    """
    undecided = [each["name"] for each in lead.consultants_used if not is_decided(each)]
    if not undecided or lead.service not in rules.MAY_NEED_A_BODY:
        return
    found = doubts(tx.session, undecided)
    entries = [noted(each, found) for each in lead.consultants_used]
    fresh = {
        now["name"]: list(found[now["name"]].values())
        for before, now in zip(lead.consultants_used, entries, strict=True)
        if now != before
    }
    if not fresh:
        return
    lead.consultants_used = entries
    _doubt(lead, {**lead.signals.get("consultants_in_doubt", {}), **fresh})
    known = sum(len(each.get("resembles", ())) for each in entries)
    record(tx, SYSTEM, "lead.consultants_doubted", lead.id, consultants=len(fresh))
    tell_admins(
        tx,
        "adviser_in_doubt",
        lead.id,
        occasion=f"{known} known",
        path=f"/admin/leads/{lead.id}",
        reference=lead.reference,
        reasons=[doubt(name, like) for name, like in fresh.items()],
    )


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
        or (is_decided(each) and each["provider_id"] == decision["provider_id"])
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
        _doubt(lead, kept)


def _doubt(lead: Lead, in_doubt: Mapping[str, Sequence[str]]) -> None:
    before = lead.signals.get("consultants_in_doubt", {})
    told = {doubt(name, like) for name, like in before.items()}
    lead.signals = {**lead.signals, "consultants_in_doubt": in_doubt}
    lead.review_reasons = [
        *(doubt(name, like) for name, like in in_doubt.items()),
        *(each for each in lead.review_reasons if each not in told),
    ]


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
