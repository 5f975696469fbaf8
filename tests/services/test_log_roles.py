"""Who may change the log: by permission nobody that the product is, and by trigger nobody."""

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from marketplace.core.db import Base
from marketplace.core.log_guard import LOG, open_doors, own_role
from marketplace.local.log_findings import ONE_ROLE, log_findings
from marketplace.migrations.privileges import EXCEPTIONS, settle
from marketplace.migrations.schema import as_owner
from tests.conftest import let_go

CHANGES = [
    "UPDATE {} SET {}",
    "DELETE FROM {}",
    "TRUNCATE {}",
    "ALTER TABLE {} DISABLE TRIGGER USER",
    "CREATE TRIGGER t BEFORE INSERT ON {} FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "DROP TABLE {}",
    "CREATE RULE r AS ON INSERT TO {} DO INSTEAD NOTHING",
    "SET session_replication_role = replica; DELETE FROM {}",
]
SOMETHING = {"events": "verb = 'x'", "event_seals": "hash = ''", "consents": "version = 'x'"}


@pytest.mark.parametrize("table", SOMETHING)
def test_the_products_role_may_add_and_change_nothing(services, ctx, make, table):
    make.lead()
    # The owner, where a given server has one role alone, can do what it is not asked for here.
    for change in CHANGES if services.owner_url != services.database_url else CHANGES[:3]:
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            psycopg.connect(services.database_url.replace("+psycopg", "")) as connection,
        ):
            connection.execute(change.format(table, SOMETHING[table]))


@pytest.mark.parametrize("table", SOMETHING)
@pytest.mark.parametrize("change", CHANGES[:3])
def test_the_trigger_holds_the_owner_as_well(installation, ctx, make, table, change):
    make.matched_lead()
    with as_owner(installation.app) as owner, pytest.raises(Exception, match="append-only"):
        owner.exec_driver_sql(
            f"INSERT INTO event_seals SELECT 1, gen_random_uuid(), 1, ''; "
            f"GRANT UPDATE, DELETE, TRUNCATE ON {table} TO CURRENT_USER;"
            + change.format(table, SOMETHING[table])
        )


def test_the_product_may_read_and_write_every_other_table(services, ctx):
    two_roles = services.owner_url != services.database_url
    with ctx.reading() as session:
        for table in Base.metadata.tables:
            rights = [
                right
                for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "TRIGGER")
                if (two_roles or table in EXCEPTIONS or right not in ("TRUNCATE", "TRIGGER"))
                and session.scalar(
                    text("SELECT has_table_privilege(:table, :right)"),
                    {"table": table, "right": right},
                )
            ]
            wanted = EXCEPTIONS.get(table, "SELECT, INSERT, UPDATE, DELETE")
            assert rights == wanted.replace(", UPDATE (address)", "").split(", "), table


def test_nothing_weakens_the_log_of_an_installation_with_two_roles(services, ctx):
    with ctx.reading() as session:
        assert [*open_doors(session)] == []
        role = own_role(session)
    may = (role.is_superuser, role.rights, role.is_owner, role.may_create)
    # A given server has one role that does all.
    assert may == (False, [], False, False) or services.owner_url == services.database_url


def test_where_one_role_does_all_it_loses_the_rights_and_that_is_said(installation, ctx):
    with as_owner(installation.app) as owner, Session(owner) as session:
        own = session.scalar(text("SELECT current_user"))
        settle(owner, own)
        for right in ("UPDATE", "DELETE", "TRUNCATE"):
            for table in LOG:
                assert not session.scalar(
                    text("SELECT has_table_privilege(:table, :right)"),
                    {"table": table, "right": right},
                )
        role = own_role(session)
        assert (role.name, role.rights, role.is_owner) == (own, [], True)
        owner.rollback()


def test_doctor_says_of_one_role_what_is_weaker_and_of_two_that_all_is_well(
    services, installation, ctx
):
    with ctx.reading() as session:
        said = [*log_findings(session, ctx.policy, ctx.clock())]
    if services.owner_url != services.database_url:
        assert said[0] == ("The audit log is append-only, by permission and by triggers.", False)
    with as_owner(installation.app) as owner, Session(owner) as session:
        settle(owner, session.scalar(text("SELECT current_user")))
        assert (ONE_ROLE, False) in log_findings(session, ctx.policy, ctx.clock())
        owner.exec_driver_sql("GRANT UPDATE ON events TO CURRENT_USER")
        (text_, is_wrong), *_ = log_findings(session, ctx.policy, ctx.clock())
        assert ("events: UPDATE" in text_, is_wrong) == (True, True)
        owner.rollback()


