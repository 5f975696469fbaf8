"""Which forms a person looks at first: honest ones that must get by, and spam that must not."""

import pytest

from marketplace.core.policy import Policy
from marketplace.leads import signals
from marketplace.leads.around import Around, is_copy
from marketplace.leads.rules import Service
from marketplace.leads.signals import Telltale
from marketplace.leads.trust import DOUBTS, doubtful, fingerprint, review_reasons, score
from tests.factories import lead_form
from tests.rules.test_leads import with_signals

POLICY = Policy()


def reasons(facts):
    return review_reasons(facts, points=POLICY.doubt_points, held_from=POLICY.held_from)


def test_every_doubt_has_points_and_no_points_are_of_nothing():
    assert set(POLICY.doubt_points) == set(DOUBTS)
    assert POLICY.held_from < POLICY.silent_from


@pytest.mark.parametrize(
    ("changes", "n"),
    [
        ({}, 0),
        # One of these is enough.
        ({"honeypot_filled": True}, 1),
        ({"disposable_mail": True}, 1),
        ({"phone_possible": False}, 1),
        ({"seconds_to_fill": 2.9}, 1),
        ({"seconds_to_fill": 0.0}, 1),
        ({"link_in_name": True}, 1),
        ({"markup_in_notes": True}, 1),
        ({"seconds_to_fill": 3.0}, 0),
        ({"seconds_to_fill": None}, 0),
        ({"phone_possible": None}, 0),
        # Of these it takes two.
        ({"free_mail": True, "registration_number_valid": None}, 0),
        ({"domain_matches_website": False}, 0),
        ({"completeness": 0.05}, 0),
        ({"same_text": 3}, 0),
        ({"links_in_notes": 2}, 0),
        ({"gibberish": True}, 0),
        ({"from_network": 5}, 0),
        ({"unconfirmed": 2}, 0),
        ({"same_text": 1, "links_in_notes": 1}, 2),
        ({"same_text": 1, "gibberish": True}, 2),
        ({"completeness": 0.05, "domain_matches_website": False}, 2),
        (
            {"completeness": 0.0, "free_mail": True, "registration_number_valid": None,
             "domain_matches_website": False},
            3,
        ),
        # And of these more than two.
        ({"phone_elsewhere": True, "shouting": True, "links_in_notes": 1}, 0),
        ({"phone_elsewhere": True, "odd_headcount": True, "links_in_notes": 2}, 3),
        # A free address with a good number is no doubt at all.
        ({"free_mail": True, "domain_matches_website": False}, 0),
        ({"completeness": 0.1, "domain_matches_website": False}, 0),
        # Below these numbers others say nothing.
        ({"from_network": 4, "unconfirmed": 1, "gibberish": True}, 0),
        # All that speaks against it is told together.
        ({"honeypot_filled": True, "disposable_mail": True, "phone_possible": False}, 3),
        ({"honeypot_filled": True, "completeness": 0.0}, 2),
        # Each name that may be a provider's is one of its own, whatever else.
        ({"consultants_in_doubt": {"Harbor": ["Harbour", "Harper"]}}, 1),
        ({"consultants_in_doubt": {"Harbor": ["Harbour"], "Watle": ["Wattle"]}}, 2),
    ],
)  # fmt: skip
def test_a_person_looks_first_from_so_many_points_on(changes, n):
    assert len(reasons(with_signals(**changes))) == n


def facts_of(*, others=None, seconds=45.0, **changes):
    """Return the facts of a form; `company__name` is a field of a part of it."""
    form = lead_form(service=Service.CONSULTING)
    for name, value in changes.items():
        *part, field = name.split("__")
        where = form[part[0]] if part else form
        if value is None:
            where.pop(field, None)
        else:
            where[field] = value
    return signals.gather(
        form, Telltale(seconds), confirmed=True, in_doubt={}, others=others or Around()
    )


BARE = {
    "company__registration_number": None, "company__website": None, "contact__phone": None,
    "contact__role": None, "sector": None, "timeframe": None, "needed_by": None,
    "consultants_used": None,
}  # fmt: skip

