"""The version before: the code without the newest migration, out of the history of this one."""

import filecmp
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import cache_from_source
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from marketplace.migrations.schema import FOLDER
from tests.fleet import ROOT
from tests.upgrades.linting import scripts_after

Columns = dict[str, list[str]]
"""By table, the names of its columns."""


class NotThere(Exception):
    """There is no version before to be had here; the message says why."""


def commit_before(root: Path = ROOT) -> str:
    """Return the commit before the one that brought the newest migration.

    Before that is committed it is the newest commit. In a history that was cut off, or without one,
    there is none.
    """
    newest = Path(scripts_after(None)[-1].path).relative_to(Path(FOLDER).parents[1])
    brought = _git(root, "log", "-1", "--format=%H", "--diff-filter=A", "--", str(newest)).strip()
    return _git(root, "rev-parse", "--verify", f"{brought}^" if brought else "HEAD").strip()


def unpack(commit: str, folder: Path, root: Path = ROOT) -> Path:
    """Lay a commit's files out in a folder, and return it."""
    with tempfile.TemporaryFile() as out:
        _run(["git", "archive", commit], cwd=root, stdout=out)
        out.seek(0)
        folder.mkdir(parents=True, exist_ok=True)
        _run(["tar", "--extract", "--directory", str(folder)], stdin=out)
    newest = Path(scripts_after(None)[-1].path).name
    if (folder / "marketplace/migrations/versions" / newest).exists():
        raise NotThere(f"{commit} has the newest migration, {newest}, itself")
    for path in folder.rglob("*.py"):
        _spare_compiling(path, root / path.relative_to(folder))
    return folder


def lacking(tree: Path) -> list[str]:
    """Return the packages that the version in `tree` runs with and that are not installed here.

    It runs with our packages. One that it alone needs goes among those of development until a newer
    version is the one before.
    """
    return [each for each in sorted(_runs_with(tree)) if not _is_installed(each)]


def _runs_with(tree: Path) -> set[str]:
    """Return what the version in `tree` names, and what its lock has for that: none of `dev`."""
    project = tomllib.loads((tree / "pyproject.toml").read_text())["project"]
    found = {re.split(r"[^\w.-]", each)[0].lower() for each in project["dependencies"]}
    lock = (tree / "requirements.lock").read_text()
    # One with a condition is not for all.
    locked = re.findall(r"^([\w.-]+)==[^;\n]+$((?:\n[ ].*)*)", lock, flags=re.M)
    wanted_by = {
        name: set(re.findall(r"#\s+(?:via )?([\w.-]+)$", said, re.M)) for name, said in locked
    }
    while more := {name for name, by in wanted_by.items() if by & found} - found:
        found |= more
    return found


def _is_installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


def _spare_compiling(path: Path, ours: Path) -> None:
    """Put our own file in place of one that is the same, with what Python has compiled of it."""
    if not (ours.exists() and filecmp.cmp(path, ours, shallow=False)):
        return
    shutil.copy2(ours, path)  # with its time, by which Python knows what belongs to it
    compiled = Path(cache_from_source(str(ours)))
    if compiled.exists():
        there = Path(cache_from_source(str(path)))
        there.parent.mkdir(exist_ok=True)
        shutil.copy2(compiled, there)


def _git(root: Path, *arguments: str) -> str:
    with tempfile.TemporaryFile() as out:
        _run(["git", *arguments], cwd=root, stdout=out)
        out.seek(0)
        return out.read().decode()


def _run(command: list[str], **how: object) -> None:
    try:
        done = subprocess.run(command, stderr=subprocess.PIPE, check=False, **how)
    except OSError as error:
        raise NotThere(f"there is no git: {error}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise NotThere(f"`{' '.join(command)}` found none (a history cut off?): {said}")


BUILD = """
import json, sys
from marketplace.bootstrap import TABLES
from marketplace.cli import cli
from marketplace.core.db import Base
for command in json.loads(sys.argv[1]):
    cli(command, standalone_mode=False)
tables = {name: [*table.columns.keys()] for name, table in Base.metadata.tables.items()}
print("tables " + json.dumps(tables))
"""


def build_database(tree: Path, environment: Mapping[str, str], *commands: list[str]) -> Columns:
    """Run `marketplace` commands of the version in `tree`; return what its models read."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD, json.dumps(commands)],
        cwd=tree,
        env={**os.environ, **environment, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the version before could not build its database: {done.stderr}")
    last = done.stdout.strip().splitlines()[-1]
    tables: Columns = json.loads(last.removeprefix("tables "))
    return tables


@dataclass(frozen=True)
class Column:
    table: str
    name: str
    is_demanded: bool
    """Whether whoever writes a row has to name it."""


def columns_of(session: Session) -> list[Column]:
    """Return every column of every table that is there."""
    rows = session.execute(
        text(
            "SELECT table_name, column_name, is_nullable = 'NO' AND column_default IS NULL"
            " AND is_identity = 'NO' AND is_generated = 'NEVER' FROM information_schema.columns"
            " WHERE table_schema = current_schema()"
        )
    )
    return [Column(*row) for row in rows]


def what_it_would_miss(reads: Columns, there: list[Column]) -> list[str]:
    """Return what the version before would stumble over in a database, a line each."""
    known = {(table, name) for table, names in reads.items() for name in names}
    found = {(each.table, each.name) for each in there}
    gone = [f"{table}.{name} is gone, and it is read" for table, name in sorted(known - found)]
    return gone + [
        f"{each.table}.{each.name} has to be named by whoever writes a row"
        for each in there
        if each.is_demanded and each.table in reads and (each.table, each.name) not in known
    ]
