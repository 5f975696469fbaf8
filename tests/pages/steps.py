"""Steps that several tests take."""

from marketplace.invitations.queries import invitations_for_lead
from marketplace.leads import service as leads

NEED = (
    ("standards", "ISO 9001"),
    ("regions", "AU-NSW"),
)

FILLED = {
    "service": "consulting",
    "timeframe": "3_months",
    "headcount": "42",
    "sector": "17",
    "company__name": "Kestrel Joinery Pty Ltd",
    "company__website": "kestrel.example",
    "contact__name": "Mia Ferrante",
    "contact__email": "mia@kestrel.example",
    "contact__phone": "+61 2 5550 1234",
    "consent__share_with_matched_providers": "yes",
    "notes": "For a tender.",
}


def fill_in(browser, clock, **changes):
    """Open the form, take two minutes over it, and send it."""
    browser.open("/")
    clock.advance(minutes=2)
    return browser.send("/", *NEED, **FILLED | changes)


def held_by(make, lead):
    """Return the invitations of a lead, in the order in which they were made."""
    return make.ask(lambda session: invitations_for_lead(session, lead.id))


def open_request(ctx, browser, lead):
    """Open the page of a lead's request by a link."""
    with ctx.transaction() as tx:
        token = leads.mint_request_token(tx, lead)
    return browser.open(f"/requests/open/{token}")


CONSULTING = {
    "phases__0__name": "Gap analysis",
    "phases__0__days": "3",
    "phases__0__fee": "$4,200.00",
    "phases__2__name": "Build",
    "phases__2__fee": "9800",
    "phases__2__on_site": "yes",
    "phases__2__deliverables": "Manual\nTraining",
    "valid_until": "2027-03-31",
    "tax_rate": "10",
}
