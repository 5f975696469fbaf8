"""What may happen to a message, how it is worded, and what time does to a commitment, as tables."""

from datetime import UTC, datetime, timedelta

import pytest

from marketplace.core.errors import Conflict
from marketplace.notifications import rules
from marketplace.notifications.mailboxes import CAPPED
from marketplace.notifications.plaintext import plain_text
from marketplace.notifications.rules import (
    COMMITMENT_LIFECYCLE,
    NOTIFICATION_LIFECYCLE,
    CommitmentEvent,
    CommitmentState,
    NotificationEvent,
    NotificationState,
    SendOutcome,
    SuppressionReason,
)
from marketplace.notifications.samples import SAMPLE_NOW, SAMPLES
from marketplace.notifications.wording import (
    lines,
    listing,
    modest,
    one_line,
    plural,
    told,
    words,
)

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # 8 pm on a Monday in Sydney
SYDNEY = "Australia/Sydney"


@pytest.mark.parametrize(
    ("moment", "zone", "expected"),
    [
        (
            datetime(2026, 11, 23, 22, 40, tzinfo=UTC),
            SYDNEY,
            "9:40 am tomorrow, Sydney time (Tuesday 24 November)",
        ),
        (
            datetime(2026, 11, 23, 12, 5, tzinfo=UTC),
            SYDNEY,
            "11:05 pm today, Sydney time (Monday 23 November)",
        ),
        (
            datetime(2026, 11, 22, 12, 59, tzinfo=UTC),
            SYDNEY,
            "11:59 pm yesterday, Sydney time (Sunday 22 November)",
        ),
        (
            datetime(2026, 11, 26, 9, 0, tzinfo=UTC),
            SYDNEY,
            "8:00 pm on Thursday 26 November, Sydney time",
        ),
        (
            datetime(2027, 1, 1, 1, 30, tzinfo=UTC),
            SYDNEY,
            "12:30 pm on Friday 1 January 2027, Sydney time",
        ),
        (
            datetime(2026, 11, 24, 1, 0, tzinfo=UTC),
            SYDNEY,
            "12 noon tomorrow, Sydney time (Tuesday 24 November)",
        ),
        (
            datetime(2026, 11, 23, 13, 0, tzinfo=UTC),
            SYDNEY,
            "midnight at the start of tomorrow, Sydney time (Tuesday 24 November)",
        ),
        (
            datetime(2026, 11, 25, 13, 0, tzinfo=UTC),
            SYDNEY,
            "midnight at the start of Thursday 26 November, Sydney time",
        ),
        (
            datetime(2026, 11, 23, 13, 20, tzinfo=UTC),
            SYDNEY,
            "12:20 am tomorrow, Sydney time (Tuesday 24 November)",
        ),
        (
            datetime(2026, 11, 23, 22, 40, tzinfo=UTC),
            "UTC",
            "10:40 pm today, UTC (Monday 23 November)",
        ),
        (
            datetime(2026, 11, 23, 22, 40, tzinfo=UTC),
            "America/Argentina/Buenos_Aires",
            "7:40 pm today, Buenos Aires time (Monday 23 November)",
        ),
        (
            datetime(2026, 11, 23, 22, 40, tzinfo=UTC),
            "Etc/GMT+3",
            "7:40 pm today, UTC-03:00 (Monday 23 November)",
        ),
        (
            datetime(2026, 11, 23, 22, 40, 59, tzinfo=UTC),
            "Nowhere/Atall",
            "10:40 pm today, UTC (Monday 23 November)",
        ),
        (
            datetime(2026, 11, 23, 22, 40, tzinfo=UTC),
            "",
            "10:40 pm today, UTC (Monday 23 November)",
        ),
        (
            datetime(2026, 11, 23, 22, 40, tzinfo=UTC),
            "../../etc/passwd",
            "10:40 pm today, UTC (Monday 23 November)",
        ),
    ],
)
def test_a_time_is_told_as_its_reader_would_say_it(moment, zone, expected):
    assert told(moment, NOW, zone) == expected


def test_a_time_is_told_in_summer_time_where_it_applies():
    june = datetime(2026, 6, 10, 0, 0, tzinfo=UTC)
    assert told(june, NOW, SYDNEY).startswith("10:00 am on Wednesday 10 June")
    assert told(NOW, NOW, SYDNEY).startswith("8:00 pm today")


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (["ISO 9001"], "ISO 9001"),
        (["ISO 9001", "ISO 14001"], "ISO 9001 and ISO 14001"),
        (["a", "b", "c"], "a, b and c"),
    ],
)
def test_a_list_is_read_as_a_sentence(items, expected):
    assert listing(items) == expected


