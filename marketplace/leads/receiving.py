"""A form that has to be confirmed comes in: one statement looks and writes, and is the transaction.

What a form leads to is known before anything is written: the lead, the consent, the event and the
mail with the link. So they go to PostgreSQL together, with the look whether anything stands in the
way. What does, seldom, is told by what that look found; then nothing was written, and another
statement writes what the form leads to as of that look.
"""

from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Text, Uuid, bindparam, literal_column, not_, select, true

from marketplace.catalogue.known import VERSION, Known, Outdated
from marketplace.core import consents, events
from marketplace.core.actors import ANYBODY
from marketplace.core.agreements import Agreed
from marketplace.core.consents import Consent, Whose
from marketplace.core.context import Transaction
from marketplace.core.db import one_of
from marketplace.core.direct import Direct, of_row, writing
from marketplace.core.events import Event, record
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
_ROWS: Any = (
    (_leads, COLUMNS),
    (_consents, consents.COLUMNS),
    (_events, events.COLUMNS),
    (_notifications, (*notifications.COLUMNS, "last_error")),
)
_is_written = select(_ONE).select_from(_nothing_in_the_way).exists().label("is_written")
_LOOK_AND_WRITE = Direct(writing(select(_look, _is_written), *_ROWS, if_any=_nothing_in_the_way))

_counted = select(caps.IS_FULL.label("is_full")).cte("counted")
_has_room = select(_ONE).select_from(_counted).where(not_(_counted.c.is_full)).cte("has_room")
_SET_ASIDE = Direct(
    writing(select(_counted), *_ROWS, if_any=_has_room).add_cte(
        events.recorded_with(_has_room).cte("superseded")
    )
)
"""Another event beside: a form of a business that has a request running takes one statement more
than any other, so that how long it takes tells little."""

_WRITE = Direct(writing(select(_ONE), *_ROWS))


def receive(tx: Transaction, lead: dict[str, Any], catalogue: Known) -> str:
    """Write a lead down by its columns, and mail the link that confirms it; return its reference.

    Where the business has a request running it ends here, and its sender is told by mail alone:
    whoever sends the form is answered alike. To be called last: it may have committed.

    Raises `Outdated` where the catalogue, by which the form was found to be in order, is another
    by now.
    """
    mail = notifications.written(tx, asking_to_confirm(lead, "confirm_request"))
    tx.afterwards(Job.DELIVER_NOTIFICATIONS)
    values = {
        "business_key": lead["business_key"],
        "reference": lead["reference"],
        "catalogue": catalogue.version,
        **caps.counting(tx, mail),
        **_rows(tx, lead, mail),
    }
    # Without the lock of the business: whoever confirms takes that before the mailbox's. One whose
    # other request is being opened at this moment hears of it when it confirms this one.
    [found] = _LOOK_AND_WRITE.at_once(tx.session, values)
    if found.is_written:
        return str(lead["reference"])
    if found.is_outdated:
        raise Outdated(N_("this was changed while it was looked at: please send it once more"))
    if found.is_taken:
        return receive(tx, {**lead, "reference": fresh_reference()}, catalogue)
    if found.id is not None:
        _set_aside(tx, lead, found)
    else:  # the mailbox is full
        _WRITE.rows(tx.session, _rows(tx, lead, caps.held_back(mail)))
        caps.note_held_back(tx, [mail["id"]])
    return str(lead["reference"])


def _set_aside(tx: Transaction, lead: dict[str, Any], running: "Running") -> None:
    """Write a lead down whose business has a request running, and tell its sender by mail."""
    ended = rules.after(
        lead["state"],
        LeadEvent.SUPERSEDE,
        now=tx.now,
        confirm_by=lead["confirm_by"],
        expires_at=None,
    )
    lead = {**lead, "state": ended, "finished_at": tx.now}
    told = notifications.written(tx, running_already(tx, running, lead))
    rows = _rows(tx, lead, told)
    superseded = events.written(tx, ANYBODY, "lead.superseded", lead["id"], {"by": str(running.id)})
    [found] = _SET_ASIDE.at_once(tx.session, caps.counting(tx, told) | superseded | rows)
    if found.is_full:
        _WRITE.rows(tx.session, _rows(tx, lead, caps.held_back(told)))
        record(tx, ANYBODY, "lead.superseded", lead["id"], by=str(running.id))
        caps.note_held_back(tx, [told["id"]])


def _rows(tx: Transaction, lead: dict[str, Any], mail: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of all that is written of a form, as `writing` takes them."""
    version = lead["consent"]["terms_version"]
    submitted = {"service": lead["service"]}
    return (
        of_row(_leads, lead)
        | of_row(_consents, consents.written(tx, Whose.LEAD, lead["id"], Agreed.SHARING, version))
        | of_row(_events, events.written(tx, ANYBODY, "lead.submitted", lead["id"], submitted))
        | of_row(_notifications, mail)
    )


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


class Running(Protocol):
    """What is told of the request that a business has running already."""

    id: Any
    reference: Any
    contact_email: Any


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
