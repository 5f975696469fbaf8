"""Everything that may meet at one request, at the same moment, with delays drawn by chance."""

import itertools
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest
from sqlalchemy import select

from marketplace.accounts import administrators
from marketplace.accounts.passwords import actor_of
from marketplace.accounts.queries import admins
from marketplace.core import links
from marketplace.core.actors import OPERATOR, Actor, Kind
from marketplace.core.db import db
from marketplace.core.errors import Conflict, Gone, MarketplaceError
from marketplace.core.events import Event
from marketplace.core.links import Purpose
from marketplace.invitations import endings, questions
from marketplace.invitations import service as invitations
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import LIVE, DeclineReason, InvitationState
from marketplace.leads import service as leads
from marketplace.leads.rules import CloseReason, LeadState
from marketplace.matching import service as matching
from marketplace.privacy.accounts import erase_account
from marketplace.providers import service as providers
from marketplace.quotes import erasure, outcome
from marketplace.quotes.models import Quote
from marketplace.web.api.common import LeadIn
from marketplace.web.requests import load
from tests.factories import business_of, lead_form, person_of
from tests.fuzz.sizes import draw, rounds
from tests.people import a_person, an_admin, session_token
from tests.services.road import a_quote, again, held
from tests.services.test_invariants import assert_no_invariant_is_broken


@pytest.fixture
def meet(installation):
    """Do these at the same moment, each after a delay of its own; return what each came to."""
    chance = draw("delays")

    def run(*deeds):
        start = Barrier(len(deeds))

        def one(deed, delay):
            with installation.app.app_context():
                start.wait()
                time.sleep(delay)
                try:
                    return deed()
                except MarketplaceError as refused:
                    return refused
                finally:
                    db.session.remove()

        delays = [chance.choice([0, 0, chance.random() / 100]) for _ in deeds]
        with ThreadPoolExecutor(len(deeds)) as pool:
            return list(pool.map(one, deeds, delays))

    return run


def refusals(results):
    return [each for each in results if isinstance(each, MarketplaceError)]


def quoted_lead(ctx, make):
    """Return a request with three quotes, and their invitations."""
    lead = make.matched_lead()
    three = held(make, lead)
    for each in three:
        a_quote(ctx, each)
    return lead, three


def check(make, lead):
    """Look at a request, and at the whole database, for what must never be."""
    now = again(make, lead)
    states = Counter(each.state for each in held(make, lead))
    won = states[InvitationState.WON]
    assert won == (1 if now.state is LeadState.AWARDED else 0), (now.state, states)
    if now.is_finished:
        assert not any(states[state] for state in LIVE), (now.state, states)
    if now.awarded_invitation_id is not None:
        chosen = make.ask(lambda s: s.get(Invitation, now.awarded_invitation_id))
        assert chosen.state is InvitationState.WON
    verbs = make.ask(
        lambda s: s.scalars(select(Event.verb).where(Event.subject_id == lead.id)).all()
    )
    ends = [verb for verb in verbs if verb in ("lead.awarded", "lead.closed", "lead.expired")]
    assert len(ends) <= 1, verbs
    ids = [each.id for each in held(make, lead)]
    versions = make.ask(
        lambda s: s.execute(
            select(Quote.invitation_id, Quote.version).where(Quote.invitation_id.in_(ids))
        ).all()
    )
    assert len(versions) == len(set(versions))
    assert_no_invariant_is_broken(make)


def test_of_choices_at_once_one_is_made(ctx, make, meet, counted):
    for _ in range(3):
        make.provider()
    for _ in rounds(2):
        lead, three = quoted_lead(ctx, make)
        results = meet(
            *(
                partial(outcome.choose_provider, ctx, business_of(lead), each.id)
                for each in [*three, *three]
            )
        )
        assert len(refusals(results)) == 5
        assert all(isinstance(each, Conflict) for each in refusals(results))
        check(make, lead)
        counted["races"] += 1


def test_whoever_chooses_what_was_looked_at_never_gets_another_version(ctx, make, meet, counted):
    make.provider()
    for _ in rounds(2):
        lead = make.matched_lead()
        (only,) = held(make, lead)
        a_quote(ctx, only, "1000.00")
        chosen, _ = meet(
            partial(outcome.choose_provider, ctx, business_of(lead), only.id, version=1),
            partial(a_quote, ctx, only, "9000.00"),
        )
        rows = select(Quote.version).where(Quote.invitation_id == only.id)
        last = make.ask(lambda s, rows=rows: s.scalars(rows).all())
        # Either it was chosen as it was looked at, or it was revised first and nothing was chosen.
        assert isinstance(chosen, Conflict) == (max(last) == 2), (chosen, last)
        check(make, lead)
        counted["races"] += 1


