"""Back-ups by `pg_dump`, and what they are good for: an installation made out of one.

The programs are those of the wheel that brings the embedded server, which work with every server up
to their own version; those of this machine where there is none, as on a server, or it is newer.
"""

import fcntl
import os
import re
import shutil
import subprocess  # nosec B404  # fixed commands, no shell
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, func, inspect, make_url, select, text
from sqlalchemy.orm import Session

from marketplace.bootstrap import Product
from marketplace.core.backups import note_backup
from marketplace.core.errors import Conflict
from marketplace.core.sealing_log import Head, head
from marketplace.local.places import LocalError
from marketplace.local.postgres import INSTALLATION, MAJOR, PACKAGE
from marketplace.migrations.schema import (
    as_owner,
    known_revisions,
    missing_migrations,
    upgrade,
)
from marketplace.notifications.models import Notification
from marketplace.notifications.rules import NotificationState

LOCK_PATIENCE = "60s"
"""How long a dump waits for a table that a migration holds."""

SINCE_17 = b"SET transaction_timeout = 0;\n"
"""What `pg_restore` says first, and servers before 17 do not understand."""


@dataclass(frozen=True)
class Dumped:
    """A back-up."""

    as_of: datetime
    """It holds what was committed until then, and nothing of what was later."""
    head: Head
    """The end of the audit log in it."""
    size: int
    """In bytes."""


@dataclass(frozen=True)
class Restored:
    """What an installation made out of a back-up is like."""

    head: Head
    waiting: int
    """Messages that wait to go out; what went out after the back-up was taken is among them."""


def back_up(product: Product, file: Path) -> Dumped:
    """Write the database to a file for its owner alone, and note that in the log.

    Beside everybody who works. The file is there when it is whole, and never before.
    """
    partial = file.with_name(f"{file.name}.partial")
    with _alone_with(file, partial) as out:
        try:
            with _as_it_stands(product) as owner:
                snapshot = owner.scalars(text("SELECT pg_export_snapshot()")).one()
                as_of: datetime = owner.scalars(select(func.transaction_timestamp())).one()
                with Session(owner) as session:
                    if missing_migrations(session):
                        raise Conflict("the database lacks migrations: run `marketplace migrate`")
                    end = head(session)
                # By name: written to standard output, what is in it would not say where it ends.
                _run(
                    product,
                    owner,
                    "pg_dump",
                    "--format=custom",
                    f"--file={partial}",
                    f"--snapshot={snapshot}",
                    f"--lock-wait-timeout={LOCK_PATIENCE}",
                )
            os.fsync(out.fileno())
            size = os.fstat(out.fileno()).st_size
            partial.rename(file)
            _sync(file.parent)  # or it would be noted, and have no name after a power cut
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    note_backup(product.ctx, as_of=as_of.astimezone(UTC))
    return Dumped(as_of.astimezone(UTC), end, size)


