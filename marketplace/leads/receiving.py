"""A form that has to be confirmed comes in: locked, looked at and written by one statement each.

What a form leads to is known before anything is written: the lead, the consent, the event and the
mail with the link. So they go to PostgreSQL together, whatever else there is to do for any of them.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Text, bindparam, func, literal, select

from marketplace.core import consents, events
from marketplace.core.actors import ANYBODY
from marketplace.core.agreements import Agreed
from marketplace.core.consents import Consent, Whose
from marketplace.core.context import Transaction
from marketplace.core.db import one_of
from marketplace.core.direct import Direct, of_row, one_row_each
from marketplace.core.events import Event
from marketplace.core.jobs import Job
from marketplace.core.links import Purpose
from marketplace.leads.intake import COLUMNS, fresh_reference
from marketplace.leads.models import Lead
from marketplace.leads.rules import UNFINISHED
from marketplace.notifications import caps
from marketplace.notifications import service as notifications
from marketplace.notifications.models import Notification
from marketplace.notifications.service import LinkTo, Message, Recipient

_leads: Any = Lead.__table__
_consents: Any = Consent.__table__
_events: Any = Event.__table__
_notifications: Any = Notification.__table__


def _lock(name: str) -> Any:
    return func.pg_advisory_xact_lock(func.hashtextextended(bindparam(name, type_=Text()), 0))


_LOCK = Direct(select(_lock("business").label("business"), _lock("mailbox").label("inbox")))
"""In this order, as everywhere; of a mailbox that is not counted, none."""

_LOOK = Direct(
    select(
        select(literal(1))
        .where(
            _leads.c.business_key == bindparam("business_key", type_=Text()),
            one_of(_leads.c.state, *UNFINISHED),
        )
        .exists()
        .label("is_running"),
        select(literal(1))
        .where(_leads.c.reference == bindparam("reference", type_=Text()))
        .exists()
        .label("is_taken"),
        caps.IS_OVER.label("is_over"),
    )
)
"""Behind the locks, so that it sees what whoever held them before wrote."""

_WRITE = Direct(
    one_row_each(
        (_leads, COLUMNS),
        (_consents, consents.COLUMNS),
        (_events, events.COLUMNS),
        (_notifications, (*notifications.COLUMNS, "last_error")),
    )
)


def receive(tx: Transaction, lead: dict[str, Any]) -> str | None:
    """Write a lead down by its columns, and mail the link that confirms it; return its reference.

    None, and nothing is written, where the business has a request running.
    """
    mail = notifications.written(tx, asking_to_confirm(lead, "confirm_request"))
    inbox = mail["mailbox"] and caps.lock_key(mail["mailbox"])
    _LOCK.rows(tx.session, {"business": lead["business_key"], "mailbox": inbox})
    wanted = {
        "business_key": lead["business_key"],
        "reference": lead["reference"],
        **caps.counting(tx, mail),
    }
    [found] = _LOOK.rows(tx.session, wanted)
    if found.is_running:
        return None
    if found.is_taken:
        return receive(tx, {**lead, "reference": fresh_reference()})
    version = lead["consent"]["terms_version"]
    submitted = {"service": lead["service"]}
    _WRITE.run(
        tx.session,
        of_row(_leads, lead)
        | of_row(_consents, consents.written(tx, Whose.LEAD, lead["id"], Agreed.SHARING, version))
        | of_row(_events, events.written(tx, ANYBODY, "lead.submitted", lead["id"], submitted))
        | of_row(_notifications, caps.held_back(mail) if found.is_over else mail),
    )
    if found.is_over:
        caps.note_held_back(tx, [mail["id"]])
    tx.afterwards(Job.DELIVER_NOTIFICATIONS)
    return str(lead["reference"])


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
