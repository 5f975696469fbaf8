"""The certificates of whose dates businesses want to be reminded: what is kept, planned, forgotten.

By consent alone, and apart from the request that was awarded, which may be forgotten before.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import and_, any_, delete, func, literal_column, or_, select
from sqlalchemy.orm import Session

from marketplace.catalogue import queries as catalogue
from marketplace.catalogue.models import Standard
from marketplace.core import consents
from marketplace.core.actors import Actor
from marketplace.core.agreements import Agreed
from marketplace.core.consents import Whose
from marketplace.core.context import Transaction
from marketplace.core.db import Json, new_id, one_of
from marketplace.core.events import record
from marketplace.core.links import Purpose, link_for
from marketplace.core.policy import Policy
from marketplace.leads import cycle
from marketplace.leads.cycle import Due, Planned, ReminderState, Replaced
from marketplace.leads.models import Certificate, CertificateReminder, Lead
from marketplace.notifications.forgetting import forget_messages
from marketplace.notifications.service import Recipient


def certificate_of_lead(session: Session, lead_id: UUID) -> Certificate | None:
    """Return the certificate of whose dates this request's business wants to be reminded."""
    return session.scalar(select(Certificate).where(Certificate.lead_id == lead_id))


def certificate_by_link(
    session: Session, purpose: Purpose, token: str, *, now: datetime
) -> Certificate | None:
    """Return the certificate that a link opens, using nothing up; None once it is forgotten."""
    link = link_for(session, purpose, token, now=now)
    return session.get(Certificate, link.subject_id) if link else None


def lock_certificate(session: Session, certificate_id: UUID) -> Certificate | None:
    """Hold the certificate until the transaction ends, read afresh. A lead is locked before it."""
    return session.get(Certificate, certificate_id, with_for_update=True, populate_existing=True)


