"""Invariant 6, walked: a provider that holds every id there is learns nothing of another's quote.

A spy holds one of the three places of a request. Whatever the others do, everything that the spy
can be told stays as it was: every endpoint and page, through every credential of its own and
without one, with every id of the database, in body, status, headers and number of statements (the
part of a timing that is ours to decide); every mail and every call of its webhook. What belongs to
somebody else is answered like what does not exist. At the end, where three quoted, it learns one
sentence: its rank, and how far from the median, and no more than that.
"""

import re
from dataclasses import dataclass
from difflib import unified_diff
from functools import cached_property
from io import BytesIO
from itertools import product, zip_longest
from math import inf
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.routing import UUIDConverter

from marketplace.accounts import keys
from marketplace.accounts.models import User
from marketplace.core import connections
from marketplace.core.actors import Actor, Kind
from marketplace.core.db import Base
from marketplace.core.files import SentFile
from marketplace.core.forms import Form
from marketplace.core.sealing import Seal
from marketplace.invitations import service as invitations
from marketplace.invitations.rules import DeclineReason, InvitationState
from marketplace.notifications.models import Notification
from marketplace.providers import webhooks
from marketplace.providers.models import Provider
from marketplace.providers.webhooks import Webhook
from marketplace.quotes import attachments, comparison, drafts, outcome
from marketplace.quotes import service as quotes
from marketplace.web import openapi
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.doors import DEVELOPMENT_DOORS
from marketplace.web.paging import cursor
from marketplace.web.requests import load
from tests.api.doors import invitations_of
from tests.conftest import Client
from tests.factories import business_of, person_of
from tests.pages.browser import Browser
from tests.pages.conftest import browser, work
from tests.pdfs import a_pdf
from tests.people import PASSWORD, a_person, bearer, session_token

__all__ = ["browser", "work"]

UNKNOWN = UUID("01a00000-0000-7000-8000-000000000000")
"""An id of the same kind that nothing has."""

NOT_WALKED = {
    *(pages.name for pages, _ in DEVELOPMENT_DOORS),  # the mailbox of everybody, on a laptop
    "operations",  # for those who run it; `test_operations.py` says who is let in
    "assets",
}

OWN = re.compile(
    r'(?<=name="csrf_token" value=")[^"]+|(?<=name="begun" value=")[^"]+|(?<=value="form_)[^"]+'
    r'|(?<=nonce-)[\w+/=-]+|(?<=nonce=")[^"]+'
    r'|(?<="request_id": ")[^"]+'
    # A second factor is begun with a secret drawn at that moment: sealed, drawn and in letters.
    r'|(?<=name="set_up" value=")[^"]+|(?<=<p class="secret"><code>)[A-Z2-7 ]+'
    r'|<svg [^>]*class="qr".*?</svg>'
)
"""What is another at every look, whoever does what ..."""

CHANGING = ("X-Request-Id", "Content-Length", "Set-Cookie", "Content-Security-Policy", "Date")
"""... and the headers that are."""


@dataclass
class Statements:
    """How many statements PostgreSQL was sent."""

    sent: int = 0


@pytest.fixture
def statements(monkeypatch):
    counted = Statements()
    execute = psycopg.Cursor.execute

    def counting(self, *args, **kwargs):
        counted.sent += 1
        return execute(self, *args, **kwargs)

    monkeypatch.setattr(psycopg.Cursor, "execute", counting)
    # After how long a connection is asked whether it is good is a matter of the machine's speed.
    monkeypatch.setattr(connections, "TRUSTED", inf)
    return counted


