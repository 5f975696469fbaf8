"""In which language pages are written: English, and whatever has been translated."""

from pathlib import Path

from flask import Flask, request
from flask_babel import Babel, get_locale

ENGLISH = "en"
TRANSLATIONS = Path(__file__).parent / "translations"
"""`<language>/LC_MESSAGES/messages.mo`, compiled by gettext's tools; English is in the code."""


def register(app: Flask) -> None:
    """Give templates `_` and `{% trans %}`, in the best language for whoever reads the page."""
    offered = [ENGLISH, *sorted(path.parts[-3] for path in TRANSLATIONS.glob("*/LC_MESSAGES/*.mo"))]

    def chosen() -> str:
        return request.accept_languages.best_match(offered, ENGLISH)

    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(TRANSLATIONS)
    Babel(app, locale_selector=chosen)
    app.jinja_env.globals["locale"] = lambda: str(get_locale() or ENGLISH).replace("_", "-")
