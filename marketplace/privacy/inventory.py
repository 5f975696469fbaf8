"""Every column that can hold a text or a file: whose it is, how protected, what becomes of it.

The classification of data (OWASP ASVS 5.0, 14.1.1), as data: retention, export and erasure are held
to it by `tests/services/test_inventory.py`, and a new column without a line here fails it.
`config/SECURITY.md` says what each class demands. States and kinds, which are codes by their type,
numbers, times and ids need no line.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Whose(StrEnum):
    """Whom it tells of."""

    BUSINESS = "business"
    """One that sent a form, and its people."""
    PROVIDER = "provider"
    """An organisation; of a person where it is `PERSONAL`: its contact."""
    USER = "user"
    """Somebody who signs in."""
    NOBODY = "nobody"


class Protection(StrEnum):
    """How it is protected."""

    SECRET = "secret"  # nosec B105  # a name, no secret
    """Opens something: kept as a hash or encrypted, shown to nobody, in no export and no log."""
    PERSONAL = "personal"
    """Identifies a person, or a business to those who must not know it: to those who need it."""
    WRITTEN = "written"
    """What somebody wrote or sent, which may say anything: treated as personal."""
    COMMERCIAL = "commercial"
    """Of an organisation's dealings: to the parties of the deal and to administrators."""
    PLAIN = "plain"
    """Codes, reference data and what the product itself says."""


class Fate(StrEnum):
    """What becomes of it when whom it tells of is erased, or its time is over."""

    EMPTIED = "emptied"
    """Replaced by nothing, or by a word that says so."""
    COVERED = "covered"
    """The words stay, with whoever is known by them covered."""
    DELETED = "deleted"
    """The row goes."""
    CUT = "cut"
    """An address on the network becomes its network; a name becomes its digest."""
    STAYS = "stays"


@dataclass(frozen=True)
class Line:
    """What is decided of one column."""

    whose: Whose
    protection: Protection
    fate: Fate
    until: str
    """The rule of `retention.py` that ends it, or in words what does."""

    @property
    def is_personal(self) -> bool:
        return self.protection in (Protection.PERSONAL, Protection.WRITTEN)


def _lines(
    table: str, columns: str, whose: Whose, protection: Protection, fate: Fate, until: str
) -> dict[str, Line]:
    return {f"{table}.{each}": Line(whose, protection, fate, until) for each in columns.split()}


_B, _P, _U, _N = Whose.BUSINESS, Whose.PROVIDER, Whose.USER, Whose.NOBODY
_SECRET, _PERSONAL, _WRITTEN = Protection.SECRET, Protection.PERSONAL, Protection.WRITTEN
_COMMERCIAL, _PLAIN = Protection.COMMERCIAL, Protection.PLAIN
_EMPTIED, _COVERED, _DELETED = Fate.EMPTIED, Fate.COVERED, Fate.DELETED
_CUT, _STAYS = Fate.CUT, Fate.STAYS
_LEADS = "finished_requests"
"""And sooner: `unconfirmed_forms`, `turned_away_requests`, or when its business asks for it."""