def test_what_the_next_migration_makes_can_be_used_at_once(installation, ctx):
    with as_owner(installation.app) as owner:
        owner.exec_driver_sql("CREATE TABLE of_tomorrow (number bigserial)")
        owner.commit()
        try:
            with ctx.transaction() as tx:
                tx.session.execute(text("INSERT INTO of_tomorrow DEFAULT VALUES"))
        finally:
            owner.exec_driver_sql("DROP TABLE of_tomorrow")
            owner.commit()


def test_the_product_may_call_what_it_calls_where_not_everybody_may(services, installation, ctx):
    """As on a server whose functions are by default for nobody but their owner."""
    with ctx.reading() as session:
        product = session.scalar(text("SELECT current_user"))
    may = text(
        "SELECT has_function_privilege(:role, oid, 'EXECUTE') FROM pg_proc WHERE proname = :is"
    )
    with as_owner(installation.app) as owner, Session(owner) as session:
        owner.exec_driver_sql(
            "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;"
            "REVOKE EXECUTE ON FUNCTION mailbox_is_full FROM PUBLIC"
        )
        settle(owner, product)
        owner.exec_driver_sql(
            "CREATE FUNCTION of_tomorrow() RETURNS int LANGUAGE sql AS 'SELECT 1'"
        )
        for name in ("mailbox_is_full", "of_tomorrow"):
            assert session.scalar(may, {"role": product, "is": name}), name
        owner.rollback()


def test_a_trigger_that_is_off_or_gone_is_seen(installation, ctx):
    with as_owner(installation.app) as owner, Session(owner) as session:
        owner.exec_driver_sql(let_go())
        owner.exec_driver_sql("DROP TRIGGER event_seals_are_append_only ON event_seals")
        assert {line.partition(":")[0] for line in open_doors(session)} == {
            "trigger events_are_append_only",
            "trigger event_seals_are_append_only",
            "trigger events_are_to_be_sealed",
            "trigger consents_are_append_only",
            "trigger consents_are_not_emptied",
        }
        owner.rollback()


NOTHING = "RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
NOBODYS = (
    f"CREATE FUNCTION let_it() {NOTHING};"
    "DROP TRIGGER events_are_append_only ON events;"
    "CREATE TRIGGER events_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {} "
    "FOR EACH STATEMENT EXECUTE FUNCTION {}()"
)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (NOBODYS.format("users", "refuse_change"), "events_are_append_only: missing"),
        (NOBODYS.format("events", "let_it"), "events_are_append_only: not what"),
        (f"CREATE OR REPLACE FUNCTION refuse_change() {NOTHING}", "event_seals_are_append_only: n"),
        (f"CREATE OR REPLACE FUNCTION queue_to_be_sealed() {NOTHING}", "events_are_to_be_sealed: "),
        (
            f"CREATE OR REPLACE FUNCTION refuse_change_of_consents() {NOTHING}",
            "consents_are_append_only: not what",
        ),
        (
            "DROP TRIGGER event_seals_are_append_only ON event_seals;"
            "CREATE TRIGGER event_seals_are_append_only BEFORE UPDATE OR DELETE ON event_seals"
            " FOR EACH ROW WHEN (OLD.seq < 0) EXECUTE FUNCTION refuse_change()",
            "event_seals_are_append_only: not what",
        ),
        (
            f"CREATE FUNCTION swallow() {NOTHING};"
            "CREATE TRIGGER a BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION swallow()",
            "trigger a: none of ours",
        ),
        ("CREATE RULE b AS ON INSERT TO events DO INSTEAD NOTHING", "rule b of events: none"),
        ("ALTER TABLE events ENABLE ROW LEVEL SECURITY", "row security of events: none"),
    ],
)
def test_one_that_is_there_by_name_alone_is_seen_and_so_is_what_swallows(
    installation, ctx, change, says
):
    with as_owner(installation.app) as owner, Session(owner) as session:
        assert [*open_doors(session)] == []
        owner.exec_driver_sql(change)
        seen = [*open_doors(session)]
        assert says in seen[0]
        owner.rollback()


def test_a_right_to_change_a_single_column_is_seen(installation, ctx):
    with as_owner(installation.app) as owner, Session(owner) as session:
        settle(owner, session.scalar(text("SELECT current_user")))
        owner.exec_driver_sql("GRANT UPDATE (facts) ON events TO CURRENT_USER")
        assert own_role(session).rights == ["events: UPDATE"]
        owner.rollback()
