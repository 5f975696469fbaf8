"""Administrators change the reference data; what the files said first is not brought back."""

from typing import Any, TypeVar
from uuid import NAMESPACE_URL, UUID, uuid5
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.orm import Session

from marketplace.catalogue import queries
from marketplace.catalogue.models import AccreditationBody, Region, Sector, Standard
from marketplace.core.actors import Actor
from marketplace.core.context import Context
from marketplace.core.errors import FieldError, NotFound
from marketplace.core.events import record
from marketplace.core.forms import Form
from marketplace.core.jobs import Job

Entry = TypeVar("Entry", Standard, Region, Sector, AccreditationBody)


def event_subject(table: str, code: str) -> UUID:
    """Return the id under which the log speaks of an entry, whose own key is a word."""
    return uuid5(NAMESPACE_URL, f"catalogue:{table}:{code}")


def change_entry(ctx: Context, actor: Actor, table: type[Entry], code: str, form: Form) -> Entry:
    """Change what a form names of an entry; what it leaves out stays as it is.

    Whether a lead can be matched may depend on it, so the waiting ones are tried again; and whether
    those who were invited may stay.
    """
    actor.require_admin()
    with ctx.transaction() as tx:
        entry = tx.session.get(table, code, with_for_update=True)
        if entry is None:
            raise NotFound("there is no such entry in the catalogue")
        wanted = form.accept(_problems(tx.session, form))
        changed = [name for name, value in wanted.items() if getattr(entry, name) != value]
        for name in changed:
            setattr(entry, name, wanted[name])
        if changed:
            subject = event_subject(table.__tablename__, code)
            record(tx, actor, "catalogue.changed", subject, code=code, fields=changed)
            tx.afterwards(Job.REMATCH_WAITING_LEADS)
            tx.afterwards(Job.RECHECK_STANDING)
        return entry


def _problems(session: Session, form: Form) -> list[FieldError]:
    values = form.values
    found = []
    zone = values.get("time_zone")
    if zone is not None and not _is_zone(zone):
        found.append(FieldError("/time_zone", "is not a time zone such as Australia/Sydney"))
    if form.is_sound("countries"):
        countries = values.get("countries", [])
        known = {code for code in queries.known_regions(session, countries) if "-" not in code}
        found += _unknown("countries", countries, known, "is not an ISO 3166-1 country code")
    if form.is_sound("recognised_for"):
        codes = values.get("recognised_for") or []
        standards = set(queries.standards_by_code(session, codes))
        found += _unknown("recognised_for", codes, standards, "is not a standard of the catalogue")
    return found


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _unknown(name: str, codes: list[Any], known: set[str], words: str) -> list[FieldError]:
    return [
        FieldError(f"/{name}/{index}", words)
        for index, code in enumerate(codes)
        if code not in known
    ]
