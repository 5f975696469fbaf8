"""Every text of every page can be translated: shown by a language that puts each into brackets."""

import re
import subprocess
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from sqlalchemy import select

from marketplace.bootstrap import build
from marketplace.catalogue.languages import languages as names_of_languages
from marketplace.core.db import Base, db
from marketplace.insights.history import subject_of
from marketplace.notifications.models import Notification
from marketplace.privacy.people import ERASED
from marketplace.web import languages
from marketplace.web.app import create_app
from marketplace.web.pages import words
from tests.conftest import Client, settings_for
from tests.pages.browser import VOID, Browser, Page

GREEK = "el"
"""Has one plural, as English has, and none of its letters in the names of days and months."""

PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")
PIECES = re.compile(r"(<[^>]*>|%\(\w+\)[sd]|%%)")
"""Between these is what a translator writes."""

NAMES = ("ISO quotes marketplace", "ISO quotes", "UTC", "AUD", "nothing")
"""Of the product, a time zone and a currency, and what was searched for."""

NO_TEXT = (
    r"\{#.*?#\}|\{% trans\b.*?endtrans %\}|\{% block width %\}\w+",
    r"\{\{.*?\}\}|\{%.*?%\}",
    r"<(code|pre|script)\b.*?</\1>",
    r'<[^>]*>|&\w+;|aria-\w+="[^"]*"',
    *NAMES,
)
"""What a template has beside texts of its own, the outermost first."""

IN_ENGLISH = ("mailbox", "gallery", "api_docs")
"""Templates for people who develop."""