@dataclass
class Spy:
    """A provider, with its person, its software, and everything that these can look at."""

    app: Flask
    statements: Statements
    provider: Provider
    person: Browser
    headers: dict[str, dict[str, str]]

    def answer(self, who, method, path, body=None):
        """Return all that an answer tells: status, body, headers, and statements sent."""
        is_page = not path.startswith("/api")
        fresh = Client(self.app, self.app.response_class)
        client = self.person.client if who == "person" else fresh
        given = {}
        if body is not None and is_page:
            given["data"] = {**body, "csrf_token": self.csrf_token}
        elif path.endswith("/attachments"):
            given["data"] = {"file": (BytesIO(a_pdf(mark="spy")), "offer.pdf")}
        elif body is not None:
            given["json"] = body
        before = self.statements.sent
        response = client.open(path, method=method, headers=self.headers.get(who), **given)
        sent = self.statements.sent - before
        headers = {name: value for name, value in response.headers if name not in CHANGING}
        said = OWN.sub("*", response.text)
        response.close()
        if 300 <= response.status_code < 400:  # what is said on the next page belongs to it
            said += "".join(re.findall(r'<p class="flash.*', client.get("/terms").text))
        return response.status_code, said, headers, sent

    @cached_property
    def csrf_token(self):
        return re.search(r'name="csrf_token" value="([^"]+)"', self.person.open("/portal").html)[1]

    def rules(self, method, *, with_ids):
        """Return every route that takes a method, with the names of the ids in it."""
        for rule in self.app.url_map.iter_rules():
            if method in rule.methods and rule.endpoint.partition(".")[0] not in NOT_WALKED:
                converters = set(map(type, rule._converters.values()))
                if converters == ({UUIDConverter} if with_ids else set()):
                    yield rule

    def address(self, rule, *ids):
        """Return the address of a route with these ids, the last one for all that are left."""
        names = sorted(rule.arguments)
        values = dict(zip_longest(names, ids[: len(names)], fillvalue=ids[-1] if ids else None))
        return self.app.url_map.bind("localhost").build(
            rule.endpoint, values, method=next(iter(rule.methods - {"OPTIONS", "HEAD"}))
        )

    def looks(self, *ids):
        """Return everything that it is shown, with ids of its own and cursors made of any id."""
        paths = [self.address(rule) for rule in self.rules("GET", with_ids=False)]
        for own, rule in product(ids, list(self.rules("GET", with_ids=True))):
            paths.append(self.address(rule, own))
        paths += [f"/api/v1/portal/invitations?state={state}" for state in InvitationState]
        paths += [f"/api/v1/portal/invitations?after={cursor(each)}" for each in ids]
        paths += ["/api/v1/portal/invitations?limit=1", "/api/v1/portal/statement?month=2026-11"]
        return {
            (who, path): self.answer(who, "GET", path)
            for path in paths
            for who in (("session", "software", "nobody") if "/api/" in path else ("person",))
        }

    def told(self, make):
        """Return every message that was ever written to it, by mail and by its webhook."""
        addresses = {self.provider.contact_email, self.provider.contact_email.lower()}

        def rows(session):
            hooks = session.scalars(
                select(Webhook.id).where(Webhook.provider_id == self.provider.id)
            )
            to = addresses | set(map(str, hooks))
            found = select(Notification).where(Notification.recipient.in_(to))
            return session.scalars(found.order_by(Notification.id)).all()

        return [
            (each.channel, each.template, each.values, each.occasion) for each in make.ask(rows)
        ]


@pytest.fixture
def spying(app, ctx, statements, browser, installation):
    """Let somebody, and some software, sign in for a provider and look at everything."""

    def begin(provider):
        person = a_person(ctx, provider.contact_email, provider_id=provider.id)
        eyes = browser()
        eyes.open("/sign-in")
        assert eyes.send("/sign-in", email=person.email, password=PASSWORD).status == 200
        actor = Actor(Kind.PROVIDER, id=person.id, provider_id=provider.id)
        webhooks.put_webhook(
            ctx,
            actor,
            Form({"url": "https://crm.spy.example/hook", "enabled": True}),
            seal=Seal(installation.settings.secret_key, "webhook"),
            loopback=True,
        )
        headers = {
            "session": bearer(session_token(ctx, person)),
            "software": bearer(keys.make_api_key(ctx, actor, Form({"name": "CRM"})).secret),
            "nobody": {},
        }
        return Spy(app, statements, provider, eyes, headers)

    return begin


CANARIES = {
    "draft": "A canary in a draft",
    "file": "A canary among the files.pdf",
    "amount": "7123.47",
    "notes": "A canary in the notes",
    "assumption": "A canary among the assumptions",
}


def a_body(fee, **changes):
    return {
        "kind": "certification",
        "currency": "AUD",
        "standards": [{"code": "ISO 9001"}],
        "audit_days": {"stage_1": 1, "stage_2": 3},
        "fees": {"stage_1": "1000.00", "stage_2": fee},
        "valid_until": "2027-01-31",
        **changes,
    }