def lock_certificates(session: Session, lead: Lead) -> dict[UUID, Certificate]:
    """Hold what is kept for a request, and for other ones of its business and contact.

    By request, and locked in the order of their ids.
    """
    of_business = select(Lead.id).where(Lead.business_key == lead.business_key)
    of_contact = func.lower(Certificate.contact_email) == lead.contact_email.lower()
    rows = session.scalars(
        select(Certificate)
        .where(
            or_(
                Certificate.lead_id == lead.id,
                and_(of_contact, Certificate.lead_id.in_(of_business)),
            )
        )
        .order_by(Certificate.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {each.lead_id: each for each in rows}


def reminders_of(session: Session, certificate_id: UUID) -> Sequence[CertificateReminder]:
    """Return the mails about a certificate, those that went out too, in order."""
    return session.scalars(
        select(CertificateReminder)
        .where(CertificateReminder.certificate_id == certificate_id)
        .order_by(CertificateReminder.due_at, CertificateReminder.id)
    ).all()


def last_sent(session: Session, certificate_id: UUID) -> CertificateReminder | None:
    """Return the mail about a certificate that went out last."""
    return session.scalar(
        select(CertificateReminder)
        .where(
            CertificateReminder.certificate_id == certificate_id,
            CertificateReminder.state == ReminderState.SENT,
        )
        .order_by(CertificateReminder.settled_at.desc(), CertificateReminder.id.desc())
        .limit(1)
    )


def today_of(certificate: Certificate, now: datetime) -> date:
    """Return which day it is where the business is."""
    return now.astimezone(ZoneInfo(certificate.time_zone)).date()


def recipient_of(certificate: Certificate) -> Recipient:
    return Recipient(certificate.contact_email, certificate.contact_name, certificate.time_zone)


def good_until(certificate: Certificate, policy: Policy) -> date:
    return cycle.good_until(certificate.certified_on, months=policy.certificate_months)


def dates_of(certificate: Certificate, policy: Policy) -> list[Due]:
    """Return all that falls due in the life of a certificate, as it was planned.

    Who had it when the reminders were agreed to had found somebody who certifies.
    """
    had_it = certificate.certified_on <= agreed_on(certificate)
    return cycle.falls_due(
        certificate.certified_on,
        _replaced(certificate),
        seeks_body=certificate.seeks_body and not had_it,
        certificate_months=policy.certificate_months,
        surveillance_months=policy.surveillance_months,
    )


def _replaced(certificate: Certificate) -> list[Replaced]:
    found = []
    for code, edition in certificate.editions.items():
        current, previous, last_audits, ends, published = certificate.planned_under[code]
        if edition == previous and edition != current:
            found.append(
                Replaced(
                    code,
                    current,
                    cycle.day_published(published),
                    last_audits and date.fromisoformat(last_audits),
                    ends and date.fromisoformat(ends),
                )
            )
    return found


def plan_where_outdated(tx: Transaction, certificate: Certificate) -> bool:
    """Plan anew if the catalogue says anything else than before; return whether. It is locked."""
    if said_now(tx.session, certificate.standards) == certificate.planned_under:
        return False
    plan(tx, certificate)
    return True


def said_now(session: Session, standards: Collection[str]) -> Json:
    """Return what the catalogue says of editions, as `Certificate.planned_under` keeps it."""
    known = catalogue.standards_by_code(session, standards)
    return {code: _facts(standard) for code, standard in known.items()}


def plan(tx: Transaction, certificate: Certificate) -> None:
    """Plan anew what is still to be said, by the dates and the catalogue of now. It is locked."""
    certificate.planned_under = said_now(tx.session, certificate.standards)
    after_it = good_until(certificate, tx.policy) + timedelta(days=1)
    certificate.forget_at = _moment(certificate, after_it) + tx.policy.certificate_remembered
    tx.session.add(certificate)
    tx.session.flush()
    tx.session.execute(
        delete(CertificateReminder).where(
            CertificateReminder.certificate_id == certificate.id,
            CertificateReminder.state == ReminderState.WAITING,
        )
    )
    sent = reminders_of(tx.session, certificate.id)
    mails = cycle.plan(
        dates_of(certificate, tx.policy),
        today=today_of(certificate, tx.now),
        months_before=tx.policy.reminded_months_before,
        together=tx.policy.reminders_together,
        told=[due for each in sent if each.state is ReminderState.SENT for due in each.dates],
    )
    tx.session.add_all([_reminder(certificate, mail, tx.policy) for mail in mails])
    tx.session.flush()


def _facts(standard: Standard) -> list[str | None]:
    days = (standard.last_new_certificate_to_previous, standard.transition_end)
    last_audits, ends = (day.isoformat() if day else None for day in days)
    return [standard.edition, standard.previous_edition, last_audits, ends, standard.published]


def _reminder(certificate: Certificate, mail: Planned, policy: Policy) -> CertificateReminder:
    return CertificateReminder(
        id=new_id(),
        certificate_id=certificate.id,
        due_at=_moment(certificate, mail.on, hour=policy.reminders_at_hour),
        state=ReminderState.WAITING,
        about=[each.as_json for each in mail.about],
    )


def _moment(certificate: Certificate, day: date, *, hour: int = 0) -> datetime:
    zone = ZoneInfo(certificate.time_zone)
    return datetime.combine(day, time(hour), tzinfo=zone).astimezone(UTC)


def forget(tx: Transaction, actor: Actor, certificate: Certificate, *, why: str) -> None:
    """Forget a certificate, what its mails said, and what of them is still to be sent. Locked."""
    forget_messages(tx, [certificate.id])
    tx.session.delete(certificate)
    tx.session.flush()
    code = why.replace(" ", "_")
    consents.withdraw(tx, Whose.LEAD, certificate.lead_id, Agreed.REMINDERS, door=code)
    tx.session.flush()
    if tx.session.get_one(Lead, certificate.lead_id).erased_at is not None:
        consents.forget_addresses(tx, [certificate.lead_id])
    record(tx, actor, "reminders.ended", certificate.lead_id, why=code)


# What `said_now` returns of one standard.
_SAID_NOW = func.jsonb_build_array(
    Standard.edition,
    Standard.previous_edition,
    Standard.last_new_certificate_to_previous,
    Standard.transition_end,
    Standard.published,
)
_OUTDATED = (
    select(literal_column("1"))
    .where(
        Standard.code == any_(Certificate.standards),
        Certificate.planned_under.op("->")(Standard.code).is_distinct_from(_SAID_NOW),
    )
    .correlate(Certificate)
    .exists()
)


def certificates_to_go_on_with(session: Session, *, now: datetime, limit: int) -> list[UUID]:
    """Return certificates with a mail that is due, that are over, or whose plan is outdated."""
    due = (
        select(CertificateReminder.certificate_id)
        .where(
            one_of(CertificateReminder.state, ReminderState.WAITING),
            CertificateReminder.due_at <= now,
        )
        .order_by(CertificateReminder.due_at)
        .limit(limit)
    )
    over = (
        select(Certificate.id)
        .where(Certificate.forget_at <= now)
        .order_by(Certificate.forget_at)
        .limit(limit)
    )
    outdated = select(Certificate.id).where(_OUTDATED).limit(limit)
    found: list[UUID] = []
    for question in (due, over, outdated):
        if len(found) < limit:
            found = list(dict.fromkeys([*found, *session.scalars(question)]))
    return found[:limit]


def shown(session: Session, certificate: Certificate, policy: Policy) -> dict[str, Any]:
    """Return what a business (or an administrator) sees of its reminders."""
    return {
        "certified_on": certificate.certified_on,
        "good_until": good_until(certificate, policy),
        "standards": certificate.standards,
        "editions": certificate.editions,
        "agreed": _agreed(certificate),
        "time_zone": certificate.time_zone,
        "dates": dates_of(certificate, policy),
        "reminders": [
            {"due_at": each.due_at, "state": each.state, "dates": each.dates}
            for each in reminders_of(session, certificate.id)
        ],
    }


def reminders_for_lead(session: Session, lead_id: UUID, policy: Policy) -> dict[str, Any] | None:
    """Return what is seen of a request's reminders, if any are wanted."""
    certificate = certificate_of_lead(session, lead_id)
    return shown(session, certificate, policy) if certificate else None


def standards_of_lead(session: Session, lead: Lead) -> list[Standard]:
    """Return the standards of a request whose certificates live by cycles of three years."""
    known = catalogue.standards_by_code(session, lead.standards)
    return [known[code] for code in lead.standards if known[code].has_three_year_cycle]


def may_be_reminded(session: Session, lead: Lead) -> bool:
    """Return whether there is anything to remind the business of a request of, once it agrees."""
    return lead.taken_invitation_id is not None and bool(standards_of_lead(session, lead))


def agreed_on(certificate: Certificate) -> date:
    """Return on which day the business agreed, where it is."""
    return today_of(certificate, _agreed(certificate)["at"])


def _agreed(certificate: Certificate) -> Json:
    consent = certificate.consent
    return {"wording": consent["wording"], "at": datetime.fromisoformat(consent["at"])}
