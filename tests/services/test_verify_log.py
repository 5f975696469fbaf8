"""`verify-log` finds any change of the log, and nothing where nobody changed it."""

import hashlib
import random
import re
import uuid
from datetime import UTC, datetime, timedelta
from threading import Event as Signal
from threading import Thread

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from config.log_lines import declared
from marketplace.core.actors import SYSTEM
from marketplace.core.chain import FIELDS
from marketplace.core.db import db
from marketplace.core.events import Event, EventSeal, record, record_each
from marketplace.core.sealing_log import head, seal_events, tail
from marketplace.core.verifying import verify_log, wrong_with
from marketplace.migrations.schema import as_owner
from tests.conftest import let_go, nothing_held

EVENTS = 12


@pytest.fixture
def log(ctx, installation):
    """Write events, by all roads, and seal them; return the ids in the order they were sealed."""
    with ctx.transaction() as tx:
        for number in range(EVENTS // 3):
            record(tx, SYSTEM, "quote.submitted", uuid.uuid4(), version=number)
        many = {uuid.uuid4(): {"place": 1, "lead": None} for _ in range(EVENTS // 3)}
        record_each(tx, SYSTEM, "invitation.sent", many)
        tx.session.execute(
            text(
                "INSERT INTO events SELECT gen_random_uuid(), now(), 'system', NULL, 'x.y',"
                " gen_random_uuid(), CAST(:facts AS jsonb), '-', '192.0.2.0/24'"
                " FROM generate_series(1, :count)"
            ),
            {"facts": '{"b": [1, 2.50, null], "aa": "ü\\n"}', "count": EVENTS // 3},
        )
    assert seal_events(ctx) == EVENTS
    with ctx.reading() as session:
        return [*session.scalars(text("SELECT event_id FROM event_seals ORDER BY seq"))]


@pytest.fixture
def tamper(installation):
    """Change the log as who owns it, with triggers off."""

    def tamper(statement, *values):
        with nothing_held(installation.app) as owner:
            assert owner.execute(statement, values).rowcount != 0

    return tamper


def found(ctx, **anchors):
    return verify_log(ctx, **anchors).found


def test_nothing_is_wrong_where_nobody_changed_anything(ctx, log):
    seen = verify_log(ctx)
    assert (seen.found, seen.more, seen.events, seen.tail.count) == ([], 0, EVENTS, 0)
    assert seen.head.seq == EVENTS


def test_another_program_comes_to_the_same_hashes(ctx, log):
    """Written as an auditor would, from `core/chain.py`'s words alone."""
    with ctx.reading() as session:
        rows = session.execute(
            text(
                "SELECT e.id, e.at, actor_kind, actor_id, verb, subject_id, facts::text,"
                " request_id, address, hash"
                " FROM event_seals JOIN events e ON e.id = event_id ORDER BY seq"
            )
        ).all()
    before = bytes(32)
    for id_, at, kind, actor, verb, subject, facts, request, address, stored in rows:
        micro = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        seconds = f"{micro // 10**6}.{micro % 10**6:06}"
        hashed = before
        for field in ("1", id_, seconds, kind, actor, verb, subject, facts, request, address):
            said = b"" if field is None else str(field).encode()
            hashed += b"-," if field is None else f"{len(said)}:".encode() + said + b","
        before = hashlib.sha256(hashed).digest()
        assert before == stored
    assert len(rows) == EVENTS


@pytest.mark.parametrize(
    "settings",
    [
        "TimeZone = 'Asia/Kathmandu'; SET DateStyle = 'German, DMY'",
        "bytea_output = 'escape'; SET extra_float_digits = 0",
    ],
)
def test_what_is_hashed_does_not_depend_on_settings_or_the_order_of_keys(ctx, log, settings):
    with ctx.reading() as session:
        question = text(f"SELECT {', '.join(FIELDS)} FROM events ORDER BY id")
        before = session.execute(question).all()
        session.execute(text(f"SET LOCAL {settings.replace('SET ', 'SET LOCAL ')}"))
        assert session.execute(question).all() == before
        one, other = (
            session.scalar(text("SELECT CAST(:facts AS jsonb)::text"), {"facts": facts})
            for facts in ('{"b": [1, 2.50], "aa": "ü\\n"}', '{"aa":"\\u00fc\\u000a","b":[1,2.50]}')
        )
    assert one == other == '{"b": [1, 2.50], "aa": "ü\\n"}'


OTHERWISE = {
    "id": "gen_random_uuid()",
    "at": "at + interval '1 microsecond'",
    "actor_kind": "actor_kind || ' '",
    "actor_id": "gen_random_uuid()",
    "verb": "upper(verb)",
    "subject_id": "gen_random_uuid()",
    "facts": "facts || '{\"number\": 1e400}'",
    "request_id": "''",
    "address": "''",
}


def test_every_column_is_tried():
    assert set(OTHERWISE) == set(Event.__table__.columns.keys())
    assert len(FIELDS) == len(OTHERWISE)


@pytest.mark.parametrize("column", OTHERWISE)
def test_a_change_of_any_column_of_an_event_is_found(ctx, log, tamper, column):
    tamper(f"UPDATE events SET {column} = {OTHERWISE[column]} WHERE id = %s", log[4])
    first = found(ctx)[0]
    assert str(log[4]) in first
    assert re.search(r"\b5\b", first)


@pytest.mark.parametrize(
    "at", ["infinity", "-infinity", "0044-03-15 BC", "9999-12-31", "294000-01-01"]
)
def test_a_time_that_no_clock_shows_is_found_too(ctx, log, tamper, at):
    tamper("UPDATE events SET at = %s::timestamptz WHERE id = %s", at, log[0])
    assert len(found(ctx)) == 1
    with ctx.transaction() as tx:
        tx.session.execute(
            text(
                "INSERT INTO events VALUES"
                " (gen_random_uuid(), :at, 'x', NULL, 'x', gen_random_uuid(), '{}', '', NULL)"
            ),
            {"at": at},
        )
        tail(tx.session)
    seal_events(ctx)
    assert len(found(ctx)) == 1


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("seq", "99"),
        ("seq", "0"),
        ("seq", "-3"),
        ("event_id", "gen_random_uuid()"),
        ("form", "2"),
        ("hash", "sha256(hash)"),
        ("hash", "''"),
    ],
)
def test_a_change_of_any_column_of_a_seal_is_found(ctx, log, tamper, column, value):
    assert set(EventSeal.__table__.columns.keys()) == {"seq", "event_id", "form", "hash"}
    tamper(f"UPDATE event_seals SET {column} = {value} WHERE seq = 5")
    assert found(ctx)


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("DELETE FROM events WHERE id = (SELECT event_id FROM event_seals WHERE seq = 3)", "3$"),
        ("DELETE FROM event_seals WHERE seq = 3", "seal 3: gone"),
        ("DELETE FROM event_seals WHERE seq BETWEEN 3 AND 6", "seal 3 to 6: gone"),
        ("DELETE FROM event_seals WHERE seq = 12", "not sealed, and it does not wait"),
        ("UPDATE event_seals SET seq = seq + 1000", "seal 1 to 1000: gone"),
        ("UPDATE event_seals SET seq = -seq", "seal"),
        ("INSERT INTO event_seals VALUES (13, gen_random_uuid(), 1, '')", "number 13$"),
        ("INSERT INTO events SELECT gen_random_uuid(), at, actor_kind, actor_id, verb, subject_id,"
         " facts, request_id, address FROM events LIMIT 1", "not sealed, and it does not wait"),
        ("INSERT INTO unsealed_events VALUES (gen_random_uuid())", "gone before it was sealed"),
    ],
)  # fmt: skip
def test_what_is_removed_put_in_or_numbered_anew_is_found(ctx, log, tamper, statement, says):
    tamper(statement)
    seen = found(ctx)
    assert re.search(says, seen[0]), seen
    assert len(seen) <= EVENTS
    seal_events(ctx)
    assert found(ctx), "the sealer must not heal what was done"


