"""Whatever surrounds it and however it is spelled, no name survives; harmless text stays."""
# ruff: noqa: RUF001  # letters that cannot be told apart are what is tested

import re
import string
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from marketplace.leads.folding import fold, folded
from marketplace.leads.masking import (
    COVER,
    Identity,
    mask_identities,
    mask_text,
    masked_brief,
)

ACME = Identity(
    company_name="Acme Fabrication Pty Ltd",
    contact_name="Jo Tran",
    contact_email="jo.tran@acme.example",
    contact_phone="+61 2 5550 1234",
    website="https://www.acme.example/about",
    registration_number="51824753556",
    others=("Harbour Quality Pty Ltd",),
)

MASKED = Identity(
    company_name="Übermaß Façade GmbH",
    contact_name="Zoë Ångström",
    contact_email="info@uebermass.example",
)


@pytest.mark.parametrize(
    "harmless",
    [
        "ISO 9001",
        "We are 42 people at 3 sites.",
        "ISO 9001:2015 to ISO 9001:2026, and ISO/IEC 27001:2022.",
        "ISO 9001/14001/45001 together, or 9001 14001 45001.",
        "Audit between 2027-03-31 and 2027-04-02.",
        "The tender closes on 31/03/2027, the works on 1.4.2027, the year on 31/12/27.",
        "For 2026-2027, in 2026/2027.",
        "A budget of 150000 AUD, or $1,500,000.00 in all.",
        "Two shifts, 06:00 to 22:00; 24/7 on line 3.",
        "Transport, transition and joint ventures: nothing of theirs is in these words.",
        "Café, naïve, Größe: accents stay as they were written.",
        "Ｆｕｌｌ width stays as it was written, \u2460 too.",
        "हिन्दी में लिखा है",
        "We need quality management systems and certification services in Australia.",
        "First.\nSecond line; e.g. this, i.e. that, approx. 5 km (at most).",
        "",
    ],
)
def test_harmless_text_is_left_exactly_as_it_was_written(harmless):
    assert mask_text(harmless, ACME) == harmless


@pytest.mark.parametrize(
    "told",
    [
        "Acme Fabrication Pty Ltd",
        "acme fabrication",
        "ACME",
        "Acme's plant",
        "AcmeFabrication",
        "TeamAcme",
        "acme_au",
        "acme2026",
        "A c m e",
        "A.C.M.E.",
        "Ac-me",
        "Ac\u200bme",
        "A\u00adcme",
        "A\u0301cme\u0301",
        "Ácmé",
        "Ａｃｍｅ",
        "𝐀𝐜𝐦𝐞",
        "ⓐⓒⓜⓔ",
        "\u0410\u0441m\u0435",  # Cyrillic A, s, e
        "\u1d00\u1d04\u1d0d\u1d07",  # small capitals
        "🇦🇨🇲🇪",
        "Acme\u3164",
        "prefabrications",
    ],
)
def test_no_spelling_of_the_company_survives(told):
    shown = mask_text(f"We at {told} need help", ACME)
    assert COVER in shown
    assert "acme" not in re.sub(r"[\W_]", "", folded(shown))
    assert "fabrication" not in folded(shown)
    assert shown.startswith("We at ")
    assert shown.endswith(" need help")


@pytest.mark.parametrize(
    "told",
    [
        "Jo Tran", "JO TRAN", "Tran, Jo", "jotran", "JoTran", "J o  T r a n", "jo_tran", "Jo\nTran",
        "Ｊｏ Ｔｒａｎ", "J\u200do Tr\u200dan", "Jó Trån", "jotran99",
    ],
)  # fmt: skip
def test_no_spelling_of_the_person_survives(told):
    shown = mask_text(f"Ask {told} first", ACME)
    assert "tran" not in re.sub(r"[\W_]", "", folded(shown))
    assert not re.search(r"(?<![^\W_])jo(?![^\W_])", folded(shown))


