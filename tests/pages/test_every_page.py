"""What holds on every page: labels, ids, headers, no other host, no forged form."""

import re
from urllib.parse import urlsplit

import pytest
from sqlalchemy.exc import OperationalError

from marketplace.core import links
from marketplace.core.actors import OPERATOR
from marketplace.invitations import misses, questions
from marketplace.invitations import service as invitations
from marketplace.invitations.rules import MissKind
from marketplace.leads import service as leads
from marketplace.leads.rules import LeadState
from marketplace.notifications import suppressions
from marketplace.providers import pauses
from marketplace.quotes import service as quotes
from marketplace.web.api.common import LeadIn
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.requests import load
from tests.factories import lead_form, person_of
from tests.pages.steps import CONSULTING, fill_in, held_by, open_request
from tests.pages.test_business_pages import CERTIFICATION
from tests.people import PASSWORD, a_person

UNLABELLED = ("hidden", "submit")


@pytest.fixture
def pages(ctx, make, browser, signed_in, admin, clock):
    """Every page there is, with something on it, and most of them again with errors."""
    bodies = [make.provider("certification_body") for _ in range(3)]
    consultant = make.provider()
    make.provider(state="applied")
    certification = make.matched_lead(service="certification")
    advised = [{"name": "Consulting Number", "ended_on": None}]
    consulting = make.matched_lead(consultants_used=advised)
    first, second, third = held_by(make, certification)
    for invitation in (first, second):
        form = load(QuoteIn(), CERTIFICATION)
        quotes.put_quote(ctx, person_of(invitation.provider_id), invitation.id, form)
    for text in ("One shift?", "One site?"):
        questions.ask_question(ctx, person_of(third.provider_id), third.id, text=text)
    leads.submit_lead(ctx, load(LeadIn(), lead_form(50)))
    (let_lapse,) = held_by(make, consulting)
    with ctx.transaction() as tx:
        lead = make.ask(
            lambda session: (
                session.query(leads.Lead).filter_by(state=LeadState.AWAITING_CONFIRMATION).one()
            )
        )
        confirm = links.mint(tx, links.Purpose.CONFIRM_LEAD, lead.id, expires_at=lead.confirm_by)
        paused = pauses.begin_pauses_for_misses(tx, [consultant.id])[consultant.id]
        come_back = links.mint(tx, links.Purpose.COME_BACK, paused, expires_at=lead.confirm_by)
        misses.record_misses(tx, [(let_lapse, MissKind.EXPIRED)])
        not_ours = links.mint(tx, links.Purpose.NOT_OURS, lead.id, expires_at=lead.confirm_by)

    found = []

    def see(page):
        found.append(page)
        return page

    anybody, business = browser(), browser()
    for path in (
        "/", "/join", "/join/received", "/sign-in", "/forgot-password", "/requests",
        "/nothing-here", "/mailbox", "/mailbox/gallery/3",
        "/requests/confirm/confirm_x", "/requests/open/request_x", "/set-password/password_x",
        f"/requests/confirm/{confirm}", f"/requests/not-ours/{not_ours}",
        "/come-back/back_x", f"/come-back/{come_back}",
    ):  # fmt: skip
        see(anybody.open(path))
    see(fill_in(anybody, clock, headcount="x", consultants_used__0__ended_on="x"))
    see(fill_in(anybody, clock))
    anybody.open("/join")
    see(anybody.send("/join"))
    see(anybody.open("/sign-in"))
    see(anybody.send("/sign-in"))

    see(open_request(ctx, business, certification))
    for path in ("close", "erase", "follow-on"):
        see(business.open(f"/requests/{path}"))
    for path in ("choose", "replace", "review"):
        see(business.open(f"/requests/{path}/{first.id}"))
    see(business.send("/requests/review"))
    questions_page = business.open("/requests")
    asked = [form for form in questions_page.forms if "answers" in form.action]
    see(business.post("/requests/answers", [*asked[0].values[:2], ("text", "")]))

    for provider, lead in ((bodies[0], certification), (consultant, consulting)):
        person = signed_in(provider)
        see(person.page)
        see(person.open("/portal/messages"))
        see(person.open("/portal/record"))
        if provider is consultant:
            see(person.send("/object"))
        see(person.open("/portal/statement"))
        see(person.open("/portal/leave"))
        see(person.send("/leave", until="soon"))
        see(person.open("/portal/software"))
        see(person.send("/address", url="nowhere"))
        see(person.send("/address", url="http://127.0.0.1:9/hook"))
        see(person.send("/keys", name="ours"))
        see(person.open("/portal/software"))
        see(person.open("/portal/accreditations"))
        if provider is not consultant:
            see(person.send("/portal/accreditations"))
        see(person.open("/portal/profile"))
        see(person.send("profile", coverage__headcount_min=""))
        mine = next(i for i in held_by(make, lead) if i.provider_id == provider.id)
        see(person.open(f"/portal/invitations/{mine.id}"))
        see(person.open(f"/portal/invitations/{mine.id}/quote"))
        quoted = CONSULTING if provider is consultant else {"fees__stage_1": "free"}
        see(person.send("/quote", **quoted | {"valid_until": ""}))
        invitations.accept_invitation(ctx, person_of(provider.id), mine.id)
        see(person.open(f"/portal/invitations/{mine.id}"))
        see(person.open("/admin"))

    admin.open(f"/admin/providers/{consultant.id}")
    see(admin.send("/strike"))
    for path in (
        "/admin", "/admin/reports", "/admin/leads", "/admin/providers",
        f"/admin/providers/{bodies[0].id}", f"/admin/providers/{consultant.id}",
        f"/admin/leads/{certification.id}?find=number", f"/admin/leads/{consulting.id}",
    ):  # fmt: skip
        see(admin.open(path))
    admin.open(f"/admin/leads/{certification.id}?find=number")
    see(admin.send("/invitations"))
    for address in (bodies[0].contact_email, certification.contact_email):
        suppressions.suppress_address(ctx, OPERATOR, address=address)
    see(admin.open(f"/admin/providers/{bodies[0].id}"))
    see(admin.open(f"/admin/leads/{certification.id}"))
    desk = see(admin.open("/admin"))
    lifting = [form for form in desk.forms if form.action.endswith("/lift")]
    see(admin.post(lifting[0].action, lifting[0].values))
    see(signed_in(bodies[0]).page)
    return found


