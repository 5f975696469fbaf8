"""Send what reminders are due, once each, and forget certificates that are over."""

from uuid import UUID

from marketplace.core.actors import SYSTEM
from marketplace.core.context import Context, Transaction
from marketplace.core.events import record
from marketplace.core.links import Purpose
from marketplace.core.sweeps import sweep
from marketplace.leads import certificates, cycle
from marketplace.leads.cycle import Milestone, ReminderEvent, ReminderState
from marketplace.leads.models import Certificate, CertificateReminder
from marketplace.notifications.service import LinkTo, notify


def remind_of_certificates(ctx: Context) -> int:
    """Send what reminders are due, move those whose dates moved, and forget what is over."""
    return sweep(
        ctx,
        "remind_of_certificates",
        lambda session, now, limit: certificates.certificates_to_go_on_with(
            session, now=now, limit=limit
        ),
        _go_on,
    )


def _go_on(tx: Transaction, certificate_id: UUID) -> None:
    certificate = certificates.lock_certificate(tx.session, certificate_id)
    if certificate is None:
        return
    if tx.now >= certificate.forget_at:
        certificates.forget(tx, SYSTEM, certificate, why="over")
        return
    if certificates.plan_where_outdated(tx, certificate):
        record(tx, SYSTEM, "reminders.moved", certificate.lead_id)
    due = [
        each
        for each in certificates.reminders_of(tx.session, certificate.id)
        if each.state is ReminderState.WAITING and each.due_at <= tx.now
    ]
    if due:
        _remind(tx, certificate, due)


def _remind(tx: Transaction, certificate: Certificate, due: list[CertificateReminder]) -> None:
    """Say in one mail what of these has not passed yet."""
    today = certificates.today_of(certificate, tx.now)
    ahead = [each for each in due if cycle.still_ahead(each.dates, today)]
    for each in due:
        event = ReminderEvent.SEND if each in ahead else ReminderEvent.SKIP
        each.apply(event, now=tx.now)
        record(tx, SYSTEM, f"reminders.{each.state}", certificate.lead_id, dates=len(each.about))
    dates = cycle.still_ahead((date_ for each in ahead for date_ in each.dates), today)
    if not dates:
        return
    said = [cycle.in_words(each) for each in sorted(dates, key=lambda each: each.on)]
    notify(
        tx,
        "cycle_reminder",
        certificates.recipient_of(certificate),
        certificate.id,
        occasion=str(ahead[0].id),
        link=LinkTo(Purpose.ASK_AGAIN, certificate.id, certificate.forget_at),
        standards=certificate.standards,
        dates=said,
        seeks_body=any(each.what is Milestone.CERTIFICATION for each in dates),
        agreed_on=certificates.agreed_on(certificate).isoformat(),
    )
