"""A dump with a lead in flight, restored on another server, where the lead goes on to its end.

The old installation goes on for a moment after the dump, as it would. What may go out twice is what
it sent and could not record, and what it sent after the dump; nothing else does.
"""

import base64
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from redis import Redis
from sqlalchemy import select

from marketplace.accounts import factors
from marketplace.bootstrap import Product, build, channel_of
from marketplace.cli import main
from marketplace.core.db import db
from marketplace.core.log_guard import LOG
from marketplace.core.sealing_log import head, seal_events, tail
from marketplace.invitations import service as invitations
from marketplace.leads.models import Lead
from marketplace.leads.rules import LeadState
from marketplace.local import dumps
from marketplace.local.postgres import MAJOR, EmbeddedPostgres
from marketplace.notifications.delivery import deliver_due_notifications
from marketplace.notifications.models import Commitment, Notification
from marketplace.notifications.reports import Report, note_reports
from marketplace.notifications.rules import CommitmentState, NotificationState
from marketplace.quotes import outcome
from tests.factories import Factory, business_of, person_of
from tests.faults.campaign import is_settled
from tests.fleet import Fleet, running, wait_until
from tests.mail_service import notification_of
from tests.people import an_admin
from tests.services.road import a_quote, held

BATCH = 2
"""How many messages the old worker had claimed when it was cut off."""


class CutOff(BaseException):
    """The machine is gone, as a worker meets it."""


@dataclass
class Cut:
    """A way out that works, until the machine is gone between a send and its record."""

    channel: Any
    left: int

    @property
    def public_url(self) -> str:
        return self.channel.public_url

    def send(self, ctx, message):
        attempt = self.channel.send(ctx, message)
        self.left -= 1
        if not self.left:
            raise CutOff
        return attempt


@dataclass
class Case:
    """Both installations, and what was on its way when the dump was taken."""

    old: Fleet
    new: Product
    environment: dict[str, str]
    file: Path
    lead: Lead
    head: str
    """The end of the log in the dump."""
    before: list[str]
    """Messages that had gone out, and were recorded, when the dump was taken."""
    cut_off: str
    """The one that went out without a record."""
    after: list[str]
    """Those that the old installation sent after the dump."""


def sent(fleet: Fleet) -> list[str]:
    return [notification_of(post) for post in fleet.mail.taken]


def webhook_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return base64.b64encode(
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).decode()


@contextmanager
def settings_of(environment: dict[str, str]) -> Iterator[None]:
    """Let commands find these settings and no others."""
    before = dict(os.environ)
    for name in before:
        if name.startswith("MARKETPLACE_"):
            del os.environ[name]
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def command(environment, *arguments):
    with settings_of(environment), pytest.raises(SystemExit) as ended:
        main([str(each) for each in arguments])
    return ended.value.code


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recovery")
    settings = {"SENDGRID_WEBHOOK_PUBLIC_KEY": webhook_key(), "TOTP_FOR_ADMINS": "required"}
    with running(folder, window=timedelta(hours=24), settings=settings) as old:
        # What it claims now lapses in a moment.
        late = old.ctx.policy.send_lease - timedelta(seconds=2)
        policy = replace(old.ctx.policy, send_batch=BATCH)
        ctx = replace(old.ctx, clock=lambda: old.ctx.clock() - late, policy=policy)
        with old.ctx.transaction() as tx:
            ada = tx.session.merge(an_admin(old.ctx))
            factors.give_secret(ada, "JBSWY3DPEHPK3PXP", old.ctx.seal)
        make = Factory(ctx)
        for _ in range(3):
            make.provider()
        lead = make.matched_lead()
        first, *_ = held(make, lead)
        invitations.look_at_invitation(ctx, person_of(first.provider_id), first.id)
        with pytest.raises(CutOff):
            deliver_due_notifications(ctx, Cut(channel_of(old.product.settings), BATCH))
        *before, cut_off = sent(old)
        seal_events(old.ctx)
        invitations.accept_invitation(ctx, person_of(first.provider_id), first.id)
        with old.ctx.reading() as session:
            end = str(head(session))
            assert tail(session).count > 0
        file = folder / "monday.dump"
        # The role that the product runs as is enough: it may read everything.
        assert command(old.environment, "back-up", file) == 0
        deliver_due_notifications(old.ctx, channel_of(old.product.settings))
        after = sent(old)[BATCH:]
        old.postgres.stop()
        with Redis.from_url(old.environment["MARKETPLACE_REDIS_URL"]) as redis:
            redis.flushall()
        (folder / "another").mkdir(mode=0o711)
        postgres = EmbeddedPostgres(folder / "another", durable=False)
        try:
            url = postgres.start()
            environment = {
                **old.environment,
                "MARKETPLACE_DATABASE_URL": url,
                "MARKETPLACE_MIGRATION_DATABASE_URL": postgres.owner_url,
            }
            new = build(
                replace(
                    old.product.settings,
                    database_url=url,
                    migration_database_url=postgres.owner_url,
                )
            )
            yield Case(old, new, environment, file, lead, end, before, cut_off, after)
        finally:
            for name in [*old.processes]:
                old.kill(name)
            with new.app.app_context():
                db.engine.dispose()
            postgres.remove_data()


def test_a_backup_is_for_its_owner_alone_and_is_never_written_over(case, capsys):
    assert stat.S_IMODE(case.file.stat().st_mode) == 0o600
    assert not case.file.with_name("monday.dump.partial").exists()
    whole = case.file.read_bytes()
    assert command(case.environment, "back-up", case.file) == 1
    assert "is there already" in capsys.readouterr().err
    assert case.file.read_bytes() == whole


