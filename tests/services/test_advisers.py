"""Who advised a business: applied where it is certain, asked about where it is doubtful."""

from dataclasses import replace

import pytest
from sqlalchemy import func, insert, select, text

from marketplace.core.db import new_id
from marketplace.core.errors import Conflict, Invalid, NotAllowed, NotFound
from marketplace.core.events import Event
from marketplace.core.jobs import Job
from marketplace.invitations.rules import LIVE
from marketplace.leads import advisers
from marketplace.leads import service as leads
from marketplace.leads.models import Lead
from marketplace.matching import service as matching
from marketplace.notifications.models import Notification
from marketplace.providers import names, queries
from marketplace.providers.models import Provider
from marketplace.providers.rules import name_key
from marketplace.quotes import erasure, outcome
from marketplace.web.api.common import LeadIn
from marketplace.web.api.request import FollowOnIn
from marketplace.web.requests import load
from tests.factories import ADMIN, business_of, lead_form
from tests.people import an_admin
from tests.rules.test_names import ALIKE
from tests.services.road import again, an_awarded_lead, held


@pytest.fixture
def related(make):
    """A consultant, and a certification body that is related to it."""
    consultant = make.provider(name="Harbour Quality Pty Ltd")
    body = make.provider("certification_body", name="Southern Certification Ltd")
    make.relationship(body, consultant)
    return consultant, body


def used(*names):
    return [{"name": name, "ended_on": None} for name in names]


def submitted(ctx, make, *names, number=1, confirmation="off", **changes):
    ctx = replace(ctx, policy=replace(ctx.policy, lead_confirmation=confirmation))
    form = lead_form(number, consultants_used=used(*names), **changes)
    return make.lead_called(leads.submit_lead(ctx, load(LeadIn(), form)).reference)


def live(make, lead):
    return [each.provider_id for each in held(make, lead) if each.state in LIVE]


def decide(ctx, lead, name, provider=None):
    chosen = provider and provider.id
    return advisers.decide_consultant(ctx, ADMIN, lead.id, name=name, provider_id=chosen)


def decisions(make, lead):
    rows = select(func.count()).where(
        Event.subject_id == lead.id, Event.verb == "lead.consultant_decided"
    )
    return make.ask(lambda session: session.scalar(rows))


@pytest.mark.parametrize("service", ["certification", "either"])
def test_a_doubtful_name_is_looked_at_by_a_person(ctx, make, related, service):
    admin = an_admin(ctx)
    lead = submitted(ctx, make, "Harbor Quality Services", service=service)
    assert lead.state == "in_review"
    assert lead.review_reasons == [
        "a consultant that is named, Harbor Quality Services, may be Harbour Quality Pty Ltd, "
        "a provider here"
    ]
    assert lead.consultants_used == [
        {**used("Harbor Quality Services")[0], "resembles": [str(related[0].id)]}
    ]
    told = select(Notification.template).where(Notification.recipient == admin.email)
    assert make.ask(lambda session: session.scalars(told).all()) == ["review_needed"]


def test_the_doubt_is_still_there_when_the_form_is_confirmed(ctx, make, related):
    lead = submitted(ctx, make, "Harbor Quality", service="either", confirmation="required")
    with ctx.transaction() as tx:
        token = leads.links.mint(
            tx, leads.Purpose.CONFIRM_LEAD, lead.id, expires_at=lead.confirm_by
        )
    assert leads.confirm_lead(ctx, token).status == "in_review"
    assert len(again(make, lead).review_reasons) == 1


@pytest.mark.parametrize(
    "name",
    [
        "Harbour Quality Pty Ltd",
        "HARBOUR  QUALITY, Limited",
        "H\u00e1rbour Quality",
        "Harbour Quality Pty Ltd ACN 123 456 789",
        "Harbour Quality Pty Ltd (ABN 51 824 753 556)",
    ],
)
def test_a_certain_name_is_applied_and_nobody_is_asked(ctx, make, related, name):
    lead = submitted(ctx, make, name, service="certification")
    assert lead.state == "open"
    assert lead.consultants_used == used(name)
    matching.match_lead(ctx, lead.id)
    assert live(make, lead) == []


def test_a_name_that_resembles_nobody_is_nobody(ctx, make, related):
    lead = submitted(ctx, make, "Wattle Quality", "Quality Services", service="certification")
    assert lead.state == "open"
    assert lead.consultants_used == used("Wattle Quality", "Quality Services")


