"""Whose a lead is, until when it can be confirmed and awarded, and who should look first."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from marketplace.core.errors import Conflict
from marketplace.core.identity import legal_entity
from marketplace.leads import signals
from marketplace.leads.around import Around
from marketplace.leads.rules import (
    OUTCOME_OF,
    CloseReason,
    LeadEvent,
    LeadState,
    Service,
    Signals,
    after,
    business_key,
    event_on_confirmation,
    expiry,
    is_running,
    legal_entity_in,
    next_ask,
    origin_of,
)
from marketplace.leads.signals import Telltale, is_disposable, is_free_mail
from tests.factories import lead_form

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("entity", "email", "free", "key"),
    [
        ("AU:824753556", "jo@acme.example", False, "entity:AU:824753556"),
        ("AU:824753556", "jo@gmail.com", True, "entity:AU:824753556"),
        (None, "jo@acme.example", False, "domain:acme.example"),
        (None, "sales@acme.example", False, "domain:acme.example"),
        (None, "jo@mail.acme.example", False, "domain:mail.acme.example"),
        (None, "jo@gmail.com", True, "mail:jo@gmail.com"),
        (None, "al@gmail.com", True, "mail:al@gmail.com"),
    ],
)
def test_a_business_is_its_number_then_its_domain_then_its_address(entity, email, free, key):
    assert business_key(legal_entity=entity, email=email, is_free_mail=free) == key
    assert legal_entity_in(key) == entity


def test_an_abn_of_a_company_and_the_acn_inside_it_are_one_business():
    keys = {
        business_key(legal_entity=legal_entity("AU", number), email=email, is_free_mail=False)
        for number, email in [
            ("53 004 085 616", "a@one.example"),
            ("004 085 616", "b@two.example"),
            ("53004085616", "c@three.example"),
            ("004-085-616", "d@four.example"),
        ]
    }
    assert keys == {"entity:AU:004085616"}


def test_the_three_kinds_of_key_cannot_be_mistaken_for_one_another():
    by_domain = business_key(legal_entity=None, email="a@entity", is_free_mail=False)
    by_mail = business_key(legal_entity=None, email="a@entity", is_free_mail=True)
    by_number = business_key(legal_entity="entity", email="a@entity", is_free_mail=False)
    assert len({by_domain, by_mail, by_number}) == 3


@pytest.mark.parametrize(
    "email",
    ["jo@gmail.com", "jo@bigpond.com", "jo@gmx.at", "jo@duck.com", "iso@jo.fastmail.com"],
)
def test_anybody_can_have_an_address_there(email):
    assert is_free_mail(email)


@pytest.mark.parametrize("domain", ["mailinator.com", "acme.mailinator.com", "a.b.mailinator.com"])
def test_a_throw_away_address_is_one_below_any_name_there(domain):
    assert is_disposable(f"jo@{domain}")
    assert not is_disposable(f"jo@{domain}.example")


@pytest.mark.parametrize(
    "email", ["jo@acme.example", "jo@notgmail.com", "jo@gmail.com.acme.example"]
)
def test_not_everybody_can_have_an_address_there(email):
    assert not is_free_mail(email)


@pytest.mark.parametrize("event", [LeadEvent.OPEN, LeadEvent.REVIEW, LeadEvent.SUPERSEDE])
def test_a_form_is_confirmed_up_to_confirm_by_and_not_at_it(event):
    def at(now):
        return after(
            LeadState.AWAITING_CONFIRMATION, event, now=now, confirm_by=NOON, expires_at=None
        )

    assert at(NOON - TICK)
    for late in (NOON, NOON + TICK):
        with pytest.raises(Conflict, match="time to confirm"):
            at(late)


def test_a_form_lapses_at_confirm_by_and_not_before():
    def at(now):
        return after(
            LeadState.AWAITING_CONFIRMATION,
            LeadEvent.LAPSE,
            now=now,
            confirm_by=NOON,
            expires_at=None,
        )

    with pytest.raises(Conflict, match="can still be confirmed"):
        at(NOON - TICK)
    assert at(NOON) is LeadState.LAPSED


def test_a_review_may_take_longer_than_the_time_to_confirm():
    for event in (LeadEvent.OPEN, LeadEvent.REJECT, LeadEvent.CLOSE):
        assert after(
            LeadState.IN_REVIEW, event, now=NOON + 9 * DAY, confirm_by=NOON, expires_at=None
        )


def test_an_open_request_is_awarded_up_to_its_end_and_expires_from_it_on():
    def at(now, event):
        return after(LeadState.OPEN, event, now=now, confirm_by=NOON - DAY, expires_at=NOON)

    assert at(NOON - TICK, LeadEvent.AWARD) is LeadState.AWARDED
    for late in (NOON, NOON + TICK):
        with pytest.raises(Conflict, match="has expired"):
            at(late, LeadEvent.AWARD)
    with pytest.raises(Conflict, match="time to run"):
        at(NOON - TICK, LeadEvent.EXPIRE)
    assert at(NOON, LeadEvent.EXPIRE) is LeadState.EXPIRED


@pytest.mark.parametrize(
    ("state", "now", "runs"),
    [
        (LeadState.OPEN, NOON - TICK, True),
        (LeadState.OPEN, NOON, False),
        (LeadState.OPEN, NOON + TICK, False),
        (LeadState.IN_REVIEW, NOON - DAY, False),
        (LeadState.AWARDED, NOON - DAY, False),
        (LeadState.AWAITING_CONFIRMATION, NOON - DAY, False),
    ],
)
def test_providers_may_answer_while_it_is_open_and_before_its_end(state, now, runs):
    assert is_running(state, now=now, expires_at=NOON) is runs


@pytest.mark.parametrize(
    ("valid_for", "expected"),
    [
        (None, 30 * DAY),
        (5 * DAY, 30 * DAY),
        (30 * DAY, 30 * DAY),
        (31 * DAY, 31 * DAY),
        (120 * DAY, 120 * DAY),
        (121 * DAY, 120 * DAY),
        (9999 * DAY, 120 * DAY),
    ],
)
def test_a_request_runs_thirty_days_or_as_long_as_a_quote_stands_and_120_at_most(
    valid_for, expected
):
    until = None if valid_for is None else NOON + valid_for
    found = expiry(NOON, quotes_valid_until=until, lifetime=30 * DAY, at_most=120 * DAY)
    assert found == NOON + expected


FINE = Signals(
    email_confirmed=True,
    registration_number_valid=True,
    domain_matches_website=True,
    disposable_mail=False,
    free_mail=False,
    phone_possible=True,
    seconds_to_fill=90.0,
    honeypot_filled=False,
    completeness=0.8,
)


def with_signals(**changes):
    return Signals(**{**FINE.__dict__, **changes})


@pytest.mark.parametrize(
    ("policy", "reasons", "event"),
    [
        ("auto", [], LeadEvent.OPEN),
        ("auto", ["a doubt"], LeadEvent.REVIEW),
        ("always", [], LeadEvent.REVIEW),
        ("always", ["a doubt"], LeadEvent.REVIEW),
        ("off", [], LeadEvent.OPEN),
        ("off", ["a doubt"], LeadEvent.OPEN),
    ],
)
def test_the_review_policy_decides_what_a_confirmation_does(policy, reasons, event):
    assert event_on_confirmation(policy, reasons) is event


def gathered(*, telltale=None, in_doubt=None, service="consulting", **contact_and_company):
    form = lead_form(service=Service(service))
    for name, value in contact_and_company.items():
        part = "contact" if name in ("email", "phone") else "company"
        form[part][name] = value
    return signals.gather(
        form, telltale or Telltale(), confirmed=False, in_doubt=in_doubt or {}, others=Around()
    )


@pytest.mark.parametrize(
    ("website", "email", "matches"),
    [
        ("https://acme.example", "jo@acme.example", True),
        ("https://www.acme.example/about", "jo@acme.example", True),
        ("https://shop.acme.example", "jo@acme.example", True),
        ("https://acme.example", "jo@mail.acme.example", True),
        ("https://acme.example", "jo@other.example", False),
        ("https://notacme.example", "jo@acme.example", False),
        ("https://acme.example", "jo@gmail.com", None),
        (None, "jo@acme.example", None),
        ("https://acme.example?x=[", "jo@acme.example", True),
    ],
)
def test_the_domain_of_the_address_is_compared_with_the_web_site(website, email, matches):
    assert gathered(website=website, email=email).domain_matches_website is matches


@pytest.mark.parametrize(
    ("phone", "possible"),
    [
        ("+61 2 5550 1234", True),
        ("02 5550 1234", True),
        ("+1 212 555 0100", True),
        ("12", False),
        ("no phone", False),
        ("+999 1234567890", False),
        (None, None),
    ],
)
def test_a_telephone_number_that_cannot_exist_is_seen(phone, possible):
    assert gathered(phone=phone).phone_possible is possible


def test_a_throw_away_address_and_a_filled_trap_are_seen():
    found = gathered(email="jo@mailinator.com", telltale=Telltale(1.5, "http://spam.example"))
    assert found.disposable_mail
    assert found.honeypot_filled
    assert found.seconds_to_fill == 1.5


@pytest.mark.parametrize(
    ("service", "counts"), [("consulting", False), ("certification", True), ("either", True)]
)
def test_who_advised_is_in_doubt_only_where_a_certification_body_may_be_invited(service, counts):
    like = {"Harbor Quality": {uuid4(): "Harbour Quality", uuid4(): "Harbour Quality Training"}}
    found = gathered(in_doubt=like, service=service)
    said = {"Harbor Quality": ["Harbour Quality", "Harbour Quality Training"]} if counts else {}
    assert found.consultants_in_doubt == said


def test_signals_that_were_stored_before_there_was_a_doubt_are_read_all_the_same():
    stored = asdict(FINE)
    for since in ("consultants_in_doubt", "links_in_notes", "same_text", "from_network"):
        del stored[since]
    assert Signals(**stored) == FINE


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://Kestrel.example", "https://kestrel.example"),
        (" https://kestrel.example/shop?a=b#c ", "https://kestrel.example"),
        ("https://www.kestrel.example:443", "https://www.kestrel.example"),
        ("https://kestrel.example:8443/", "https://kestrel.example:8443"),
        ("https://jo:secret@kestrel.example", "https://kestrel.example"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_the_origin_of_an_address_is_what_browsers_call_its_site(address, origin):
    assert origin_of(address) == origin


@pytest.mark.parametrize(
    "address",
    [
        "",
        "kestrel.example",
        "http://kestrel.example",
        "http://localhost.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "null",
        "*",
        "https://*",
        "https://*.kestrel.example",
        "https://a.example https://b.example",
        "https://a.example;script-src *",
        "https://a.example\r\nSet-Cookie: x=y",
        "https://a.example,b.example",
        "https://a.example:port",
        "https://a.example:99999",
        "https://[::1",
        "https://[::1]",
        "https://b\u00fccher.example",
        "https://" + "a" * 64 + ".example",
        "https://" + "a." * 200 + "example",
        "https://-a.example",
        "https://",
    ],
)
def test_what_could_be_more_than_one_site_is_no_origin(address):
    with pytest.raises(ValueError, match=r"must|is not"):
        origin_of(address)


WEEKS = (7 * DAY, 14 * DAY, 28 * DAY)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (NOON, NOON + 7 * DAY),
        (NOON + 7 * DAY - TICK, NOON + 7 * DAY),
        (NOON + 7 * DAY, NOON + 14 * DAY),
        (NOON + 14 * DAY, NOON + 28 * DAY),
        # A sweep that comes very late asks once, and makes up for nothing.
        (NOON + 20 * DAY, NOON + 28 * DAY),
        (NOON + 28 * DAY - TICK, NOON + 28 * DAY),
        (NOON + 28 * DAY, None),
        (NOON + 400 * DAY, None),
    ],
)
def test_a_business_is_asked_after_one_two_and_four_weeks_and_then_no_more(now, expected):
    assert next_ask(NOON, now=now, waits=WEEKS) == expected
    assert next_ask(NOON, now=now, waits=WEEKS[::-1]) == expected


def test_who_is_to_be_asked_never_is_not():
    assert next_ask(NOON, now=NOON, waits=()) is None


def test_of_a_request_sent_by_mistake_there_is_no_outcome():
    assert set(CloseReason) - set(OUTCOME_OF) == {CloseReason.MISTAKE, CloseReason.NOT_OURS}
