"""A statement that is a transaction by itself."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from sqlalchemy import create_engine, delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from marketplace.catalogue.models import Sector
from marketplace.core.context import Origin, Transaction
from marketplace.core.db import db
from marketplace.core.direct import Direct
from marketplace.core.policy import Policy
from marketplace.core.primary import is_away

NEW = {"code": "XX", "system": "iaf", "name": "None", "nace": "", "note": "", "position": 999}

ADD = Direct(insert(Sector).values(NEW).returning(Sector.code))
ME = Direct(select(text("pg_backend_pid() AS pid")))


@pytest.fixture(autouse=True)
def gone(ctx):
    yield
    with ctx.transaction() as tx:
        tx.session.execute(delete(Sector).where(Sector.code == "XX"))


def on(session):
    """Return a transaction of a session that is nobody's."""
    return Transaction(session, datetime.now(UTC), Policy(), Origin())


def is_there(ctx):
    with ctx.reading() as session:
        return session.get(Sector, "XX") is not None


def test_it_stands_whatever_comes_after(ctx):
    with suppress(ZeroDivisionError), ctx.transaction() as tx:
        assert [each.code for each in tx.at_once(ADD, {})] == ["XX"]
        raise ZeroDivisionError
    assert is_there(ctx)


def test_inside_a_transaction_that_has_begun_it_is_a_part_of_it(ctx):
    with suppress(ZeroDivisionError), ctx.transaction() as tx:
        tx.session.execute(update(Sector).where(Sector.code == "17").values(note=Sector.note))
        tx.at_once(ADD, {})
        raise ZeroDivisionError
    assert not is_there(ctx)


def test_inside_the_transaction_of_somebody_else_it_is_a_part_of_that(ctx):
    with db.engine.connect() as connection, Session(connection) as session:
        assert len(on(session).at_once(ADD, {})) == 1
        connection.rollback()
    assert not is_there(ctx)


def test_what_waits_in_the_session_comes_before_it(ctx):
    with ctx.transaction() as tx:
        tx.session.add(Sector(**NEW))
        there = Direct(select(Sector.code).where(Sector.code == "XX"))
        assert len(tx.at_once(there, {})) == 1


def test_what_comes_after_it_is_a_transaction_as_ever(ctx):
    db.engine.dispose()  # so that there is one connection
    with suppress(ZeroDivisionError), ctx.transaction() as tx:
        (before,) = tx.at_once(ME, {})
        assert ME.rows(tx.session, {}) == [before]
        tx.session.add(Sector(**NEW))
        tx.session.flush()
        raise ZeroDivisionError
    assert not is_there(ctx)


def test_what_postgresql_refuses_costs_no_connection(ctx):
    db.engine.dispose()
    with ctx.transaction() as tx:
        (before,) = tx.at_once(ME, {})
        tx.at_once(ADD, {})
    with pytest.raises(DBAPIError, match="duplicate key"), ctx.transaction() as tx:
        tx.at_once(ADD, {})
    with ctx.transaction() as tx:
        assert tx.at_once(ME, {}) == [before]


def test_a_database_that_is_away_is_told_from_a_fault():
    nowhere = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with Session(nowhere) as session, pytest.raises(OperationalError) as refusal:
        on(session).at_once(ME, {})
    assert is_away(refusal.value)


def test_a_connection_that_was_lost_is_thrown_away(ctx, installation):
    db.engine.dispose()
    with ctx.transaction() as tx:
        (lost,) = tx.at_once(ME, {})
    end = Direct(select(text("pg_terminate_backend(pg_backend_pid())")))
    with pytest.raises(DBAPIError), ctx.transaction() as tx:
        tx.at_once(end, {})
    with ctx.transaction() as tx:
        assert tx.at_once(ME, {}) != [lost]
