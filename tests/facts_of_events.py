"""What an event may say besides its columns: codes, ids, numbers and times, each by its name.

`tests/conftest.py` holds every event that any test records to this: a fact with another name, or
another sort of value, fails the test that recorded it.
"""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID


def _is_id(value: Any) -> bool:
    try:
        return str(UUID(value)) == value
    except (ValueError, TypeError, AttributeError):
        return value is None


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_code(value: Any) -> bool:
    return value is None or bool(re.fullmatch(r"[a-z][a-z0-9_.\-]{0,59}|-", str(value)))


def _is_standard(value: Any) -> bool:
    return bool(re.fullmatch(r"(ISO|IEC|ISO/IEC|HACCP|[A-Z]{2,6})[ /A-Z0-9\-]{0,20}", str(value)))


def _are(is_one: Any) -> Any:
    return lambda values: isinstance(values, list | tuple) and all(map(is_one, values))


def _like(pattern: str) -> Any:
    return lambda value: bool(re.fullmatch(pattern, str(value)))


FACTS = {
    **dict.fromkeys(
        ("by", "certificate", "file", "follows", "invitation", "lead", "notification", "other",
         "pause", "provider", "user"),
        _is_id,
    ),
    **dict.fromkeys(
        ("attempt", "consultant", "consultants", "count", "dates", "line", "minutes",
         "left", "minutes_in_all", "place", "places", "rating", "reasons", "score",
         "sessions", "size", "standards", "version"),
        _is_number,
    ),
    **dict.fromkeys(("enabled", "replaced", "verified"), _is_flag),
    **dict.fromkeys(
        ("because", "door", "factor", "kind", "outcome", "reason", "result", "role", "service",
         "side", "state", "was", "why"),
        _is_code,
    ),
    **dict.fromkeys(("doubts", "fields"), _are(_is_code)),
    "standard": _is_standard,
    "body": _like(r"[A-Z][A-Za-z0-9\-]{1,20}"),
    "code": _like(r"[A-Za-z0-9][A-Za-z0-9 /\-.:_()]{0,40}"),
    "day": _like(r"\d{4}-\d\d-\d\d"),
    "notice": _like(r"-?\d+ before \d{4}-\d\d-\d\d"),
    "origin": _like(r"https?://[a-z0-9.\-]+(:\d+)?"),
    "as_of": _like(r"\d{4}-\d\d-\d\dT[\d:.+]+"),
    "respond_by": _like(r"\d{4}-\d\d-\d\dT[\d:.+]+"),
    "scopes": _like(r"([a-z_:]+(,|$))*"),
    "wording": _like(r"\d{4}-\d\d(-\d\d)?"),
}  # fmt: skip
"""By name, what a value is."""


def wrong_facts(verb: str, facts: Mapping[str, Any]) -> list[str]:
    """Return the facts that are not what the table says."""
    if verb == "coverage.mended":  # columns of the coverage row, and what stood in them
        return [name for name in facts if not re.fullmatch(r"[a-z_ ]+", name)]
    return [name for name, value in facts.items() if not FACTS.get(name, lambda _: False)(value)]