def put(ctx, invitation, fee, **changes):
    form = load(QuoteIn(), a_body(fee, **changes))
    return quotes.put_quote(ctx, person_of(invitation.provider_id), invitation.id, form)


@pytest.fixture
def market(make, ctx, spying):
    """Three certification bodies, all invited, of which one spies; a fourth waits outside."""
    for _ in range(4):
        make.provider("certification_body")
    lead = make.matched_lead(service="certification", headcount=42)
    own, *others = invitations_of(make, lead)
    spy = spying(make.ask(lambda session: session.get(Provider, own.provider_id)))
    # Somebody else's session, beside those of the spy.
    session_token(ctx, a_person(ctx, "max@elsewhere.example", provider_id=others[0].provider_id))
    put(ctx, own, "6000.00")
    return lead, own, others, spy


def ids_of_others(make, spy, own):
    """Return ids of whatever there is in the database that is not the spy's."""
    tables = [table for table in Base.metadata.sorted_tables if "id" in table.columns]
    theirs = {"provider_id": spy.provider.id, "invitation_id": own.id, "id": own.id}

    def found(session):
        person = select(User.id).where(User.provider_id == spy.provider.id)
        theirs["user_id"] = session.scalars(person).one()  # whose sessions are its own as well
        for table in tables:
            if table.columns["id"].type.python_type is not UUID:
                continue
            rows = select(table.c.id).order_by(table.c.id.desc())
            rows = rows.limit(3 if table.name == "invitations" else 1)
            for name in theirs.keys() & table.columns.keys():
                rows = rows.where(table.c[name].is_distinct_from(theirs[name]))
            yield from session.scalars(rows)

    return [each for each in make.ask(lambda session: [*found(session)]) if each != spy.provider.id]


def others_act(ctx, make, lead, others):
    """Let the others do all that they can, and the business read it."""
    first, second = others
    invitations.look_at_invitation(ctx, person_of(first.provider_id), first.id)
    typed = {"notes": [CANARIES["draft"]]}
    drafts.save_draft(ctx, person_of(first.provider_id), first.id, typed, seen="0-")
    file = SentFile(CANARIES["file"], "application/pdf", a_pdf(mark="of another"))
    attachments.add_attachment(ctx, person_of(first.provider_id), first.id, Form({"file": file}))
    invitations.accept_invitation(ctx, person_of(first.provider_id), first.id)
    put(
        ctx,
        first,
        CANARIES["amount"],
        standards=[{"code": "ISO 9001", "edition": "2015"}],
        notes=CANARIES["notes"],
        assumptions=[CANARIES["assumption"]],
        valid_until="2027-03-01",
    )
    put(ctx, first, "7000.01", tax_rate="10")
    invitations.look_at_invitation(ctx, person_of(second.provider_id), second.id)
    comparison.request_page(ctx, business_of(lead))


def assert_same(before, after):
    """Hold two looks at the same things to be the same, line by line."""
    found = [
        (*key, line)
        for key in before
        if before[key] != after[key]
        for line in unified_diff(lines(before[key]), lines(after[key]), lineterm="", n=0)
    ]
    assert not found, "\n".join(map(str, found))


def lines(answer):
    status, said, headers, sent = answer
    told = [f"{name}: {value}" for name, value in sorted(headers.items())]
    return [f"{status} after {sent} statements", *told, *said.splitlines()]


def test_whatever_others_do_everything_that_a_provider_is_shown_stays_as_it_was(
    ctx, make, market, work
):
    lead, own, others, spy = market
    work()
    spy.looks(own.id)  # whatever is remembered between two looks is, from here on
    before, told = spy.looks(own.id), spy.told(make)
    assert any(status == 200 and "R-" in said for status, said, *_ in before.values())
    others_act(ctx, make, lead, others)
    work()
    assert_same(before, spy.looks(own.id))
    invitations.decline_invitation(
        ctx,
        person_of(others[1].provider_id),
        others[1].id,
        reason=DeclineReason.OTHER,
        comment=None,
    )
    work()
    assert len(invitations_of(make, lead)) == 4  # the fourth has come in for the one that left
    after = spy.looks(own.id)
    assert_same(before, after)
    assert spy.told(make) == told
    for each in CANARIES.values():
        assert not [key for key, (_, said, *_) in after.items() if each in said]


