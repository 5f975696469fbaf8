"""A form that has to be confirmed is one statement, whatever else goes on at that moment."""

import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from math import inf

import psycopg
import pytest
from sqlalchemy import delete, func, or_, select, text, update

from marketplace.catalogue import known
from marketplace.catalogue.models import Sector, Standard
from marketplace.core import connections
from marketplace.core.consents import Consent
from marketplace.core.db import db
from marketplace.core.errors import Invalid, Unavailable
from marketplace.core.events import Event
from marketplace.core.jobs import Job
from marketplace.leads import receiving
from marketplace.leads import service as leads
from marketplace.leads.models import Lead
from marketplace.leads.rules import LeadState
from marketplace.notifications.models import Notification
from marketplace.notifications.rules import NotificationState
from marketplace.web.api.common import LeadIn
from marketplace.web.requests import load
from tests.factories import lead_form
from tests.services.test_leads import token_for

BLOCKED = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")


@pytest.fixture
def capped(ctx):
    return replace(ctx, policy=replace(ctx.policy, rate_limits=True))


def submit(ctx, number, **changes):
    return leads.submit_lead(ctx, load(LeadIn(), lead_form(number, **changes)))


def count(session, table):
    return session.scalar(select(func.count()).select_from(table))


@contextmanager
def another_catalogue(ctx, change):
    """Change the catalogue as another process does it, and back."""
    with ctx.transaction() as tx:
        was = tx.session.execute(select(Standard.code, Standard.kind)).all()
        change(tx.session)
    try:
        yield
    finally:
        with ctx.transaction() as tx:
            for code, kind in was:
                tx.session.execute(update(Standard).where(Standard.code == code).values(kind=kind))
            tx.session.execute(delete(Sector).where(Sector.code == "XX"))


@pytest.fixture
def executed(ctx, monkeypatch):
    """Of each statement that is sent, whether it is a transaction by itself."""
    submit(ctx, 90)  # now the process knows the catalogue, and has a connection
    monkeypatch.setattr(connections, "TRUSTED", inf)
    found = []
    execute = psycopg.Cursor.execute

    def noted(self, *args, **given):
        found.append(self.connection.autocommit)
        return execute(self, *args, **given)

    monkeypatch.setattr(psycopg.Cursor, "execute", noted)
    return found


def test_a_form_is_one_transaction_of_one_statement(ctx, make, queue, executed):
    reference = submit(ctx, 2).reference
    assert executed == [True]
    lead = make.lead_called(reference)
    assert lead.state is LeadState.AWAITING_CONFIRMATION
    with ctx.reading() as session:
        for table in (Consent, Notification, Event):
            of_it = select(func.count()).where(table.subject_id == lead.id)
            assert session.scalar(of_it) == 1, table
    assert queue.jobs == [(Job.DELIVER_NOTIFICATIONS, None)] * 2


def test_a_reference_that_is_taken_is_drawn_anew(ctx, make, monkeypatch):
    first = submit(ctx, 1).reference
    drawn = iter(["R-222222"])
    monkeypatch.setattr(receiving, "fresh_reference", lambda: next(drawn))
    monkeypatch.setattr("marketplace.leads.intake.fresh_reference", lambda: first)
    assert submit(ctx, 2).reference == "R-222222"
    with ctx.reading() as session:
        assert count(session, Lead) == 2


def test_what_the_catalogue_says_by_now_counts_whatever_the_process_keeps(ctx, make):
    """A standard is taken out, and a sector added, by another process: this one is not told."""
    submit(ctx, 1)
    kept = known._kept

    def change(session):
        session.execute(
            update(Standard)
            .where(Standard.code == "ISO 9001")
            .values(kind="guidance_not_certifiable")
        )
        session.add(Sector(code="XX", system="iaf", name="New", nace="", note="", position=999))

    with another_catalogue(ctx, change):
        assert known._kept is kept
        with pytest.raises(Invalid) as refusal:
            submit(ctx, 2, standards=["ISO 9001"], editions={})
        assert [each.pointer for each in refusal.value.errors] == ["/standards/0"]
        submit(ctx, 3, standards=["ISO 14001"], editions={}, sector="XX")
        known._kept = kept
        submit(ctx, 4, standards=["ISO 14001"], editions={}, sector="XX")
    known._kept = kept
    submit(ctx, 5, standards=["ISO 9001"], editions={})
    with ctx.reading() as session:
        assert count(session, Lead) == 4


def test_one_that_changes_at_every_look_is_waited_for_by_whoever_sends_it_again(
    ctx, make, monkeypatch
):
    submit(ctx, 1)

    def outdated(session):
        found = known._read(session)
        with db.engine.begin() as other:
            other.execute(text("UPDATE catalogue_version SET version = gen_random_uuid()"))
        return found

    monkeypatch.setattr(leads, "kept", outdated)
    monkeypatch.setattr(leads, "known", outdated)
    with pytest.raises(Unavailable, match="once more"):
        submit(ctx, 2)
    with ctx.reading() as session:
        assert count(session, Lead) == 1


