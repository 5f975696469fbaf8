"""The lead of a generated market in the database, and what became of it so far."""

from dataclasses import asdict, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from marketplace.invitations.models import Invitation
from marketplace.leads.models import Lead
from tests.properties.markets import CONSULTANT, HOLDING, SEEN, Advice, Market
from tests.properties.product import id_of, put
from tests.rules.test_leads import FINE

LEAD = id_of(1)
ENGAGEMENT = timedelta(days=365)
HOUR = timedelta(hours=1)


def told(market: Market) -> Market:
    """Return the market with the advice that the product comes to know of.

    A name in the form is every firm of that name. A consultant of another name was chosen here
    before; that a body was meant, an administrator said.
    """
    known = []
    for advice in market.ask.advice:
        if is_named(advice):
            same = [firm.number for firm in market.firms if firm.name == advice.name]
            known += [replace(advice, firm=each) for each in (*same, None)]
        elif was_chosen_here(market, advice):
            known.append(replace(advice, name=market.firm(advice.firm).name))
        else:
            known.append(advice)
    return replace(market, ask=replace(market.ask, advice=tuple(known)))


def is_named(advice: Advice) -> bool:
    return advice.name != "somebody else"


def was_chosen_here(market: Market, advice: Advice) -> bool:
    if is_named(advice) or advice.ended_on is None:
        return False
    return market.firm(advice.firm).kind == CONSULTANT


def put_lead(connection: Connection, market: Market) -> None:
    """Insert the open lead, its invitations, and the leads of the same business before it."""
    leads = [_lead(market, 1, state="open", consultants_used=_consultants_used(market))]
    invitations = []
    for index, advice in enumerate(market.ask.advice, start=2):
        if was_chosen_here(market, advice):
            noon = datetime.combine(advice.ended_on, market.now.timetz().replace(hour=12))
            finished_at = noon - ENGAGEMENT
            awarded = {"finished_at": finished_at, "awarded_invitation_id": id_of(100 + index)}
            leads.append(_lead(market, index, state="awarded", **awarded))
            won = _invitation(market, index, advice.firm, "won", place=1)
            invitations.append(won | {"id": id_of(100 + index)})
    places = iter([1, 2, 3])
    for firm in market.firms:
        if firm.invitation is not None:
            place = next(places) if firm.invitation in HOLDING else 3
            invitations.append(_invitation(market, 1, firm.number, firm.invitation, place=place))
    put(connection, Lead, leads)
    put(connection, Invitation, invitations)


def _consultants_used(market: Market) -> list[dict]:
    """Return the names as people write them, and what an administrator has said of them."""
    return [
        {
            "name": f"{advice.name.upper()}  Pty. Ltd" if is_named(advice) else "Somebody Else",
            "ended_on": advice.ended_on and advice.ended_on.isoformat(),
            **({} if is_named(advice) else decided(advice)),
        }
        for advice in market.ask.advice
        if not was_chosen_here(market, advice)
    ]


def decided(advice: Advice) -> dict:
    return {"provider_id": str(id_of(advice.firm)), "decided_at": "2026-01-01T00:00:00Z"}


def _lead(market: Market, number: int, **changes) -> dict:
    ask, now = market.ask, market.now
    return {
        "id": id_of(number),
        "reference": f"R-{number}",
        "business_key": "AU:acme",
        "form": {},
        "company_name": "Acme",
        "country": "AU",
        "contact_name": "Jo Tran",
        "contact_email": "jo@acme.example",
        "service": ask.service,
        "standards": [*ask.editions],
        "editions": ask.editions,
        "regions": list(ask.regions),
        "headcount": ask.headcount,
        "sites": 1,
        "sector": ask.sector,
        "certification_status": ask.status,
        "remote_ok": ask.remote_ok,
        "consultants_used": [],
        "consent": {},
        "signals": asdict(FINE),
        "review_reasons": [],
        "time_zone": "Australia/Sydney",
        "created_at": now - HOUR,
        "confirm_by": now + 72 * HOUR,
        "opened_at": now - HOUR,
        "expires_at": now + 720 * HOUR,
    } | changes


def _invitation(market: Market, lead: int, firm: int, became: str, *, place: int) -> dict:
    sent_at = market.now - HOUR
    return {
        "id": id_of(1_000 * lead + firm),
        "lead_id": id_of(lead),
        "provider_id": id_of(firm),
        "place": place,
        "state": became.split()[0],
        "sent_at": sent_at,
        "open_by": sent_at + 12 * HOUR,
        "respond_by": sent_at + 24 * HOUR,
        "extended_by": "0",
        "reminders": [],
        "accepted_at": sent_at if became in SEEN else None,
    }