def test_events_that_a_dump_brings_along_again_are_sealed_once(ctx, log):
    """Restored with triggers on, each queues once more, though its seal comes along."""
    with ctx.transaction() as tx:
        tx.session.execute(
            text(
                "INSERT INTO unsealed_events"
                " SELECT event_id FROM event_seals, (VALUES (1), (2)) AS twice"
            )
        )
        record(tx, SYSTEM, "lead.opened", uuid.uuid4())
    assert verify_log(ctx).found == []
    assert seal_events(ctx) == 1
    seen = verify_log(ctx)
    assert (seen.found, seen.events, seen.tail.count) == ([], EVENTS + 1, 0)


def test_two_seals_or_events_that_changed_places_are_found(ctx, log, tamper):
    swap = "CASE {0} WHEN %s THEN %s WHEN %s THEN %s ELSE {0} END"
    tamper("ALTER TABLE event_seals DROP CONSTRAINT pk_event_seals")
    tamper(f"UPDATE event_seals SET seq = {swap.format('seq')}", 3, 7, 7, 3)
    tamper("ALTER TABLE event_seals ADD CONSTRAINT pk_event_seals PRIMARY KEY (seq)")
    assert [int(seq) for seq in re.findall(r"seal (\d+)", " ".join(found(ctx)))] == [3, 4, 7, 8]


