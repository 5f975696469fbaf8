"""Whoever hides in a note who it is, is found: drawn identities, spelled in drawn ways.

What is left of a note is read by an eye of its own, which shares nothing with the masker: it takes
signs for letters, decodes, reads backwards and words as digits, and must not find the secret.
"""

import base64
import html
import re
import string
import time
import unicodedata
from urllib.parse import quote, unquote

from hypothesis import given
from hypothesis import strategies as st

from marketplace.leads.masking import COMMON_WORDS, COVER, Identity, mask_text
from marketplace.leads.tells import NO_NAMES
from tests.fuzz.sizes import generated

NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
CYRILLIC = str.maketrans("aeopcxy", "\u0430\u0435\u043e\u0440\u0441\u0445\u0443")
LATIN = {
    ord(other): latin
    for latin, other in zip("aeopcxy", "\u0430\u0435\u043e\u0440\u0441\u0445\u0443", strict=True)
}
SIGNS = str.maketrans("aeiost", "431057")
LETTERS = str.maketrans("431057", "aeiost")
OF_SQUARES = {0x1F170 + number: letter for number, letter in enumerate(string.ascii_lowercase)}

words = st.text(string.ascii_lowercase, min_size=5, max_size=9).filter(
    # Nothing that a look from afar takes for another word, nor one that any note could hold: of a
    # business called Office Audits these are covered as its name, and not as words. What is drawn
    # is no English by itself, but Hypothesis takes words out of the code that it tries as well.
    lambda word: (
        len(set(word)) > 3
        and not re.search("rn|vv|l", word)
        and word not in {*COMMON_WORDS.split(), *NO_NAMES}
    )
)
digits = st.text(string.digits, min_size=9, max_size=11).filter(lambda n: len(set(n)) > 4)


def wide(text):
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def squares(text):
    return "".join(chr(ord(c) - ord("a") + 0x1F170) if "a" <= c <= "z" else c for c in text)


STYLES = {
    "as it is": str,
    "capitals": str.upper,
    "title": str.title,
    "accents": lambda text: "".join(c + "\u0301" if c.isalpha() else c for c in text),
    "wide": wide,
    "look-alikes": lambda text: text.lower().translate(CYRILLIC),
    "signs": lambda text: text.lower().translate(SIGNS),
    "squares": lambda text: squares(text.lower()),
}
LAYOUTS = {
    "together": str,
    "invisible": "\u200b".join,
    "soft hyphens": "\u00ad".join,
    "spaced": " ".join,
    "dotted": ".".join,
    "hyphens": "-".join,
    "dashes": "\u2013".join,
    "no-break hyphens": "\u2011".join,
    "underlined": "_".join,
    "down the page": "\n".join,
    "starred": "*".join,
}
WRAPPERS = {
    "bare": str,
    "entities": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "hexadecimal": lambda text: "".join(f"&#x{ord(c):x};" for c in text),
    "percent": lambda text: "".join(f"%{b:02X}" for b in text.encode()),
    "some percent": lambda text: quote(text, safe=""),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "in hex": lambda text: text.encode().hex(),
    "backwards": lambda text: text[::-1],
}
DIGITS = {
    "as it is": str,
    "wide": wide,
    "arabic": lambda text: "".join(chr(0x660 + int(c)) for c in text),
    "letter o": lambda text: text.replace("0", "O"),
    "words": lambda text: " ".join(NUMBER_WORDS[int(c)] for c in text),
}

AROUND = (
    "We are a workshop with 42 people and need ISO 9001: {} . Two shifts.",
    "{}",
    "First line.\n{}\nLast line, e.g. this.",
    "({})",
    "Budget 150000 AUD; \u00fcber \u00c4nderungen: {}, danke",
)


def squeezed(text):
    plain = unicodedata.normalize("NFKD", text.translate(OF_SQUARES)).casefold()
    kept = (c for c in plain if unicodedata.category(c)[0] in "LN")
    return "".join(str(unicodedata.digit(c)) if c.isdigit() else c for c in kept)


def readings(part):
    """Return whatever somebody who wants to could read in a part that was left uncovered."""
    open_ = [part, html.unescape(part), unquote(part)]
    for token in re.findall(r"[A-Za-z0-9+/=]{8,}", part):
        plain = token.rstrip("=")
        for decode, of in ((base64.b64decode, 4), (base64.b32decode, 8), (bytes.fromhex, 1)):
            try:
                open_.append(decode(plain + "=" * (-len(plain) % of)).decode())
            except ValueError:
                continue
    for text in open_:
        plain = squeezed(text).translate(LATIN)
        said = plain
        for digit, word in enumerate(NUMBER_WORDS):
            said = said.replace(word, str(digit))
        for each in (plain, plain.translate(LETTERS), said, said.replace("o", "0")):
            yield from (each, each[::-1])


def is_found(secret, shown):
    return any(secret in read for part in shown.split(COVER) for read in readings(part))


