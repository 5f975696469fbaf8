"""What the mail service reports about messages that it was given: delivered, bounced, dropped."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from marketplace.core.actors import SYSTEM
from marketplace.core.context import Context, Transaction
from marketplace.notifications import queries, rules, suppressions
from marketplace.notifications.forgetting import EMPTIED, empty
from marketplace.notifications.models import Notification
from marketplace.notifications.rules import NotificationEvent
from marketplace.notifications.service import move
from marketplace.notifications.suppressions import Cause


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
    """Let the messages move as reported, and stop mail to addresses that will not have it.

    What is reported twice, late, or of a message that is not known changes nothing. A thousand
    reports take a handful of statements.
    """
    with ctx.transaction() as tx:
        known = queries.lock_notifications(tx.session, {each.notification_id for each in reports})
        tx.session.expunge_all()  # they are written back all together
        moved = {
            report.notification_id
            for report in reports
            if report.notification_id in known and _note(tx, known[report.notification_id], report)
        }
        suppressions.suppress_for(tx, list(_causes(reports, known)))
        last_words = [known[each] for each in moved if known[each].is_last_word]
        for notification in last_words:
            empty(notification)
        queries.write_back(tx.session, [known[each] for each in moved], _MOVED)
        queries.write_back(tx.session, last_words, EMPTIED)


_MOVED = ("state", "sent_at", "delivered_at", "last_error")
"""What a report changes."""


def _causes(reports: Sequence[Report], known: Mapping[UUID, Notification]) -> Iterator[Cause]:
    for report in reports:
        reason = rules.suppression_after(report.event, report.kind)
        if reason is not None and report.notification_id in known:
            yield Cause(known[report.notification_id], reason)


def _note(tx: Transaction, notification: Notification, report: Report) -> bool:
    """Let the message move as reported; return whether it did."""
    event = rules.EVENT_OF_REPORT.get(report.event)
    if event is None or not rules.NOTIFICATION_LIFECYCLE.allows(notification.state, event):
        return False
    facts = {name: said for name in ("kind", "code") if (said := getattr(report, name))}
    move(tx, notification, event, SYSTEM, **facts)
    notification.sent_at = notification.sent_at or tx.now
    if event is NotificationEvent.DELIVER:
        notification.delivered_at = tx.now
    if event in (NotificationEvent.BOUNCE, NotificationEvent.DROP):
        notification.last_error = " ".join([report.event, *facts.values()])
    return True