def test_what_is_there_twice_is_found(ctx, log, installation):
    twice = "INSERT INTO {0} SELECT * FROM {0} LIMIT 1"
    for table, key in (("events", "id"), ("event_seals", "seq")):
        with nothing_held(installation.app) as owner:
            keys = owner.execute(
                "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
                " WHERE conrelid = %s::regclass AND contype IN ('p', 'u')", [table],
            ).fetchall()  # fmt: skip
            for name, _ in keys:
                owner.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
            owner.execute(twice.format(table))
        assert "more than once" in found(ctx)[0]
        with nothing_held(installation.app) as owner:
            owner.execute(
                f"DELETE FROM {table} a USING {table} b WHERE a.ctid > b.ctid AND a.{key} = b.{key}"
            )
            for name, rule in keys:
                owner.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {rule}")
    assert found(ctx) == []


def test_an_end_that_was_cut_off_is_found_by_one_that_was_noted(ctx, log, tamper):
    with ctx.reading() as session:
        noted = head(session)
    anchors = {noted.seq: noted.hash}
    assert found(ctx, anchors=anchors) == []
    tamper("DELETE FROM events WHERE id = ANY(%s)", log[-2:])
    tamper("DELETE FROM event_seals WHERE seq > %s", EVENTS - 2)
    assert found(ctx) == []
    assert found(ctx, anchors=anchors) == [
        f"seal {EVENTS}: gone, although it was noted before; the log ends with {EVENTS - 2}"
    ]


def test_a_hundred_changes_at_random_are_each_found(log, installation, counted):
    dice = random.Random(7)
    with as_owner(installation.app) as owner:
        owner.exec_driver_sql(let_go())
        for number in range(100):
            column = dice.choice([*OTHERWISE])
            statement = dice.choice([
                f"UPDATE events SET {column} = {OTHERWISE[column]} WHERE id",
                "DELETE FROM events WHERE id",
                "UPDATE event_seals SET hash = set_byte(hash, 7, 255 - get_byte(hash, 7))"
                " WHERE event_id",
                "UPDATE event_seals SET seq = seq + 50 WHERE event_id",
            ])  # fmt: skip
            change = owner.begin_nested()
            owner.exec_driver_sql(f"{statement} = '{dice.choice(log)}'")
            with Session(owner) as session:
                assert [*wrong_with(session)], f"number {number}: {statement}"
            change.rollback()
            counted["changes at random"] += 1
        with Session(owner) as session:
            assert [*wrong_with(session)] == []
        owner.rollback()


