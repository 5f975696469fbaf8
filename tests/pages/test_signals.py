"""What an administrator reads of a form's signals: doubts are those of the rule, and no others."""

import pytest

from marketplace.core.policy import Policy
from marketplace.leads.trust import doubtful
from marketplace.web.pages.signals import score_in_words, signals_in_words
from tests.rules.test_leads import with_signals


def doubts(app, **changes):
    signals = with_signals(**changes)
    with app.test_request_context():
        facts = signals_in_words(vars(signals))
    assert len([fact for fact in facts if fact.is_doubt]) == len(doubtful(signals))
    assert [fact.is_doubt for fact in facts] == sorted(
        (fact.is_doubt for fact in facts), reverse=True
    )
    return [fact.words for fact in facts if fact.is_doubt]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"honeypot_filled": True}, ["A field that people do not see was filled in"]),
        ({"phone_possible": False}, ["The telephone number cannot exist"]),
        ({"phone_possible": None}, []),
        ({"seconds_to_fill": 1.0}, ["The form took less than a minute"]),
        ({"seconds_to_fill": None}, []),
        ({"completeness": 0.0}, ["0 % of the optional fields filled in"]),
        ({"disposable_mail": True}, ["The e-mail address is a throw-away one"]),
        ({"free_mail": True, "registration_number_valid": True}, []),
        (
            {"free_mail": True, "registration_number_valid": None},
            ["E-mail confirmed, at a free service"],
        ),
        (
            {"domain_matches_website": False},
            ["The e-mail address is not of the website's domain"],
        ),
        ({"link_in_name": True}, ["There is a link where a name should be"]),
        ({"markup_in_notes": True}, ["The notes hold the markup of a page"]),
        ({"links_in_notes": 3}, ["The notes hold 3 links"]),
        ({"links_in_notes": 1}, ["The notes hold a link"]),
        ({"same_text": 4}, ["4 forms of others had the same notes, or nearly, within a week"]),
        ({"gibberish": True}, ["A name looks typed at random"]),
        ({"from_network": 4}, []),
        (
            {"from_network": 5},
            ["5 other forms came from the same network within the hour"],
        ),
        (
            {"unconfirmed": 2},
            ["2 forms for the same mailbox were sent within a day and never confirmed"],
        ),
        (
            {"odd_headcount": True},
            ["The headcount does not go with the sites, or is a large city's"],
        ),
        ({"phone_elsewhere": True}, ["The telephone number is of another country"]),
        ({"shouting": True}, ["The contact's name is all in capitals"]),
    ],
)
def test_a_signal_is_a_doubt_where_the_rule_has_it_so(app, changes, said):
    assert doubts(app, **changes) == said


def test_a_form_without_signals_says_nothing(app):
    with app.test_request_context():
        assert signals_in_words({}) == []
        assert score_in_words({}, Policy()) == ""


def test_the_sum_is_told_with_what_follows_from_it(app):
    with app.test_request_context():
        said = score_in_words(vars(with_signals(honeypot_filled=True, gibberish=True)), Policy())
    assert said.startswith("105 points speak against it. From 50 on a person looks first; from 100")
