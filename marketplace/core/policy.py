"""The numbers of the product: defaults here, some of them settings, none of them in a rule."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType

from marketplace.core.calendars import CalendarKind


@dataclass(frozen=True)
class Policy:
    """How long, how many, how much. A rule is given the number it needs."""

    places: int = 3
    """How many providers a lead is held out to at once; the database allows three at most."""
    max_invitations: int = 9
    """How many invitations one lead may lead to in all, replacements included."""
    bench_size: int = 64
    """Over how many eligible providers of a lead the fair turn runs."""
    funnel_sample: int = 256
    """Over how many providers the funnel of a run is counted; where there are no more, over all."""
    band_points: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """What each `matching.bands.Lack` costs in bands, where it is not 1."""
    weeks_of_timeframe: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType(
            {"asap": 4, "3_months": 13, "6_months": 26, "12_months": 52}
        )
    )
    """Within how many weeks work should begin where a business says so; not named: no matter."""
    record_prior: tuple[float, float] = (8.0, 2.0)
    """What is believed of a provider without a record: so many answered, so many missed."""
    record_fading: float = 0.98
    """What a remembered invitation still counts once another has ended: about the last fifty do."""
    weight_bounds: tuple[float, float] = (0.5, 1.25)
    """How far a record moves a provider's share of turns, at the least and at the most."""
    rematch_share: float = 0.1
    """A lead that waits is tried again after this share of the time that it has waited ..."""
    rematch_at_most: timedelta = timedelta(minutes=15)
    """... or after this, the sooner; and at once on anything that could help."""

    response_window: timedelta = timedelta(hours=24)
    """From a lead's opening to when the first response is due: the promise on the front page."""
    min_response_window: timedelta = timedelta(hours=8)
    """What a provider that is invited late gets all the same."""
    open_within: timedelta = timedelta(hours=12)
    """How long an invitation may stay unopened before its place is passed on."""
    remind_at: tuple[float, ...] = (0.5, 0.85)
    """Shares of an invitation's window at which its holder is reminded."""
    answer_within: timedelta = timedelta(hours=4)
    """How long a business may take over a question before the windows of all stand still ..."""
    extension_at_most: timedelta = timedelta(hours=48)
    """... which extends none of them by more than this in all ..."""
    extension_step: timedelta = timedelta(hours=1)
    """... and is written down this often while it lasts, and at its end."""
    misses_before_pause: int = 3
    """So many misses within `misses_window` pause a provider, until it says that it is back."""
    misses_window: timedelta = timedelta(days=30)
    """How long a miss counts towards a pause: up to its end, but not at it."""
    way_back_link_lives: timedelta = timedelta(days=180)
    """How long the link back in the notice of a pause works; in the portal the way stays open."""
    undecided_at_most: int = 15
    """So many live invitations a provider may have looked at and said neither yes nor no to, before
    it looks at another: more than anybody decides on at once."""
    looks_window: timedelta = timedelta(days=7)
    """Over so long it is looked at whether a provider answers what it looks at:"""
    looks_from: int = 20
    """from so many different invitations on ..."""
    looks_answered_share: float = 0.1
    """... administrators are told where fewer than this share were answered by more than a no."""
    at_risk_share: float = 0.25
    """A commitment without a response is at risk once less than this share of its time is left."""
    calendar: CalendarKind = CalendarKind.CLOCK_HOURS
    """In which time the windows of a lead and of its invitations count."""

    public_figures_from: int = 30
    """Over fewer requests than this the front page shows no figures of how the promise is kept."""

    quote_ranges_from: int = 5
    """From how many quotes on a range of prices or of audit days is shown ..."""
    quote_ranges_providers_from: int = 5
    """... and of how many providers ..."""
    quote_ranges_share_at_most: float = 0.5
    """... of which none made more than this share: else it would be the range of one of them."""
    size_bands: tuple[int, ...] = (1, 11, 26, 66, 126, 276, 626)
    """By what headcount businesses are of one size: the least of each band.

    Rows of the table of audit time for quality (IAF MD 5, QMS 1) taken together, none of them cut.
    """

    lead_confirmation: str = "required"
    lead_review: str = "auto"
    doubt_points: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType(
            {
                "honeypot_filled": 70,
                "seconds_to_fill": 50,
                "link_in_name": 60,
                "markup_in_notes": 50,
                "disposable_mail": 50,
                "phone_possible": 50,
                "same_text": 40,
                "links_in_notes": 35,
                "gibberish": 35,
                "from_network": 25,
                "unconfirmed": 25,
                "free_mail": 25,
                "domain_matches_website": 25,
                "completeness": 25,
                "odd_headcount": 15,
                "link_in_notes": 10,
                "phone_elsewhere": 10,
                "shouting": 10,
            }
        )
    )
    """What each doubt about a form (`leads.trust.DOUBTS`) counts ..."""
    held_from: int = 50
    """... from which sum on a person looks before it opens ..."""
    silent_from: int = 100
    """... and from which on nobody is mailed about it beyond its confirmation: it waits on the
    desk."""
    confirm_within: timedelta = timedelta(hours=72)
    """After this an unconfirmed form lapses, and its link with it."""
    lead_lifetime: timedelta = timedelta(days=30)
    """From opening to expiry, unless a live quote is valid for longer."""
    lead_lifetime_at_most: timedelta = timedelta(days=120)
    quote_stands_briefly: timedelta = timedelta(days=7)
    """Whoever compares is told of a quote that stands for less than this."""
    certificate_at_best: timedelta = timedelta(weeks=4)
    """From stage 1 to the certificate: two audits, what they find put right, and a decision ..."""
    certificate_as_a_rule: timedelta = timedelta(weeks=10)
    """... at the least, and as a rule (practice; no rule of accreditation says how long)."""
    consulting_slack: timedelta = timedelta(weeks=4)
    """How much more than it says a consulting project is allowed, before its date is tight."""
    contact_seen_after_loss: timedelta = timedelta(days=30)
    """How long a provider that accepted and was not chosen still sees who the business was."""
    request_link_lives_on: timedelta = timedelta(days=90)
    """How long a business can still look at a request that is finished."""

    outcome_asked_after: tuple[timedelta, ...] = (
        timedelta(days=7),
        timedelta(days=14),
        timedelta(days=28),
    )
    """So long after it could be decided a business is asked what came of its request."""

    rating_from: int = 3
    """Of fewer reviews than this no mean is shown: one voice would pass for a verdict."""
    reviews_shown: int = 5
    """How many reviews of a provider a business that it is invited for reads, the latest first."""

    impartiality_years: int = 2
    """Cooling-off after consultancy by a related body (ISO/IEC 17021-1, 5.2.7 and 5.2.10)."""

    expiry_told_before: tuple[int, ...] = (60, 30, 7)
    """So many days before an accreditation expires its holder is told."""
    expiry_told_within: timedelta = timedelta(days=7)
    """How late it is still told that matching has stopped, where no sweep came by before."""

    engagement: timedelta = timedelta(days=365)
    """How long a consultant that was chosen here is taken to advise the business."""

    certificate_months: int = 36
    """How long a certificate is good from the decision on (ISO/IEC 17021-1, 9.1.3.2)."""
    surveillance_months: int = 12
    """By when its first surveillance audit is due, and how far the others are apart (9.1.3.3)."""
    reminded_months_before: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType(
            {
                "certification": 6,
                "surveillance": 4,
                "recertification": 9,
                "edition_published": 0,
                "last_audits": 9,
                "edition_ends": 9,
            }
        )
    )
    """How long before each `leads.cycle.Milestone` its holder is reminded, where it wants that."""
    reminders_together: timedelta = timedelta(days=30)
    """Reminders that come within so many days of each other are one mail, at the first."""
    reminders_at_hour: int = 9
    """At which hour of the business' day a reminder goes out."""
    certified_ahead_months: int = 24
    """How far ahead the decision about a certificate may be expected."""
    certificate_remembered: timedelta = timedelta(days=30)
    """How long after a certificate's end its dates are kept: links that stop mail work as long."""
    reminders_wording: str = "2026-11"
    """Which words somebody agrees to who wants reminders."""

    proof_lasts: timedelta = timedelta(minutes=10)
    """For how long after a sign-in, or another proof of who one is, none is asked for again."""
    session_lifetime: timedelta = timedelta(hours=12)
    """A working day: after this everybody signs in anew ..."""
    session_idle: timedelta = timedelta(hours=2)
    """... and after so long in which nothing was done. What was typed meanwhile is kept."""
    sessions_at_most: int = 10
    """Where somebody is signed in at once; the oldest session ends for another one."""
    attempts_free: int = 5
    """How many wrong sign-ins, or other proofs of who somebody is, cost no wait ..."""
    attempt_waits: tuple[timedelta, ...] = tuple(
        timedelta(minutes=minutes) for minutes in (1, 2, 4, 8, 16, 32, 60)
    )
    """... and how long the next ones wait, each in turn; all later ones as the last."""
    attempts_forgotten_after: timedelta = timedelta(hours=24)
    """After so long without a wrong one the count begins anew."""
    failure_noted_every: timedelta = timedelta(minutes=1)
    """Of wrong sign-ins to one account the audit log notes one in so long."""
    recovery_codes: int = 10
    """How many somebody gets, each for one sign-in without their authenticator."""
    set_password_within: timedelta = timedelta(days=7)
    reset_password_within: timedelta = timedelta(hours=1)
    email_change_within: timedelta = timedelta(hours=24)
    """How long the links work that confirm another address to sign in by."""
    team_at_most: int = 50
    """How many people may sign in for one provider, those who are invited to included."""
    idempotency_window: timedelta = timedelta(hours=24)

    unconfirmed_kept: timedelta = timedelta(days=7)
    """From when a form was sent that nobody confirmed: nobody has said that it is theirs."""
    turned_away_kept: timedelta = timedelta(days=90)
    """From when a request was refused or superseded: long enough to object to that."""
    contacts_kept: timedelta = timedelta(days=730)
    """From when a request ended: 24 months, in which a quote, a review or a bill is argued about.

    Then nobody is named in it; what was asked for and how it went stays for the figures."""
    messages_kept: timedelta = timedelta(days=365)
    """From when a message was written: its content; as long as its reader may say it never came."""
    calls_kept: timedelta = timedelta(days=30)
    """From when a webhook was called: as long as somebody looks for what went wrong there."""
    links_kept: timedelta = timedelta(days=30)
    """From when a link lapsed: so long it is told from one that there never was."""
    sign_ins_kept: timedelta = timedelta(days=90)
    """From when a session ended: as long as a break-in is looked into."""
    devices_kept: timedelta = timedelta(days=400)
    """From when a device was used last: its cookie lives for a year, and some days of grace."""
    team_invitations_kept: timedelta = timedelta(days=30)
    """From when an invitation to a team lapsed: it can be sent again so long."""
    applications_kept: timedelta = timedelta(days=180)
    """From when a provider was turned away: it may object, or come again with what was missing."""
    people_kept: timedelta = timedelta(days=365)
    """From when somebody was let in no more: who they were may be asked about their quotes."""
    suppressions_kept: timedelta = timedelta(days=730)
    """From when mail to an address bounced, or was let through again: addresses come back to life.

    Who complained, or was stopped by hand, stays stopped."""
    drafts_kept: timedelta = timedelta(days=30)
    """From when an unsent quote was typed last under an invitation that has ended."""
    retention_every: int = 60
    """How many sweep intervals apart what is over is looked for: a quarter of an hour."""

    attachment_at_most: int = 5 * 1024 * 1024
    """Bytes of a file that a provider attaches to its quote."""
    attachments_at_most: int = 5
    """How many files a quote may bring."""
    attachments_kept_at_most: int = 25
    """How many files are kept under one invitation, with those of earlier versions of the quote."""
    evidence_kept_at_most: int = 100
    """How many files of evidence are kept of one provider, of all its accreditations, earlier ones
    included: more than it needs in years, and a bound to what it can fill."""
    pdf_look_memory: int = 512 * 1024 * 1024
    """Bytes that looking into a PDF may take ..."""
    pdf_look_seconds: int = 5
    """... and seconds of a processor. What takes more is refused."""
    paper_cell_at_most: int = 4000
    """Letters of what one quote says in one line that go on paper; of all questions ten times that.

    A provider that writes without end must not keep the business from its PDF."""
    paper_memory: int = 1024 * 1024 * 1024
    """Bytes that setting a paper as a PDF may take, those only reserved included ..."""
    paper_seconds: int = 6
    """... and seconds of a processor. What takes more is too long for one."""

    days_at_most: int = 1000
    """Days of one audit, or of one phase of consulting, beyond which a quote is a slip."""
    duration_weeks_at_most: int = 520
    """Weeks that consulting may take: ten years."""
    quote_stands_at_most: timedelta = timedelta(days=730)
    """How far ahead the last day of a quote may lie."""
    quote_begins_within: timedelta = timedelta(days=730)
    """How far ahead the earliest start may lie."""
    personnel_times_headcount: int = 10
    """Effective personnel is at most so many times the headcount ..."""
    headcount_for_personnel: int = 10
    """... or this, where the headcount is smaller."""

    decline_refund_within: timedelta = timedelta(hours=4)
    """A decline as out of scope this soon gives the turn back ..."""
    decline_refunds_per_month: int = 2
    """... but only so often, or picking cherries would be free."""

    mails_asked_per_hour: int = 4
    """So many mails of one sort (`notifications.mailboxes.Asked`), which anybody can cause who
    knows an address, one mailbox gets within an hour ..."""
    mails_asked_per_day: int = 10
    """... and within a day. What is owed to whoever confirmed an address is never capped: what
    others do about a request is bounded by itself."""
    questions_waiting_at_most: int = 10
    """So many questions under one invitation may wait for the answer of the business ..."""
    versions_told_each: int = 5
    """... which is mailed about each of so many versions of a quote; of later ones once an hour."""
    contact_changes_a_day: int = 4
    """How often a provider may have its letters go to another address: the one before is told, and
    may be anybody's."""

    send_attempts: int = 16
    """With the waits between them, about five hours of a mail service that is away."""
    send_lease: timedelta = timedelta(seconds=60)
    """How long a claimed message is left to whoever claimed it; longer than a send can take."""
    send_batch: int = 20
    send_pause: timedelta = timedelta(minutes=2)
    """How long nothing is sent after the mail service has refused us."""

    seal_within: timedelta = timedelta(hours=1)
    """How long an event may wait for its seal before `verify-log` and `doctor` call that wrong."""
    back_up_within: timedelta = timedelta(days=2)
    """How old the last back-up that was noted may be before `doctor` calls that wrong."""
    verify_shows: int = 20
    """How many of the things that are wrong with the log `verify-log` names, a line each."""

    sweep_interval: timedelta = timedelta(seconds=15)
    rate_limits: bool = True
    totp_for_admins: str = "required"
    totp_for_providers: str = "optional"
    terms_version: str = "2026-12"
    provider_terms_version: str = "2026-12"
    """Which terms whoever joins as a provider, or its team, agrees to (`core/agreements.py`)."""