@contextmanager
def _alone_with(file: Path, partial: Path) -> Iterator[IO[bytes]]:
    """Yield the empty beginning of a file that is not there yet, and that nobody else writes."""
    if file.exists():
        raise LocalError(f"{file} is there already: choose another name.")
    with open(os.open(partial, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as out:
        try:
            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalError(f"Another back-up is just being written to {file}.") from None
        if file.exists():  # what was being written has become whole meanwhile, and may be this
            raise LocalError(f"{file} is there already: choose another name.")
        out.truncate()  # of one that was cut off
        yield out


def _sync(folder: Path) -> None:
    """Have the disk know the names in a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def restore(product: Product, file: Path) -> Restored:
    """Make an installation out of a back-up, in a database with nothing in it; all of it or none.

    Who owns the tables and who may do what is settled as by `migrate`, whatever the roles of the
    other installation were called; a back-up from before a migration gets that as well.
    """
    with as_owner(product.app) as owner:
        if inspect(owner).get_table_names():
            raise Conflict("there are tables in this database: restore into a new, empty one")
        server = _version(owner)
        owner.rollback()
        revision = _revision_in(file, server)
        if revision is None:
            raise Conflict(f"{file} is a back-up of something else: it has no migrations of ours")
        if revision not in known_revisions():
            raise Conflict(
                f"{file} is of a newer version (migration {revision}): restore it by that version"
            )
        _put_in(product, server, file)
    upgrade(product.app)
    with as_owner(product.app) as owner:
        owner.execute(text("ANALYZE"))  # or the first matches would be planned blindly
        owner.commit()
    with product.ctx.reading() as session:
        waits = Notification.state.in_([NotificationState.QUEUED, NotificationState.SENDING])
        waiting = session.scalar(select(func.count()).select_from(Notification).where(waits))
        return Restored(head(session), waiting or 0)


@contextmanager
def _as_it_stands(product: Product) -> Iterator[Connection]:
    """Connect as who owns the tables, to one picture of the database."""
    with as_owner(product.app) as owner:
        owner.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        yield owner


def _run(product: Product, owner: Connection, name: str, *arguments: str) -> None:
    """Run a program of PostgreSQL on the database, as who owns its tables."""
    address, environment = _door(product)
    done = subprocess.run(  # nosec B603  # a fixed command, no shell; a password is no part of it
        [_program(name, _version(owner)), *address, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        raise _gave_up(name, done.stderr)


def _revision_in(file: Path, server: int) -> str | None:
    """Return which migration was the last in a back-up, before anything is done with the rest."""
    done = subprocess.run(  # nosec B603  # a fixed command, no shell
        [
            *(_program("pg_restore", server), "--data-only", "--table=alembic_version"),
            *("--file=-", str(file)),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise _gave_up("pg_restore", done.stderr)
    found = re.search(rb"^COPY .*\n(.+)\n\\\.$", done.stdout, flags=re.MULTILINE)
    return found[1].decode() if found else None


def _put_in(product: Product, server: int, file: Path) -> None:
    """Let `pg_restore` say what is in a file, and `psql` do that in one transaction.

    Data come before triggers, so what is restored is not written anew.
    """
    address, environment = _door(product)
    said = [_program("pg_restore", server), "--file=-", "--no-owner", "--no-privileges", str(file)]
    does = [
        *(_program("psql", server), *address, "--no-psqlrc", "--quiet", "--single-transaction"),
        "--set=ON_ERROR_STOP=1",
    ]
    with (
        tempfile.TemporaryFile() as read_errors,
        tempfile.TemporaryFile() as write_errors,
        # fixed commands, no shell; a password is no part of them
        subprocess.Popen(  # nosec B603
            said, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=read_errors
        ) as reader,
        subprocess.Popen(  # nosec B603  # likewise
            does, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=write_errors,
        ) as writer,
    ):  # fmt: skip
        try:
            _hand_on(reader.stdout, writer.stdin, server=server)
            is_whole = reader.wait() == 0
        except BrokenPipeError:
            reader.kill()
            is_whole = True
        except BaseException:
            reader.kill()
            writer.kill()
            raise
        if not is_whole:
            writer.kill()  # before it sees the end of what there is, and takes that for all
            read_errors.seek(0)
            raise _gave_up("pg_restore", read_errors.read())
        with suppress(BrokenPipeError):
            writer.communicate()
        if writer.returncode:
            write_errors.seek(0)
            raise _gave_up("psql", write_errors.read())


def _hand_on(statements: IO[bytes] | None, to: IO[bytes] | None, *, server: int) -> None:
    """Pass on what is to be done, but for what an older server does not understand."""
    if statements is None or to is None:
        raise TypeError("both ends are pipes")
    for line in statements:
        if line != SINCE_17 or server >= 17:
            to.write(line)
        if line.startswith((b"CREATE ", b"COPY ", b"SELECT ")):  # so much for the settings
            break
    shutil.copyfileobj(statements, to, 1 << 20)
    to.flush()


def _door(product: Product) -> tuple[list[str], dict[str, str]]:
    """Return how such a program gets in, as who owns the tables: its arguments and environment."""
    url = make_url(product.settings.migration_database_url)
    # `set` leaves what is None as it is, and asterisks would be taken for the password.
    plain = url._replace(drivername="postgresql", password=None).render_as_string()
    password = {"PGPASSWORD": str(url.password)} if url.password else {}
    return [f"--dbname={plain}", "--no-password"], {**os.environ, **password}


def _version(owner: Connection) -> int:
    (number,) = owner.exec_driver_sql("SHOW server_version_num").one()
    return int(number) // 10_000


def _gave_up(name: str, said: bytes) -> LocalError:
    lines = said.decode(errors="replace").strip().splitlines()
    return LocalError(f"{name} gave up: {' / '.join(lines[:3])}")


def _program(name: str, server: int) -> str:
    """Return where a program is that works with a server of this version."""
    package = find_spec(PACKAGE)
    brought = package.submodule_search_locations if package else None
    if brought and server <= int(MAJOR):
        return str(Path(brought[0]).parent / INSTALLATION / "bin" / name)
    here = shutil.which(name)
    if here is None or _major_of(here) < server:
        raise LocalError(
            f"There is no {name} here that works with PostgreSQL {server}. Install its client "
            f"programs (on Debian: postgresql-client-{server})."
        )
    return here


def _major_of(program: str) -> int:
    said = subprocess.run(  # nosec B603  # a fixed command, no shell
        [program, "--version"], capture_output=True, text=True, check=False
    ).stdout
    version = re.search(r"\) (\d+)", said)
    return int(version[1]) if version else 0
