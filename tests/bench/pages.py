"""What a page costs the server where ten thousand requests are stored and running."""

import time
from dataclasses import dataclass
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy import text

from marketplace.bootstrap import Product
from marketplace.core.context import Context
from marketplace.invitations.queries import invitations_for_lead
from marketplace.leads import queries as leads
from marketplace.leads import service as lead_service
from marketplace.quotes import service as quotes
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.app import create_app
from marketplace.web.requests import load
from tests.bench.deadlines import hold_out
from tests.conftest import Client
from tests.factories import person_of
from tests.pages.browser import Browser
from tests.people import PASSWORD, a_person, an_admin

FLOOR = "/forgot-password"
"""A page with the frame of all, which asks the database for nothing."""

QUOTE = {
    "kind": "consulting",
    "currency": "AUD",
    "phases": [{"name": "All of it", "days": 5, "fee": "9800.00"}],
    "valid_until": "2027-12-31",
}


@dataclass(frozen=True)
class Viewed:
    """One page, looked at many times."""

    path: str
    seconds: list[float]
    size: int
    """Bytes of its HTML."""


def time_pages(ctx: Context, product: Product, count: int, *, views: int) -> list[Viewed]:
    """Store `count` running requests; look at the pages of everybody, the floor's first."""
    lead_id, provider_id, invitation_id = _store(ctx, count)
    app = create_app(product)
    visitor, business, provider, admin = (
        Browser(Client(app, app.response_class)) for _ in range(4)
    )
    with ctx.transaction() as tx:
        token = lead_service.mint_request_token(tx, leads.lock_lead(tx.session, lead_id))
    business.open(f"/requests/open/{token}")
    _sign_in(provider, a_person(ctx, "kim@bench.example", provider_id=provider_id).email)
    _sign_in(admin, an_admin(ctx).email)
    seen = [
        (visitor, FLOOR),
        (visitor, "/"),
        (visitor, "/join"),
        (business, "/requests"),
        (provider, "/portal"),
        (provider, f"/portal/invitations/{invitation_id}"),
        (provider, f"/portal/invitations/{invitation_id}/quote"),
        (provider, "/portal/statement"),
        (provider, "/portal/profile"),
        (provider, "/portal/team"),
        (admin, "/admin"),
        (admin, "/admin/leads"),
        (admin, f"/admin/leads/{lead_id}"),
        (admin, "/admin/providers"),
        (admin, f"/admin/providers/{provider_id}"),
        (admin, "/admin/search?q=works"),
        (admin, "/admin/reports"),
        (admin, "/admin/reports/coverage"),
        (admin, "/admin/reports/fairness"),
        (admin, "/admin/reports/funnel"),
    ]
    return [_view(browser.client, path, views) for browser, path in seen]


def _store(ctx: Context, count: int) -> tuple[UUID, UUID, UUID]:
    """Return a lead with quotes, one of the providers that it is held out to, and how."""
    ids = hold_out(ctx, 3 * count)
    with ctx.reading() as session:
        held = invitations_for_lead(session, ids[0])
    for each in held[:2]:
        quotes.put_quote(ctx, person_of(each.provider_id), each.id, load(QuoteIn(), QUOTE))
    with ctx.sessions().get_bind().connect() as connection:
        # As autovacuum would have by now.
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))
    return ids[0], held[2].provider_id, held[2].id


def _sign_in(browser: Browser, email: str) -> None:
    browser.open("/sign-in")
    assert browser.send("/sign-in", email=email, password=PASSWORD).status == 200


def _view(client: FlaskClient, path: str, views: int) -> Viewed:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    seconds = []
    for _ in range(views):
        started = time.perf_counter()
        client.get(path)
        seconds.append(time.perf_counter() - started)
    return Viewed(path, seconds, len(answer.data))
