"""What is over is forgotten by itself: by rule, once, at its instant, and the figures stay."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from marketplace.accounts.models import KnownDevice, SignIn, User
from marketplace.core.actors import OPERATOR
from marketplace.core.consents import Consent
from marketplace.core.db import db, new_id
from marketplace.core.errors import Conflict, NotAllowed
from marketplace.core.events import Event
from marketplace.core.idempotency import IdempotentRequest
from marketplace.core.links import Link, Purpose, mint
from marketplace.insights.commitments import commitment_report
from marketplace.insights.coverage import coverage_report
from marketplace.insights.fairness import fairness
from marketplace.insights.funnel import funnel_report
from marketplace.insights.quote_ranges import quote_ranges
from marketplace.invitations.models import QuoteDraft
from marketplace.leads import service as leads
from marketplace.leads.clock import lapse_unconfirmed_leads
from marketplace.leads.models import Lead
from marketplace.leads.rules import LeadState, remembered
from marketplace.matching import queries as matching
from marketplace.notifications.forgetting import forget_reader
from marketplace.notifications.models import Notification, Suppression
from marketplace.notifications.rules import NotificationState, SuppressionReason, Way
from marketplace.notifications.service import retry_notification
from marketplace.privacy import retention
from marketplace.privacy.retention import RULES, apply_retention, forget_what_is_over
from marketplace.providers import service as providers
from marketplace.providers.models import Provider, TeamInvitation
from marketplace.web.api.common import LeadIn
from marketplace.web.api.provider_schemas import NewProviderSchema
from marketplace.web.requests import load
from tests.conftest import nothing_held
from tests.factories import ADMIN, lead_form, person_of
from tests.people import a_person
from tests.providers import application
from tests.services.road import held
from tests.services.whole_request import a_whole_request, lead_now, named_in

TICK = timedelta(microseconds=1)


def counts(ctx):
    """Return how much is over by each rule, where anything is."""
    return {
        each.rule.name: each.count
        for each in retention.retention_report(ctx, OPERATOR)
        if each.count
    }


def test_only_administrators_see_it_or_do_it(ctx, make):
    for act in (retention.retention_report, apply_retention):
        with pytest.raises(NotAllowed):
            act(ctx, person_of(make.provider().id))


def test_a_form_that_nobody_confirmed_is_forgotten_seven_days_after_it_was_sent(ctx, make, clock):
    leads.submit_lead(ctx, load(LeadIn(), lead_form(3)))
    clock.advance(days=4)
    assert lapse_unconfirmed_leads(ctx) == 1
    clock.advance(days=3)
    clock.now -= TICK
    assert counts(ctx) == {}
    forget_what_is_over(ctx)
    (lead,) = make.ask(lambda session: session.scalars(select(Lead)).all())
    assert lead.contact_email == "sam@works3.example"
    clock.now += TICK
    assert counts(ctx) == {"unconfirmed_forms": 1}
    assert forget_what_is_over(ctx) == 1
    assert forget_what_is_over(ctx) == 0
    lead = lead_now(make, lead)
    assert (lead.state, lead.erased_at) == (LeadState.LAPSED, clock.now)
    assert not [said for said in lead.columns.values() if "works3" in str(said)]


REPORTS = (commitment_report, coverage_report, fairness, funnel_report, quote_ranges)


def figures(ctx):
    """Return every report as its rows say it, of the month in which all of it happened."""
    return [str(report(ctx, ADMIN)) for report in REPORTS]


def test_a_request_is_forgotten_two_years_after_its_end_and_every_figure_stays(ctx, make, clock):
    lead = a_whole_request(ctx, make)
    before = figures(ctx)
    soon = replace(ctx, policy=replace(ctx.policy, contacts_kept=timedelta(0)))
    assert counts(soon) == {"finished_requests": 1}
    assert counts(ctx) == {}
    assert counts(soon) == {"finished_requests": 1}  # counting changes nothing
    assert forget_what_is_over(soon) == 1
    assert figures(ctx) == before
    # Reminders have a consent of their own, and go on.
    kept_for_reminders = ("certificates", "notifications")
    assert named_in(make, but=kept_for_reminders) == []
    left = make.ask(lambda s: s.scalars(select(Notification.template).where(
        Notification.recipient == "quillon@zephyrine.example")).all())  # fmt: skip
    assert left == ["reminders_agreed"]
    verbs = make.ask(lambda session: session.scalars(select(Event.verb)).all())
    assert verbs.count("lead.deidentified") == 1
    assert "lead.erased" not in verbs
    withdrawn = select(func.count()).select_from(Consent).where(Consent.is_withdrawal)
    assert make.ask(lambda session: session.scalar(withdrawn)) == 0
    assert lead_now(make, lead).business_key == remembered("domain:zephyrine.example")


def test_who_consulted_is_known_for_impartiality_until_it_matters_no_longer(ctx, make, clock):
    lead = a_whole_request(ctx, make)
    soon = replace(ctx, policy=replace(ctx.policy, contacts_kept=timedelta(0)))
    before = _advisers(ctx, make)
    assert before
    assert forget_what_is_over(soon) == 1
    assert _advisers(ctx, make) == before
    clock.advance(days=365 + 2 * 366)
    assert counts(ctx)["who_advised_whom"] == 1
    apply_retention(ctx, OPERATOR)
    assert lead_now(make, lead).business_key == f"erased:{lead.id}"
    assert _advisers(ctx, make) == []


def _advisers(ctx, make):
    """Return which consultants a new form of the same business would know of."""
    again = make.lead_of_zephyrine if hasattr(make, "lead_of_zephyrine") else None
    if again is None:
        form = lead_form(1)
        form["contact"] |= {"email": "somebody@zephyrine.example"}
        again = make.lead_of_zephyrine = make.lead(1, contact=form["contact"])
    engagement = ctx.policy.engagement

    def known(session):
        lead = session.get(Lead, again.id)
        chosen = matching._chosen_before(session, lead, engagement, to_follow=False)
        return [each.provider_id for each in chosen]

    return make.ask(known)


def a_notification(ctx, at, **changes):
    values = {
        "channel": Way.EMAIL,
        "template": "request_link",
        "recipient": "old@works.example",
        "recipient_name": "Old",
        "time_zone": "UTC",
        "subject_id": new_id(),
        "occasion": "",
        "values": {"reference": "R-1"},
        "state": NotificationState.DELIVERED,
        "attempts": 1,
        "next_attempt_at": at,
        "created_at": at,
        "is_last_word": False,
    }
    return Notification(id=new_id(), **values | changes)


def a_pair(ctx, user, lead):
    """Write a row down for every rule of whole rows that stays by a day, and one that does not."""
    kept = {rule.name: rule.kept(ctx.policy) for rule in RULES}
    queued = {"state": NotificationState.QUEUED}
    bounced, complained = SuppressionReason.HARD_BOUNCE, SuppressionReason.SPAM_REPORT
    with ctx.transaction() as tx:
        for older in (0, 1):

            def since(name, older=older):
                return ctx.clock() - kept[name] + timedelta(hours=1 - older)

            mark = bytes([older])
            ended, used, since_when = since("sign_ins"), since("devices"), since("suppressions")
            tx.session.add_all(
                [
                    a_notification(ctx, since("messages")),
                    a_notification(ctx, since("messages"), **queued),
                    a_notification(ctx, since("webhook_calls"), channel=Way.WEBHOOK),
                    SignIn(token_hash=mark, user_id=user.id, created_at=ended, expires_at=ended),
                    KnownDevice(
                        user_id=user.id, mark_hash=mark, first_used_at=used, last_used_at=used
                    ),
                    TeamInvitation(
                        id=new_id(),
                        provider_id=user.provider_id,
                        email=f"{older}@new.example",
                        name="New",
                        invited_by=user.id,
                        invited_at=used,
                        expires_at=since("team_invitations"),
                    ),
                    *(
                        Suppression(
                            id=new_id(),
                            address=f"{reason}{older}@x.example",
                            reason=reason,
                            since=since_when,
                        )
                        for reason in (bounced, complained)
                    ),
                    IdempotentRequest(
                        scope_hash=mark, body_hash=b"", begun_at=since("idempotent_answers")
                    ),
                ]
            )
            mint(tx, Purpose.REQUEST, lead.id, expires_at=since("links"))


def test_every_rule_takes_what_is_over_leaves_what_is_not_and_is_done_once(installation, ctx, make):
    lead = make.lead()
    user = a_person(ctx)
    gone = a_person(ctx, "gone@works.example", name="Gil Gone", provider_id=user.provider_id)
    providers.apply_to_join(ctx, load(NewProviderSchema(), application(name="Newcomer Quality")))
    is_new = Provider.state == "applied"
    applied = make.ask(lambda session: session.scalars(select(Provider).where(is_new)).one())
    providers.reject_provider(ctx, ADMIN, applied.id, reason="No.")
    a_pair(ctx, user, lead)
    kept = {rule.name: rule.kept(ctx.policy) for rule in RULES}
    with ctx.transaction() as tx:
        tx.session.get_one(User, gone.id).disabled_at = tx.now - kept["people_let_out"]
    with nothing_held(installation.app) as connection:
        connection.execute(
            "UPDATE events SET at = %s WHERE verb = 'provider.rejected'",
            [ctx.clock() - kept["rejected_applications"]],
        )
    expected = {
        "messages": 1, "webhook_calls": 1, "links": 1, "sign_ins": 1, "devices": 1,
        "team_invitations": 1, "people_let_out": 1, "rejected_applications": 1, "suppressions": 1,
        "idempotent_answers": 1,
    }  # fmt: skip
    assert counts(ctx) == expected
    done = apply_retention(ctx, OPERATOR)
    assert {each.rule.name: each.done for each in done if each.done} == expected
    assert counts(ctx) == {}
    assert sum(each.done for each in apply_retention(ctx, OPERATOR)) == 0

    def left(session):
        return [
            session.scalar(select(func.count()).select_from(table).where(*which))
            for table, which in (
                (SignIn, []),
                (KnownDevice, []),
                (TeamInvitation, []),
                (Suppression, []),
                (IdempotentRequest, []),
                (Notification, [Notification.recipient == "old@works.example"]),
            )
        ]

    assert make.ask(left) == [1, 1, 1, 3, 1, 4]
    person = make.ask(lambda session: session.get(User, gone.id))
    assert (person.name, person.email) == ("erased", f"{gone.id}@erased.invalid")
    assert make.ask(lambda session: session.get(User, user.id)).name != "erased"
    applicant = make.ask(lambda session: session.get(Provider, applied.id))
    assert (applicant.contact_name, applicant.contact_phone) == ("erased", None)
    assert applicant.name == "Newcomer Quality"


def test_what_a_letter_said_is_forgotten_in_its_time_though_its_reader_was_before(ctx, make, clock):
    provider = make.provider()
    letter = a_notification(ctx, ctx.clock(), provider_id=provider.id)
    with ctx.transaction() as tx:
        tx.session.add(letter)
    with ctx.transaction() as tx:
        forget_reader(tx, letter.recipient)

    def now():
        return make.ask(lambda session: session.get_one(Notification, letter.id))

    assert (now().has_reader, now().values) == (False, {"reference": "R-1"})
    clock.now += ctx.policy.messages_kept - TICK
    assert counts(ctx) == {}
    clock.now += TICK
    apply_retention(ctx, OPERATOR)
    assert (now().values, now().provider_id, now().has_reader) == ({}, None, False)
    with pytest.raises(Conflict, match="forgotten"):
        retry_notification(ctx, ADMIN, letter.id)


def test_a_draft_goes_where_its_invitation_has_ended_and_stays_where_it_has_not(ctx, make, clock):
    make.provider()
    live, ended = (held(make, make.matched_lead())[0] for _ in range(2))
    with ctx.transaction() as tx:
        for each in (live, ended):
            tx.session.add(
                QuoteDraft(invitation_id=each.id, typed={}, saved_at=tx.now, saved_as=new_id())
            )
        tx.session.execute(
            text("UPDATE invitations SET state = 'expired' WHERE id = :id"), {"id": ended.id}
        )
    clock.advance(days=30)
    assert counts(ctx)["drafts"] == 1
    apply_retention(ctx, OPERATOR)
    drafts = make.ask(lambda session: session.scalars(select(QuoteDraft)).all())
    assert [each.invitation_id for each in drafts] == [live.id]


def test_two_machines_at_once_forget_each_thing_once(ctx, make, clock, at_once):
    for _ in range(6):
        leads.submit_lead(ctx, load(LeadIn(), lead_form(10 + _)))
    with ctx.transaction() as tx:
        for number in range(1200):
            tx.session.add(
                Link(token_hash=number.to_bytes(4), purpose=Purpose.REQUEST, subject_id=new_id(),
                     minted_at=tx.now, expires_at=tx.now)
            )  # fmt: skip
    clock.advance(days=40)
    assert lapse_unconfirmed_leads(ctx) == 6
    at_once([lambda: apply_retention(ctx, OPERATOR)] * 2)
    assert counts(ctx) == {}
    verbs = make.ask(lambda session: session.scalars(select(Event.verb)).all())
    assert verbs.count("lead.deidentified") == 6


def test_one_that_fails_stops_nobody_else(ctx, make, clock, monkeypatch):
    for number in (21, 22, 23):
        leads.submit_lead(ctx, load(LeadIn(), lead_form(number)))
    clock.advance(days=8)
    lapse_unconfirmed_leads(ctx)
    poisoned = make.ask(
        lambda session: session.scalar(
            select(Lead.id).where(Lead.contact_email.like("%22.example"))
        )
    )
    with ctx.transaction() as tx:
        # Advisers as no version of the product wrote them.
        tx.session.get_one(Lead, poisoned).consultants_used = [{"no": 1}]
    assert forget_what_is_over(ctx) == 2
    assert counts(ctx) == {"unconfirmed_forms": 1}


@pytest.mark.parametrize(("dry", "says"), [(True, "Nothing was changed."), (False, "1 forgotten")])
def test_the_command_counts_or_does(ctx, make, clock, run, environment, dry, says):
    leads.submit_lead(ctx, load(LeadIn(), lead_form(31)))
    with ctx.transaction() as tx:
        tx.session.execute(
            text(
                "UPDATE leads SET state = 'lapsed', created_at = '2020-01-01', "
                "finished_at = '2020-01-02'"
            )
        )
    code, said, _ = run("retention", *(["--dry-run"] if dry else []))
    assert code == 0
    assert "unconfirmed_forms (kept for 7 days): 1 over, the oldest since 2020-01-01" in said
    assert says in said
    erased = make.ask(lambda session: session.scalars(select(Lead.erased_at)).one())
    assert (erased is None) is dry


INDEXES = {
    "unconfirmed_forms": ("ix_leads_never_confirmed", "ix_leads_to_forget"),
    "turned_away_requests": ("ix_leads_to_forget",),
    "finished_requests": ("ix_leads_to_forget",),
    "who_advised_whom": ("ix_leads_advised",),
    "messages": ("ix_notifications_to_forget",),
    "webhook_calls": ("ix_notifications_to_forget", "ix_notifications_calls"),
}


def test_among_many_rows_an_index_serves_what_is_looked_for(ctx, installation):
    """With plans for any parameters, as a statement has them that was sent often."""
    # Who serves requests may not gather statistics. Who does here keeps nothing.
    owner = installation.app.extensions["eraser"]
    with owner.transaction(force_rollback=True):
        for setting in ("enable_seqscan = off", "plan_cache_mode = force_generic_plan"):
            owner.execute(f"SET LOCAL {setting}")
        # Rows that no index but those by age tells apart.
        owner.execute(_MANY_LEADS, {"at": ctx.clock()})
        owner.execute(_MANY_MESSAGES, {"at": ctx.clock()})
        owner.execute("ANALYZE leads, notifications")
        for rule in RULES:
            if rule.of in (Lead, Notification):
                rows = select(rule.of.id).where(*rule.over(ctx.clock(), ctx.policy)).limit(500)
                written = rows.order_by(rule.since).compile(
                    db.engine, compile_kwargs={"literal_binds": True}
                )
                sql = str(written).replace("%%", "%")
                plan = str(owner.execute(f"EXPLAIN {sql}").fetchall())
                assert any(each in plan for each in INDEXES[rule.name]), (rule.name, plan)


_MANY_LEADS = """
INSERT INTO leads (id, reference, state, business_key, form, company_name, country, contact_name,
    contact_email, service, standards, editions, regions, headcount, sites, certification_status,
    remote_ok, consultants_used, consent, signals, review_reasons, time_zone, created_at,
    confirm_by, finished_at)
SELECT gen_random_uuid(), 'T-' || n, CASE n %% 3 WHEN 0 THEN 'lapsed' WHEN 1 THEN 'closed'
    ELSE 'rejected' END, 'domain:' || n, '{}', 'x', 'AU', 'x', 'x' || n, 'consulting',
    '{ISO 9001}', '{}', '{AU}', 1, 1, 'none', true, '[]', '{}', '{}', '{}', 'UTC',
    cast(%(at)s AS timestamptz) - n * interval '1 hour', %(at)s,
    cast(%(at)s AS timestamptz) - n * interval '1 hour'
FROM generate_series(1, 3000) AS n
"""
_MANY_MESSAGES = """
INSERT INTO notifications (id, channel, template, recipient, recipient_name, time_zone,
    subject_id, occasion, values, state, attempts, next_attempt_at, created_at, is_last_word)
SELECT gen_random_uuid(), 'email', 't', 'r' || n, 'x', 'UTC', gen_random_uuid(), '', '{}',
    'sent', 1, %(at)s, cast(%(at)s AS timestamptz) - n * interval '1 hour', false
FROM generate_series(1, 3000) AS n
"""
