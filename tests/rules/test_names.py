"""Which names of companies resemble each other enough to ask a person, and where to look."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from marketplace.providers.name_numbers import entities_in, without_numbers
from marketplace.providers.name_words import COMMON, LEGAL_FORMS, readings
from marketplace.providers.names import (
    ASKED_AT_MOST,
    is_surely,
    resembles,
    resembling,
    searches,
)
from marketplace.providers.rules import name_key

ALIKE = [
    # Legal forms, however they are spelt.
    ("Harbour Quality Pty. Ltd.", "Harbour Quality P/L"),
    ("Harbour Quality PTY LIMITED", "Harbour Quality (Pty)Ltd"),
    ("Harbour Quality Pty.Ltd.", "Harbour Quality PtyLtd"),
    ("Harbour Quality S.A.", "Harbour Quality S. A."),
    ("Harbour Quality GmbH & Co. KG", "Harbour Quality"),
    ("Harbour Quality gmbh und co kg", "Harbour Quality AG"),
    ("Harbour Quality L.L.C.", "Harbour Quality Inc"),
    ("The Harbour Quality Company", "Harbour Quality"),
    ("Harbour S.\u00e0 r.l.", "Harbour"),
    ("Harbour S. \u00e0 r. l.", "Harbour SARL"),
    ("Harbour Sp. z o.o.", "Harbour"),
    ("Harbour S.A. de C.V.", "Harbour"),
    ("Harbour S. de R. L. de C. V.", "Harbour S de RL de CV"),
    ("Harbour AB (publ)", "Harbour"),
    ("Harbour Limited Liability Company", "Harbour LLC"),
    ("Harbour Incorporated Association", "Harbour Inc."),
    # Registration numbers, sound or not.
    ("Harbour Pty Ltd ACN 123 456 789", "Harbour Pty Ltd"),
    ("Harbour Pty Ltd (ABN 51 824 753 556)", "Harbour"),
    ("Harbour P/L A.B.N.: 51824753556", "Harbour"),
    ("ABN 51-824-753-556 Harbour Pty Ltd", "Harbour"),
    ("Harbour Pty Ltd 51 824 753 556", "Harbour"),
    ("Harbour Ltd (Company No. 01234567)", "Harbour"),
    ("Harbour Pty Ltd (NSW) [ACN 004 085 616]", "Harbour"),
    # Whom brackets name, and what a name has on the web.
    ("Jo Tran (Harbour)", "Harbour Pty Ltd"),
    ("Jo Tran (Harbour Quality Pty Ltd, ABN 51 824 753 556)", "Harbour Quality"),
    ("Jo Tran (Harbour t/a Wattle", "Harbour Pty Ltd"),
    ("Harbour Quality (Jo Tran, Sam Doe)", "Harbour Quality Ltd"),
    ("Jo Tran [Quality Certification Services]", "Quality Certification Service"),
    ("harbourquality.com", "Harbour Quality"),
    # Letters.
    ("Stra\u00dfe Consulting", "STRASSE Consulting"),
    ("S\u00f8rensen Consulting", "Sorensen Consulting"),
    ("\u0141\u00f3d\u017a Quality", "Lodz Quality"),
    ("\u00c6gir Quality", "Aegir Quality"),
    ("\ufb01rst Quality", "First Quality"),
    ("\uff28\uff41\uff52\uff42\uff4f\uff55\uff52 Quality", "Harbour Quality"),
    ("I\u015f\u0131k Quality", "\u0130\u015eIK Quality"),
    ("Mueller Quality", "M\u00fcller Quality"),
    # Spaces, hyphens, full stops, "and".
    ("Harbour Quality", "HarbourQuality"),
    ("Harbour Quality", "harbourquality"),
    ("Harbour-Quality", "Harbour Quality"),
    ("Bluegum Consulting", "Blue Gum Consulting"),
    ("McDonald Quality", "Mcdonald Quality"),
    ("A.B.C. Consulting", "ABC Consulting"),
    ("Harbour & Hill", "Harbour and Hill"),
    ("O'Brien Consulting", "OBrien Consulting"),
    # Typing errors and plurals.
    ("Harbour Quality", "Harbor Quality"),
    ("Harbour Quality", "Habrour Quality"),
    ("Harbour Quality", "Harbours Quality"),
    ("Smith's Quality", "Smiths Quality"),
    ("Harbour Quality Managment", "Harbour Qualty Management"),
    ("Harbour Consultng", "Harbour Consultants"),
    # The order of words, and one more or fewer.
    ("Harbour Quality", "Quality Harbour"),
    ("Harbour Quality", "Harbour Quality Services"),
    ("Harbour", "Harbour Quality"),
    ("Harbour Quality", "Sydney Harbour Quality"),
    ("Harbour Consulting", "Harbour Consultants"),
    ("Harbour Quality Services", "Harbour Quality Training"),
    ("Harbour Bridge Consulting", "Bridge Harbour Training"),
    ("Quality Certification Services", "Certification & Quality Service"),
    # Trading names.
    ("Jo Smith t/a Harbour Quality", "Harbour Quality"),
    ("Jo Smith T/A: Harbour Quality", "Jo Smith Pty Ltd"),
    ("Jo Smith trading as Harbour Quality", "Harbour Quality P/L"),
    ("Harbour Quality (formerly Wattle Systems)", "Wattle Systems"),
    ("Harbour Quality Pty Ltd ATF The Smith Family Trust", "Harbour Quality"),
]

ON_THE_WEB = [
    ("www.Harbour-Quality.com.au", "Harbour Quality"),
    ("https://harbourquality.com.au/about-us", "Harbour Quality"),
    ("jo.tran@harbourquality.co.nz", "Harbour Quality"),
]
"""What a business may give, and no provider is called."""

OUT_OF_THE_WAY = [
    ("Accreditasure Quality", "Acreditassure Quality"),
    ("Bluegum Consulting", "Blue Gun Consulting"),
    ("S\u00f8rensen Consulting", "Soremsen Consulting"),
]
"""They resemble, and a search need not come upon them."""

DIFFERENT = [
    ("Harbour Quality", "Wattle Quality"),
    ("Harbour Quality", "Harbour Training"),
    ("Smith Jones Consulting", "Smith Brown Consulting"),
    ("Harbour", "Harbour Bridge"),
    # Common words alone.
    ("Quality Management Services", "Quality Management Consulting"),
    ("ISO Consulting", "ISO Certification Australia"),
    ("Consulting", "Harbour Consulting"),
    ("Quality Consulting", "Harbour Quality Consulting"),
    ("Pty Ltd", "Harbour Pty Ltd"),
    # Another word is no typing error.
    ("Trainor Consulting", "Training Consulting"),
    ("Brown Consulting", "Crown Consulting"),
    ("ABC Quality Services", "ABD Quality Services"),
    ("Team One Consulting", "Team Two Consulting"),
    ("Studio 1 Quality", "Studio 2 Quality"),
    ("Consultant Number 11", "Consultant Number 12"),
    # What looks like "trading as" and is the name.
    ("DBA Consulting", "AKA Consulting"),
    ("DBA Consulting", "Consulting Group"),
    # A number that is the name, or is another number.
    ("A.C.N. 004 085 616 Pty Ltd", "A.C.N. 676 061 760 Pty Ltd"),
    ("Harbour 2000 Quality", "Harbour 3000 Quality"),
    # What stands in brackets and names nobody.
    ("Harbour Quality (Sydney) Pty Ltd", "Sydney Consulting"),
    ("Harbour Quality (Australia)", "Australian Consulting"),
    ("Harbour Quality (2)", "2"),
    # Nothing to go by.
    ("!!!", "!!!"),
    ("", "Harbour"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE + ON_THE_WEB + OUT_OF_THE_WAY)
def test_these_are_near_enough_to_ask(one, other):
    assert resembles(one, other)
    assert resembles(other, one)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_these_are_two_names(one, other):
    assert not resembles(one, other)
    assert not resembles(other, one)


@pytest.mark.parametrize(
    ("one", "other", "are_one"),
    [
        ("Nova", "Nova GmbH", True),
        ("NOVA, Pty. Ltd.", "Nova P/L", True),
        ("Nova Limited", "Nova Pty Ltd", True),
        ("Nova Inc.", "Nova Incorporated", True),
        ("Nova L.L.C.", "Nova Limited Liability Company", True),
        ("Nova Pty Ltd (ABN 51 824 753 556)", "Nova Pty Ltd", True),
        ("Nova Pty Ltd", "Nova GmbH", False),
        ("Nova Pty Ltd", "Nova Pte Ltd", False),
        ("Nova Inc.", "Nova Corp.", False),
        ("Nova", "Nove", False),
    ],
)
def test_names_are_surely_one_companys_unless_their_legal_forms_contradict(one, other, are_one):
    assert is_surely(one, other) is are_one
    assert is_surely(other, one) is are_one


@pytest.mark.parametrize(
    ("name", "left", "entities"),
    [
        ("Harbour ABN 74 676 061 760", "Harbour", {"AU:676061760"}),
        ("Harbour (A.C.N. 676 061 760)", "Harbour ( )", {"AU:676061760"}),
        ("Harbour ABN: 51824753556 Ltd", "Harbour Ltd", {"AU:51824753556"}),
        ("Harbour NZBN 9429041535110", "Harbour", {"NZ:9429041535110"}),
        ("676061760 Harbour", "Harbour", {"AU:676061760"}),
        # Of no entity, and called a number all the same.
        ("Harbour ACN 123 456 789", "Harbour", set()),
        ("Harbour Company Number 01234567", "Harbour", set()),
        # No number that anybody could be known by.
        ("Harbour 123 456 789", "Harbour 123 456 789", set()),
        ("Harbour 1300 555 000", "Harbour 1300 555 000", set()),
        ("Harbour ACN 2000", "Harbour ACN 2000", set()),
    ],
)
def test_a_registration_number_is_told_from_the_name(name, left, entities):
    assert without_numbers(name).split() == left.split()
    assert entities_in(name) == entities


def test_a_name_is_read_in_a_few_ways_however_many_brackets_it_has():
    assert len(readings("".join(f"(firm{each})" for each in "abcdefghijklmnop"))) < 10


def test_the_likeliest_comes_first_and_no_more_than_a_person_can_look_at():
    others = {
        "far": "Wattle Quality",
        "one more": "Sydney Harbour Quality",
        "mistyped": "Harbor Quality",
        "same": "Harbour Quality P/L",
    }
    assert resembling("Harbour Quality Pty Ltd", others) == ["same", "mistyped", "one more"]
    crowd = {number: f"Harbour Quality {number}" for number in range(20)}
    found = resembling("Harbour Quality", crowd | {"same": "Quality Harbour"})
    assert len(found) == ASKED_AT_MOST
    assert found[0] == "same"


def test_what_tells_a_company_is_apart_from_what_many_are_called():
    (reading,) = readings("The Harbour Quality & Safety Consultants (Australia) Pty Ltd")
    assert reading.telling == ("harbour",)
    assert reading.common == {"quality", "safety", "consult", "australia"}


SUFFIXES = ["Pty Ltd", "PTY. LIMITED", "P/L", "GmbH & Co. KG", "S.A.", "S. A.", "Inc.", "L.L.C."]
TELLING = st.text("abcdefghijklmnopqrstuvwxyz", min_size=4, max_size=12).filter(
    lambda word: (
        word not in LEGAL_FORMS
        and len(readings(word)[0].telling) == 1
        and readings(word)[0].telling[0] == readings(word)[0].joined
    )
)
NAMES = st.builds(
    lambda telling, common: " ".join([*telling, *common]),
    st.lists(TELLING, min_size=1, max_size=3),
    st.lists(st.sampled_from(sorted(COMMON)), max_size=3),
)


@given(st.text() | NAMES, st.text() | NAMES)
def test_it_is_the_same_either_way_round(one, other):
    assert resembles(one, other) == resembles(other, one)


@given(st.text(max_size=30) | NAMES, st.sampled_from(SUFFIXES))
def test_a_name_resembles_itself_with_any_legal_form(name, suffix):
    assume(readings(name))
    assert resembles(name, name)
    assert resembles(name, f"{name} {suffix}")


@given(NAMES)
def test_a_name_resembles_itself_in_another_case_or_width_and_with_accents(name):
    assert resembles(name, name.upper())
    assert resembles(name, name.title())
    assert resembles(name, "".join(chr(ord(c) + 0xFEE0) if "a" <= c <= "z" else c for c in name))
    assert resembles(name, name.replace("e", "e\u0301").replace("n", "n\u0303"))


@given(NAMES, st.randoms(use_true_random=False))
def test_a_name_resembles_itself_in_another_order(name, random):
    words = name.split()
    random.shuffle(words)
    assert resembles(name, " ".join(words))


@given(TELLING, TELLING, st.lists(st.sampled_from(sorted(COMMON)), max_size=4))
def test_common_words_make_nobody_resemble(one, other, common):
    assume(not resembles(one, other))
    assert not resembles(" ".join([one, *common]), " ".join([other, *common]))


def would_be_found(name, key):
    """Return whether a search for the name comes upon a provider with this key."""
    words = set(key.split(" "))
    return any(
        words & (each.any_of | each.mistyped)
        or any(all(words & spelt for spelt in together) for together in each.all_of)
        or (each.start and key.startswith(each.start))
        for each in searches(name)
    )


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_a_search_comes_upon_whatever_resembles(one, other):
    assert would_be_found(one, name_key(other))
    assert would_be_found(other, name_key(one))


@pytest.mark.parametrize(("given", "called"), ON_THE_WEB)
def test_a_search_comes_upon_whoever_has_an_address_on_the_web(given, called):
    assert would_be_found(given, name_key(called))


@given(NAMES, st.data())
def test_a_search_comes_upon_one_mistyped_or_missing_or_added_word(name, data):
    words = name.split()
    at = data.draw(st.integers(0, len(words) - 1))
    kind = data.draw(st.sampled_from(("mistyped", "missing", "added", "joined")))
    if kind == "mistyped":
        place = data.draw(st.integers(1, len(words[at])))
        words[at] = words[at][:place] + "x" + words[at][place:]
    elif kind == "missing":
        del words[at]
    elif kind == "added":
        words.insert(at, data.draw(TELLING | st.sampled_from(sorted(COMMON))))
    else:
        words[at : at + 2] = ["".join(words[at : at + 2])]
    other = " ".join(words)
    if resembles(name, other):
        assert would_be_found(name, name_key(other)), other
        assert would_be_found(other, name_key(name)), other


def test_a_search_leaves_out_what_many_are_called_and_is_never_long():
    (search,) = searches("Harbour Quality Consulting Pty Ltd")
    assert not (search.any_of | search.mistyped) & COMMON.keys()
    (search,) = searches(" ".join(f"accreditation{letter}" for letter in "abcdefghijklmnopqrstuvw"))
    assert len(search.any_of) < 300
    assert len(search.all_of) == 0
    (search,) = searches("x" * 200)
    assert not search.mistyped
    (search,) = searches("x" * 30)
    assert len(search.mistyped) < 2000
