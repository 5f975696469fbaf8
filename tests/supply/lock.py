"""What `requirements.lock` names: versions for every platform, with the hashes of their files."""

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"


@dataclass(frozen=True)
class Pin:
    name: str
    """As package indexes compare it: small letters, with hyphens."""
    version: str
    marker: str | None
    """Where it is needed, if not everywhere."""
    hashes: tuple[str, ...]
    """SHA-256 of each file of it that may be installed, in hexadecimal."""
    needed_by: tuple[str, ...]
    """Names of the packages that need it; the project's own name among them."""


def read_lock(text: str) -> list[Pin]:
    """Return every pin; raise `ValueError` at whatever is neither pin, hash nor remark."""
    entries: list[list[str]] = []
    for line in text.splitlines():
        if line.startswith((" ", "\t")) and entries:
            entries[-1].append(line.strip())
        elif line.strip() and not line.startswith("#"):
            entries.append([line.strip()])
    return [_pin(entry) for entry in entries]


def _pin(entry: list[str]) -> Pin:
    stated = [line.removesuffix("\\").strip() for line in entry if not line.startswith("#")]
    wanted = Requirement(stated[0])  # ValueError for an option, an address or a path
    versions = [each for each in wanted.specifier if each.operator == "=="]
    if wanted.url is not None or len(versions) != len(wanted.specifier) or len(versions) != 1:
        raise ValueError(f"{stated[0]} is not pinned to one version")
    hashes = [re.fullmatch(r"--hash=sha256:([0-9a-f]{64})", line) for line in stated[1:]]
    if not hashes or None in hashes:
        raise ValueError(f"{stated[0]} has no SHA-256, or something else beside it")
    return Pin(
        canonicalize_name(wanted.name),
        versions[0].version,
        str(wanted.marker) if wanted.marker else None,
        tuple(found[1] for found in hashes if found),
        tuple(_needed_by(entry)),
    )


def _needed_by(entry: list[str]) -> list[str]:
    remarks = [line.lstrip("# ") for line in entry if line.startswith("#")]
    names = " ".join(remarks).removeprefix("via").replace("(pyproject.toml)", "").split()
    return [canonicalize_name(name) for name in names]