@pytest.mark.parametrize(
    "stranger", ["\r\nBcc: all@x.example", "a\nb", "a\x00b", "a\u2028b", " a "]
)
def test_a_subject_line_has_no_line_break_whatever_a_value_holds(stranger):
    assert not set(one_line(stranger)) & set("\r\n\x00\u2028\u2029")
    assert one_line(stranger) == one_line(stranger).strip()


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("Acme Fabrication Pty Ltd", "Acme Fabrication Pty Ltd"),
        ("Smith T/A Acme", "Smith T/A Acme"),
        ("Win at https://evil.example/now today", "Win at  today"),
        ("see evil.example now", "see evil. example now"),
        ("see evil\u3002example, evil\uff0eexample", "see evil\u3002 example, evil\uff0e example"),
        ("WWW.evil.example", ""),
        ("x" * 81, "x" * 79 + "…"),
    ],
)
def test_a_stranger_cannot_send_messages_of_their_own_by_the_form(typed, shown):
    assert modest(typed) == shown


TYPED = ("company", "provider", "by")
"""What a stranger calls somebody in what is mailed to whomever they say."""


@pytest.mark.parametrize("sample", [each for each in SAMPLES if each.template in CAPPED])
def test_no_mail_that_anybody_can_cause_carries_an_address_of_theirs(sample):
    hostile = "Win https://evil.example/x at evil.example"
    letter = words(
        sample.template,
        sample.values | {name: hostile for name in TYPED if name in sample.values},
        name=hostile,
        time_zone="UTC",
        now=SAMPLE_NOW,
        public_url="https://quotes.example",
        action_url="https://quotes.example/x",
    )
    for said in (letter.subject, letter.text, letter.html):
        assert "evil.example" not in said


def test_what_somebody_wrote_keeps_its_lines_and_loses_its_markup():
    assert str(lines("a <b>\nc & d")) == "a &lt;b&gt;<br>c &amp; d"


def test_one_is_not_plural():
    assert (plural(1, "provider"), plural(3, "provider")) == ("1 provider", "3 providers")


def test_text_is_made_of_html_with_paragraphs_lists_quotations_and_addresses():
    html = """<html><head><title>No</title><style>p { color: red; }</style></head><body>
    <p>Hello &amp; welcome,<br>you</p><ul>
    <li>one</li>
    <li>two</li>
    </ul><blockquote>said<br>so</blockquote>
    <p><a href="https://q.example/?a=1&amp;b=2">Look</a></p></body></html>"""
    assert plain_text(html) == (
        "Hello & welcome,\nyou\n\n- one\n- two\n\n> said\n> so\n\nLook:\nhttps://q.example/?a=1&b=2\n"
    )


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, SendOutcome.SENT),
        (202, SendOutcome.SENT),
        (400, SendOutcome.MESSAGE_REFUSED),
        (413, SendOutcome.MESSAGE_REFUSED),
        (401, SendOutcome.WE_ARE_REFUSED),
        (403, SendOutcome.WE_ARE_REFUSED),
        (404, SendOutcome.WE_ARE_REFUSED),
        (302, SendOutcome.PASSING),
        (408, SendOutcome.PASSING),
        (429, SendOutcome.PASSING),
        (500, SendOutcome.PASSING),
        (503, SendOutcome.PASSING),
    ],
)
def test_an_answer_is_about_the_message_about_us_or_will_pass(status, outcome):
    assert rules.outcome_of_status(status) is outcome


@pytest.mark.parametrize(
    ("outcome", "attempts", "event"),
    [
        (SendOutcome.SENT, 1, NotificationEvent.SEND),
        (SendOutcome.SENT, 8, NotificationEvent.SEND),
        (SendOutcome.PASSING, 7, NotificationEvent.PUT_BACK),
        (SendOutcome.PASSING, 8, NotificationEvent.GIVE_UP),
        (SendOutcome.MESSAGE_REFUSED, 1, NotificationEvent.GIVE_UP),
        (SendOutcome.WE_ARE_REFUSED, 8, NotificationEvent.PUT_BACK),
        (SendOutcome.UNWANTED, 8, NotificationEvent.SUPPRESS),
    ],
)
def test_a_message_is_given_up_when_it_is_refused_or_was_tried_often_enough(
    outcome, attempts, event
):
    assert rules.event_after(outcome, attempts=attempts, at_most=8) is event