def test_what_waits_for_long_is_told_and_called_wrong_after_an_hour(ctx, make, clock):
    make.lead()
    seen = verify_log(ctx)
    assert seen.found == []
    assert seen.tail.count > 0
    assert seen.tail.since == clock.now
    clock.advance(hours=1, seconds=1)
    (late,) = found(ctx)
    assert "events that wait to be sealed" in late
    seal_events(ctx)
    assert found(ctx) == []


def test_so_many_lines_at_most_and_how_many_more(ctx, log, tamper):
    tamper("UPDATE events SET verb = 'x'")
    tamper("INSERT INTO unsealed_events SELECT gen_random_uuid() FROM generate_series(1, 30)")
    seen = verify_log(ctx)
    assert (len(seen.found), seen.more) == (20, EVENTS + 30 - 20)


def test_the_sealer_says_in_the_log_of_its_process_where_the_chain_ends(ctx, make):
    make.lead()
    with capture_logs(processors=[declared]) as lines:
        seal_events(ctx)
        seal_events(ctx)
    with ctx.reading() as session:
        end = head(session)
    assert lines == [
        {"event": "log_sealed", "log_level": "info", "count": end.seq, "head": str(end)}
    ]


class TestTheCommand:
    def test_it_says_where_the_log_ends_and_takes_that_as_an_anchor(
        self, run, environment, ctx, log
    ):
        code, said, _ = run("verify-log")
        assert code == 0
        assert f"Events sealed: {EVENTS}. Waiting to be sealed: 0." in said
        end = re.search(r"ends with (\d+:[0-9a-f]{64})", said)[1]
        assert run("verify-log", "--expect", end)[0] == 0

    def test_it_fails_and_names_what_is_wrong(self, run, environment, ctx, log, tamper):
        tamper("UPDATE events SET verb = 'x' WHERE id = %s", log[1])
        code, said, complained = run("verify-log")
        assert code == 1
        assert f"wrong  event {log[1]}, seal 2:" in said
        assert "1 findings" in complained

    @pytest.mark.parametrize("anchor", ["", "7", "x:00", "7:00", "0:" + 64 * "0", "-1:" + 64 * "0"])
    def test_an_anchor_that_is_none_is_refused(self, run, environment, anchor):
        code, _, complained = run("verify-log", "--expect", anchor)
        assert code == 2
        assert "64 hexadecimal digits" in complained


def test_nothing_false_is_said_while_writers_and_two_sealers_run(ctx, make, installation, services):
    """With a transaction open that wrote before them all and commits after."""
    stop, problems = Signal(), []

    def at_work(work):
        try:
            with installation.app.app_context():
                while not stop.is_set():
                    work()
                    db.session.remove()
        except Exception as error:
            problems.append(error)

    def write():
        with ctx.transaction() as tx:
            for _ in range(3):
                record(tx, SYSTEM, "lead.opened", uuid.uuid4())

    threads = [Thread(target=at_work, args=[work]) for work in (
        write, write, lambda: seal_events(ctx), lambda: seal_events(ctx))]  # fmt: skip
    url = services.database_url.replace("+psycopg", "")
    with psycopg.connect(url) as long:
        long.execute(
            "INSERT INTO events"
            " VALUES (gen_random_uuid(), now(), 'x', NULL, 'x', gen_random_uuid(), '{}', '', NULL)"
        )
        for thread in threads:
            thread.start()
        looks = [verify_log(ctx) for _ in range(8)]
        long.commit()
        looks += [verify_log(ctx) for _ in range(4)]
    stop.set()
    for thread in threads:
        thread.join()
    assert problems == []
    assert [each.found for each in looks] == [[] for _ in looks]
    seal_events(ctx)
    last = verify_log(ctx)
    assert (last.found, last.tail.count) == ([], 0)
    assert last.events >= looks[-1].events > 0
    with ctx.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM events")) == last.events
