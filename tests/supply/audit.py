"""`make audit`: is anything known against what `requirements.lock` names?

Every pin is asked about, those of other platforms too. It ends with 1 where something is known and
not excused, or an excuse does not hold any longer, and with 2 where anything could not be audited:
the service is away, or does not know the package. Silence is never taken for a good answer.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from tests.supply.lock import LOCK, ROOT, Pin, read_lock

EXCUSED = Path(__file__).with_name("excused.toml")
LONGEST_EXCUSE = timedelta(days=90)

SOUND, FOUND, NOT_AUDITED = 0, 1, 2


class NotAudited(Exception):
    """It cannot be said whether anything is known against some of them."""


@dataclass(frozen=True)
class Finding:
    package: str
    version: str
    ids: frozenset[str]
    """All names of one advisory."""
    fixed_in: tuple[str, ...]


@dataclass(frozen=True)
class Excuse:
    """Why a finding stands for now: nothing mends it yet, and it cannot be reached here."""

    id: str
    package: str
    reason: str
    since: date
    look_again_by: date

    def covers(self, finding: Finding) -> bool:
        return self.package == finding.package and self.id in finding.ids

    def stands(self, finding: Finding, *, today: date) -> bool:
        """Return whether it holds today: in its time, and as long as there is nothing better."""
        return self.since <= today <= self.look_again_by and not finding.fixed_in


def read_excuses(text: str) -> list[Excuse]:
    """Return the excuses of a file, or raise `ValueError` at one that is not stated in full."""
    excuses = []
    for each in tomllib.loads(text).get("excused", []):
        try:
            excuse = Excuse(**each)
        except TypeError as error:
            raise ValueError(f"{each}: {error}") from None
        if not (type(excuse.since) is type(excuse.look_again_by) is date):
            raise ValueError(f"{excuse.id}: since and look_again_by are dates")
        if not excuse.reason.strip():
            raise ValueError(f"{excuse.id}: there is no reason")
        if not excuse.since <= excuse.look_again_by <= excuse.since + LONGEST_EXCUSE:
            raise ValueError(f"{excuse.id}: look again within {LONGEST_EXCUSE.days} days")
        excuses.append(excuse)
    return excuses


def complaints(findings: Iterable[Finding], excuses: Sequence[Excuse], *, today: date) -> list[str]:
    """Return what has to be done, in words: nothing, if all is well."""
    said, used = [], set()
    for finding in findings:
        covering = [each for each in excuses if each.covers(finding)]
        used.update(covering)
        if not any(each.stands(finding, today=today) for each in covering):
            mended = " or ".join(finding.fixed_in) or "nothing yet"
            lapsed = "; its excuse does not hold" if covering else ""
            said.append(
                f"{finding.package} {finding.version}: {', '.join(sorted(finding.ids))}"
                f" (mended in {mended}{lapsed})"
            )
    said += [
        f"{each.package}: the excuse for {each.id} matches nothing: take it out"
        for each in excuses
        if each not in used
    ]
    return said


def findings_of(pins: Iterable[Pin], audited: Iterable[dict[str, Any]]) -> list[Finding]:
    """Return what is known against the pins, or raise `NotAudited` where one was left out.

    `audited`: the `dependencies` of pip-audit's JSON.
    """
    known = {(canonicalize_name(each["name"]), each.get("version")): each for each in audited}
    left_out = [pin for pin in pins if (pin.name, pin.version) not in known]
    if left_out:
        reasons = {name: each.get("skip_reason", "") for (name, _), each in known.items()}
        raise NotAudited(
            "\n".join(
                f"{pin.name} {pin.version}: {reasons.get(pin.name) or 'nothing was said of it'}"
                for pin in left_out
            )
        )
    return [
        Finding(
            name,
            str(version),
            frozenset({found["id"], *found["aliases"]}),
            tuple(found["fix_versions"]),
        )
        for (name, version), each in known.items()
        for found in each["vulns"]
    ]


def asked(pins: Sequence[Pin]) -> list[dict[str, Any]]:
    """Ask the service about these pins, whatever platform they are for; or raise `NotAudited`."""
    said: list[dict[str, Any]] = []
    left = list(pins)
    while left:
        # It takes each name once; of some there is one version for each of several platforms.
        one_each = {pin.name: pin for pin in left}
        left = [pin for pin in left if one_each[pin.name] is not pin]
        said += _asked(one_each.values())
    return said


def _asked(pins: Iterable[Pin]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.txt"
        wanted.write_text(
            "".join(f"{pin.name}=={pin.version} --hash=sha256:{pin.hashes[0]}\n" for pin in pins)
        )
        command = [
            *(sys.executable, "-m", "tests.supply.strict_pip_audit", "--requirement", str(wanted)),
            *("--disable-pip", "--require-hashes", "--format", "json", "--aliases", "on"),
            # This one says of a package that it does not know it; others call it clean.
            *("--vulnerability-service", "pypi", "--progress-spinner", "off"),
            *("--cache-dir", str(Path(folder) / "cache")),  # an answer of yesterday is none
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        return list(json.loads(done.stdout)["dependencies"])
    except (ValueError, KeyError):
        last = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        raise NotAudited(f"the service could not be asked: {last}") from None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__)
    parser.add_argument("--lock", type=Path, default=LOCK)
    parser.add_argument("--excused", type=Path, default=EXCUSED)
    given = parser.parse_args(arguments)
    pins = read_lock(given.lock.read_text())
    try:
        findings = findings_of(pins, asked(pins))
    except NotAudited as refused:
        print(f"Not audited:\n{refused}", file=sys.stderr)
        return NOT_AUDITED
    excuses = read_excuses(given.excused.read_text())
    said = complaints(findings, excuses, today=datetime.now(UTC).date())
    if said:
        print("\n".join(said), file=sys.stderr)
        return FOUND
    print(f"Nothing is known against any of {len(pins)} packages; {len(findings)} excused.")
    return SOUND


if __name__ == "__main__":
    sys.exit(main())