def test_every_page_is_sound(pages):
    assert len(pages) > 45
    for page in pages:
        assert page.status < 500, page.text
        check_frame(page)
        check_labels(page)
        check_hosts(page)
        check_headers(page)


def check_frame(page):
    tags = [tag for tag, _ in page.elements]
    assert ("html", {"lang": "en"}) in page.elements, page.at
    assert page.title.strip().endswith("ISO quotes marketplace"), page.at
    assert tags.count("h1") == 1, page.at
    assert tags.count("main") == 1, page.at
    assert 'href="#main">Skip to the content' in page.html
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
    seen = 0
    for level in levels:
        assert level <= seen + 1, (page.at, levels)
        seen = level
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids)), (page.at, sorted(i for i in ids if ids.count(i) > 1))
    for _, attributes in page.elements:
        for name in ("aria-describedby", "aria-labelledby", "for"):
            for target in attributes.get(name, "").split():
                assert target in ids, (page.at, name, target)
        if attributes.get("href", "").startswith("#"):
            assert attributes["href"][1:] in ids, (page.at, attributes["href"])


def check_labels(page):
    labelled = {attributes["for"] for tag, attributes in page.elements if tag == "label"}
    for tag, attributes in page.elements:
        if tag in ("input", "select", "textarea") and attributes.get("type") not in UNLABELLED:
            assert attributes.get("id") in labelled, (page.at, attributes)
        if tag == "img":
            assert "alt" in attributes


def check_hosts(page):
    assert "<script" not in page.html
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes), (page.at, attributes)
        assert "style" not in attributes, (page.at, attributes)
        assert tag != "style", page.at
        for name in ("src", "action"):
            assert not urlsplit(attributes.get(name, "")).netloc, (page.at, attributes)
        if tag == "link":
            assert not urlsplit(attributes["href"]).netloc, (page.at, attributes)


def check_headers(page):
    headers = page.response.headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy
    assert ("unsafe" in policy) == page.at.startswith("/mailbox")
    token = re.search(r"/(confirm|open|not-ours|set-password|come-back)/", page.at)
    if not page.at.startswith("/mailbox"):
        assert headers["Referrer-Policy"] == ("strict-origin" if token else "same-origin")
    private = "private, no-cache" if (page.at, page.status) == ("/", 200) else "no-store"
    assert headers["Cache-Control"] == private, page.at
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_style_sheet_is_kept_for_long_and_names_no_host(browser):
    visitor = browser()
    page = visitor.open("/")
    with visitor.client.get(page.link("site.css")) as answer:
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "://" not in answer.text
        assert "@import" not in answer.text
        assert "Set-Cookie" not in answer.headers


def test_a_form_without_its_word_is_refused_and_nothing_happens(
    ctx, make, browser, signed_in, admin
):
    provider = make.provider()
    lead = make.matched_lead()
    (invitation,) = held_by(make, lead)
    business = browser()
    open_request(ctx, business, lead)
    for visitor, path in (
        (browser(), "/"),
        (browser(), "/sign-in"),
        (business, "/requests/close"),
        (business, "/requests/erase"),
        (signed_in(provider), f"/portal/invitations/{invitation.id}/accept"),
        (admin, f"/admin/leads/{lead.id}/close"),
        (admin, "/sign-out"),
    ):
        for forged in ([], [("csrf_token", "forged")]):
            page = visitor.post(path, [("reason", "not_now"), *forged])
            assert page.status == 400, path
            assert "Nothing was sent" in page.text
    assert make.lead_called(lead.reference).state == "open"
    assert held_by(make, lead)[0].state == "sent"
    assert admin.open("/admin").status == 200


def test_over_https_a_form_has_to_come_from_this_site(ctx, browser):
    a_person(ctx)
    visitor = browser()
    values = dict(visitor.open("/sign-in").form("/sign-in").values)
    values |= {"email": "kim@harbour.example", "password": PASSWORD}
    for referrer, status in (
        ("", 400),
        ("https://elsewhere.example/", 400),
        ("https://localhost/", 303),
    ):
        answer = visitor.client.post(
            "/sign-in", data=values, base_url="https://localhost", headers={"Referer": referrer}
        )
        assert answer.status_code == status, referrer


def test_every_page_that_changes_something_is_protected(app):
    exempt = app.extensions["csrf"]._exempt_blueprints
    bearers = {blueprint.name for blueprint in exempt}
    for rule in app.url_map.iter_rules():
        if rule.methods & {"POST", "PUT", "PATCH", "DELETE"}:
            name = rule.endpoint.rpartition(".")[0]
            assert (name in bearers) == rule.rule.startswith("/api/"), rule
    assert not app.extensions["csrf"]._exempt_views


def test_a_page_while_the_database_is_away_is_a_page(app, browser, monkeypatch):
    def away(*args, **kwargs):
        raise OperationalError("", {}, Exception("gone"), connection_invalidated=True)

    monkeypatch.setattr("marketplace.web.pages.front.choices", away)
    page = browser().open("/")
    assert page.status == 503
    assert page.response.headers["Retry-After"]
    assert "Please go back and try again" in page.text