def a_running_one(ctx, make):
    """Return the form of a business that has a request running."""
    form = {"company": {**lead_form(1)["company"], "registration_number": "51 824 753 556"}}
    lead = make.lead_called(submit(ctx, 1, **form).reference)
    leads.confirm_lead(ctx, token_for(ctx, lead))
    return form


def verbs_of(ctx, lead):
    with ctx.reading() as session:
        mails = select(Notification.id).where(Notification.subject_id == lead.id)
        of_it = or_(Event.subject_id == lead.id, Event.subject_id.in_(mails))
        return session.scalars(select(Event.verb).where(of_it).order_by(Event.id)).all()


def test_a_form_that_is_set_aside_is_two_statements(ctx, make, executed):
    form = a_running_one(ctx, make)
    executed.clear()
    reference = submit(ctx, 2, **form).reference
    assert executed == [True, True]
    lead = make.lead_called(reference)
    assert (lead.state, lead.finished_at) == (LeadState.SUPERSEDED, lead.created_at)
    assert verbs_of(ctx, lead) == ["lead.submitted", "lead.superseded"]
    with ctx.reading() as session:
        mails = session.scalars(select(Notification).where(Notification.subject_id == lead.id))
        assert [each.template for each in mails] == ["request_running_elsewhere"]


def test_whatever_is_in_the_way_is_met_one_after_another(capped, make, executed, monkeypatch):
    """A reference that is taken, a request that runs, a mailbox that is full."""
    form = a_running_one(capped, make)
    contact = {"contact": {**lead_form(3)["contact"], "email": "mia2@kestrel.example"}}
    taken = submit(capped, 3, **contact).reference
    monkeypatch.setattr("marketplace.leads.intake.fresh_reference", lambda: taken)
    strict = replace(capped, policy=replace(capped.policy, mails_asked_per_hour=1))
    executed.clear()
    reference = submit(strict, 2, **form, **contact).reference
    assert executed == [True] * 4
    lead = make.lead_called(reference)
    assert lead.state is LeadState.SUPERSEDED
    assert verbs_of(capped, lead) == [
        "lead.submitted", "lead.superseded", "notification.suppressed",
    ]  # fmt: skip


def test_one_that_changes_between_two_attempts_loses_no_form(ctx, make, monkeypatch):
    form = a_running_one(ctx, make)
    set_aside, changes = receiving._set_aside, iter([True])

    def meanwhile(tx, lead):
        if next(changes, False):
            with db.engine.begin() as other:
                other.execute(text("UPDATE catalogue_version SET version = gen_random_uuid()"))
        return set_aside(tx, lead)

    monkeypatch.setattr(receiving, "_set_aside", meanwhile)
    lead = make.lead_called(submit(ctx, 2, **form).reference)
    assert lead.state is LeadState.SUPERSEDED
    with ctx.reading() as session:
        assert count(session, Lead) == 2


def test_behind_the_lock_of_a_mailbox_is_seen_what_whoever_held_it_wrote(capped, installation):
    """Four mails are written by a transaction that ends while the fifth form waits for it."""
    for number in range(1, 5):
        form = lead_form(number)
        form["contact"]["email"] = f"mia.{number}@kestrel.example"
        leads.submit_lead(capped, load(LeadIn(), form))
    form = lead_form(5)
    form["contact"]["email"] = "mia@gull.example"
    answers = []

    def send():
        with installation.app.app_context():
            answers.append(leads.submit_lead(capped, load(LeadIn(), form)))
            db.session.remove()

    waiting = threading.Thread(target=send)
    with db.engine.begin() as other:
        other.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended('mailbox mia@gull.example', 0))")
        )
        waiting.start()
        end = time.monotonic() + 20
        while not other.scalar(BLOCKED):
            assert time.monotonic() < end, "nobody waits for the lock"
            time.sleep(0.01)
        other.execute(text("UPDATE notifications SET mailbox = 'mia@gull.example'"))
    waiting.join(20)
    assert len(answers) == 1
    with capped.reading() as session:
        states = session.scalars(
            select(Notification.state).where(Notification.recipient == "mia@gull.example")
        ).all()
    assert states == [NotificationState.SUPPRESSED]


def test_forms_of_one_business_beside_a_confirmation_leave_one_request_running(ctx, make, at_once):
    """Whichever comes first: what was confirmed runs, and every other form has heard or will."""
    number = {"company": {**lead_form(1)["company"], "registration_number": "51 824 753 556"}}
    first = submit(ctx, 1, **number)
    lead = make.lead_called(first.reference)
    token = token_for(ctx, lead)
    calls = [partial(submit, ctx, each, **number) for each in range(2, 8)]
    at_once([partial(leads.confirm_lead, ctx, token), *calls])
    with ctx.reading() as session:
        found = session.scalars(select(Lead).where(Lead.id != lead.id)).all()
        running = session.scalar(
            select(func.count()).where(Lead.state.in_([LeadState.OPEN, LeadState.IN_REVIEW]))
        )
    assert running == 1
    assert {each.state for each in found} <= {
        LeadState.SUPERSEDED,
        LeadState.AWAITING_CONFIRMATION,
    }
    for each in found:
        if each.state is LeadState.AWAITING_CONFIRMATION:
            confirmation = leads.confirm_lead(ctx, token_for(ctx, each))
            assert confirmation.status == LeadState.SUPERSEDED