INVENTORY: Mapping[str, Line] = {
    # A business and its request.
    **_lines(
        "leads",
        "form company_name registration_number website contact_name contact_email contact_phone "
        "contact_role",
        _B, _PERSONAL, _EMPTIED, _LEADS,
    ),
    **_lines("leads", "consultants_used notes outcome_comment", _B, _WRITTEN, _EMPTIED, _LEADS),
    **_lines("leads", "finish_reason", _B, _WRITTEN, _COVERED, _LEADS),
    **_lines("leads", "business_key", _B, _PERSONAL, _CUT, "who_advised_whom"),
    **_lines("leads", "consent", _B, _PERSONAL, _CUT, _LEADS),
    **_lines("leads", "signals review_reasons", _B, _WRITTEN, _COVERED, _LEADS),
    **_lines(
        "leads",
        "reference country standards editions regions sector language time_zone source "
        "waiting_reason waiting_code",
        _B, _COMMERCIAL, _STAYS, "the figures",
    ),
    **_lines("consents", "address", _B, _PERSONAL, _CUT, "as long as what it proves"),
    **_lines("consents", "version words numbers door", _N, _PLAIN, _STAYS, "the proof"),
    **_lines(
        "certificates",
        "contact_name contact_email form consent",
        _B, _PERSONAL, _DELETED, "it is over, or stopped (`leads/reminding.py`)",
    ),
    **_lines(
        "certificates",
        "standards editions time_zone planned_under",
        _B, _COMMERCIAL, _DELETED, "it is over, or stopped",
    ),
    **_lines("certificate_reminders", "about", _B, _COMMERCIAL, _DELETED, "it is over, or stopped"),
    **_lines("commitments", "calendar policy", _N, _PLAIN, _STAYS, "the figures"),
    # What passes between a business and those that are invited.
    **_lines("questions", "text answer", _B, _WRITTEN, _EMPTIED, _LEADS),
    **_lines("invitations", "decline_comment", _B, _WRITTEN, _EMPTIED, _LEADS),
    **_lines("invitations", "by_hand_because withdrawn_because", _B, _WRITTEN, _COVERED, _LEADS),
    **_lines("quotes", "body", _B, _WRITTEN, _COVERED, _LEADS),
    **_lines("quotes", "kind currency", _P, _COMMERCIAL, _STAYS, "the figures"),
    **_lines("quote_drafts", "typed", _P, _WRITTEN, _DELETED, "drafts"),
    **_lines("attachments", "name content", _B, _WRITTEN, _DELETED, _LEADS),
    **_lines("attachments", "digest", _N, _PLAIN, _DELETED, _LEADS),
    **_lines("reviews", "comment report decision_reason", _B, _WRITTEN, _EMPTIED, _LEADS),
    **_lines("review_replies", "text report decision_reason", _B, _WRITTEN, _EMPTIED, _LEADS),
    **_lines("reviews", "doubts", _N, _PLAIN, _STAYS, "the figures"),
    **_lines("review_replies", "doubts", _N, _PLAIN, _STAYS, "the figures"),
    **_lines("misses", "objection", _B, _WRITTEN, _EMPTIED, _LEADS),
    **_lines("misses", "strike_reason uphold_reason", _B, _WRITTEN, _COVERED, _LEADS),
    **_lines("matching_runs", "by_hand_because", _B, _WRITTEN, _COVERED, _LEADS),
    **_lines(
        "matching_runs",
        "rule_version wanted funnel bench clashes market excluded outcome",
        _N, _PLAIN, _STAYS, "the figures",
    ),
    # Messages.
    **_lines(
        "notifications", "recipient recipient_name mailbox", _U, _PERSONAL, _EMPTIED, "messages",
    ),
    **_lines("notifications", "values last_error", _U, _WRITTEN, _EMPTIED, "messages"),
    **_lines("notifications", "template time_zone request_id", _N, _PLAIN, _STAYS, "the figures"),
    **_lines("notifications", "occasion path", _N, _PLAIN, _EMPTIED, "messages"),
    **_lines("mailbox_messages", "recipient", _U, _PERSONAL, _DELETED, "messages"),
    **_lines("mailbox_messages", "sealed", _U, _SECRET, _DELETED, "messages"),
    **_lines("mailbox_messages", "template", _N, _PLAIN, _DELETED, "messages"),
    **_lines("mail_pauses", "channel reason", _N, _PLAIN, _DELETED, "mail goes out again"),
    **_lines("suppressions", "address", _U, _PERSONAL, _DELETED, "suppressions"),
    **_lines("suppressions", "lifted_because", _U, _WRITTEN, _DELETED, "suppressions"),
    **_lines("links", "token_hash", _N, _SECRET, _DELETED, "links"),
    # People who sign in.
    **_lines("users", "email name", _U, _PERSONAL, _EMPTIED, "people_let_out"),
    **_lines(
        "users", "password_hash totp_secret totp_sealed",
        _U, _SECRET, _EMPTIED, "people_let_out",
    ),
    **_lines("sign_ins", "token_hash", _U, _SECRET, _DELETED, "sign_ins"),
    **_lines("sign_ins", "device network", _U, _PERSONAL, _DELETED, "sign_ins"),
    **_lines("email_changes", "email", _U, _PERSONAL, _DELETED, "email_changes"),
    **_lines("recovery_codes", "code_hash", _U, _SECRET, _DELETED, "people_let_out"),
    **_lines("known_devices", "mark_hash", _U, _SECRET, _DELETED, "devices"),
    **_lines("api_keys", "token_hash", _P, _SECRET, _STAYS, "it is revoked"),
    **_lines("api_keys", "scopes", _N, _PLAIN, _STAYS, "the provider"),
    **_lines("api_keys", "name", _P, _COMMERCIAL, _STAYS, "the provider"),
    **_lines("team_invitations", "email name", _U, _PERSONAL, _DELETED, "team_invitations"),
    # Providers.
    **_lines(
        "providers", "contact_name contact_email contact_phone",
        _P, _PERSONAL, _EMPTIED, "rejected_applications",
    ),
    **_lines(
        "providers",
        "name name_key country registration_number legal_entity website state_reason",
        _P, _COMMERCIAL, _STAYS, "those that were invited beside it",
    ),
    **_lines("coverage", "standards regions sectors languages", _P, _PLAIN, _STAYS, "the provider"),
    **_lines("coverage_entries", "region standard", _P, _PLAIN, _STAYS, "the provider"),
    **_lines(
        "accreditations",
        "body standard edition certificate_number sectors expiry_told",
        _P, _COMMERCIAL, _STAYS, "the provider",
    ),
    **_lines("accreditation_checks", "source", _P, _COMMERCIAL, _STAYS, "the provider"),
    **_lines(
        "evidence_files", "name media_type content",
        _P, _COMMERCIAL, _DELETED, "rejected_applications",
    ),
    **_lines("webhooks", "url switched_off_because", _P, _COMMERCIAL, _STAYS, "the provider"),
    **_lines("webhooks", "sealed_secret", _P, _SECRET, _STAYS, "the provider"),
    # What the product needs for itself.
    **_lines(
        "events", "actor_kind verb facts request_id", _N, _PLAIN, _STAYS, "the audit log",
    ),
    **_lines("event_seals", "hash", _N, _PLAIN, _STAYS, "the audit log"),
    **_lines("events", "address", _U, _PERSONAL, _STAYS, "the audit log, as a network"),
    **_lines(
        "idempotent_requests", "scope_hash body_hash",
        _N, _SECRET, _DELETED, "`idempotency_window`",
    ),
    **_lines("idempotent_requests", "answer", _U, _WRITTEN, _DELETED, "`idempotency_window`"),
    **_lines("embedding_sites", "origin name", _N, _COMMERCIAL, _STAYS, "it is taken off"),
}  # fmt: skip
"""By `table.column`."""