@pytest.mark.parametrize(
    "name",
    [
        "Harbour Quality P/L ACN 123 456 789",
        "Harbour Quality S.\u00e0 r.l.",
        "Jo Tran (Harbour Quality)",
        "www.harbourquality.com.au",
    ],
)
def test_a_name_with_more_about_it_is_asked_about(ctx, make, related, name):
    lead = submitted(ctx, make, name, service="certification")
    assert lead.state == "in_review"
    assert lead.consultants_used[0]["resembles"] == [str(related[0].id)]


@pytest.mark.parametrize(
    ("name", "is_asked"),
    [
        ("Wattle P/L, ABN 74 676 061 760", False),
        ("ACN 676 061 760", True),
        ("Wattle Pty Ltd, ABN 51 824 753 556", True),
    ],
)
def test_a_registration_number_counts_and_is_asked_about_where_name_and_number_disagree(
    ctx, make, name, is_asked
):
    consultant = make.provider(name="Wattle Pty Ltd", legal_entity="AU:676061760")
    make.relationship(make.provider("certification_body"), consultant)
    lead = make.matched_lead(service="certification", consultants_used=used(name))
    assert live(make, lead) == []
    (entry,) = again(make, lead).consultants_used
    assert entry.get("resembles", []) == ([str(consultant.id)] if is_asked else [])


@pytest.fixture
def namesakes(make):
    """A consultant that is related to a certification body, another of its name, and the body."""
    related, other = (make.provider(name=name) for name in ("Nova GmbH", "Nova Pty Ltd"))
    body = make.provider("certification_body")
    make.relationship(body, related)
    return {"Nova GmbH": related, "Nova Pty Ltd": other, "the body": body}


@pytest.mark.parametrize(
    ("decided", "is_invited"),
    [("nothing yet", False), (None, True), ("Nova GmbH", False), ("Nova Pty Ltd", True)],
)
def test_a_name_that_several_bear_counts_for_all_until_it_is_decided_and_then_as_decided(
    ctx, make, namesakes, decided, is_invited
):
    lead = submitted(ctx, make, "NOVA, Pty. Ltd.", service="certification")
    assert lead.state == "in_review"
    assert lead.review_reasons == [
        "a consultant that is named, NOVA, Pty. Ltd., may be Nova GmbH or Nova Pty Ltd, "
        "a provider here"
    ]
    if decided != "nothing yet":
        decide(ctx, lead, "NOVA, Pty. Ltd.", namesakes.get(decided))
    leads.approve_lead(ctx, ADMIN, lead.id)
    matching.match_lead(ctx, lead.id)
    assert live(make, lead) == ([namesakes["the body"].id] if is_invited else [])


def test_a_name_of_another_legal_form_counts_until_an_administrator_says_that_it_is_not(ctx, make):
    consultant, body = make.provider(name="Nova GmbH"), make.provider("certification_body")
    make.relationship(body, consultant)
    lead = make.matched_lead(service="certification", consultants_used=used("Nova Pty Ltd"))
    assert live(make, lead) == []
    assert again(make, lead).consultants_used[0]["resembles"] == [str(consultant.id)]
    decide(ctx, lead, "Nova Pty Ltd")
    matching.match_lead(ctx, lead.id)
    assert live(make, lead) == [body.id]


def test_a_body_of_a_name_is_free_again_once_another_of_that_name_is_decided(ctx, make):
    body = make.provider("certification_body", name="Nova Certification GmbH")
    consultant = make.provider(name="Nova Certification Pty Ltd")
    lead = make.matched_lead(
        service="certification", consultants_used=used("Nova Certification Pty Ltd")
    )
    assert live(make, lead) == []
    decide(ctx, lead, "Nova Certification Pty Ltd", consultant)
    matching.match_lead(ctx, lead.id)
    assert live(make, lead) == [body.id]


def test_two_entries_of_one_legal_entity_are_one_adviser(ctx, make):
    make.provider(name="Wattle Pty Ltd", legal_entity="AU:676061760", state="rejected")
    make.provider(name="Wattle", legal_entity="AU:676061760")
    assert "resembles" not in submitted(ctx, make, "Wattle Pty Ltd").consultants_used[0]


def test_for_consulting_it_is_noted_and_holds_nobody_up(ctx, make, related):
    lead = submitted(ctx, make, "Harbor Quality", service="consulting")
    assert lead.state == "open"
    assert lead.consultants_used[0]["resembles"] == [str(related[0].id)]


