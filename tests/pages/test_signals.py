"""What an administrator reads of a form's signals: doubts are those of the rule, and no others."""

import pytest

from marketplace.leads.rules import doubtful
from marketplace.web.pages.signals import signals_in_words
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
    ],
)
def test_a_signal_is_a_doubt_where_the_rule_has_it_so(app, changes, said):
    assert doubts(app, **changes) == said


def test_a_form_without_signals_says_nothing(app):
    with app.test_request_context():
        assert signals_in_words({}) == []