WITHHELD: Mapping[str, str] = {
    "leads.business_key": "made of the number or the address, which are handed out",
    "leads.signals": "how far a form is trusted: who knows it forges the next one by it",
    "leads.review_reasons": "likewise",
    "leads.outcome_comment": "handed out as the outcome",
    "invitations.decline_comment": "a provider's word to administrators",
    "invitations.by_hand_because": "an administrator's reason, about the provider",
    "quotes.body": "handed out as the quote, without what adds up to it",
    "misses.objection": "a provider's word to administrators",
    "misses.strike_reason": "an administrator's reason, about the provider",
    "misses.uphold_reason": "likewise",
    "matching_runs.by_hand_because": "an administrator's reason, about the provider",
    "reviews.report": "a provider's word to administrators",
    "review_replies.report": "handed out with the review, where it is the business' own",
    "certificates.consent": "handed out among the consents",
    "leads.consent": "likewise",
}
"""Personal columns of a business that its export leaves out by name, and why."""

WITHHELD_FROM_USERS: Mapping[str, str] = {
    "mailbox_messages.recipient": "the message is handed out, and this copy is for development",
    "idempotent_requests.answer": "sealed by the token and the key of whoever sent it, for a day",
}
"""Personal columns of a user that their export leaves out by name, and why."""

CATALOGUE = frozenset({"accreditation_bodies", "audit_times", "regions", "sectors", "standards"})
"""Tables of reference data: all of them are `PLAIN`, and stay."""


def personal(whose: Whose, *fates: Fate) -> list[str]:
    """Return the columns that tell of such a one, in the order of the list; `fates`: only those."""
    return [
        column
        for column, line in INVENTORY.items()
        if line.whose is whose and line.is_personal and (not fates or line.fate in fates)
    ]
