"""What the mail service reports about messages that it was given: delivered, bounced, dropped."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from marketplace.core.actors import SYSTEM
from marketplace.core.context import Context, Transaction
from marketplace.notifications import queries, rules
from marketplace.notifications.models import Notification
from marketplace.notifications.rules import NotificationEvent
from marketplace.notifications.service import move


@dataclass(frozen=True)
class Report:
    """One thing that the mail service says about one message. The codes name nobody."""

    notification_id: UUID
    event: str
    at: int
    """Seconds since 1970, by their clock: only good for telling earlier from later."""
    kind: str = ""
    """Of a bounce: `bounce` (hard) or `blocked`."""
    code: str = ""
    """The receiving server's enhanced status, such as `5.1.1`."""


def reports_in(body: Iterable[Any]) -> list[Report]:
    """Return the reports in an event body that are about a message of ours, earliest first."""
    reports = [report for entry in body if (report := _report(entry)) is not None]
    return sorted(reports, key=lambda report: report.at)


def _report(entry: Any) -> Report | None:
    if not isinstance(entry, dict):
        return None
    try:
        notification_id = UUID(str(entry.get("notification_id")))
    except ValueError:
        return None
    at, code = entry.get("timestamp"), str(entry.get("status", ""))
    return Report(
        notification_id,
        event=str(entry.get("event", "")),
        at=at if isinstance(at, int) else 0,
        kind=entry["type"] if entry.get("type") in ("bounce", "blocked") else "",
        code=code if re.fullmatch(r"[0-9.]{1,20}", code) else "",
    )


def note_reports(ctx: Context, reports: Sequence[Report]) -> None:
    """Let the messages move as reported.

    What is reported twice, late, or of a message that is not known changes nothing.
    """
    with ctx.transaction() as tx:
        ids = {report.notification_id for report in reports}
        known = queries.lock_notifications(tx.session, ids)
        for report in reports:
            notification = known.get(report.notification_id)
            if notification is not None:
                _note(tx, notification, report)


def _note(tx: Transaction, notification: Notification, report: Report) -> None:
    event = rules.EVENT_OF_REPORT.get(report.event)
    if event is None or not rules.NOTIFICATION_LIFECYCLE.allows(notification.state, event):
        return
    facts = {name: said for name in ("kind", "code") if (said := getattr(report, name))}
    move(tx, notification, event, SYSTEM, **facts)
    notification.sent_at = notification.sent_at or tx.now
    if event is NotificationEvent.DELIVER:
        notification.delivered_at = tx.now
    if event in (NotificationEvent.BOUNCE, NotificationEvent.DROP):
        notification.last_error = " ".join([report.event, *facts.values()])