ENGLISH_FROM_BELOW = (
    # The subject of a mail; why somebody was invited.
    r"^\W*Invitation R-\w{6}: .*",
    r"^was invited into place .*",
    r"^.+ (is a consultant|is a certification body), and the request is for \w+$",
    r"^.+ was not verified$",
    r"^.* has as many open invitations as it takes",
    r"^.+ is applied, and only verified providers are invited$",
    r"^.+ is on leave, or its invitations are paused$",
)
"""What stays English: sentences that are put together where nothing is known of languages."""


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """What `make texts` gathers."""
    gathered = tmp_path_factory.mktemp("texts") / "messages.pot"
    done = subprocess.run(
        ["make", "--silent", "texts", f"TEXTS={gathered}"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with gathered.open("rb") as file:
        return [message for message in read_po(file) if message.id]


@pytest.fixture(scope="module")
def translations(texts, tmp_path_factory):
    """A language: every text in brackets, but for what is put into it."""
    catalog = Catalog(locale=GREEK)
    for each in texts:
        said = tuple(map(in_brackets, forms_of(each)))
        catalog.add(each.id, said if each.pluralizable else said[0], context=each.context)
    folder = tmp_path_factory.mktemp("translations")
    compiled = folder / GREEK / "LC_MESSAGES" / "messages.mo"
    compiled.parent.mkdir(parents=True)
    with compiled.open("wb") as file:
        write_mo(file, catalog)
    return folder


def forms_of(message):
    return message.id if message.pluralizable else (message.id,)


def in_brackets(text):
    return "".join(
        piece if number % 2 or not piece.strip() else f"⟦{piece}⟧"
        for number, piece in enumerate(PIECES.split(text))
    )


@pytest.fixture(scope="module")
def in_greek(installation, services, translations):
    """The product with a second language."""
    product = build(settings_for(services))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(languages, "TRANSLATIONS", translations)
        create_app(product)
    yield product
    with product.app.app_context():
        db.engine.dispose()


@pytest.fixture
def english_only(client):
    """The product as it is, asked for Greek."""
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = GREEK
    return client


@pytest.fixture
def greek(in_greek, ctx):
    in_greek.app.extensions["marketplace"] = replace(in_greek, ctx=ctx)
    return in_greek.app


@pytest.fixture
def browser(greek):
    """Make a browser whose person reads Greek."""

    def fresh(wanted="el-GR,el;q=0.9,en;q=0.5"):
        client = Client(greek, greek.response_class)
        client.environ_base["HTTP_ACCEPT_LANGUAGE"] = wanted
        return Browser(client)

    return fresh


class Shown(HTMLParser):
    """What a page shows or reads out, piece by piece."""

    def __init__(self, html):
        super().__init__()
        self.pieces, self.open = [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        if tag not in VOID:
            self.open.append((tag, named.get("class") or ""))
        for name, value in attributes:
            is_text = name in ("title", "alt", "placeholder", "aria-label") or (
                name == "content" and named.get("name") == "description"
            )
            if is_text or (
                name.startswith("data-") and re.search(r"\s|⟦|^[A-Z][a-z]*$", value or "")
            ):
                self.pieces.append((name, value or ""))

    def handle_endtag(self, tag):
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        # What was typed, what somebody has said, and code.
        is_quoted = any(t in ("textarea", "code", "script") or c == "said" for t, c in self.open)
        if not is_quoted:
            self.pieces.append((self.open[-1][0] if self.open else "", data))


def test_every_text_on_every_page_is_translated(collected, ctx):
    with ctx.reading() as session:
        mails = [subject_of(each) or "" for each in session.scalars(select(Notification))]
        # What a provider is called that took its application back is data as any other name.
        data = Data([*NAMES, ERASED, *mails, *names_of_languages().values(), *stored_in(session)])
    used, english = Counter(), {}
    for page in collected:
        if page.at.startswith("/mailbox"):
            continue
        assert ("html", {"lang": GREEK}) in page.elements
        for where, piece in Shown(page.html).pieces:
            said = re.sub(r"⟦[^⟧]*⟧|\{\w+\}", "\0", " ".join(piece.split()))
            for sentence in ENGLISH_FROM_BELOW:
                said, times = re.subn(sentence, "", said)
                used[sentence] += times
            said = data.taken_out_of(said)
            if re.search("[A-Za-z]", said):
                english.setdefault((where, said.replace("\0", "⟦⟧")), page.at)
    left = sorted(f"{at}: <{where}> {text}" for (where, text), at in english.items())
    assert not left, "\n".join(left)
    assert not [sentence for sentence in ENGLISH_FROM_BELOW if not used[sentence]]


def stored_in(session):
    """Return every text in the database: names, titles, what people wrote.

    Bare words, such as `open`, stand for something, and are not to be shown.
    """
    for table in Base.metadata.sorted_tables:
        for row in session.execute(select(table)):
            yield from (text for text in leaves(list(row)) if not re.fullmatch("[a-z_]*", text))


def leaves(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from leaves([*value, *value.values()])
    elif isinstance(value, list | tuple):
        for each in value:
            yield from leaves(each)


class Data:
    """Texts that are the same in every language."""

    def __init__(self, found):
        self.by_word = {}
        for text in {" ".join(each.split()) for each in found}:
            self.by_word.setdefault(first_word(text), []).append(text)

    def taken_out_of(self, said):
        """Return what is left of a text without the longest of them at each word of it."""
        left, at = "", 0
        while at < len(said):
            begun = (
                [""]
                if said[at - 1 : at].isalnum()
                else self.by_word.get(first_word(said[at:]), [""])
            )
            fits = [
                text
                for text in begun
                if said.startswith(text, at) and not said[at + len(text) :][:1].isalnum()
            ]
            longest = max(fits, key=len, default="")
            left += "" if longest else said[at]
            at += len(longest) or 1
        return left


def first_word(text):
    return re.match(r"\w*", text)[0] or text[:1]


def test_what_translators_get_is_clean(texts):
    assert len(texts) > 300
    for message in texts:
        for text in forms_of(message):
            assert text == " ".join(text.split()), text
            assert not re.search(r" [.,:?!](\s|$)|\.\.\.|[\u201c\u201d].*\"", text), text
            assert text.count("(") == text.count(")"), text
        if message.pluralizable:
            one, many = (set(PLACEHOLDER.findall(text)) for text in forms_of(message))
            assert one <= many, message.id


def test_no_template_says_anything_by_itself():
    """Nor does one translate what somebody typed: a `%` in it would be a place for a value."""
    for path in (Path(languages.__file__).parent / "templates").glob("*.html"):
        source = path.read_text()
        assert not re.search(r"gettext\(|\b_\((?![\"'])", source), path.name
        if path.stem in IN_ENGLISH:
            continue
        assert not re.search(r'(label|alt|title|placeholder)="[^"{]*[A-Za-z]', source), path.name
        for passed_over in NO_TEXT:
            source = re.sub(passed_over, " ", source, flags=re.DOTALL)
        assert not re.findall(r".*[A-Za-z].*", source), path.name


def test_a_page_is_in_the_language_that_its_reader_asks_for_first(browser):
    for wanted, language, said in (
        ("el", "el", "⟦Sign in⟧"),
        ("sv, el-CY;q=0.8, en;q=0.2", "el", "⟦Sign in⟧"),
        ("en-NZ, el;q=0.5", "en", "Sign in"),
        ("sv", "en", "Sign in"),
        ("el;q=0, *", "en", "Sign in"),
        ("../el, \x7f;q=x", "en", "Sign in"),
        ("", "en", "Sign in"),
    ):
        page = browser(wanted).open("/sign-in")
        assert ("html", {"lang": language}) in page.elements, wanted
        assert f"<h1>{said}</h1>" in page.html, wanted


def test_caches_are_told_that_pages_go_by_the_language_only_where_they_do(browser, english_only):
    reader = browser().client
    page = reader.get("/")
    assert "Accept-Language" in page.vary
    assert page.headers["Cache-Control"] == "private, no-cache"
    for path in ("/api/v1/catalogue", "/healthz", Page(page, "/").link("site.css")):
        with reader.get(path) as answer:
            assert answer.status_code == 200, path
            assert "Accept-Language" not in answer.vary, path
    assert "Accept-Language" not in english_only.get("/").vary


def test_the_json_interface_speaks_english_to_everybody(browser):
    refused = browser().client.post("/api/v1/sessions", json={})
    assert {"pointer": "/email", "detail": "is required"} in refused.json["errors"]
    assert refused.json["title"] == "Some fields need another look"


def test_dates_and_numbers_are_written_as_the_language_does(greek, app, ctx):
    for writer, wanted in (
        (
            app,
            ["25 November 2026", "November 2026", "2 days 3 hours", "AUD 1,250.50", "2.5"],
        ),
        (
            greek,
            ["25 Νοεμβρίου 2026", "Νοέμβριος 2026", "2 ημέρες 3 ώρες", "AUD 1.250,50", "2,5"],
        ),
    ):
        with writer.test_request_context(headers={"Accept-Language": GREEK}):
            day = date(2026, 11, 25)
            assert [
                words.day(day),
                words.month(day),
                words.span(timedelta(days=2, hours=3)),
                words.money(Decimal("1250.5"), "AUD"),
                words.number(2.5),
            ] == wanted
