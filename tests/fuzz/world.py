"""A small marketplace with something of everything, and credentials of everybody in it."""

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from flask import Flask
from sqlalchemy import Connection, Row, Table, delete, select, update

from marketplace.core.actors import OPERATOR
from marketplace.core.context import Context
from marketplace.core.db import Base, db, new_id
from marketplace.core.errors import Conflict
from marketplace.core.files import SentFile
from marketplace.core.forms import Form
from marketplace.core.sealing import Seal
from marketplace.invitations import misses, questions
from marketplace.invitations.rules import MissKind
from marketplace.leads import service as leads
from marketplace.leads.models import Lead
from marketplace.matching import service as matching
from marketplace.notifications import suppressions
from marketplace.providers import accreditations, pauses, webhooks
from marketplace.providers.models import Provider
from marketplace.quotes import attachments, reviews
from marketplace.web.api.common import LeadIn
from marketplace.web.requests import load
from tests.api.doors import admin_door, business_door, invitations_of, provider_door, software_door
from tests.conftest import CATALOGUE, Client
from tests.factories import ADMIN, Factory, business_of, lead_form, person_of
from tests.pdfs import a_pdf
from tests.providers import claim
from tests.services.road import a_quote

ROLES = ("nobody", "business", "owner", "software", "admin")
"""Who asks: without a credential, by a request's link, for a provider, as its software, for us."""


class World:
    """What exists, and the header with which each role is let in.

    What is tried on it changes it for good: `renew` whatever a role has used up.
    """

    def __init__(self, app: Flask, ctx: Context, make: Factory) -> None:
        self.app, self.ctx, self.make = app, ctx, make
        self.headers: dict[str, dict[str, str]] = {"nobody": {}}
        self.build()

    def build(self) -> None:
        """Make everybody anew, beside whatever is there."""
        ctx, make = self.ctx, self.make
        self.own: Provider = make.provider()
        self.other: Provider = make.provider()
        self.body: Provider = make.provider("certification_body")
        self.headers["admin"] = self.headers.get("admin") or admin_door(ctx)
        self.headers["owner"] = provider_door(ctx, self.own)
        self.headers["software"] = software_door(ctx, self.own)
        self._of_the_provider()
        leads.submit_lead(ctx, load(LeadIn(), lead_form(next(make._numbers))))
        self.begin_request()

    def _of_the_provider(self) -> None:
        ctx, who = self.ctx, person_of(self.own.id)
        leave = {
            "from": ctx.clock() + timedelta(days=700),
            "until": ctx.clock() + timedelta(days=720),
        }
        for provider in (self.own, self.other):
            pauses.add_pause(ctx, person_of(provider.id), Form(dict(leave)))
        accreditations.claim_accreditation(ctx, person_of(self.body.id), Form(claim()))
        form = Form({"url": "https://provider.example/hook", "enabled": True})
        webhooks.put_webhook(ctx, who, form, seal=Seal("x" * 32, "webhook"), loopback=False)
        number = next(self.make._numbers)
        suppressions.suppress_address(ctx, OPERATOR, address=f"gone{number}@gone.example")

    def begin_request(self) -> None:
        """Give the business of this world a request with a quote, a question, a miss, a review."""
        ctx, make = self.ctx, self.make
        theirs, lead = self._request(), self._request()
        self.lead: Lead = lead
        for each in invitations_of(make, theirs):
            questions.ask_question(ctx, person_of(each.provider_id), each.id, text="One shift?")
            with ctx.transaction() as tx:
                misses.record_misses(tx, [(each, MissKind.EXPIRED)])
        for each in invitations_of(make, lead):
            who = person_of(each.provider_id)
            questions.ask_question(ctx, who, each.id, text="How many shifts?")
            pdf = SentFile("Offer.pdf", "application/pdf", a_pdf(mark=str(each.id)))
            attachments.add_attachment(ctx, who, each.id, Form({"file": pdf}))
            if each.provider_id == self.other.id:
                a_quote(ctx, each)
                reviews.review_provider(ctx, business_of(lead), each.id, rating=4, comment="Good.")
        self.headers["business"] = business_door(ctx, lead)

    def _request(self) -> Lead:
        """Return a request to which both providers of this world are invited, whoever else is."""
        lead = self.make.lead()
        for provider in (self.own, self.other):
            if self.make.ask(lambda s, p=provider: s.get(Provider, p.id).state) == "verified":
                with suppress(Conflict):  # full, away, or of another profile by now
                    matching.invite_by_hand(self.ctx, ADMIN, lead.id, provider.id, why="to try")
        matching.match_lead(self.ctx, lead.id)
        return lead

    def is_whole(self, role: str) -> bool:
        """Return whether the role is still let in, and the business' request still runs."""
        if role == "business":
            lead = self.make.ask(lambda session: session.get(Lead, self.lead.id))
            return lead is not None and lead.is_open
        asks = Client(self.app, self.app.response_class)
        path = "/api/v1/admin/suppressions" if role == "admin" else "/api/v1/portal/provider"
        return asks.get(path, headers=self.headers[role]).status_code == 200

    def renew(self, role: str) -> None:
        """Let a role in again, with something to do."""
        if role == "admin":
            self.headers.pop("admin")
        if role == "business":
            self.begin_request()
        else:
            self.build()

    def somebodys_id(self, name: str, segment: str, role: str, chance: random.Random) -> str:
        """Return an id for a parameter below a segment: an own one, another's, or nobody's."""
        if chance.random() < 0.1:
            return str(new_id())
        named = table_of(name, segment)
        table = chance.choice(_WITH_ID) if named is None else named
        key = table.c[name] if name in table.c else next(iter(table.primary_key.columns))
        rows = select(key).order_by(key.desc()).limit(20)
        own = self._own(table, role)
        if own is not None and chance.random() < 0.6:
            mine = self.make.ask(lambda session: session.scalars(rows.where(own)).all())
            if mine:
                return str(chance.choice(mine))
        found = self.make.ask(lambda session: session.scalars(rows).all())
        return str(chance.choice(found)) if found else str(new_id())

    def _own(self, table: Table, role: str) -> Any:
        if role in ("owner", "software") and "provider_id" in table.c:
            return table.c.provider_id == self.own.id
        if role == "business" and "lead_id" in table.c:
            return table.c.lead_id == self.lead.id
        return None


