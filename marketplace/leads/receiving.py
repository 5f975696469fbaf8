"""A form that has to be confirmed comes in: one statement looks and writes, and is the transaction.

What a form leads to is known before anything is written: the lead, the consent, the event and the
mail with the link. So they go to PostgreSQL together, with the look whether anything stands in the
way. What does, seldom, is told by what that look found; then nothing was written, and something
else is.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Text, Uuid, bindparam, literal_column, not_, select, true

from marketplace.catalogue.known import VERSION, Known, Outdated
from marketplace.core import consents, events
from marketplace.core.actors import ANYBODY
from marketplace.core.agreements import Agreed
from marketplace.core.consents import Consent, Whose
from marketplace.core.context import Transaction
from marketplace.core.db import Json, one_of
from marketplace.core.direct import Direct, of_row, writing
from marketplace.core.events import Event
from marketplace.core.jobs import Job
from marketplace.core.links import Purpose
from marketplace.core.texts import N_
from marketplace.leads import rules
from marketplace.leads.intake import COLUMNS, fresh_reference
from marketplace.leads.models import Lead
from marketplace.leads.rules import UNFINISHED, LeadEvent
from marketplace.notifications import caps
from marketplace.notifications import service as notifications
from marketplace.notifications.models import Notification
from marketplace.notifications.service import LinkTo, Message, Recipient

_leads: Any = Lead.__table__
_consents: Any = Consent.__table__
_events: Any = Event.__table__
_notifications: Any = Notification.__table__


_ONE: Any = literal_column("1")

_running = (
    select(_leads.c.id, _leads.c.reference, _leads.c.contact_email)
    .where(
        _leads.c.business_key == bindparam("business_key", type_=Text()),
        one_of(_leads.c.state, *UNFINISHED),
    )
    .subquery("running")
)
_look = (
    select(
        select(_ONE)
        .where(_leads.c.reference == bindparam("reference", type_=Text()))
        .exists()
        .label("is_taken"),
        caps.IS_FULL.label("is_full"),
        bindparam("catalogue", type_=Uuid()).is_distinct_from(VERSION).label("is_outdated"),
        _running,
    )
    .select_from(select(_ONE).subquery("one").outerjoin(_running, true()))
    .cte("look")
)
_nothing_in_the_way = (
    select(_ONE)
    .where(
        not_(_look.c.is_taken),
        not_(_look.c.is_full),
        not_(_look.c.is_outdated),
        _look.c.id.is_(None),
    )
    .cte("nothing_in_the_way")
)
_is_written = select(_ONE).select_from(_nothing_in_the_way).exists().label("is_written")


class Running(Protocol):
    """What is told of the request that a business has running already."""

    id: Any
    reference: Any
    contact_email: Any


@cache
def _look_and_write(events_written: int) -> Direct:
    """Return the statement that writes a form down with so many events, if nothing is in the way.

    Without the lock of the business: whoever confirms takes that before the mailbox's. One whose
    other request is being opened at this moment hears of it when it confirms this one.
    """
    rows: Any = (
        (_leads, COLUMNS),
        (_consents, consents.COLUMNS),
        (_notifications, (*notifications.COLUMNS, "last_error")),
        *[(_events, events.COLUMNS)] * events_written,
    )
    return Direct(writing(select(_look, _is_written), *rows, if_any=_nothing_in_the_way))


def receive(tx: Transaction, lead: dict[str, Any], catalogue: Known) -> str:
    """Write a lead down by its columns, and mail the link that confirms it; return its reference.

    Where the business has a request running it ends here, and its sender is told by mail alone:
    whoever sends the form is answered alike. What is in the way changes what is to be written, and
    that is tried then. To be called last: it may have committed.

    Raises `Outdated` where the catalogue, by which the form was found to be in order, is another
    by now.
    """
    tx.afterwards(Job.DELIVER_NOTIFICATIONS)
    running: Running | None = None
    is_full = False
    while True:
        mail, noted = _what_follows(tx, lead, running, is_full=is_full)
        looked_for = {
            "business_key": None if running else lead["business_key"],
            "reference": lead["reference"],
            "catalogue": catalogue.version,
            **caps.counting(tx, mail),
        }
        rows = _rows(tx, _set_aside(tx, lead) if running else lead, mail, noted)
        [found] = tx.at_once(_look_and_write(len(noted)), looked_for | rows)
        if found.is_written:
            return str(lead["reference"])
        if found.is_outdated:
            raise Outdated(N_("this was changed while it was looked at: please send it once more"))
        if found.is_taken:
            lead = {**lead, "reference": fresh_reference()}
        elif found.id is not None:
            running = found
        else:
            is_full = True


def _what_follows(
    tx: Transaction, lead: Mapping[str, Any], running: Running | None, *, is_full: bool
) -> tuple[dict[str, Any], list[Json]]:
    """Return the columns of the mail that answers a form, and of what is noted of both."""
    submitted = {"service": lead["service"]}
    noted = [events.written(tx, ANYBODY, "lead.submitted", lead["id"], submitted)]
    if running is None:
        mail = notifications.written(tx, asking_to_confirm(lead, "confirm_request"))
    else:
        mail = notifications.written(tx, running_already(tx, running, lead))
        by = {"by": str(running.id)}
        noted.append(events.written(tx, ANYBODY, "lead.superseded", lead["id"], by))
    if is_full:
        mail = caps.held_back(mail)
        noted.append(caps.suppressed(tx, mail))
    return mail, noted


def _set_aside(tx: Transaction, lead: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of a lead whose business has a request running."""
    ended = rules.after(
        lead["state"],
        LeadEvent.SUPERSEDE,
        now=tx.now,
        confirm_by=lead["confirm_by"],
        expires_at=None,
    )
    return {**lead, "state": ended, "finished_at": tx.now}


