"""What came in shortly before a form: the same words, the same network, the same mailbox.

Of the latest forms alone, so that this costs the same however many there are; who sends more than
that within an hour is known by those.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rapidfuzz import fuzz
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from marketplace.core.networks import network_of
from marketplace.leads.models import Lead
from marketplace.leads.trust import fingerprint
from marketplace.notifications.mailboxes import mailbox_of

LATEST = 200
"""Over how many forms it is looked back."""
SAME_WITHIN, NETWORK_WITHIN, MAILBOX_WITHIN = (
    timedelta(days=7),
    timedelta(hours=1),
    timedelta(days=1),
)
ALIKE_FROM = 88
"""Of 100: from how much alike notes are taken for copies, a name or a number changed."""


@dataclass(frozen=True)
class Around:
    """How many other forms share something with this one."""

    same_text: int = 0
    """By other businesses, with the same notes, or nearly."""
    from_network: int = 0
    unconfirmed: int = 0
    """To the same mailbox, and nobody confirmed them."""


NOTHING_SHARED = Around()


def before_it(session: Session, lead: Lead) -> Around:
    """Return what the latest forms shared with this one when it came in."""
    return _shared(session, lead, _LATEST.where(Lead.id < lead.id), now=lead.created_at)


def by_now(session: Session, lead: Lead, *, now: datetime) -> Around:
    """Return what the latest forms share with this one by now."""
    return _shared(session, lead, _LATEST, now=now)


_LATEST = (
    select(
        Lead.id,
        Lead.business_key,
        Lead.contact_email,
        Lead.notes,
        Lead.consent["address"].astext.label("address"),
        Lead.created_at,
        Lead.confirmed_at,
    )
    .order_by(Lead.id.desc())
    .limit(LATEST)
)


def _shared(session: Session, lead: Lead, latest: Select[Any], *, now: datetime) -> Around:
    email, notes, business_key = lead.contact_email, lead.notes, lead.business_key
    address = lead.consent.get("address")
    rows = session.execute(latest).all()
    others = [row for row in rows if row.id != lead.id and row.created_at > now - SAME_WITHIN]
    text, mailbox, network = fingerprint(notes), mailbox_of(email), network_of(address)
    return Around(
        same_text=sum(
            row.business_key != business_key
            and mailbox_of(row.contact_email) != mailbox
            and is_copy(text, fingerprint(row.notes))
            for row in others
        )
        if text
        else 0,
        from_network=sum(
            row.created_at > now - NETWORK_WITHIN and network_of(row.address) == network
            for row in others
        )
        if network
        else 0,
        unconfirmed=sum(
            row.created_at > now - MAILBOX_WITHIN
            and (row.confirmed_at is None or row.confirmed_at > now)
            and mailbox_of(row.contact_email) == mailbox
            for row in others
        ),
    )


def is_copy(text: str | None, other: str | None) -> bool:
    """Return whether two fingerprints are of one text, a few words changed."""
    return bool(text and other and fuzz.ratio(text, other, score_cutoff=ALIKE_FROM) >= ALIKE_FROM)