BODIES = (
    {},
    {"text": "x"},
    {"reason": "other"},
    {"from": "2027-01-01", "until": "2027-01-02"},
    a_body("1.00"),
)
"""What is sent along: sound for some address each, so that no refusal of the body comes first."""

AT_A_SHUT_DOOR = 4
"""Of so many ids one knocks where nobody of a provider is let in, whatever the id: in turn."""


def bodies_for(rule, method, app):
    """Return what is sent along there: where a body is read, one of every kind, and else one."""
    if method == "GET":
        return (None,)
    described = openapi.document(app)["paths"].get(openapi.path_of(rule), {})
    sent = described.get(method.lower(), {}).get("requestBody", {}).get("content", {})
    is_read = "/api/v1/portal" in rule.rule and "application/json" in sent
    return BODIES if is_read else BODIES[:1]


def test_what_belongs_to_others_is_answered_like_what_does_not_exist(ctx, make, market, work):
    lead, own, others, spy = market
    others_act(ctx, make, lead, others)
    work()
    foreign = ids_of_others(make, spy, own)
    assert {each.id for each in others} <= set(foreign)
    walked = shut = 0
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        for rule in spy.rules(method, with_ids=True):
            is_api = rule.rule.startswith("/api")
            who = "session" if is_api else "person"
            # Below what is somebody else's, and below what is its own.
            above = ((), (own.id,)) if sorted(rule.arguments)[1:] == ["invitation_id"] else ((),)
            for body, over in product(bodies_for(rule, method, spy.app), above):
                nothing = spy.answer(who, method, spy.address(rule, UNKNOWN, *over), body)
                assert over or nothing[0] in (303, 401, 403, 404, 422), (rule, nothing)
                is_shut = nothing[0] in (401, 403)
                shut += is_shut
                some = foreign[shut % AT_A_SHUT_DOOR :: AT_A_SHUT_DOOR]
                for each in some if is_shut else foreign:
                    path = spy.address(rule, each, *over)
                    status, said, headers, sent = spy.answer(who, method, path, body)
                    said = said.replace(str(each), str(UNKNOWN))
                    headers = {
                        name: value.replace(str(each), str(UNKNOWN))
                        for name, value in headers.items()
                    }
                    at = (who, f"{method} {path}")
                    assert_same({at: nothing}, {at: (status, said, headers, sent)})
                    walked += 1
    assert walked > 1000


def alike(looks, lead, own):
    """Return what was shown, with what is another for every request taken out."""
    number = re.search(r"\d+", lead.company_name)[0]

    def plain(said):
        for name in (str(own.id), str(lead.id), lead.reference):
            said = str(said).replace(name, "*")
        return re.sub(rf"(?i)(works ?){number}\b|[0-9a-f]{{8}}-[0-9a-f-]{{27}}", "*", said)

    return {(who, plain(path)): plain(answer) for (who, path), answer in looks.items()}


def a_lead_with(make, spy):
    """Return a request, the spy's invitation for it, and those of the two others."""
    lead = make.matched_lead(service="certification", headcount=42)
    held = invitations_of(make, lead)
    own = next(each for each in held if each.provider_id == spy.provider.id)
    return lead, own, [each for each in held if each is not own]


def standing_of(ctx, make, spying, amounts):
    """Let a request end after the spy and others have quoted: the first of them is chosen.

    An amount that is None was not quoted; one with a currency was quoted in that.
    """
    lead, own, others = a_lead_with(make, spying)
    put(ctx, own, "6000.00")
    for each, said in zip(others, amounts, strict=True):
        amount, _, currency = (said or "").partition(" ")
        if amount:
            put(ctx, each, amount, currency=currency or "AUD")
    outcome.choose_provider(ctx, business_of(lead), others[0].id)
    return lead, own


OWN_ACTS = (
    ("GET", "", None),
    ("PUT", "/quote", {"kind": "certification"}),
    ("POST", "/questions", {"text": "How many shifts?"}),
    ("POST", "/acceptance", {}),
    ("PUT", "/quote", a_body("6000.00")),
    ("PUT", "/quote", a_body("6000.00")),
    ("PUT", "/quote", a_body("6100.00", valid_until="2027-02-28")),
    ("POST", "/questions", {"text": "And how many sites?"}),
    ("POST", "/decline", {"reason": "nothing of the kind"}),
    ("GET", "", None),
    ("POST", "/decline", {"reason": "no_capacity"}),
    ("PUT", "/quote", a_body("1.00")),
)
"""What a provider can say of an invitation, and in which order it could."""
FIRST = 4
"""Which of these is its first quote."""


