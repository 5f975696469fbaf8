"""Notes as they are written, honest and not: what stands in files beside this test, one a line."""

import json
import re
import unicodedata
from pathlib import Path

import pytest

from marketplace.leads.masking import COVER, Identity, mask_text

NOTES = Path(__file__).with_name("notes")

ACME = Identity(
    company_name="Acme Fabrication Pty Ltd",
    contact_name="Jo Tran",
    contact_email="jo.tran@acme.example",
    contact_phone="+61 2 5550 1234",
    website="https://www.acme.example/about",
    registration_number="51824753556",
    others=("Harbour Quality Pty Ltd",),
)


def lines(name):
    """Return each note of a file with the words behind its arrow."""
    rows = [each for each in (NOTES / name).read_text().splitlines() if not each.startswith("#")]
    parted = [row.rpartition(" => ") if " => " in row else (row, "", "") for row in rows]
    return [(json.loads(f'"{note}"'), words.split()) for note, _, words in parted]


def seen(text):
    """Return what a reader makes of a text: letters and digits, none of the masker's doing."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(c for c in plain if unicodedata.category(c)[0] in "LN")


def test_there_are_enough_of_each():
    assert len(lines("honest.txt")) >= 40
    assert len(lines("hostile.txt")) >= 100


@pytest.mark.parametrize(("note", "may_go"), lines("honest.txt"))
def test_an_honest_note_is_shown_as_it_was_written(note, may_go):
    shown = mask_text(note, ACME)
    kept = note
    for word in may_go:
        kept = kept.replace(word, COVER)
    assert shown == kept


@pytest.mark.parametrize(("note", "secrets"), lines("hostile.txt"))
@pytest.mark.parametrize("around", ["{}", "We are a business: {}. ISO 9001, 42 people."])
def test_nothing_that_identifies_is_left_of_a_hostile_note(note, secrets, around):
    shown = mask_text(around.format(note), ACME)
    assert secrets
    assert COVER in shown
    assert not [each for each in secrets if each in seen(shown)], shown
    assert ("42 people" in shown) == ("42 people" in around)


def test_words_beside_what_is_covered_can_still_be_read():
    """Of hostile notes no more is covered than the stretch that tells."""
    note = "We need ISO 9001. Ask for Mary Smith, 0412 345 678. Two shifts at 3 sites."
    assert mask_text(note, ACME) == (
        f"We need ISO 9001. Ask for {COVER}, {COVER}. Two shifts at 3 sites."
    )
    assert re.fullmatch(f"(?s)We.*{COVER}.*sites[.]", mask_text(note, ACME))
