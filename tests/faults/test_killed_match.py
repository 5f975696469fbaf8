"""A match, or a sealer, that is killed between any two statements leaves things as they were."""

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from marketplace.core.db import db
from marketplace.core.events import Event
from marketplace.core.verifying import verify_log
from marketplace.invitations.models import Invitation
from marketplace.leads.models import Lead
from marketplace.matching.models import Credit, MatchingRun
from marketplace.notifications.models import Notification
from marketplace.providers.models import Coverage
from tests.conftest import empty_tables
from tests.factories import Factory

FEWEST_STATEMENTS = 12
FEWEST_OF_A_SEALER = 8


@pytest.fixture
def make(installation, queue):
    policy = replace(installation.ctx.policy, lead_confirmation="off", lead_review="off")
    with installation.app.app_context():
        yield Factory(replace(installation.ctx, policy=policy, queue=queue))
        db.session.remove()
    empty_tables(installation.app)


@pytest.fixture
def killer(services, make):
    """Start the process that matches and is killed; give the lead and who answers for a number."""
    for number in range(5):
        make.provider("certification_body" if number % 2 else "consultant")
    lead = make.lead(service="either", consultants_used=[{"name": "Somebody Else Pty Ltd"}])
    with killed_at(services, "match", str(lead.id)) as kill_at:
        yield lead, kill_at


@contextmanager
def killed_at(services, *work):
    """Start the process that does it and is killed; yield who answers for a number."""
    environment = {
        **os.environ,
        "MARKETPLACE_DATABASE_URL": services.database_url,
        "MARKETPLACE_REDIS_URL": services.redis_url,
        "MARKETPLACE_SECRET_KEY": "a secret of the tests and of nobody else",
        "MARKETPLACE_PUBLIC_URL": "http://localhost",
        "MARKETPLACE_MAIL_BACKEND": "mailbox",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.killed", *work],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def kill_at(number):
            process.stdin.write(f"{number}\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        yield kill_at
        process.stdin.close()


def picture(make, lead):
    """Return everything that a match writes."""

    def look(session):
        row = session.get(Lead, lead.id)
        about = Event.verb.in_(["invitation.sent", "lead.waits_for_a_provider"])
        return {
            "invitations": session.scalar(select(func.count()).select_from(Invitation)),
            "runs": session.scalar(select(func.count()).select_from(MatchingRun)),
            "events": session.scalar(select(func.count()).select_from(Event).where(about)),
            "open": session.scalar(select(func.sum(Coverage.open_count))),
            "credit moved": session.scalar(select(func.count()).select_from(Credit)),
            "told": session.scalar(
                select(func.count())
                .select_from(Notification)
                .where(Notification.template == "invitation")
            ),
            "waits": row.waiting_code,
        }

    return make.ask(look)


def test_killed_before_any_statement_it_has_done_nothing_and_the_next_try_does_it_all(make, killer):
    lead, kill_at = killer
    before = picture(make, lead)
    assert before == {
        "invitations": 0,
        "runs": 0,
        "events": 0,
        "open": 0,
        "credit moved": 0,
        "told": 0,
        "waits": "searching",
    }
    number = 1
    while (answer := kill_at(number)) == "killed":
        assert picture(make, lead) == before, f"killed before statement {number}"
        number += 1
    assert answer == "done 0"
    assert number > FEWEST_STATEMENTS
    assert picture(make, lead) == {
        "invitations": 3,
        "runs": 1,
        "events": 3,
        "open": 3,
        "credit moved": 5,
        "told": 3,
        "waits": None,
    }


def test_a_sealer_killed_before_any_statement_has_sealed_nothing_and_the_next_seals_all(
    services, make
):
    make.lead()
    written = verify_log(make.ctx).tail.count
    assert written >= 2
    with killed_at(services, "seal") as kill_at:
        number = 1
        while (answer := kill_at(number)) == "killed":
            seen = verify_log(make.ctx)
            assert (seen.found, seen.events, seen.tail.count) == ([], 0, written), number
            number += 1
    assert answer == "done 0"
    assert number >= FEWEST_OF_A_SEALER
    seen = verify_log(make.ctx)
    assert (seen.found, seen.events, seen.tail.count) == ([], written, 0)
