"""What each locked package is licensed under, as an SPDX expression."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from license_expression import ExpressionError, get_spdx_licensing

TABLE = Path(__file__).with_name("licences.toml")

_CLASSIFIERS = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: ISC License (ISCL)": "ISC",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "License :: OSI Approved :: The Unlicense (Unlicense)": "Unlicense",
}
"""Those classifiers that mean one licence; "BSD License" means any of several."""

_SPDX = get_spdx_licensing()


@dataclass(frozen=True)
class Licences:
    """What may be used, and what those packages are under that do not say it themselves."""

    allowed: Mapping[str, str]
    """By identifier: why."""
    stated: Mapping[str, str]

    def of(self, name: str) -> str | None:
        """Return what a package is licensed under, or None if nobody says."""
        return self.stated.get(name) or licence_told(name)


@cache
def read_licences() -> Licences:
    """Return what this repository allows."""
    return Licences(**tomllib.loads(TABLE.read_text()))


def licence_told(name: str) -> str | None:
    """Return what an installed package says of itself, if it is one expression."""
    try:
        told = metadata(name)
    except PackageNotFoundError:
        return None
    classified = {_CLASSIFIERS.get(each) for each in told.get_all("Classifier") or ()} - {None}
    candidates = (told.get("License-Expression"), told.get("License"), *classified)
    return next((each for each in candidates if each and is_expression(each)), None)


def is_expression(text: str) -> bool:
    """Return whether a text is an SPDX expression, and not words about a licence."""
    return "\n" not in text and not _SPDX.validate(text).errors


def is_allowed(expression: str, allowed: Iterable[str]) -> bool:
    """Return whether it may be used: all that an AND joins, and any that an OR offers."""
    ours = set(allowed)
    try:
        parsed = _SPDX.parse(expression, validate=True, strict=True)
    except ExpressionError:
        return False
    return _holds(parsed, ours)


def _holds(part: object, ours: set[str]) -> bool:
    if isinstance(part, _SPDX.AND):
        return all(_holds(each, ours) for each in part.args)
    if isinstance(part, _SPDX.OR):
        return any(_holds(each, ours) for each in part.args)
    return str(part) in ours