def _rows(
    tx: Transaction, lead: dict[str, Any], mail: dict[str, Any], noted: Sequence[Json]
) -> dict[str, Any]:
    """Return the columns of all that is written of a form, as `writing` takes them."""
    version = lead["consent"]["terms_version"]
    values = (
        of_row(_leads, lead)
        | of_row(_consents, consents.written(tx, Whose.LEAD, lead["id"], Agreed.SHARING, version))
        | of_row(_notifications, mail)
    )
    for number, each in enumerate(noted, 1):
        values |= of_row(_events, each, number)
    return values


def asking_to_confirm(lead: Mapping[str, Any], template: str, *, occasion: str = "") -> Message:
    """Return the message with the link that confirms a form, by the columns of its lead."""
    return Message(
        template,
        Recipient(lead["contact_email"], lead["contact_name"], lead["time_zone"]),
        lead["id"],
        {
            "reference": lead["reference"],
            "company": lead["company_name"],
            "standards": lead["standards"],
            "confirm_by": lead["confirm_by"],
        },
        occasion,
        link=LinkTo(Purpose.CONFIRM_LEAD, lead["id"], lead["confirm_by"]),
    )


def running_already(tx: Transaction, running: Running, lead: Mapping[str, Any]) -> Message:
    """Return the message to who sent a form although the business has a request running.

    A link to that request if it is the same contact, else only that there is one.
    """
    to = Recipient(lead["contact_email"], lead["contact_name"], lead["time_zone"])
    if running.contact_email == lead["contact_email"]:
        return Message(
            "request_running",
            to,
            lead["id"],
            {"reference": running.reference, "sent_reference": lead["reference"]},
            link=link_to_request(tx, running.id),
        )
    not_ours = LinkTo(Purpose.NOT_OURS, running.id, tx.now + tx.policy.lead_lifetime_at_most)
    values = {"company": lead["company_name"]}
    return Message("request_running_elsewhere", to, lead["id"], values, link=not_ours)


def link_to_request(tx: Transaction, lead_id: UUID) -> LinkTo:
    """Return the link to the page of a request, good for as long as the page can be."""
    lives = tx.policy.lead_lifetime_at_most * 2 + tx.policy.request_link_lives_on
    return LinkTo(Purpose.REQUEST, lead_id, tx.now + lives)