NUMBER = {"company": {**lead_form(1)["company"], "registration_number": "51 824 753 556"}}
ADVISED = {"consultants_used": [{"name": "Harbour Quality Pty Ltd"}]}
"""Which is asked about before anything is written, so in a transaction that has begun."""


@contextmanager
def beside_a_confirmation(capped, make, installation):
    """Send a form while somebody holds the lock of its business, who has a request running."""
    first = make.lead_called(submit(capped, 1, **NUMBER).reference)
    leads.confirm_lead(capped, token_for(capped, first))
    answers = []

    def send():
        with installation.app.app_context():
            answers.append(submit(capped, 1, **NUMBER, **ADVISED).reference)
            db.session.remove()

    sending = threading.Thread(target=send)
    with db.engine.begin() as other:
        key = {"key": first.business_key}
        other.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), key)
        sending.start()
        end = time.monotonic() + 20
        while sending.is_alive() and not other.scalar(BLOCKED):
            assert time.monotonic() < end
            time.sleep(0.01)
        yield other, first, answers
    sending.join(20)
    assert len(answers) == 1


def test_a_form_and_a_confirmation_never_wait_for_each_other(capped, make, installation):
    """Who confirms holds the business, and then asks for the mailbox, to mail to it."""
    with beside_a_confirmation(capped, make, installation) as (other, first, _):
        other.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended('mailbox ' || :whose, 0))"),
            {"whose": first.contact_email},
        )


def test_what_is_answered_was_written_whatever_was_changed_meanwhile(capped, make, installation):
    """The request that runs is ended, and the catalogue is another, as the form is looked at."""
    with beside_a_confirmation(capped, make, installation) as (other, first, answers):
        end = text("UPDATE leads SET state = 'closed' WHERE id = :id")
        other.execute(end, {"id": first.id})
        other.execute(text("UPDATE catalogue_version SET version = gen_random_uuid()"))
    assert make.lead_called(answers[0]).form["consultants_used"]


def test_without_a_version_of_the_catalogue_nothing_is_answered_that_was_not_written(ctx, make):
    submit(ctx, 1)
    with db.engine.begin() as other:
        other.execute(text("DELETE FROM catalogue_version"))
    try:
        with pytest.raises(LookupError):
            submit(ctx, 2)
    finally:
        with db.engine.begin() as other:
            other.execute(text("INSERT INTO catalogue_version VALUES (gen_random_uuid())"))
    with ctx.reading() as session:
        assert count(session, Lead) == 1


def left_by(make, reference):
    """Return what is written of a form: its state, what happened to it, and its mails."""
    lead = make.lead_called(reference)

    def ask(session):
        mails = session.scalars(
            select(Notification).where(Notification.subject_id == lead.id)
        ).all()
        about = [lead.id, *(each.id for each in mails)]
        events = session.scalars(
            select(Event).where(Event.subject_id.in_(about)).order_by(Event.id)
        ).all()
        consents = session.scalar(select(func.count()).where(Consent.subject_id == lead.id))
        facts = [(each.verb, each.facts) for each in events]
        return lead.state, facts, [(each.template, each.state) for each in mails], consents

    return make.ask(ask)


def test_whatever_stands_in_the_way_a_form_leaves_all_of_it_behind_once(capped, make, queue):
    """A request that runs, a mailbox that is full, and both; inside a transaction as well."""
    first = make.lead_called(submit(capped, 1, **NUMBER).reference)
    leads.confirm_lead(capped, token_for(capped, first))
    sent = ("lead.submitted", {"service": first.service})
    aside = ("lead.superseded", {"by": str(first.id)})
    held = ("notification.suppressed", {"reason": "cap"})
    queued, suppressed = NotificationState.QUEUED, NotificationState.SUPPRESSED
    for number in range(2, 7):  # of a first form and these a mailbox hears of four
        more, over = (ADVISED if number % 2 else {}), number > capped.policy.mails_asked_per_hour
        queue.jobs.clear()
        assert left_by(make, submit(capped, 1, **NUMBER, **more).reference) == (
            LeadState.SUPERSEDED,
            [sent, aside, held] if over else [sent, aside],
            [("request_running", suppressed if over else queued)],
            1,
        )
        assert queue.jobs == [(Job.DELIVER_NOTIFICATIONS, None)]
    for more in ({}, ADVISED):
        another = lead_form(2, **more)
        another["contact"]["email"] = first.contact_email
        another["company"]["registration_number"] = "53 004 085 616"
        reference = leads.submit_lead(capped, load(LeadIn(), another)).reference
        assert left_by(make, reference) == (
            LeadState.AWAITING_CONFIRMATION, [sent, held], [("confirm_request", suppressed)], 1,
        )  # fmt: skip
