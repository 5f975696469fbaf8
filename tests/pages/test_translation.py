"""Every text of every page can be translated: shown by a language that puts each into brackets."""

import re
import subprocess
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from marketplace.bootstrap import build
from marketplace.core.db import db
from marketplace.web import languages
from marketplace.web.app import create_app
from marketplace.web.pages import words
from tests.conftest import Client, settings_for
from tests.pages.browser import Browser, Page

GREEK = "el"
"""Has one plural, as English has, and none of its letters in the names of days and months."""

PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")
PIECES = re.compile(r"(<[^>]*>|%\(\w+\)[sd]|%%)")
"""Between these is what a translator writes."""


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """What `make texts` gathers."""
    gathered = tmp_path_factory.mktemp("texts") / "messages.pot"
    subprocess.run(
        ["make", "--silent", "texts", f"TEXTS={gathered}"],
        cwd=Path(__file__).parents[2],
        check=True,
        capture_output=True,
    )
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


def test_no_page_translates_what_somebody_typed():
    """A `%` in it would be taken for a place for a value, and the page would break."""
    templates = Path(languages.__file__).parent / "templates"
    for template in templates.glob("*.html"):
        found = re.findall(r"\bn?gettext\(|\b_\((?![\"']).*", template.read_text())
        assert not found, (template.name, found)


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
