"""How often anybody may knock, in one table: generous for people, tight for machines.

Every route has a line: its own, or that of everything that writes or reads. A line says what holds
while Redis is away:

`OPEN` each process counts in its own memory, so that whoever is turned away is one who knocks much
too often at one of them: for what a business or a provider would miss, where a few times as many
knocks gain nobody anything.

`CLOSED` it is answered by 503 until Redis is back: for what sends mail, or a call, to wherever
somebody says. Whoever could stop Redis would gain more of these, and whoever waits loses a moment.
(How much mail one mailbox gets is counted in PostgreSQL, whatever Redis does.)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class WithoutRedis(StrEnum):
    """What becomes of a route while nobody can count over all processes."""

    OPEN = "open"
    CLOSED = "closed"


OPEN, CLOSED = WithoutRedis.OPEN, WithoutRedis.CLOSED


@dataclass(frozen=True)
class Line:
    """How often one party may: `10 per minute; 40 per hour`. Routes of one scope count together."""

    scope: str
    limits: str
    without_redis: WithoutRedis
    why: str
    """Why it is open or closed without Redis; of what is not counted at all, why not."""
    by_person: bool = False
    """Whether each of a provider's people is counted alone: no colleague, and no software of theirs
    that runs wild or was stolen, keeps an owner from shutting it out."""

    @property
    def is_exempt(self) -> bool:
        return not self.limits


def _uncounted(why: str) -> Line:
    return Line("none", "", OPEN, why)


_FORM = Line(
    "lead form",
    "20 per minute; 100 per hour",
    OPEN,
    "a lead matters more than a limit; its mails are capped in PostgreSQL, and spam is held",
)
_CONFIRM = Line(
    "links of mails",
    "30 per minute; 300 per hour",
    OPEN,
    "the link holds 128 random bits, so guessing gains nothing, and a business waits behind it",
)
_SIGN_IN = Line(
    "sign in",
    "20 per minute; 120 per hour",
    OPEN,
    "guesses at one account are throttled by each process; closed, nobody could answer in time",
)
_PASSWORD = Line(
    "set a password",
    "20 per minute; 120 per hour",
    OPEN,
    "the link holds 128 random bits; what it costs, one slow hash, is bounded by the threads",
    by_person=True,
)
_SHUT = Line(
    "shutting out",
    "60 per minute",
    OPEN,
    "a key or a session that somebody has stolen must end at once",
    by_person=True,
)
_LINK_ASKED = Line(
    "links asked for",
    "10 per minute; 40 per hour",
    CLOSED,
    "it mails whatever address it is given; its owner asks again a moment later",
)
_JOIN = Line(
    "applications",
    "10 per minute; 40 per hour",
    CLOSED,
    "it mails whatever address it is given, and people read it; it can wait",
)
_INVITE = Line(
    "invitations to a team",
    "10 per minute; 40 per hour",
    CLOSED,
    "it mails whatever address it is given; a colleague can wait a moment",
)
_NOT_OURS = Line(
    "reports of strangers' requests",
    "10 per minute; 40 per hour",
    OPEN,
    "it takes a link that was mailed, and mails administrators alone",
)
_REMINDERS = Line(
    "reminders",
    "20 per minute; 100 per hour",
    OPEN,
    "it takes a request's token, and mails its own contact alone",
)
_PAPER = Line(
    "papers",
    "20 per minute; 100 per hour",
    OPEN,
    "each is set in a process of its own, with memory and seconds at most, few at a time",
)
_UPLOAD = Line(
    "uploads",
    "60 per minute; 300 per hour",
    OPEN,
    "a quote must get through; files are bounded in size, number and time to look into them",
)
_CALL = Line(
    "trial calls",
    "10 per minute; 40 per hour",
    CLOSED,
    "it calls an address that its owner named; trying can wait",
)
_INBOX = Line(
    "inbox",
    "60 per minute; 1500 per hour",
    OPEN,
    "an invitation must be seen in time; of what is seen the database keeps count",
)
_REPORT = Line(
    "reports",
    "30 per minute; 300 per hour",
    OPEN,
    "administrators, or a provider about itself: few, and known",
)
_SEARCH = Line(
    "searches",
    "60 per minute; 1000 per hour",
    OPEN,
    "administrators alone, by an index",
)
_CHECKS = Line(
    "checks while typing",
    "60 per minute",
    OPEN,
    "it says what the form says when it is sent, and writes nothing",
)
_DOWNLOAD = Line(
    "downloads",
    "60 per minute; 600 per hour",
    OPEN,
    "files come out of the database as they are",
)

WRITES = Line(
    "writes",
    "120 per minute",
    OPEN,
    "whoever gets here is known, and an answer to a lead must get through",
)
"""Everything that changes something and has no line of its own."""

READS = Line("reads", "600 per minute", OPEN, "pages must show", by_person=True)
"""Everything else."""

AT_THE_DOOR = Line(
    "refused at the door",
    "120 per minute",
    OPEN,
    "a credential holds 128 random bits, so guessing gains nothing; the answer is a refusal anyway",
)
"""Whoever knocks at a door without the credential for it, by address."""

LIMITS: Mapping[tuple[str, str], Line] = {
    ("POST", "/"): _FORM,
    ("POST", "/embed"): _FORM,
    ("POST", "/api/v1/leads"): _FORM,
    ("GET", "/checks/number"): _CHECKS,
    ("GET", "/checks/region"): _CHECKS,
    ("POST", "/api/v1/leads/confirmations"): _CONFIRM,
    ("POST", "/requests/confirm"): _CONFIRM,
    ("POST", "/requests/confirm/<token>"): _CONFIRM,
    ("POST", "/requests/confirm/erase"): _CONFIRM,
    ("POST", "/reminders"): _CONFIRM,
    ("POST", "/come-back"): _CONFIRM,
    ("POST", "/requests/not-ours"): _NOT_OURS,
    ("POST", "/requests/link"): _LINK_ASKED,
    ("POST", "/forgot-password"): _LINK_ASKED,
    ("POST", "/api/v1/password-resets"): _LINK_ASKED,
    ("POST", "/sign-in"): _SIGN_IN,
    ("POST", "/api/v1/sessions"): _SIGN_IN,
    ("POST", "/api/v1/sessions/proof"): _PASSWORD,
    ("PUT", "/api/v1/password-resets"): _PASSWORD,
    ("POST", "/set-password"): _PASSWORD,
    ("POST", "/set-password/<token>"): _PASSWORD,
    ("PUT", "/api/v1/account/password"): _PASSWORD,
    ("POST", "/account/password"): _PASSWORD,
    ("POST", "/account/proof"): _PASSWORD,
    ("PUT", "/api/v1/account/second-factor"): _PASSWORD,
    ("POST", "/account/second-factor"): _PASSWORD,
    ("POST", "/api/v1/account/second-factor/removal"): _PASSWORD,
    ("POST", "/account/second-factor/remove"): _PASSWORD,
    ("POST", "/api/v1/account/recovery-codes"): _PASSWORD,
    ("POST", "/account/recovery-codes"): _PASSWORD,
    ("POST", "/account/sessions/end"): _PASSWORD,
    ("POST", "/account/sessions/<uuid:session_id>/end"): _PASSWORD,
    ("DELETE", "/api/v1/account"): _PASSWORD,
    ("POST", "/account/data/erase"): _PASSWORD,
    ("DELETE", "/api/v1/portal/provider"): _PASSWORD,
    ("POST", "/account/data/leave"): _PASSWORD,
    ("POST", "/account/email"): _INVITE,
    ("POST", "/api/v1/account/email-change"): _INVITE,
    ("POST", "/email-change"): _CONFIRM,
    ("POST", "/email-change/stop"): _CONFIRM,
    ("POST", "/api/v1/email-changes/confirmations"): _CONFIRM,
    ("POST", "/api/v1/email-changes/refusals"): _CONFIRM,
    ("DELETE", "/api/v1/sessions"): _SHUT,
    ("DELETE", "/api/v1/sessions/<uuid:session_id>"): _SHUT,
    ("DELETE", "/api/v1/sessions/current"): _SHUT,
    ("DELETE", "/api/v1/portal/api-keys/<uuid:key_id>"): _SHUT,
    ("POST", "/portal/software/keys/<uuid:key_id>/revoke"): _SHUT,
    ("DELETE", "/api/v1/portal/team/<uuid:member_id>"): _SHUT,
    ("POST", "/portal/team/<uuid:user_id>/remove"): _SHUT,
    ("POST", "/join"): _JOIN,
    ("POST", "/join/withdraw"): _CONFIRM,
    ("POST", "/api/v1/provider-applications/withdrawals"): _CONFIRM,
    ("POST", "/api/v1/provider-applications"): _JOIN,
    ("POST", "/portal/team"): _INVITE,
    ("POST", "/admin/people"): _INVITE,
    ("POST", "/admin/people/<uuid:user_id>/link"): _INVITE,
    ("POST", "/api/v1/admin/people"): _INVITE,
    ("POST", "/api/v1/portal/team"): _INVITE,
    ("POST", "/portal/team/invitations/<uuid:invitation_id>/again"): _INVITE,
    ("POST", "/portal/team/<uuid:user_id>/link"): _INVITE,
    ("PUT", "/api/v1/request/reminders"): _REMINDERS,
    ("POST", "/requests/reminders"): _REMINDERS,
    ("GET", "/requests/comparison.pdf"): _PAPER,
    ("GET", "/api/v1/request/comparison.pdf"): _PAPER,
    ("GET", "/admin/leads/<uuid:lead_id>/comparison.pdf"): _PAPER,
    ("GET", "/api/v1/admin/leads/<uuid:lead_id>/comparison.pdf"): _PAPER,
    ("POST", "/api/v1/portal/invitations/<uuid:invitation_id>/attachments"): _UPLOAD,
    ("POST", "/portal/invitations/<uuid:invitation_id>/quote"): _UPLOAD,
    ("POST", "/portal/invitations/<uuid:invitation_id>/quote/attachments"): _UPLOAD,
    ("POST", "/portal/invitations/<uuid:invitation_id>/quote/draft"): _UPLOAD,
    ("POST", "/portal/invitations/<uuid:invitation_id>/quote/sum"): _UPLOAD,
    ("POST", "/portal/accreditations"): _UPLOAD,
    ("POST", "/portal/accreditations/<uuid:accreditation_id>/evidence"): _UPLOAD,
    ("POST", "/api/v1/portal/accreditations"): _UPLOAD,
    ("POST", "/portal/software/webhook/test"): _CALL,
    ("POST", "/api/v1/portal/webhook/test"): _CALL,
    ("GET", "/portal"): _INBOX,
    ("GET", "/portal/invitations/<uuid:invitation_id>"): _INBOX,
    ("GET", "/api/v1/portal/invitations"): _INBOX,
    ("GET", "/api/v1/portal/invitations/<uuid:invitation_id>"): _INBOX,
    ("GET", "/admin/search"): _SEARCH,
    ("GET", "/admin/leads"): _SEARCH,
    ("GET", "/admin/providers"): _SEARCH,
    ("GET", "/api/v1/admin/leads"): _SEARCH,
    ("GET", "/api/v1/admin/providers"): _SEARCH,
    ("GET", "/admin/reports"): _REPORT,
    ("GET", "/admin/reports/<name>.csv"): _REPORT,
    ("GET", "/admin/reports/commitment.svg"): _REPORT,
    ("GET", "/admin/reports/coverage"): _REPORT,
    ("GET", "/admin/reports/fairness"): _REPORT,
    ("GET", "/admin/reports/fairness.svg"): _REPORT,
    ("GET", "/admin/reports/funnel"): _REPORT,
    ("GET", "/admin/reports/retention"): _REPORT,
    ("GET", "/admin/reports/quotes"): _REPORT,
    ("GET", "/api/v1/admin/reports/commitment"): _REPORT,
    ("GET", "/api/v1/admin/reports/coverage"): _REPORT,
    ("GET", "/api/v1/admin/reports/fairness"): _REPORT,
    ("GET", "/api/v1/admin/reports/funnel"): _REPORT,
    ("GET", "/api/v1/admin/reports/retention"): _REPORT,
    ("GET", "/requests/personal-data/download"): _DOWNLOAD,
    ("GET", "/api/v1/request/personal-data"): _DOWNLOAD,
    ("GET", "/account/data/download"): _DOWNLOAD,
    ("GET", "/api/v1/account/personal-data"): _DOWNLOAD,
    ("GET", "/api/v1/admin/reports/quotes"): _REPORT,
    ("GET", "/api/v1/admin/leads/<uuid:lead_id>/matching"): _REPORT,
    ("GET", "/portal/statement"): _REPORT,
    ("GET", "/portal/statement/chart.svg"): _REPORT,
    ("GET", "/api/v1/portal/statement"): _REPORT,
    ("GET", "/admin/leads/<uuid:lead_id>/attachments/<uuid:attachment_id>"): _DOWNLOAD,
    ("GET", "/api/v1/admin/leads/<uuid:lead_id>/attachments/<uuid:attachment_id>"): _DOWNLOAD,
    (
        "GET",
        "/admin/providers/<uuid:provider_id>/accreditations/<uuid:accreditation_id>/evidence",
    ): _DOWNLOAD,
    ("GET", "/api/v1/admin/accreditations/<uuid:accreditation_id>/evidence"): _DOWNLOAD,
    ("GET", "/portal/accreditations/<uuid:accreditation_id>/evidence"): _DOWNLOAD,
    ("GET", "/api/v1/portal/accreditations/<uuid:accreditation_id>/evidence"): _DOWNLOAD,
    (
        "GET",
        "/portal/invitations/<uuid:invitation_id>/quote/attachments/<uuid:attachment_id>",
    ): _DOWNLOAD,
    (
        "GET",
        "/api/v1/portal/invitations/<uuid:invitation_id>/attachments/<uuid:attachment_id>",
    ): _DOWNLOAD,
    ("GET", "/requests/attachments/<uuid:attachment_id>"): _DOWNLOAD,
    ("GET", "/api/v1/request/attachments/<uuid:attachment_id>"): _DOWNLOAD,
    ("POST", "/api/v1/hooks/sendgrid"): _uncounted(
        "the mail service reports in bursts from few addresses; its signature is checked first"
    ),
    ("POST", "/reminders/<token>/stop"): _uncounted(
        "a large mail service asks for all of its users from few addresses (RFC 8058)"
    ),
    ("GET", "/static/<path:filename>"): _uncounted("files that browsers keep for a year"),
    ("GET", "/healthz"): _uncounted("whoever watches the site must get through"),
    ("GET", "/readyz"): _uncounted("whoever watches the site must get through"),
    ("GET", "/metrics"): _uncounted("answers from inside alone"),
}
"""The lines of their own, by method and route: an office behind one address gets by."""

SAFE = ("GET", "HEAD", "OPTIONS")


def line_of(method: str, route: str) -> Line:
    """Return the line that a request is counted by; a `HEAD` works as hard as a `GET`."""
    asked = "GET" if method == "HEAD" else method
    return LIMITS.get((asked, route)) or (READS if method in SAFE else WRITES)