@st.composite
def businesses(draw):
    """Return an identity, and each of its secrets as it is written and as it is read."""
    company, other, first, last, domain = draw(st.lists(words, min_size=5, max_size=5, unique=True))
    number, phone = draw(digits), draw(digits)
    identity = Identity(
        company_name=f"{company.title()} {other.title()} Pty Ltd",
        contact_name=f"{first.title()} {last.title()}",
        contact_email=f"{first}.{last}@{domain}.example",
        contact_phone=f"+61{phone}",
        website=f"https://www.{domain}.example",
        registration_number=number,
    )
    named = [company, other, first, last, domain, company + other, first + last]
    return identity, draw(st.sampled_from(named)), draw(st.sampled_from([number, phone]))


def spelled(draw, text, styles):
    style = draw(st.sampled_from(sorted(styles)))
    layout = draw(st.sampled_from(sorted(LAYOUTS)))
    wrapper = draw(st.sampled_from(sorted(WRAPPERS)))
    styled = styles[style](text)
    if style != "words":
        styled = LAYOUTS[layout](styled)
    return WRAPPERS[wrapper](styled)


def test_nothing_known_of_a_business_is_left_however_it_is_spelled(counted):
    @generated(30)
    @given(st.data())
    def hide_and_seek(data):
        identity, name, number = data.draw(businesses())
        for secret, styles in ((name, STYLES), (number, DIGITS)):
            hidden = spelled(data.draw, secret, styles)
            note = data.draw(st.sampled_from(AROUND)).format(hidden)
            assert is_found(secret, note) or styles is DIGITS, "the eye does not see it itself"
            shown = mask_text(note, identity)
            assert not is_found(secret, shown), (note, shown)
            counted["notes"] += 1

    hide_and_seek()


WAYS = (
    "{0}@{1}.example", "{0} (at) {1} (dot) com", "{0} at {1} dot com dot au", "{0}[at]{1}[.]com",
    "{0}&#64;{1}&#46;com", "{0}%40{1}.com", "{0} AT {1}.com.au", "https://{1}.example/{0}",
    "hxxps://{1}.com/{0}", "www.{1}.com/{0}", "linkedin.com/in/{0}-{1}", "@{0}_{1}",
    "insta: {0}_{1}", "{0}.{1} on telegram",
)  # fmt: skip
PEOPLE = (
    "Ask for {0} {1}", "Regards,\n{0} {1}", "Mr {0} {1}", "my name is {0} {1}",
    "Please contact {0} {1}",
)  # fmt: skip
STREETS = ("12 {0} {1} Street", "Unit 3, 45-47 {0} Rd, {1} NSW 2300", "{0}strasse 12, 70173 {1}")


def test_nobody_else_can_be_reached_either(counted):
    """Whom the masker does not know: other people's addresses, handles, streets and numbers."""

    @generated(30)
    @given(st.data())
    def hide_and_seek(data):
        identity, *_ = data.draw(businesses())
        one, two = (data.draw(words).title() for _ in range(2))
        way = data.draw(st.sampled_from((*WAYS, *PEOPLE, *STREETS)))
        layout = data.draw(st.sampled_from(("together", "invisible", "soft hyphens")))
        hidden = way.format(*(LAYOUTS[layout](each) for each in (one, two)))
        note = data.draw(st.sampled_from(AROUND)).format(hidden)
        shown = mask_text(note, identity)
        assert not is_found(one.lower(), shown), (note, shown)
        if "{1}" in way:
            assert not is_found(two.lower(), shown), (note, shown)
        counted["notes"] += 1

    hide_and_seek()


ATOMS = (
    "a", "acme", "1", "0", "@", ".", "-", "_", " ", "\n", "(", ")", "[", "at ", " dot ", "(at)",
    "http", "www.", "h t t p ", "&#", "&#65;", "%41", "%", "\\u0041", "rn", "vv", "A", "aB", "St ",
    "street ", "one ", "double ", "Mr ", "ask for ", "po box ", "\u200b", "\u0301", "oil", "4",
    "\u00df",     "12 a ", "a, ", "nsw ", "rue ", "QWNt", "=", "\x00", "linkedin ", "on ", "\u2588",
)  # fmt: skip


def test_the_time_grows_with_the_length_of_a_note_and_not_with_its_square(counted):
    """Twice the length takes about twice the time, of whatever it is made."""
    identity = Identity(
        "Acme Fabrication Pty Ltd",
        "Jo Tran",
        "jo@acme.example",
        "+61255501234",
        None,
        "51824753556",
    )

    def seconds(note):
        began = time.thread_time()
        mask_text(note, identity)
        return time.thread_time() - began

    @generated(6)
    @given(st.lists(st.sampled_from(ATOMS), min_size=1, max_size=3))
    def repeat(atoms):
        unit = "".join(atoms)
        short, long = (unit * (size // len(unit)) for size in (500, 4000))
        floor = min(seconds(short) for _ in range(2)) + 0.002
        took = next((t for t in map(seconds, [long] * 3) if t < 40 * floor), None)
        assert took is not None, (unit, floor)  # 64 times as long, if it were the square
        counted["notes"] += 1

    repeat()
