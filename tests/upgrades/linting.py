"""Whether a migration can run while the version before it serves: squawk, and rules it has not.

It is given the statements that Alembic would send (`--sql`), each migration by itself.
"""

import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory

from marketplace.migrations import schema

OLDEST_SERVER = "14"
"""The oldest PostgreSQL that the product runs on."""

NOT_ABOUT_LOCKS = (
    "prefer-bigint-over-int",  # numbers here count people, places and days
    "prefer-bigint-over-smallint",
    "prefer-text-field",  # states are words of 40 letters at most (`core/db.py`), never made longer
    # Asks for IF NOT EXISTS, which takes an index that was cut off for one that is whole; what
    # happens in a transaction is done or undone as one, and `stands-alone` sees to the rest.
    "prefer-robust-stmts",
)

CONTRACTING = (
    "ban-disable-trigger", "ban-drop-column", "ban-drop-constraint", "ban-drop-default",
    "ban-drop-function", "ban-drop-index", "ban-drop-not-null", "ban-drop-sequence",
    "ban-drop-table", "ban-drop-trigger", "ban-drop-type", "ban-drop-view",
    "ban-new-write-restriction", "ban-revoke", "ban-set-default",
)  # fmt: skip
"""What takes from the version before something that it may count on: in a contract step alone."""

OPT_IN = (
    "ban-disable-trigger", "ban-drop-index", "ban-drop-sequence", "ban-drop-trigger",
    "ban-drop-type", "ban-new-write-restriction", "ban-revoke", "ban-set-default",
)  # fmt: skip
"""Of those, what squawk asks about only where it is told to."""

_OF_A_NEW_COLUMN = "A new column constraint"
"""The version before does not name that column; one without a default is refused anyway."""

STEPS = ("expand", "contract")


@dataclass(frozen=True, order=True)
class Fault:
    """A rule that a migration breaks, and how."""

    rule: str
    says: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.says}"


def scripts_after(revision: str | None, folder: str = schema.FOLDER) -> list[Script]:
    """Return the migrations after a revision, the oldest first; every one where it is None."""
    found = ScriptDirectory(folder).iterate_revisions("head", revision or "base")
    return [each for each in [*found][::-1] if each.revision != revision]


def statements_of(script: Script, folder: str = schema.FOLDER) -> str:
    """Return what a migration sends. It needs an application context, and no database.

    One that asks the database first cannot be looked at beforehand: Alembic raises.
    """
    out = io.StringIO()
    config = Config(f"{folder}/alembic.ini", output_buffer=out)
    config.set_main_option("script_location", folder)
    command.upgrade(config, f"{script.down_revision or 'base'}:{script.revision}", sql=True)
    return out.getvalue()


def faults_of(statements: str, step: str | None) -> list[Fault]:
    """Return what keeps these statements from running beside the version before them."""
    faults = [*_squawk(statements, excluded=CONTRACTING if step == "contract" else ())]
    if step not in STEPS:
        faults.append(Fault("step", f"it says {step!r} and has to say one of {STEPS}"))
    return sorted({*faults, *_ours(statements)})


def _squawk(statements: str, *, excluded: Iterable[str]) -> Iterable[Fault]:
    program = shutil.which("squawk", path=str(Path(sys.executable).parent)) or "squawk"
    # Told which rules, and no file: one called `.squawk.toml` somewhere above must not decide.
    done = subprocess.run(
        [
            *(program, "--reporter", "json", "--pg-version", OLDEST_SERVER),
            *("--config", "/dev/null", "--stdin-filepath", "migration.sql"),
            *("--exclude", ",".join((*NOT_ABOUT_LOCKS, *excluded))),
            *("--include", ",".join(OPT_IN)),
        ],
        input=statements,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1) or not done.stdout:
        raise RuntimeError(f"squawk ended with {done.returncode}: {done.stderr}")
    lines = statements.splitlines()
    for found in json.loads(done.stdout):
        if found["message"].startswith(_OF_A_NEW_COLUMN):
            continue
        yield Fault(found["rule_name"], f"{lines[found['line']].strip()}: {found['message']}")


_BODY = re.compile(r"\$(\w*)\$.*?\$\1\$", re.DOTALL)
"""What stands between dollar signs: what a function does later, not what a migration does."""

_COMMENT = re.compile(r"^\s*--[^\n]*$|/\*.*?\*/", re.MULTILINE | re.DOTALL)

_FEW = "-- few rows: "

_HOLDS = re.compile(
    r"(LOCK|TRUNCATE|CLUSTER|VACUUM|REFRESH\s+MATERIALIZED\s+VIEW(?!\s+CONCURRENTLY))\b", re.I
)
_ROWS = re.compile(
    r"(WITH\b.*\b)?(UPDATE|MERGE\s+INTO|DELETE\s+FROM|INSERT\s+INTO\b.*\bSELECT)\b", re.I | re.S
)
_UNSEEN = re.compile(r"(DO|CALL)\b", re.I)
_UNLIMITED = re.compile(r"(SET\b.*_timeout|RESET)\b", re.I | re.S)
_BESIDE_AN_INDEX = re.compile(
    r"(BEGIN|COMMIT|SET|UPDATE\s+alembic_version|(CREATE|DROP)\s+(UNIQUE\s+)?INDEX\s+CONCURRENTLY)\b",
    re.I,
)


def _ours(statements: str) -> Iterable[Fault]:
    whole = [each.strip() for each in _BODY.sub("''", statements).split(";")]
    bare = [(_COMMENT.sub("", each).strip(), each) for each in whole]
    bare = [(each, said) for each, said in bare if each]
    beside = any(re.search(r"\bCONCURRENTLY\b", each, re.I) for each, _ in bare)
    for each, said in bare:
        if _UNSEEN.match(each):
            yield Fault("cannot-be-seen", f"{each}: what it does stands where nobody looks")
        if _UNLIMITED.match(each) and each not in schema.LIMITS and not beside:
            yield Fault("limits", f"{each}: so it would wait, or hold others up, for longer")
        if _HOLDS.match(each):
            yield Fault("holds-everybody", f"{each}: nobody gets past it until it commits")
        if (
            _ROWS.match(each)
            and not each.upper().startswith("UPDATE ALEMBIC_VERSION")
            and _FEW not in said
        ):
            yield Fault(
                "rows-at-once",
                f"{each}: holds every row until it commits; fill in batches by a job, or say "
                f"`{_FEW}why` above it",
            )
    if beside:  # which nobody waits for, so it may take its time
        for each, _ in bare:
            if not _BESIDE_AN_INDEX.match(each):
                yield Fault(
                    "stands-alone",
                    f"{each}: beside what runs outside a transaction, so it would be half done",
                )