def test_a_doubtful_name_is_not_applied_until_it_is_decided_and_then_it_is(
    ctx, make, related, queue
):
    consultant, body = related
    lead = make.matched_lead(service="certification", consultants_used=used("Harbor Quality"))
    assert live(make, lead) == [body.id]
    queue.jobs.clear()

    (entry,) = decide(ctx, lead, "Harbor Quality", consultant)

    assert entry["provider"] == {"id": consultant.id, "name": consultant.name}
    assert entry["decided_at"] == ctx.clock()
    assert (Job.MATCH_LEADS, lead.id) in queue.jobs
    matching.match_lead(ctx, lead.id)
    (invitation,) = held(make, lead)
    assert invitation.state == "withdrawn"
    assert live(make, lead) == []


def doubted(make, lead):
    """Return whom a lead's advisers may be, and what administrators were told of it."""
    told = (
        select(Notification.values)
        .where(Notification.template == "adviser_in_doubt")
        .order_by(Notification.id)
    )
    reasons = [each["reasons"] for each in make.ask(lambda session: session.scalars(told).all())]
    entries = again(make, lead).consultants_used
    return [each.get("resembles", []) for each in entries], reasons


def test_a_name_is_compared_with_who_has_joined_since_and_administrators_are_told_once(
    ctx, make, clock
):
    an_admin(ctx)
    lead = make.matched_lead(
        service="certification", consultants_used=used("Harbour Qualty", "Wattle")
    )
    assert doubted(make, lead) == ([[], []], [])
    one = make.provider(name="Harbour Quality Pty Ltd")
    for _ in range(2):
        matching.match_lead(ctx, lead.id)
        reasons = [
            "a consultant that is named, Harbour Qualty, may be Harbour Quality Pty Ltd, "
            "a provider here"
        ]
        assert doubted(make, lead) == ([[str(one.id)], []], [reasons])
        assert again(make, lead).review_reasons == reasons
    other = make.provider(name="Wattle")
    another = make.provider(name="Wattle Inc.")
    matching.match_lead(ctx, lead.id)
    ids, told = doubted(make, lead)
    assert ids == [[str(one.id)], [str(other.id), str(another.id)]]
    assert told[1:] == [
        ["a consultant that is named, Wattle, may be Wattle or Wattle Inc., a provider here"]
    ]


def test_what_is_decided_or_does_not_matter_is_not_compared_again(ctx, make):
    an_admin(ctx)
    decided = make.matched_lead(service="certification", consultants_used=used("Harbour Qualty"))
    consulting = make.matched_lead(service="consulting", consultants_used=used("Harbour Qualty"))
    decide(ctx, decided, "Harbour Qualty")
    make.provider(name="Harbour Quality Pty Ltd")
    for lead in (decided, consulting):
        matching.match_lead(ctx, lead.id)
        assert doubted(make, lead) == ([[]], [])


def test_an_adviser_that_is_no_provider_here_hinders_nobody(ctx, make, related):
    lead = make.matched_lead(service="certification", consultants_used=used("Harbor Quality"))
    (entry,) = decide(ctx, lead, "Harbor Quality")
    assert entry["provider"] is None
    assert entry["decided_at"] == ctx.clock()
    matching.match_lead(ctx, lead.id)
    assert live(make, lead) == [related[1].id]


def test_what_was_decided_twice_is_decided_once_and_may_be_decided_otherwise(
    ctx, make, related, queue, clock
):
    consultant, _ = related
    lead = make.lead(service="certification", consultants_used=used("Harbor Quality"))
    first = decide(ctx, lead, "Harbor Quality")
    clock.advance(hours=1)
    queue.jobs.clear()
    assert decide(ctx, lead, "Harbor Quality") == first
    assert decisions(make, lead) == 1
    assert queue.jobs == []
    (entry,) = decide(ctx, lead, "Harbor Quality", consultant)
    assert (entry["provider"]["id"], entry["decided_at"]) == (consultant.id, clock.now)
    assert entry["resembles"] == first[0]["resembles"]
    assert decisions(make, lead) == 2
    assert (Job.MATCH_LEADS, lead.id) in queue.jobs


def test_a_decision_takes_its_doubt_out_of_the_reasons(ctx, make, related, queue):
    lead = submitted(ctx, make, "Harbor Quality", "Southrn Certification", service="either")
    assert len(lead.review_reasons) == 2
    queue.jobs.clear()
    decide(ctx, lead, "Harbor Quality", related[0])
    (left,) = again(make, lead).review_reasons
    assert "Southrn Certification" in left
    # One that is looked at is not matched yet.
    assert queue.jobs == []
    decide(ctx, lead, "Southrn Certification")
    assert again(make, lead).review_reasons == []
    leads.approve_lead(ctx, ADMIN, lead.id)
    matching.match_lead(ctx, lead.id)
    assert live(make, lead) == [related[0].id]