def test_whatever_it_does_it_is_answered_alike_whether_others_have_quoted_or_not(
    ctx, make, spying, work
):
    for _ in range(3):
        make.provider("certification_body")
    spy = spying(make.ask(lambda session: session.query(Provider).first()))
    said, told = [], []
    for amounts in ((), ("9.99",), ("5900.00", "88000.00")):
        lead, own, others = a_lead_with(make, spy)
        for each, amount in zip(others, amounts, strict=False):
            put(ctx, each, amount, valid_until="2027-03-01")
        work()
        path = f"/api/v1/portal/invitations/{own.id}"
        answers = {
            (str(number), f"{method} {what}"): spy.answer("session", method, path + what, body)
            for number, (method, what, body) in enumerate(OWN_ACTS)
        }
        assert [answer[0] for answer in answers.values()] == [
            200, 422, 201, 200, 200, 200, 200, 201, 422, 200, 200, 409
        ]  # fmt: skip
        work()
        mails = [each for each in spy.told(make) if lead.reference in str(each)]
        # Who responds first has one statement more to wait for, once. Whatever can be done again
        # and again, so as to take its time, takes as many.
        shown = {key: each if int(key[0]) > FIRST else each[:3] for key, each in answers.items()}
        said.append(alike(shown, lead, own))
        told.append(alike({("", ""): mails}, lead, own))
    assert said[0] == said[1] == said[2]
    assert told[0] == told[1] == told[2]


@pytest.mark.parametrize(
    ("one", "another"),
    [
        (("5900.00", None), ("59000.00", None)),  # two quoted
        (("5900.00", "6100.00 NZD"), ("100.00", "61000.00 USD")),  # three, not in one currency
    ],
)
def test_after_the_end_it_learns_nothing_where_fewer_than_three_can_be_compared(
    ctx, make, spying, work, one, another
):
    for _ in range(3):
        make.provider("certification_body")
    spy = spying(make.ask(lambda session: session.query(Provider).first()))
    seen = []
    for amounts in (one, another):
        lead, own = standing_of(ctx, make, spy, amounts)
        work()
        path = f"/portal/invitations/{own.id}"
        looks = {
            ("session", f"/api/v1{path}"): spy.answer("session", "GET", f"/api/v1{path}"),
            ("person", path): spy.answer("person", "GET", path),
        }
        mails = [each for each in spy.told(make) if lead.reference in str(each)]
        seen.append((alike(looks, lead, own), alike({("", ""): mails}, lead, own)))
        assert '"standing":null' in str(looks)
        assert "10 %" not in str(seen)
    assert seen[0] == seen[1]


def test_after_the_end_it_learns_its_rank_and_distance_and_no_more(ctx, make, spying, work):
    """Two requests that end alike but for the amounts of the others look alike to the spy."""
    for _ in range(3):
        make.provider("certification_body")
    spy = spying(make.ask(lambda session: session.query(Provider).first()))
    seen, mails = [], []
    for amounts in (("5900.00", "6100.00"), ("1000.00", "59000.00")):
        lead, own = standing_of(ctx, make, spy, amounts)
        work()
        path = f"/api/v1/portal/invitations/{own.id}"
        page = f"/portal/invitations/{own.id}"
        looks = {
            ("session", path): spy.answer("session", "GET", path),
            ("person", page): spy.answer("person", "GET", page),
        }
        seen.append(alike(looks, lead, own))
        mails.append([each for each in spy.told(make) if lead.reference in str(each)])
    assert seen[0] == seen[1]
    assert len(mails[0]) == len(mails[1])
    assert any("within 10" in str(each) for each in mails[0])


def test_what_it_will_learn_is_stated_to_all_beforehand(market, browser):
    """Invariant 6: the one exception stands where each side agrees to it, before anybody quotes."""
    *_, own, _, spy = market
    for page, whose in (
        (browser().open("/terms"), "its rank by price"),
        (browser().open("/join"), "its rank by price"),
        (spy.person.open(f"/portal/invitations/{own.id}/quote"), "its own rank by price"),
    ):
        said = re.sub(r"\s+", " ", page.text)
        assert whose in said
        assert "where 3 or more" in said
        assert "was not chosen" in said
