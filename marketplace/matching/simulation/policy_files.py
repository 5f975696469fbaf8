"""A policy to try, as a TOML file: the numbers of `core/policy.py` that a simulation goes by.

Numbers are numbers, durations ISO 8601 (`"PT24H"`), pairs lists, what is named by words a table.
What a file does not name stays as it is. Everything that is wrong with a file is said at once.
"""

import ast
import inspect
import json
import textwrap
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import isodate

from marketplace.core.errors import FieldError, Invalid
from marketplace.core.policy import Policy
from marketplace.leads.rules import Timeframe
from marketplace.matching.bands import Lack


def read_policy(path: Path, base: Policy) -> Policy:
    """Return `base` with what a file says instead; `Invalid` names all that is wrong in it."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # not TOML, not text, a number or a nest too long
        raise Invalid([FieldError(path.name, f"is not TOML: {error}")]) from error
    changes: dict[str, Any] = {}
    errors = []
    for name, value in given.items():
        if name not in FIELDS:
            errors.append(FieldError(name, "is no number that a simulation goes by"))
            continue
        try:
            changes[name] = FIELDS[name](value)
        except ValueError as error:
            errors.append(FieldError(name, str(error)))
    if errors:
        raise Invalid(errors)
    return replace(base, **changes)


def values_of(policy: Policy) -> dict[str, Any]:
    """Return what a simulation goes by, in the plain values that a file has."""
    return {name: _plain(getattr(policy, name)) for name in FIELDS}


def written_policy(policy: Policy) -> str:
    """Return a policy as a file to start from, each number below what it is for."""
    comments = dict(_comments())
    lines = ["# What a simulation goes by. Delete what is to stay as it is.", ""]
    for name, value in values_of(policy).items():  # tables come last, as TOML wants them
        lines += [f"# {line}" for line in textwrap.wrap(comments.get(name, ""), 96)]
        if isinstance(value, dict):
            lines.append(f"[{name}]")
            lines += [f'"{key}" = {json.dumps(each)}' for key, each in value.items()]
        else:
            lines.append(f"{name} = {json.dumps(value)}")
        lines.append("")
    return "\n".join(lines)


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return isodate.duration_isoformat(value)
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def _whole(least: int, most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return value

    return read


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _share(value: Any) -> float:
    if not _is_number(value) or not 0 < value <= 1:
        raise ValueError("must be a number above 0 and at most 1")
    return float(value)


def _pair(least: float, most: float) -> Callable[[Any], tuple[float, float]]:
    def read(value: Any) -> tuple[float, float]:
        if not isinstance(value, list) or len(value) != 2 or not all(map(_is_number, value)):
            raise ValueError("must be a list of two numbers")
        if not all(least <= each <= most for each in value):
            raise ValueError(f"must be two numbers from {least:,} to {most:,}")
        return float(value[0]), float(value[1])

    return read


def _bounds(value: Any) -> tuple[float, float]:
    # Weights have four decimal places, and nobody's may come to nothing.
    least, most = _pair(0.01, 100)(value)
    if least > most:
        raise ValueError("must be the least and then the most")
    return least, most


def _duration(value: Any) -> timedelta:
    try:
        parsed = isodate.parse_duration(value, as_timedelta_if_possible=True)
    except (isodate.ISO8601Error, TypeError, OverflowError):
        parsed = None
    if not isinstance(parsed, timedelta) or not timedelta(0) < parsed <= timedelta(days=3660):
        raise ValueError("must be an ISO 8601 duration of days or less, such as PT24H or P30D")
    return parsed


def _numbers_of(words: type[Lack] | type[Timeframe]) -> Callable[[Any], Mapping[str, int]]:
    known = sorted(words)

    def read(value: Any) -> Mapping[str, int]:
        if not isinstance(value, dict) or not set(value) <= set(known):
            raise ValueError(f"must be a table of some of {', '.join(known)}")
        return MappingProxyType({str(key): _whole(0, 1_000)(each) for key, each in value.items()})

    return read


FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "places": _whole(1, 3),
    "max_invitations": _whole(1, 100),
    "bench_size": _whole(1, 10_000),
    "record_prior": _pair(0.001, 1_000_000),
    "record_fading": _share,
    "weight_bounds": _bounds,
    "response_window": _duration,
    "min_response_window": _duration,
    "open_within": _duration,
    "lead_lifetime": _duration,
    "impartiality_years": _whole(0, 100),
    "engagement": _duration,
    "decline_refund_within": _duration,
    "decline_refunds_per_month": _whole(0, 10_000),
    "band_points": _numbers_of(Lack),
    "weeks_of_timeframe": _numbers_of(Timeframe),
}
"""What a simulation goes by, and how it is read."""


def _comments() -> Iterator[tuple[str, str]]:
    """Yield what stands below each number in the source of the policy."""
    (cls,) = ast.parse(textwrap.dedent(inspect.getsource(Policy))).body
    name = None
    for node in cls.body if isinstance(cls, ast.ClassDef) else ():
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and name:
            yield name, inspect.cleandoc(str(node.value.value))
            name = None