HONEST = {
    "a small business with free mail and one line of notes": {
        **BARE, "contact__email": "jo.bakery@gmail.com", "notes": "We need it for a tender.",
    },
    "a company with a telephone abroad": {"contact__phone": "+44 20 7946 0018"},
    "a visitor with free mail from abroad": {
        **BARE, "contact__email": "mario.rossi@libero.it", "contact__phone": "+39 06 5555 0123",
        "notes": "Certificazione per appalto pubblico.",
    },
    "one that names its own site in the notes": {
        "notes": "See https://acme.example for what we make. Two sites, one shift.",
    },
    "names that are short, long, foreign or an acronym": {
        "company__name": "BHKLMN Pty Ltd", "contact__name": "Grzegorz Brzęczyszczykiewicz",
    },
    "a German transliteration": {"contact__name": "Anna Borschtsch"},
    "somebody who tries again": {"others": Around(unconfirmed=1)},
    "an office behind one address": {"others": Around(from_network=4)},
    "a conference behind one address": {"others": Around(from_network=30)},
    "a large employer": {"headcount": 90_000, "sites": 400},
    "one who shouts": {"contact__name": "JO TRAN", "company__name": "ACME FABRICATION"},
    "one that filled it in fast by a password manager": {"seconds": 6.0},
    "Chinese": {
        "contact__name": "王小明", "company__name": "北京机械有限公司", "notes": "需要认证。",
    },
    "Greek": {"contact__name": "Γιώργος Παπαδόπουλος", "notes": "Για διαγωνισμό."},
}  # fmt: skip

SPAM = {
    "links and a copied text": {
        "notes": "Best SEO http://a.example and http://b.example", "others": Around(same_text=3),
    },
    "a link for a name": {"contact__name": "Win now www.prize.example"},
    "an address for a name": {"company__name": "offers@prize.example"},
    "markup": {"notes": '<a href="http://a.example">cheap audits</a>'},
    "forum markup": {"notes": "[url=http://a.example]cheap audits[/url]"},
    "a throw-away address": {"contact__email": "x@mailinator.com"},
    "typed at random, from free mail": {
        **BARE, "contact__name": "Xkjhgfdq Wrtzpsdf", "contact__email": "xkjh@gmail.com",
        "notes": None,
    },
    "a flood from one network with one text": {
        "others": Around(from_network=12, same_text=12),
    },
    "the same mailbox again and again with nothing in it": {
        **BARE, "notes": None, "others": Around(unconfirmed=6),
    },
    "a script": {"seconds": 0.4},
}  # fmt: skip


@pytest.mark.parametrize("changes", HONEST.values(), ids=HONEST)
def test_honest_forms_open_by_themselves(changes):
    facts = facts_of(**changes)
    assert score(facts, POLICY.doubt_points) < POLICY.held_from, doubtful(facts)


@pytest.mark.parametrize("changes", SPAM.values(), ids=SPAM)
def test_spam_is_held(changes):
    facts = facts_of(**changes)
    assert score(facts, POLICY.doubt_points) >= POLICY.held_from, doubtful(facts)
    assert reasons(facts) == [DOUBTS[each] for each in doubtful(facts)]


TEXT = "We offer the cheapest certificates in all of the country, delivered in two days. Call now."


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        (TEXT, True),
        (TEXT.upper(), True),
        (TEXT.replace(".", "!!!").replace(" ", "  "), True),
        (TEXT.replace("two days", "three days"), True),
        (TEXT.replace("e", "\u0435").replace("o", "\u043e"), True),  # Cyrillic look-alikes
        (TEXT + " X9f2k", True),
        ("We make steel frames at two sites and need ISO 9001 for a tender by March.", False),
        ("For a tender.", False),
        ("", False),
        (None, False),
    ],
)
def test_a_text_is_known_again_with_a_few_words_changed(other, alike):
    assert is_copy(fingerprint(TEXT), fingerprint(other)) is alike


def test_short_notes_are_never_taken_for_copies():
    assert fingerprint("Needed for a tender.") is None
