"""A PostgreSQL of a test's own, with the roles of `roles.sql`, who have to say their passwords."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import mkdtemp

import psycopg
from sqlalchemy import make_url

from config.settings import Settings
from marketplace.bootstrap import Product, build
from marketplace.local.postgres import INSTALLATION, PACKAGE, SUPERUSER, EmbeddedPostgres
from tests.deploy.files import DEPLOY, read_env, run

RENTED = "of_a_rented_server"
"""Who may make roles and databases, and is no superuser."""


def programs() -> Path:
    """Return the folder of `psql`, `pg_dump` and `pg_restore`."""
    package = find_spec(PACKAGE)
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parents[1] / INSTALLATION / "bin"


@dataclass
class Server:
    folder: str
    """Of its socket."""

    def superuser(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(host=self.folder, user=SUPERUSER, dbname=database, autocommit=True)

    def make_roles(self, role: str = SUPERUSER, **environment: str) -> CompletedProcess[str]:
        """Run the file as the README says."""
        where = {"PGHOST": self.folder, "PGUSER": role, "PGDATABASE": "postgres"}
        file = DEPLOY / "postgres" / "roles.sql"
        return run(
            *(programs() / "psql", "--no-psqlrc", "--quiet", "--file", file),
            env={"PATH": os.environ["PATH"], **where, **environment},
        )

    def settings(self, drawn: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
        """Return all that an installation on it is told, who owns the tables among it."""
        decided = read_env((DEPLOY / "settings.env").read_text())
        given = {**decided, **drawn["secrets"], **drawn["migrate"]}
        for name in ("MARKETPLACE_DATABASE_URL", "MARKETPLACE_MIGRATION_DATABASE_URL"):
            given[name] += f"?host={self.folder}"  # the test's own way to it
        return given


@contextmanager
def a_server() -> Iterator[Server]:
    folder = Path(mkdtemp(prefix="marketplace-roles-"))
    folder.chmod(0o711)  # root's server runs as somebody else, who has to get through
    postgres = EmbeddedPostgres(folder, durable=False)
    url = make_url(postgres.start())
    server = Server(str(url.query["host"]))
    with server.superuser() as connection:  # those of `up` have other rights
        for each in ("DATABASE marketplace", "ROLE marketplace", "ROLE marketplace_product"):
            connection.execute(f"DROP {each}")
        # Whoever comes as one of ours has to have the password, as on a server.
        (access,) = connection.execute("SHOW hba_file").fetchone()
        rules = Path(access).read_text()
        ours = "local marketplace marketplace,marketplace_owner scram-sha-256\n"
        ours += f"local all {RENTED} trust\n"
        Path(access).write_text(ours + rules)
        connection.execute("SELECT pg_reload_conf()")
    yield server
    postgres.remove_data()
    shutil.rmtree(folder)


def product_of(server: Server, drawn: Mapping[str, Mapping[str, str]]) -> Product:
    return build(Settings.from_env(server.settings(drawn)))