@pytest.mark.parametrize(
    "told",
    [
        "jo.tran@acme.example", "JO.TRAN@ACME.EXAMPLE", "jo.tran (at) acme (dot) example",
        "jo.tran[at]acme[dot]example", "jo.tran at acme dot example", "jo.tran＠acme.example",
        "jo.tran aT acme dOt example", "jo.tran (aT) acme (doT) example",
        "jo.tran @ acme . example", "jo\u200b.tran@acme.example", "{jo.tran}@acme.example",
        "pat@elsewhere.example", "pat (at) elsewhere (dot) example", "pat at elsewhere dot example",
        "o'brien+bids@elsewhere.example", "mailto:pat@elsewhere.example", "@acmefab",
        "<pat@elsewhere.example>", "pat(at)elsewhere.example", "pat＠elsewhere．example",
    ],
)  # fmt: skip
def test_no_address_survives_theirs_or_anybodys(told):
    shown = folded(mask_text(f"Write to {told} please", ACME))
    for word in ("tran", "acme", "pat", "elsewhere", "brien", "bids"):
        assert word not in shown
    assert shown.startswith("write to ")
    assert shown.endswith(" please")


@pytest.mark.parametrize(
    "told",
    [
        "https://www.acme.example/about", "www.acme.example", "acme.example", "ACME.EXAMPLE/jobs",
        "http : // acme . example", "www . acme . example", "elsewhere.example", "hTTps://x.example",
        "acme．example", "acme(dot)example", "sub.elsewhere.com.au/path?x=1", "пример.рф",
    ],
)  # fmt: skip
def test_no_web_address_survives_theirs_or_anybodys(told):
    shown = folded(mask_text(f"See {told} for more", ACME))
    for word in ("acme", "elsewhere", "http", "www", folded("пример"), "x.example"):
        assert word not in shown


@pytest.mark.parametrize(
    "told",
    [
        "+61 2 5550 1234", "02 5550 1234", "(02) 5550-1234", "0255501234", "5550 1234", "5550.1234",
        "+61255501234", "02,5550,1234", "02_5550_1234", "5 5 5 0 1 2 3 4", "5550\u200b1234",
        "０２ ５５５０ １２３４", "٠٢ ٥٥٥٠ ١٢٣٤", "02 5550\u2013 1234", "0011 61 2 5550 1234",
        "tel:0255501234x9", "②5550①②③④",
    ],
)  # fmt: skip
def test_no_spelling_of_the_telephone_survives(told):
    digits = re.sub(r"\D", "", folded(mask_text(f"Ring {told} or", ACME)))
    assert "5501234" not in digits
    assert "55501" not in digits


@pytest.mark.parametrize(
    "told",
    ["03 9555 0000", "1300 555 000", "13 12 34", "+44 20 7946 0000", "555-0100-22", "0400123456"],
)
def test_no_other_telephone_survives(told):
    assert mask_text(f"Ring {told} today", ACME) == f"Ring {COVER} today"


@pytest.mark.parametrize(
    "told",
    [
        "51 824 753 556", "51824753556", "ABN 51-824-753-556", "51,824,753,556", "51.824.753.556",
        "5 1 8 2 4 7 5 3 5 5 6", "51_824_753_556", "５１ ８２４ ７５３ ５５６", "824 753 556",
        "824753556", "ABN51824753556", "51 824\n753 556", "51\u200b824753556", "1/51824753556/2",
    ],
)  # fmt: skip
def test_no_spelling_of_the_registration_number_survives(told):
    digits = re.sub(r"\D", "", folded(mask_text(f"Ours is {told} so", ACME)))
    assert "824753556" not in digits
    assert "7535" not in digits


