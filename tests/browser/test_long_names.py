"""Names of any length: no page of the administration is pushed out of its width by one."""

import pytest
from playwright.sync_api import expect

from marketplace.core.actors import OPERATOR
from marketplace.core.files import SentFile
from marketplace.core.forms import Form
from marketplace.invitations import service as invitations
from marketplace.leads import service as leads
from marketplace.leads import sites
from marketplace.notifications.models import Notification
from marketplace.notifications.rules import NotificationEvent
from marketplace.notifications.service import Recipient, notify
from marketplace.notifications.suppressions import suppress_address
from marketplace.quotes import attachments
from marketplace.web.api.common import LeadIn
from marketplace.web.requests import load
from tests.browser.conftest import DESK, PHONE
from tests.factories import lead_form, person_of
from tests.people import PASSWORD, an_admin
from tests.services.road import a_quote, held

IN_ONE_WORD = "Qualitätsmanagementsystemzertifizierungsgesellschaftsverwaltung" * 3
IN_MANY = "Consulting for the systematic improvement of nearly everything " * 3

OVER = """
[
  document.documentElement.scrollWidth - innerWidth,
  ...[...document.querySelectorAll(".scroll")].map(each => each.scrollWidth - each.clientWidth)
]
"""
"""By how many pixels the page, and each of its tables, is wider than there is room."""

NAMES = """
[...document.querySelectorAll("table:not(.stack) tbody th")].map(each =>
  each.getBoundingClientRect().width / (each.closest(".scroll") ?? document.body).clientWidth
)
"""
"""How much of the room in sight the name of a line takes, where it stands beside its figures."""


@pytest.fixture
def paths(ctx, make):
    """The pages of the administration with long names on them."""
    providers = [make.provider(name=f"{IN_ONE_WORD}{number}"[:200]) for number in range(2)]
    providers.append(make.provider(name=IN_MANY.strip()))
    body = make.provider("certification_body", name=f"{IN_ONE_WORD}x"[:190])
    applied = make.provider(name=f"{IN_ONE_WORD}y"[:190], state="applied")
    company = {"name": f"{IN_ONE_WORD}z"[:190], "country": "AU"}
    used = [{"name": f"{IN_ONE_WORD}0"[:200], "ended_on": None}]
    lead = make.matched_lead(company=company, consultants_used=used)
    short = make.matched_lead(company=company, regions=["NZ"])
    leads.submit_lead(ctx, load(LeadIn(), lead_form(50)))
    address = f"{'a' * 60}@{'b' * 60}.{'c' * 60}.example"
    suppress_address(ctx, OPERATOR, address=address)
    with ctx.transaction() as tx:
        notify(tx, "data_erased", Recipient(address, "Jo"), lead.id, reference=lead.reference)
        tx.session.flush()
        given_up = tx.session.query(Notification).filter_by(template="data_erased").one()
        given_up.apply(NotificationEvent.SUPPRESS)
    site = {"name": "n" * 80, "address": f"https://{'d' * 60}.{'e' * 60}.example"}
    sites.add_site(ctx, OPERATOR, Form(site))
    first, second, *_ = held(make, lead)
    file = Form({"file": SentFile(f"{IN_ONE_WORD[:80]}.pdf", "application/pdf", b"%PDF-")})
    attachments.add_attachment(ctx, person_of(second.provider_id), second.id, file)
    a_quote(ctx, second)
    decline = {"reason": "other", "comment": IN_ONE_WORD}
    invitations.decline_invitation(ctx, person_of(first.provider_id), first.id, **decline)
    return [
        "/admin", "/admin/leads", "/admin/providers", "/admin/search?q=Consulting",
        f"/admin/leads/{lead.id}", f"/admin/leads/{short.id}?find=Qualit",
        f"/admin/providers/{providers[0].id}", f"/admin/providers/{body.id}",
        f"/admin/providers/{applied.id}", "/admin/sites", "/admin/reports",
        "/admin/reports?by=provider", "/admin/reports/coverage", "/admin/reports/fairness",
        "/admin/reports/funnel",
    ]  # fmt: skip


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_a_long_name_pushes_nothing_out_of_sight(window, ctx, paths, size):
    person = window(size)
    person.go("/sign-in")
    person.write("E-mail", an_admin(ctx).email)
    person.write("Password", PASSWORD)
    person.press("Sign in")
    expect(person.page.get_by_role("heading", level=1)).to_have_text("What needs a hand")
    for path in paths:
        person.go(path)
        page, *tables = person.page.evaluate(OVER)
        assert page <= 0, (path, page)
        if size is DESK:
            assert all(each <= 0 for each in tables), (path, tables)
        else:
            shares = person.page.evaluate(NAMES)
            assert all(share < 0.6 for share in shares), (path, shares)
