"""Connections follow the PostgreSQL that takes writes."""

from types import SimpleNamespace

import pytest
from sqlalchemy import NullPool, create_engine, event, insert, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace.catalogue.models import Region
from marketplace.core import primary
from marketplace.core.direct import Direct
from marketplace.core.primary import follow_primary, is_passing, takes_writes
from tests.services.test_direct import on

NEW = {"code": "XX", "name": "Nowhere", "country": "XX"}


@pytest.fixture
def demoted(installation, services):
    """Yield an engine whose server has become read-only."""
    engine = follow_primary(
        create_engine(
            services.database_url, connect_args={"options": "-c default_transaction_read_only=on"}
        )
    )
    yield engine
    engine.dispose()


def by_sqlalchemy(session):
    session.execute(insert(Region).values(**NEW))


def by_the_driver(session):
    Direct(insert(Region), columns=list(NEW)).run(session, NEW)


@pytest.mark.parametrize("write", [by_sqlalchemy, by_the_driver])
def test_a_connection_to_a_server_that_takes_no_writes_is_thrown_away(demoted, write):
    with Session(demoted) as session:
        before = session.scalar(text("SELECT pg_backend_pid()"))
        with pytest.raises(DBAPIError) as refusal:
            write(session)
    assert is_passing(refusal.value)
    with Session(demoted) as session:
        assert session.scalar(text("SELECT pg_backend_pid()")) != before


def test_so_is_one_on_which_a_statement_was_to_be_a_transaction_by_itself(demoted):
    write = Direct(insert(Region).values(**NEW).returning(Region.code))
    with Session(demoted) as session:
        before = session.scalar(text("SELECT pg_backend_pid()"))
    with Session(demoted) as session, pytest.raises(DBAPIError) as refusal:
        on(session).at_once(write, NEW)
    assert is_passing(refusal.value)
    with Session(demoted) as session:
        assert session.scalar(text("SELECT pg_backend_pid()")) != before


def test_a_server_that_was_set_read_only_is_not_talked_into_a_write(demoted):
    """By a connection that has answered a question: the driver would ask for `READ WRITE` then."""
    picture = demoted.execution_options(postgresql_readonly=True, isolation_level="REPEATABLE READ")
    with Session(picture) as session:
        before = session.scalar(text("SELECT pg_backend_pid()"))
    with Session(demoted) as session:
        assert session.scalar(text("SELECT pg_backend_pid()")) == before
        assert not takes_writes(session)
        with pytest.raises(DBAPIError) as refusal:
            by_sqlalchemy(session)
    assert is_passing(refusal.value)


def test_one_that_takes_writes_is_known_within_a_question_too(ctx):
    with ctx.reading() as session:
        assert takes_writes(session)


def test_other_errors_cost_no_connection(installation, services):
    engine = follow_primary(create_engine(services.database_url))
    with Session(engine) as session:
        before = session.scalar(text("SELECT pg_backend_pid()"))
        with pytest.raises(DBAPIError):
            session.execute(text("SELECT 1 / 0"))
    with Session(engine) as session:
        assert session.scalar(text("SELECT pg_backend_pid()")) == before
    engine.dispose()


def test_whoever_answered_is_asked_first_from_then_on(services, monkeypatch):
    """The first of the two refuses; one that says nothing would cost seconds each time."""
    monkeypatch.setattr(primary, "_answered_last", {})
    url = make_url(services.database_url)
    host = url.host or url.query["host"]
    two = url.set(host=None, port=None).update_query_dict(
        {"host": f"127.0.0.1,{host}", "port": f"1,{url.port or 5432}"}
    )
    tried = []
    for _ in range(2):  # two engines of a process: what one of them learns, the other knows
        engine = follow_primary(create_engine(two, poolclass=NullPool))

        @event.listens_for(engine, "do_connect")
        def note(dialect, record, arguments, parameters):
            tried.append((parameters["host"], parameters["port"]))

        with engine.connect() as connection:
            assert connection.scalar(text("SELECT 1")) == 1
    port = str(url.port or 5432)
    assert tried == [
        (f"127.0.0.1,{host}", f"1,{port}"),
        (f"{host},127.0.0.1", f"{port},1"),
    ]


@pytest.mark.parametrize(
    ("state", "passes"), [("25006", True), ("57P01", True), ("23505", False), ("42P01", False)]
)
def test_what_passes_by_itself_is_told_from_what_does_not(state, passes):
    error = DBAPIError("", None, SimpleNamespace(sqlstate=state))
    assert is_passing(error) is passes