@pytest.mark.parametrize(
    "told", ["SC123456", "SC 123 456", "sc-123456", "S C 1 2 3 4 5 6", "ＳＣ123456"]
)
def test_a_number_with_letters_in_it_does_not_survive_either(told):
    identity = Identity(
        "Loch Works Ltd", "Ada Kerr", "a@loch.example", registration_number="SC123456"
    )
    assert "123456" not in re.sub(r"\W", "", folded(mask_text(f"No. {told}.", identity)))


@pytest.mark.parametrize(
    "told", ["Übermaß Façade", "UEBERMASS", "Ubermass", "ÜBERMASS FACADE", "Zoe Angstrom", "ZOË"]
)
def test_accents_and_sharp_s_hide_nothing(told):
    shown = folded(mask_text(f"Wir sind {told} hier", MASKED))
    for word in ("ubermass", "uebermass", "facade", "zoe", "angstrom"):
        assert word not in shown


def test_a_name_of_common_words_only_is_covered_as_a_whole_and_its_words_are_not():
    identity = Identity("Quality Management Systems Pty Ltd", "Al Ode", "al@qms.example")
    assert mask_text("We, Quality Management Systems, need", identity) == f"We, {COVER}, need"
    assert mask_text("a quality system of management", identity) == "a quality system of management"


def test_a_word_of_a_name_that_could_be_a_legal_form_is_left_only_where_it_is_one():
    first = Identity("Private Label Foods Pty Ltd", "Al Ode", "al@plf.example")
    assert mask_text("Our Private etavirp is", first) == f"Our {COVER} {COVER} is"
    last = Identity("Harbour Foods Private Limited", "Al Ode", "al@foods.example")
    assert mask_text("a private firm, of limited size", last) == "a private firm, of limited size"
    assert COVER in mask_text("Foods Private", last)


@pytest.mark.parametrize("told", ["4cm3b0lt", "tl0b3mc4", "4cm3 b0lt", "Jot4n"])
def test_names_run_together_with_signs_for_letters_are_found_either_way(told):
    identity = Identity("Acme Bolt Pty Ltd", "Jo Tan", "info@x.example")
    assert mask_text(f"we, {told}, say", identity) == f"we, {COVER}, say"


def test_what_is_covered_for_one_hides_no_half_of_an_address_from_the_other():
    other = Identity("Dot Quality Ltd", "Kim Reyes", "kim@dq.example")
    shown = mask_text("Write to msmith at works dot net today", ACME, other)
    assert shown == f"Write to {COVER} today"


@pytest.mark.parametrize("told", ["B.H.P.", "b h p", "B-H-P", "BHP"])
def test_a_short_word_of_a_name_is_found_with_something_between_its_letters(told):
    identity = Identity("BHP Steel Works Ltd", "Al Ode", "al@x.example")
    assert re.sub(r"[\W_]", "", mask_text(f"we, {told}, say", identity)) == "wesay"


def test_a_name_in_another_script_is_covered_inside_a_sentence_without_spaces():
    identity = Identity("株式会社アクメ", "田中太郎", "t@acme.example")
    shown = mask_text("私たちは株式会社アクメの工場で田中太郎が担当です", identity)
    assert "アクメ" not in shown
    assert "田中" not in shown
    assert shown.startswith("私たちは")


def test_what_is_said_of_the_consultants_is_covered_too():
    assert mask_text("Harbour helped us in 2025.", ACME) == f"{COVER} helped us in 2025."


def test_the_shortest_names_are_covered_as_words_and_not_inside_words():
    identity = Identity("3D Co", "Li O", "li@x.example")
    assert mask_text("Li of 3D lives in a 3d printed village", identity) == (
        f"{COVER} of {COVER} lives in a {COVER} printed village"
    )


def test_only_these_identities_are_covered_where_nobody_elses_matter():
    text = "Harbour asked: reply to jo.tran@acme.example or ring 03 9555 0000."
    harbour = Identity("Harbour Quality Pty Ltd", "Kim Reyes", "kim@harbour.example")
    assert mask_identities(text, [harbour]) == text.replace("Harbour", COVER)
    assert mask_identities(text, []) == text


