"""`roles.sql`, by psql on a PostgreSQL of its own, and what migrations then make of its roles."""

import psycopg
import pytest

from marketplace.core.db import db
from marketplace.core.log_guard import open_doors, own_role
from marketplace.local.dumps import back_up, restore
from marketplace.migrations.schema import upgrade
from tests.deploy.servers import RENTED, product_of


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