@pytest.mark.parametrize("status", [100, 301, 401, 403, 404, 408, 410, 429, 500, 503])
def test_whatever_a_providers_server_answers_it_never_holds_up_the_others(status):
    assert rules.outcome_of_call(status) in (SendOutcome.PASSING, SendOutcome.UNWANTED)


@pytest.mark.parametrize(
    ("report", "kind", "reason"),
    [
        ("bounce", "bounce", SuppressionReason.HARD_BOUNCE),
        ("bounce", "blocked", None),
        ("bounce", "", None),
        ("spamreport", "", SuppressionReason.SPAM_REPORT),
        ("dropped", "", None),
        ("delivered", "", None),
    ],
)
def test_only_a_hard_bounce_and_a_spam_report_end_all_mail_to_an_address(report, kind, reason):
    assert rules.suppression_after(report, kind) is reason


def test_the_first_retry_comes_within_seconds_and_none_waits_much_longer_than_an_hour():
    assert rules.wait_after(1, jitter=0.0) == timedelta(seconds=1)
    assert rules.wait_after(1, jitter=1.0) == timedelta(seconds=3)
    assert rules.wait_after(50, jitter=1.0) == timedelta(minutes=90)
    waits = [rules.wait_after(n, jitter=0.5) for n in range(1, 14)]
    assert waits == sorted(waits)


_S, _E = NotificationState, NotificationEvent


@pytest.mark.parametrize(
    ("state", "event", "after"),
    [
        (_S.QUEUED, _E.CLAIM, _S.SENDING),
        (_S.SENDING, _E.CLAIM, _S.SENDING),
        (_S.SENDING, _E.PUT_BACK, _S.QUEUED),
        (_S.SENDING, _E.DELIVER, _S.DELIVERED),
        (_S.QUEUED, _E.DELIVER, _S.DELIVERED),
        (_S.FAILED, _E.SEND, _S.SENT),
        (_S.FAILED, _E.RETRY, _S.QUEUED),
        (_S.DELIVERED, _E.BOUNCE, _S.BOUNCED),
        (_S.SENT, _E.CLAIM, Conflict),
        (_S.SENT, _E.RETRY, Conflict),
        (_S.DELIVERED, _E.SEND, Conflict),
        (_S.BOUNCED, _E.DELIVER, Conflict),
        (_S.DROPPED, _E.CLAIM, Conflict),
        (_S.QUEUED, _E.SUPPRESS, _S.SUPPRESSED),
        (_S.SENDING, _E.SUPPRESS, _S.SUPPRESSED),
        (_S.SUPPRESSED, _E.RETRY, _S.QUEUED),
        (_S.SUPPRESSED, _E.DELIVER, _S.DELIVERED),
        (_S.SENT, _E.SUPPRESS, Conflict),
    ],
)
def test_the_life_of_a_message(state, event, after):
    if after is Conflict:
        with pytest.raises(Conflict):
            NOTIFICATION_LIFECYCLE.after(state, event)
    else:
        assert NOTIFICATION_LIFECYCLE.after(state, event) is after


TIMES = rules.commitment_times(NOW, window=timedelta(hours=24), at_risk_share=0.25)


def test_a_commitment_is_at_risk_with_a_quarter_of_its_time_left():
    assert TIMES.at_risk_at == NOW + timedelta(hours=18)
    assert TIMES.due_at == NOW + timedelta(hours=24)


TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("state", "now", "event"),
    [
        (CommitmentState.RUNNING, TIMES.at_risk_at - TICK, None),
        (CommitmentState.RUNNING, TIMES.at_risk_at, CommitmentEvent.WARN),
        (CommitmentState.AT_RISK, TIMES.at_risk_at, None),
        (CommitmentState.AT_RISK, TIMES.due_at - TICK, None),
        (CommitmentState.RUNNING, TIMES.due_at, CommitmentEvent.MISS),
        (CommitmentState.AT_RISK, TIMES.due_at, CommitmentEvent.MISS),
        (CommitmentState.MET, TIMES.due_at, None),
        (CommitmentState.ENDED, TIMES.due_at, None),
    ],
)
def test_time_alone_warns_and_then_misses(state, now, event):
    due = rules.due_event(state, now=now, at_risk_at=TIMES.at_risk_at, due_at=TIMES.due_at)
    assert due is event


@pytest.mark.parametrize(
    "state", [CommitmentState.MET, CommitmentState.MISSED, CommitmentState.ENDED]
)
def test_a_settled_commitment_stays_settled(state):
    assert COMMITMENT_LIFECYCLE.is_final(state)
