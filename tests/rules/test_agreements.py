"""The words that people agree to: those of a version never change."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from importlib.resources import files

import pytest

from marketplace.core.agreements import (
    WORDINGS,
    Agreed,
    as_agreed,
    current,
    numbers_in,
    versions,
)
from marketplace.core.calendars import CalendarKind
from marketplace.core.policy import Policy

TEMPLATES = files("marketplace.web") / "templates"


def digest_of(wording):
    page = (TEMPLATES / wording.page).read_text(encoding="utf-8") if wording.page else ""
    return hashlib.sha256(f"{wording.sentence}\n{page}".encode()).hexdigest()


@pytest.mark.parametrize("which", WORDINGS, ids=lambda which: "-".join(which))
def test_the_words_of_a_version_are_what_they_were(which):
    """Where this fails, put the words back and write the new ones as a version of their own."""
    assert digest_of(WORDINGS[which]) == WORDINGS[which].digest, which


def test_every_file_of_terms_is_some_version_and_one_is_current_of_each():
    kept = {f"terms/{each.name}" for each in (TEMPLATES / "terms").iterdir()}
    assert kept == {each.page for each in WORDINGS.values() if each.page}
    for agreed in Agreed:
        assert current(agreed, Policy()).digest
        assert versions(agreed)


def test_the_numbers_that_were_read_can_be_read_again():
    agreed_to = Policy(
        places=2,
        max_invitations=5,
        response_window=timedelta(hours=48),
        calendar=CalendarKind.BUSINESS_DAYS,
        lead_review="always",
        lead_lifetime=timedelta(days=10),
        contact_seen_after_loss=timedelta(days=20),
    )
    changed = replace(Policy(), bench_size=7)
    again = as_agreed(changed, numbers_in(agreed_to))
    assert again == replace(agreed_to, bench_size=7)
    assert as_agreed(changed, {}) == changed
    before_2026_12 = numbers_in(agreed_to)
    del before_2026_12["contact_seen_after_loss_days"]
    assert as_agreed(changed, before_2026_12).contact_seen_after_loss == timedelta(days=30)