def role_of(operation: Any, path: str) -> str:
    """Return a role that an operation of the document is open to."""
    schemes = {name for choice in operation["security"] for name in choice}
    if not schemes:
        return "nobody"
    if "requestToken" in schemes:
        return "business"
    return "admin" if "/admin/" in path else "owner"


_WITH_ID = [table for table in Base.metadata.sorted_tables if "id" in table.c]


def table_of(parameter: str, segment: str) -> Table | None:
    """Return the table that `.../<segment>/{parameter}` leads into, such as `leads/{lead_id}`.

    None where no name tells: then an id of whatever there is has to do.
    """
    tables = Base.metadata.tables
    stem = parameter.removesuffix("_id")
    for name in (segment.replace("-", "_"), f"{stem}s", f"{stem}es"):
        if name in tables:
            return tables[name]
    for table in tables.values():
        for key in table.foreign_keys:
            if key.parent.name == parameter:
                return key.column.table
    for name, table in sorted(tables.items()):
        if name.endswith(f"_{stem}s") or name.endswith(f"_{segment}"):
            return table
    return tables["users"] if stem in ("member", "person") else None


@contextmanager
def catalogue_as_it_was(app: Flask) -> Iterator[None]:
    """Undo afterwards what administrators changed in the catalogue, which all tests share."""

    def rows(connection: Connection, table: Table) -> dict[tuple[Any, ...], Row[Any]]:
        key = [table.c.keys().index(column.name) for column in table.primary_key]
        return {tuple(row[each] for each in key): row for row in connection.execute(select(table))}

    tables = [Base.metadata.tables[name] for name in CATALOGUE]
    with app.app_context(), db.engine.begin() as connection:
        before = {table: rows(connection, table) for table in tables}
    yield
    with app.app_context(), db.engine.begin() as connection:
        for table, kept in before.items():
            for key, row in rows(connection, table).items():
                if kept.get(key) == row:
                    continue
                same = [
                    column == value for column, value in zip(table.primary_key, key, strict=True)
                ]
                if key in kept:
                    values = dict(kept[key]._mapping)
                    connection.execute(update(table).where(*same).values(values))
                else:
                    connection.execute(delete(table).where(*same))
