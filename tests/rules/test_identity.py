"""Which numbers are accepted, and which of them stand for the same legal entity."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.core.identity import legal_entity, normal_number


@pytest.mark.parametrize(
    ("country", "number", "normal"),
    [
        ("AU", "51 824 753 556", "51824753556"),
        ("AU", "51-824-753-556", "51824753556"),
        ("AU", " 51.824.753/556 ", "51824753556"),
        ("AU", "ABN 51 824 753 556", "51824753556"),
        ("AU", "acn: 004 085 616", "004085616"),
        ("NZ", "NZBN 9429041525746", "9429041525746"),
        ("GB", "ACN 123456", "ACN123456"),
        ("AU", "53 004 085 616", "53004085616"),
        ("AU", "004 085 616", "004085616"),
        ("AU", "004085616", "004085616"),
        ("NZ", "9429041525746", "9429041525746"),
        ("NZ", "94 2904 1525 746", "9429041525746"),
        ("NZ", "1234567", "1234567"),
        ("GB", "sc123456", "SC123456"),
        ("DE", "HRB 12345", "HRB12345"),
        ("CH", "CHE-123.456.789", "CHE123456789"),
        ("US", "12-3456789", "123456789"),
    ],
)
def test_a_good_number_is_kept_without_spaces_and_punctuation(country, number, normal):
    assert normal_number(country, number) == normal


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("51 824 753 557", "a wrong check digit"),
        ("51 824 735 556", "two digits swapped"),
        ("15 824 753 556", "the check digits swapped"),
        ("10 000 000 000", "passes modulus 89, but no prefix is 10"),
        ("00 000 000 019", "leading zeros"),
        ("09 000 000 000", "a prefix below 11"),
        ("51 824 753 55", "ten digits"),
        ("51 824 753 5566", "twelve digits"),
        ("004 085 617", "a wrong check digit of an ACN"),
        ("04085616", "eight digits"),
        ("ABN 51 824 753 557", "a wrong check digit behind its name"),
        ("AB 51 824 753 556", "letters"),
        ("ABN", "a name and no number"),
        ("", "nothing"),
        ("5", "too short"),
        ("51_824_753_556", "an underscore"),
        ("٥١٨٢٤٧٥٣٥٥٦", "digits of another script"),
        ("9429041525746", "a number of another country"),
    ],
)
def test_a_number_that_is_no_abn_and_no_acn_is_refused(number, why):
    with pytest.raises(ValueError, match=r"must have|is not a valid"):
        normal_number("AU", number)


@pytest.mark.parametrize(
    "number",
    ["9429041525747", "9529041525746", "5012345678900", "942904152574A", "94 2904 1525 764"],
)
def test_thirteen_characters_in_new_zealand_are_an_nzbn_or_refused(number):
    with pytest.raises(ValueError, match="NZBN"):
        normal_number("NZ", number)


@pytest.mark.parametrize("number", ["A", "x" * 31, "12\u200b345", "12#34", "--", "\U0001d7ce1"])
def test_elsewhere_only_the_form_is_checked(number):
    with pytest.raises(ValueError, match="2 to 30"):
        normal_number("GB", number)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("AU", "53004085616"), ("AU", "004 085 616"), True),
        (("AU", "51 824 753 556"), ("AU", "51824753556"), True),
        # 824 753 556 is no ACN: an ABN of another sort keeps its own key.
        (("AU", "51824753556"), ("AU", "53004085616"), False),
        (("GB", "123456"), ("IE", "123456"), False),
        (("GB", "sc 123456"), ("GB", "SC123456"), True),
        (("NZ", "9429041525746"), ("NZ", "1234567"), False),
    ],
)
def test_two_numbers_of_one_legal_entity_give_one_key(one, other, same):
    assert (legal_entity(*one) == legal_entity(*other)) is same


def test_an_abn_whose_end_is_no_acn_stays_an_abn():
    assert legal_entity("AU", "51 824 753 556") == "AU:51824753556"
    assert legal_entity("AU", "53 004 085 616") == "AU:004085616"


def abn_of(acn):
    """Return the one ABN that ends in these nine digits, by the rule of its check digits."""
    weights = (3, 5, 7, 9, 11, 13, 15, 17, 19)
    rest = sum(weight * int(digit) for weight, digit in zip(weights, acn, strict=True))
    return f"{11 + (-rest - 1) % 89}" + acn


def acn_of(digits):
    weights = range(8, 0, -1)
    rest = sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=True))
    return digits + str(-rest % 10)


@given(st.text("0123456789", min_size=8, max_size=8))
def test_every_company_has_one_key_by_its_acn_and_by_its_abn(digits):
    acn = acn_of(digits)
    if acn == "000000000":
        return
    assert legal_entity("AU", acn) == legal_entity("AU", abn_of(acn)) == f"AU:{acn}"


@given(st.text("0123456789", min_size=9, max_size=9), st.integers(0, 10), st.integers(1, 9))
def test_no_single_wrong_digit_of_an_abn_goes_unnoticed(tail, place, by):
    good = abn_of(tail)
    assert normal_number("AU", good) == good
    wrong = good[:place] + str((int(good[place]) + by) % 10) + good[place + 1 :]
    with pytest.raises(ValueError, match="ABN"):
        normal_number("AU", wrong)
