"""Texts for people, where nothing is known of their languages: `make texts` gathers what is marked.

They are English as they stand; pages translate them (`web/languages.py`, `translate`).
"""

from typing import Any


def N_(text: str) -> str:  # noqa: N802  # gettext's own name for it
    """Mark a text for translation where it is kept."""
    return text


class Told(str):
    """A text with values in it (`%(name)s`), which a translator finds without them."""

    text: str
    values: dict[str, Any]

    def __new__(cls, text: str, **values: Any) -> "Told":
        told = super().__new__(cls, text % values)
        told.text, told.values = text, values
        return told