def test_an_invitation_is_accepted_or_declined_once_by_however_many_people(
    ctx, make, meet, counted
):
    provider = make.provider()
    people = [a_person(ctx, f"p{n}@provider.example", provider_id=provider.id) for n in range(2)]
    actors = [Actor(Kind.PROVIDER, id=each.id, provider_id=provider.id) for each in people]
    for _ in rounds(2):
        lead = make.matched_lead()
        (only,) = held(make, lead)

        def accept(who, only=only):
            return invitations.accept_invitation(ctx, who, only.id)

        def decline(who, only=only):
            return invitations.decline_invitation(
                ctx, who, only.id, reason=DeclineReason.NO_CAPACITY
            )

        meet(*(lambda do=do, who=who: do(who) for who in actors for do in (accept, decline)))
        now = again(make, only)
        told = make.ask(
            lambda s, only=only: s.scalars(
                select(Event.verb).where(Event.subject_id == only.id)
            ).all()
        )
        accepted, declined = (told.count(f"invitation.{verb}") for verb in ("accepted", "declined"))
        # An acceptance may be followed by a decline, and nothing by a second of its kind.
        assert accepted <= 1, told
        assert declined <= 1, told
        assert (now.state is InvitationState.DECLINED) == bool(declined), (now.state, told)
        check(make, lead)
        counted["races"] += 1


def test_at_its_deadline_an_invitation_expires_and_nobody_accepts_it(
    ctx, make, clock, meet, counted
):
    provider = make.provider()
    for _ in rounds(2):
        clock.advance(days=100)  # whoever missed several lately is paused
        lead = make.matched_lead()
        (only,) = held(make, lead)
        invitations.look_at_invitation(ctx, person_of(provider.id), only.id)
        clock.now = again(make, only).respond_by
        results = meet(
            *[partial(invitations.accept_invitation, ctx, person_of(provider.id), only.id)] * 6,
            partial(endings.end_due_invitations, ctx),
            partial(endings.end_due_invitations, ctx),
        )
        assert len(refusals(results)) == 6
        assert again(make, only).state is InvitationState.EXPIRED
        assert again(make, only).responded_at is None
        check(make, lead)
        counted["races"] += 1


def test_whatever_meets_at_a_request_leaves_it_whole(ctx, make, clock, meet, counted):
    chance = draw("what meets")
    pool = [make.provider() for _ in range(6)]
    for _ in rounds(5):
        lead = make.matched_lead()
        three = held(make, lead)
        for each in three:
            a_quote(ctx, each) if chance.random() < 0.6 else None
        business = business_of(lead)
        deeds = [
            *(partial(outcome.choose_provider, ctx, business, e.id) for e in three),
            partial(outcome.close_request, ctx, business, reason=CloseReason.NOT_NOW),
            partial(outcome.close_lead, ctx, OPERATOR, lead.id, reason="spam"),
            partial(erasure.erase_request, ctx, business),
            *(partial(a_quote, ctx, e, "2000.00") for e in three),
            *(
                partial(invitations.accept_invitation, ctx, person_of(e.provider_id), e.id)
                for e in three
            ),
            *(
                lambda e=e: invitations.decline_invitation(
                    ctx, person_of(e.provider_id), e.id, reason=DeclineReason.OTHER
                )
                for e in three
            ),
            *(
                partial(questions.ask_question, ctx, person_of(e.provider_id), e.id, text="Why?")
                for e in three
            ),
            partial(matching.match_lead, ctx, lead.id),
            partial(endings.end_due_invitations, ctx),
            partial(endings.replace_invitation, ctx, business, three[0].id),
            lambda: providers.suspend_provider(ctx, OPERATOR, pool[0].id, reason="checked"),
            lambda: providers.reinstate_provider(ctx, OPERATOR, pool[0].id),
        ]  # fmt: skip
        results = meet(*chance.sample(deeds, 6))
        counted["deeds that met"] += len(results)
        counted["of them refused"] += len(refusals(results))
        check(make, lead)
        # Nobody is left suspended for the next round.
        meet(lambda: providers.reinstate_provider(ctx, OPERATOR, pool[0].id))
        counted["races"] += 1


def test_of_administrators_who_remove_each_other_at_once_somebody_remains(ctx, meet, counted):
    chance = draw("administrators")
    for number in rounds(2):
        there = [an_admin(ctx, f"a{number}{n}@marketplace.example") for n in range(4)]
        pairs = chance.sample([*itertools.permutations(there, 2)], 8)
        # At the same moment some of them go by themselves, and an operator lets one go.
        going = {one.id: session_token(ctx, one) for one in chance.sample(there, 2)}
        results = meet(
            *(
                partial(administrators.remove_admin, ctx, actor_of(one), two.id)
                for one, two in pairs
            ),
            *(
                partial(erase_account, ctx, Actor(Kind.ADMIN, each), token)
                for each, token in going.items()
            ),
            partial(administrators.remove_admin, ctx, OPERATOR, there[0].id),
        )
        with ctx.reading() as session:
            left = admins(session)
        assert left, results
        counted["removals that met"] += len(results)
        counted["of them refused"] += len(refusals(results))
        counted["races"] += 1


def test_a_link_is_used_once_however_often_it_is_sent_at_once(ctx, make, meet, counted):
    for number in rounds(2):
        form = load(LeadIn(), lead_form(9000 + number))
        lead = make.lead_called(leads.submit_lead(ctx, form).reference)
        with ctx.transaction() as tx:
            token = links.mint(tx, Purpose.CONFIRM_LEAD, lead.id, expires_at=lead.confirm_by)
        results = meet(*[partial(leads.confirm_lead, ctx, token)] * 5)
        assert len(refusals(results)) == 4, results
        assert all(isinstance(each, Gone) for each in refusals(results))
        counted["races"] += 1
