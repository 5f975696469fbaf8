"""In which language pages are written: English, and whatever has been translated."""

from pathlib import Path

from babel import Locale, negotiate_locale
from flask import Flask, Response, g, has_request_context, request
from flask_babel import Babel, get_locale, gettext

from marketplace.core.texts import Told

ENGLISH = "en"
AUSTRALIAN = Locale("en", "AU")
TRANSLATIONS = Path(__file__).parent / "translations"
"""`<language>/LC_MESSAGES/messages.mo`, compiled by gettext's tools; English is in the code."""


def register(app: Flask) -> None:
    """Give templates `_` and `{% trans %}`, in the best language for whoever reads the page."""
    offered = [ENGLISH, *sorted(path.parts[-3] for path in TRANSLATIONS.glob("*/LC_MESSAGES/*.mo"))]

    def chosen() -> str:
        g.was_language_chosen = True
        asked = request.accept_languages if has_request_context() else ()
        wanted = [tag.replace("-", "_") for tag, quality in asked if quality]
        return negotiate_locale(wanted, offered) or ENGLISH

    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(TRANSLATIONS)
    Babel(app, locale_selector=chosen)  # type: ignore[no-untyped-call]  # its __init__ has no annotations
    app.jinja_env.policies["ext.i18n.trimmed"] = True  # as `make texts` reads them
    app.jinja_env.globals["locale"] = lambda: str(get_locale() or ENGLISH).replace("_", "-")

    if len(offered) > 1:

        @app.after_request
        def say_what_it_went_by(response: Response) -> Response:
            if "was_language_chosen" in g:
                response.vary.add("Accept-Language")
            return response


def translate(text: str) -> str:
    """Return a text that was kept, or told from below, in the language of the page.

    One that nobody marked stays as it is. (Templates may not do this by `_`, to which a `%` in what
    somebody typed would be a place for a value.)
    """
    if isinstance(text, Told):
        return gettext(text.text, **text.values)
    return gettext(text) if text else ""


def formats() -> Locale:
    """Return by whose custom dates and numbers are written; in English by that of Australia."""
    chosen = get_locale()
    return AUSTRALIAN if chosen is None or chosen.language == ENGLISH else chosen
