from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, select, update

from marketplace.catalogue import queries
from marketplace.catalogue.models import AccreditationBody, AuditTime, Region, Sector, Standard
from marketplace.catalogue.rules import Recognition, StandardKind
from marketplace.catalogue.seeding import seed_catalogue


def count(session, table):
    return session.scalar(select(func.count()).select_from(table))


def test_the_catalogue_holds_what_its_files_hold(ctx):
    with ctx.reading() as session:
        assert count(session, Standard) == 47
        assert count(session, AccreditationBody) == 73
        assert count(session, Sector) == 39 + 18
        assert session.scalar(
            select(func.count()).select_from(Region).where(Region.code == Region.country)
        ) == len(set(session.scalars(select(Region.country))))
        assert count(session, Region) > 5000
        # 23 bands by 1 + 4 + 3 columns, 22 (27006), 23 (MD 9), 24 rows by 3 columns (50003)
        assert count(session, AuditTime) == 23 * 8 + 22 + 23 + 24 * 3


def test_editions_are_short_and_their_amendments_stand_in_the_note(ctx):
    with ctx.reading() as session:
        found = queries.standards_by_code(session, ["ISO 9001", "ISO 45001", "ISO 31000"])
    assert (found["ISO 9001"].edition, found["ISO 9001"].previous_edition) == ("2026", "2015")
    assert found["ISO 45001"].edition == "2018"
    assert "+Amd 1:2024" in found["ISO 45001"].note
    assert found["ISO 31000"].kind is StandardKind.GUIDANCE
    assert not found["ISO 31000"].certifiable


def test_every_time_zone_exists(ctx):
    with ctx.reading() as session:
        for zone in session.scalars(select(Region.time_zone).distinct()):
            ZoneInfo(zone)


def test_a_partial_recognition_names_its_standards(ctx):
    with ctx.reading() as session:
        partial = session.get(AccreditationBody, "ISMS-AC")
        nata = session.get(AccreditationBody, "NATA")
    assert partial.recognised_for == ["ISO/IEC 27001", "ISO/IEC 20000-1", "ISO 22301"]
    assert nata.recognition is Recognition.NOT_RECOGNISED


def test_seeding_again_adds_nothing_and_overwrites_nothing(ctx):
    with ctx.transaction() as tx:
        before = tx.session.get(Region, "AU-NSW").time_zone
        tx.session.execute(
            update(Region).where(Region.code == "AU-NSW").values(time_zone="Australia/Broken_Hill")
        )
    try:
        assert set(seed_catalogue(ctx).values()) == {0}
        with ctx.reading() as session:
            assert session.get(Region, "AU-NSW").time_zone == "Australia/Broken_Hill"
    finally:
        with ctx.transaction() as tx:
            tx.session.get(Region, "AU-NSW").time_zone = before


def test_two_processes_may_seed_at_once(ctx, installation):
    with ctx.transaction() as tx:
        tx.session.execute(delete(AuditTime))
        tx.session.execute(delete(Sector).where(Sector.system == "food_chain"))
    start = Barrier(2)

    def seed(_):
        with installation.app.app_context():
            start.wait()
            return seed_catalogue(ctx)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(seed, range(2))
    assert first["audit_times"] + second["audit_times"] == 301
    assert first["sectors"] + second["sectors"] == 18