def test_one_that_was_named_twice_is_decided_for_both(ctx, make, related):
    lead = make.lead(consultants_used=used("Harbor Quality", "Wattle", "Harbor Quality"))
    found = decide(ctx, lead, "Harbor Quality", related[0])
    assert [bool(each["provider"]) for each in found] == [True, False, True]


def test_only_a_consultant_of_the_form_can_be_a_provider_that_exists(ctx, make, related):
    lead = make.lead(consultants_used=used("Harbor Quality"))
    with pytest.raises(Invalid, match="/name: is not a consultant"):
        decide(ctx, lead, "harbor quality", related[0])
    with pytest.raises(Invalid, match="/provider_id: is not a provider"):
        advisers.decide_consultant(ctx, ADMIN, lead.id, name="Harbor Quality", provider_id=new_id())
    with pytest.raises(NotFound):
        advisers.decide_consultant(ctx, ADMIN, new_id(), name="x", provider_id=None)
    with pytest.raises(NotAllowed):
        advisers.decide_consultant(
            ctx, business_of(lead), lead.id, name="Harbor Quality", provider_id=None
        )


def test_nothing_is_decided_about_a_request_that_is_over(ctx, make, related, clock):
    lead = make.lead(consultants_used=used("Harbor Quality"))
    late = make.lead(consultants_used=used("Harbor Quality"))
    outcome.close_request(ctx, business_of(lead), reason="not_now")
    clock.now = again(make, late).expires_at
    for over in (lead, late):
        with pytest.raises(Conflict, match="finished"):
            decide(ctx, over, "Harbor Quality", related[0])


def test_a_follow_on_knows_its_consultant_for_certain(ctx, make):
    lead = an_awarded_lead(ctx, make)
    receipt = outcome.follow_on(ctx, business_of(lead), load(FollowOnIn(), {}))
    followed = make.lead_called(receipt.reference)
    assert followed.state == "open"
    assert [sorted(each) for each in followed.consultants_used] == [["ended_on", "name"]]


def test_what_was_erased_names_no_adviser(ctx, make, related):
    lead = submitted(ctx, make, "Harbor Quality", service="either")
    assert "Harbor" in str(lead.columns)
    erasure.erase_request(ctx, business_of(lead))
    for model in (Lead, Notification, Event):
        for row in make.ask(lambda session, model=model: session.scalars(select(model)).all()):
            assert "Harbo" not in str(row.columns), model


def provider_called(name, **values):
    return {
        "id": new_id(),
        "kind": "consultant",
        "state": "verified",
        "name": name,
        "name_key": name_key(name),
        "country": "AU",
        "contact_name": "Sam",
        "contact_email": "sam@harbour.example",
        **values,
    }


def found_like(session, name, limit=100):
    found = {}
    for search in names.searches(name):
        found |= queries.names_like(session, search, limit=limit)
    return found


def test_the_database_comes_upon_whatever_resembles(ctx, make):
    known = sorted({name for pair in ALIKE for name in pair})
    rows = [provider_called(name, created_at=ctx.clock()) for name in known]
    with ctx.transaction() as tx:
        tx.session.execute(insert(Provider), rows)
        for pair in ALIKE:
            for one, other in (pair, pair[::-1]):
                assert other in found_like(tx.session, one).values(), (one, other)


def test_of_a_hundred_thousand_names_only_those_that_may_be_are_read(ctx, make):
    make.provider(name="Harbour Quality Pty Ltd")
    crowd = text(
        "INSERT INTO providers (id, kind, state, name, name_key, country, contact_name,"
        " contact_email, created_at) SELECT gen_random_uuid(), 'consultant', 'verified', name,"
        " name, 'AU', 'Sam', 'sam@crowd.example', now() FROM (SELECT CASE WHEN n % 50 = 0"
        " THEN 'harbour ' ELSE '' END || 'crowd' || n || ' quality' AS name"
        " FROM generate_series(1, 100000) n) AS names"
    )
    reads = text(
        "SELECT seq_scan, seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables"
        " WHERE relname = 'providers'"
    )
    session = ctx.sessions()
    try:
        session.execute(crowd)
        scans, before = session.execute(reads).one()
        found = found_like(session, "Harbor Quality")
        assert "Harbour Quality Pty Ltd" in found.values()
        # Each of the ways of looking stops at its limit, however many names share a word.
        assert len(found_like(session, "Harbour Quality", limit=3)) <= 12
        scans_after, after = session.execute(reads).one()
        assert scans_after == scans
        # Two thousand have "harbour" in them, and come up once for each way of looking.
        assert after - before < 6 * 2001
        assert session.scalar(text("SHOW enable_seqscan")) == "on"
    finally:
        session.rollback()