def test_of_a_backup_that_is_damaged_nothing_is_restored(case, tmp_path, capsys):
    damaged = tmp_path / "damaged.dump"
    damaged.write_bytes(case.file.read_bytes()[:-5000])
    assert command(case.environment, "restore", damaged) == 1
    assert "pg_restore gave up" in capsys.readouterr().err
    assert tables_of(case) == 0


def tables_of(case):
    with psycopg.connect(plain(case.environment["MARKETPLACE_DATABASE_URL"])) as connection:
        return connection.execute(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        ).fetchone()[0]


def test_what_is_of_a_newer_version_or_of_something_else_is_not_even_begun(
    case, tmp_path, capsys, monkeypatch
):
    other = tmp_path / "other.dump"
    url = plain(case.environment["MARKETPLACE_MIGRATION_DATABASE_URL"])
    dump = [dumps._program("pg_dump", int(MAJOR)), "--format=custom", f"--file={other}", url]
    subprocess.run(dump, check=True)
    assert command(case.environment, "restore", other) == 1
    assert "is a back-up of something else" in capsys.readouterr().err
    monkeypatch.setattr(dumps, "known_revisions", lambda: {"0001"})
    assert command(case.environment, "restore", case.file) == 1
    assert "restore it by that version" in capsys.readouterr().err
    assert tables_of(case) == 0


def plain(url: str) -> str:
    return url.replace("+psycopg", "")


def test_it_is_restored_into_an_empty_database_and_into_no_other(case, capsys):
    assert command(case.environment, "restore", case.file) == 0
    said = capsys.readouterr().out
    assert re.search(r"wait to go out: [1-9]", said)
    assert f"ends with {case.head}" in said
    assert command(case.environment, "restore", case.file) == 1
    assert "restore into a new, empty one" in capsys.readouterr().err


@pytest.mark.parametrize("table", LOG)
def test_nobody_may_change_what_is_in_the_log_whoever_restored_it(case, table):
    change = f"DELETE FROM {table}"
    with psycopg.connect(plain(case.environment["MARKETPLACE_DATABASE_URL"])) as product:
        assert product.execute(f"SELECT count(*) > 0 FROM {table}").fetchone() == (True,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            product.execute(change)
        product.rollback()
    url = plain(case.environment["MARKETPLACE_MIGRATION_DATABASE_URL"])
    with psycopg.connect(url) as owner:
        owner.execute(f"GRANT DELETE ON {table} TO CURRENT_USER")
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            owner.execute(change)
        owner.rollback()


def test_the_log_is_what_was_written_up_to_the_dump(case, capsys):
    assert command(case.environment, "verify-log", "--expect", case.head) == 0
    assert f"The log ends with {case.head}" in capsys.readouterr().out


def test_a_secret_that_does_not_fit_is_named(case, capsys):
    wrong = {**case.environment, "MARKETPLACE_SECRET_KEY": os.urandom(32).hex()}
    assert command(wrong, "doctor") == 1
    assert (
        "wrong  1 secrets of authenticators were sealed under a secret that is not named"
        in capsys.readouterr().out
    )


def test_the_lead_goes_on_to_its_end_and_nothing_more_than_need_be_is_sent_twice(case, capsys):
    fleet = replace(case.old, ctx=case.new.ctx, product=case.new, environment=case.environment)
    with case.new.app.app_context():
        try:
            walk_on(case, fleet, capsys)
        finally:
            db.session.remove()


def walk_on(case, fleet, capsys):
    ctx, make = case.new.ctx, Factory(case.new.ctx)
    reported, *others = case.after
    assert case.before
    assert others
    # The web is there first: the mail service keeps its reports for it, and one comes in late.
    note_reports(ctx, [Report(UUID(reported), "delivered", at=int(ctx.clock().timestamp()))])
    fleet.start_worker()
    fleet.start_scheduler()
    wait_until(lambda: fleet.schedulers() > 0, "a scheduler is heard of")

    said = ""

    def all_is_well():
        nonlocal said
        code = command(case.environment, "doctor")
        said = capsys.readouterr().out
        return code == 0

    try:
        wait_until(all_is_well, "doctor finds nothing wrong")
    except TimeoutError:
        pytest.fail(f"doctor goes on to say: {said}")
    first, second, third = held(make, case.lead)
    a_quote(ctx, first)
    a_quote(ctx, second)
    invitations.decline_invitation(
        ctx, person_of(third.provider_id), third.id, reason="no_capacity"
    )
    outcome.choose_provider(ctx, business_of(case.lead), first.id)
    wait_until(lambda: is_settled(fleet), "nothing is under way any more")
    with ctx.reading() as session:
        assert session.get(Lead, case.lead.id).state is LeadState.AWARDED
        promise = session.scalars(
            select(Commitment).where(Commitment.lead_id == case.lead.id)
        ).one()
        assert promise.state is CommitmentState.MET
        messages = session.scalars(select(Notification)).all()
    assert {each.state for each in messages} <= {
        NotificationState.SENT,
        NotificationState.DELIVERED,
    }
    copies = fleet.mail.copies()
    twice = {case.cut_off, *others}
    assert {str(each.id): copies[str(each.id)] for each in messages} == {
        str(each.id): 2 if str(each.id) in twice else 1 for each in messages
    }
    assert command(case.environment, "verify-log", "--expect", case.head) == 0