def test_the_brief_holds_what_a_quote_needs_and_nothing_else():
    lead = dict.fromkeys(
        (
            "reference", "service", "standards", "editions", "country", "regions", "headcount",
            "sites", "sector", "certification_status", "timeframe", "needed_by", "remote_ok",
            "language",
        ),
        "x",
    )  # fmt: skip
    brief = masked_brief({**lead, "company_name": "Acme", "notes": "Acme, 3 sites"}, ACME)
    assert brief == {**lead, "notes": f"{COVER}, 3 sites"}
    assert masked_brief({**lead, "notes": None}, ACME)["notes"] is None


# Properties: whatever is around it.

surroundings = st.text(max_size=60)
separators = st.text(alphabet=" \t\n.,;:-_/*|\u200b\u00ad\u2060\u00a0·•", max_size=3)


def spelled(draw, letters, separator):
    """Spell the letters as somebody might who wants them to get through."""
    styles = (
        str.upper,
        str.lower,
        lambda c: c + "\u0301",
        lambda c: chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c,
        lambda c: "\u200b" + c + "\u2060",
    )
    style = draw(st.sampled_from(styles))
    return separator.join(style(each) for each in letters)


@st.composite
def hidden(draw, secret):
    """Return notes in which the secret is spelled somehow between any other text."""
    return draw(surroundings) + spelled(draw, secret, draw(separators)) + draw(surroundings)


def squeezed(text):
    return re.sub(r"[\W_]", "", folded(text))


def survives(secret, notes):
    """Return whether the secret can be read in the masked notes more often than by chance."""
    shown = mask_text(notes, ACME)
    return any(secret in squeezed(part) for part in shown.split(COVER))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Acme Fabrication Pty Ltd", "acmefabrication"),
        ("AcmeFabrication", "acmefabrication"),
        ("Jo Tran", "jotran"),
        ("jo.tran@acme.example", "jotranacmeexample"),
        ("+61 2 5550 1234", "55501234"),
        ("02 5550 1234", "55501234"),
        ("51 824 753 556", "824753556"),
        ("www.acme.example", "wwwacmeexample"),
        ("Harbour Quality", "harbourquality"),
    ],
)
def test_nothing_of_the_identity_survives_whatever_surrounds_it(written, read):
    @settings(max_examples=60, deadline=None)
    @given(hidden([*written]))
    def check(notes):
        assert not survives(read, notes)

    check()


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=80),
    st.sampled_from(["Acme", "Jo", "Tran", "Fabrication", "Harbour"]),
    st.text(max_size=80),
)
@example("", "Jo", "")
def test_no_word_of_a_name_survives_as_a_word(before, word, after):
    shown = mask_text(f"{before} {word} {after}", ACME)
    found = re.findall(r"[^\W_]+", folded(shown))
    assert word.casefold() not in found


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=120))
def test_what_is_shown_is_the_text_itself_with_parts_covered(text):
    """So nothing is invented, reordered or respelled."""
    place = 0
    for part in mask_text(text, ACME).split(COVER):
        place = text.index(part, place) + len(part)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(string.ascii_lowercase, min_size=1, max_size=3), max_size=12))
def test_short_words_that_are_not_theirs_are_left(words):
    kept = [word for word in words if word not in ("jo", "at", "dot", "www")]
    text = ", ".join(kept)
    assert mask_text(text, Identity("Acme Fabrication", "Jo Tran", "jo@acme.example")) == text


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60))
def test_folding_says_of_every_letter_where_it_came_from(text):
    plain = fold(text)
    assert len(plain.text) == len(plain.origin)
    assert list(plain.origin) == sorted(plain.origin)
    assert all(0 <= place < len(text) for place in plain.origin)
    assert not [c for c in plain.text if unicodedata.category(c) in ("Cf", "Mn", "Me")]
