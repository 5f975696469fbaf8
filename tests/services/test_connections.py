"""No connection that is lost is lent, and few are asked whether they are."""

import select
import time

import psycopg
import pytest
from sqlalchemy import create_engine, text

from marketplace.core import connections


@pytest.fixture
def engine(installation, services):
    engine = connections.look_before_use(create_engine(services.database_url))
    yield engine
    engine.dispose()


@pytest.fixture
def asked(monkeypatch):
    """Count the statements that go to the database."""
    sent, execute = [], psycopg.Cursor.execute

    def noted(cursor, query, *arguments, **how):
        sent.append(query)
        return execute(cursor, query, *arguments, **how)

    monkeypatch.setattr(psycopg.Cursor, "execute", noted)
    return sent


def beside(services):
    return psycopg.connect(services.database_url.replace("+psycopg", ""), autocommit=True)


def backend(engine):
    with engine.connect() as connection:
        return connection.scalar(text("SELECT pg_backend_pid()"))


def test_one_that_was_just_in_use_is_not_asked(engine, asked, monkeypatch):
    monkeypatch.setattr(connections, "TRUSTED", 60)
    first = backend(engine)
    del asked[:]
    assert backend(engine) == first
    assert len(asked) == 1


def test_one_that_lay_for_a_while_is_asked_first(engine, asked, monkeypatch):
    first = backend(engine)
    monkeypatch.setattr(connections, "TRUSTED", 0)
    del asked[:]
    assert backend(engine) == first
    assert len(asked) == 2


def test_what_the_server_has_ended_is_opened_anew_at_once(engine, services, monkeypatch):
    monkeypatch.setattr(connections, "TRUSTED", 60)
    first = backend(engine)
    with beside(services) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [first])
        while other.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [first]).rowcount:
            time.sleep(0.01)
    assert backend(engine) != first


def test_what_was_closed_on_this_side_is_opened_anew(engine):
    first = backend(engine)
    with engine.connect() as connection:
        connection.connection.driver_connection.close()
    assert backend(engine) != first


def test_one_that_has_something_to_say_is_asked_and_kept(engine, services, asked, monkeypatch):
    monkeypatch.setattr(connections, "TRUSTED", 60)
    first = backend(engine)
    with engine.begin() as connection:
        connection.execute(text("LISTEN changes"))
        socket = connection.connection.driver_connection.fileno()
    with beside(services) as other:
        other.execute("NOTIFY changes")
    assert select.select([socket], [], [], 10)[0]
    del asked[:]
    assert backend(engine) == first
    assert len(asked) == 2
