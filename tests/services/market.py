"""A small random market whose requests go every way they can, by the product's use cases."""

import random
from datetime import timedelta

from sqlalchemy import select

from marketplace.core.actors import SYSTEM
from marketplace.invitations import endings, questions
from marketplace.invitations import service as invitations
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import InvitationEvent, InvitationState, free_places
from marketplace.leads.models import Lead
from marketplace.matching import service as matching
from marketplace.matching import settling
from marketplace.providers.models import Provider
from marketplace.providers.rules import AccreditationState, ProviderKind
from marketplace.quotes import outcome
from marketplace.quotes import service as quotes
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.requests import load
from tests.factories import business_of, person_of
from tests.services.road import a_quote, held

STANDARDS = ("ISO 9001", "ISO 14001")
REGIONS = ("AU", "AU-NSW", "AU-VIC", "NZ", "NZ-AUK")


def a_market(ctx, make, clock, seed, *, providers=16, leads=12, days_apart=7):
    """Let leads go through the hands of providers, some days apart.

    Return how many places each left empty, as seen when it finished, or in the end.
    """
    chance, left_empty = random.Random(seed), {}
    for _ in range(providers):
        _join(make, clock, chance)
    for _ in range(leads):
        lead = make.matched_lead(
            service=chance.choice(["consulting", "certification", "either"]),
            standards=chance.sample(STANDARDS, chance.choice([1, 1, 2])),
            regions=chance.sample(REGIONS, chance.choice([1, 1, 2])),
            sector=None,
            remote_ok=chance.random() < 0.3,
        )
        for each in held(make, lead):
            _act(ctx, make, clock, chance, each)
        matching.match_lead(ctx, lead.id)
        left_empty[lead.id] = empty_places(ctx, make, lead)
        _finish_perhaps(ctx, make, chance, lead)
        clock.advance(hours=chance.randrange(24 * days_apart))
        endings.end_due_invitations(ctx)
        settling.settle_ended_invitations(ctx)
    for lead in make.ask(lambda s: s.scalars(select(Lead).where(Lead.state == "open")).all()):
        left_empty[lead.id] = empty_places(ctx, make, lead)
    return left_empty


def empty_places(ctx, make, lead):
    holdings = [each.holding for each in held(make, lead)]
    return len(free_places(holdings, places=ctx.policy.places))


def _join(make, clock, chance):
    kind = chance.choice(["consultant", "certification_body"])
    provider = make.provider(
        kind,
        state=chance.choice(["verified"] * 5 + ["suspended"]),
        standards=tuple(chance.sample(STANDARDS, chance.choice([1, 2, 2]))),
        regions=tuple(chance.sample(REGIONS, chance.choice([1, 2, 3]))),
        remote=chance.random() < 0.3,
        accredited=False,
    )
    if kind == "certification_body":
        today = clock.now.date()
        spoilt = [
            {"valid_until": today + timedelta(days=20)},
            {"valid_from": today + timedelta(days=150)},
            {"state": AccreditationState.CLAIMED},
            {"state": AccreditationState.SUSPENDED},
            {"body": "NATA"},  # not for management systems
        ]
        for standard in chance.sample(STANDARDS, chance.choice([1, 2, 2])):
            make.accreditation(provider, standard=standard, **chance.choice([{}] * 6 + spoilt))


def _act(ctx, make, clock, chance, invitation):
    """Let the holder of an invitation do one of the things that holders do."""
    who, deed = person_of(invitation.provider_id), chance.randrange(9)
    clock.advance(minutes=chance.randrange(200))
    if deed == 1:
        _release(ctx, invitation)
        return
    invitations.look_at_invitation(ctx, who, invitation.id)
    if deed in (0, 8):
        return  # it looks, says nothing, and runs out of time
    if deed in (2, 3):
        reason = chance.choice(["out_of_scope", "no_capacity"])
        invitations.decline_invitation(ctx, who, invitation.id, reason=reason)
    elif deed == 4:
        questions.ask_question(ctx, who, invitation.id, text="How many shifts?")
    elif deed == 5:
        invitations.accept_invitation(ctx, who, invitation.id)
    elif deed == 6:
        invitations.accept_invitation(ctx, who, invitation.id)
        invitations.decline_invitation(ctx, who, invitation.id, reason="no_capacity")
    else:
        _quote(ctx, make, invitation)


def _release(ctx, invitation):
    with ctx.transaction() as tx:
        lead = tx.session.get_one(Lead, invitation.lead_id)
        ours = tx.session.get_one(Invitation, invitation.id)
        ours.open_by = tx.now  # it was not opened in time
        endings.end(tx, SYSTEM, ours, InvitationEvent.RELEASE)
        endings.mark_waiting(tx, lead)


def _quote(ctx, make, invitation):
    holder = make.ask(lambda s: s.get(Provider, invitation.provider_id))
    if holder.kind is ProviderKind.CONSULTANT:
        a_quote(ctx, invitation)
        return
    standards = make.ask(lambda s: s.get(Lead, invitation.lead_id)).standards
    form = {
        "kind": "certification",
        "currency": "AUD",
        "standards": [{"code": code} for code in standards],
        "audit_days": {"stage_1": 1, "stage_2": 2.5},
        "fees": {"stage_1": "1400.00", "stage_2": "4200.00"},
        "valid_until": str(ctx.clock().date() + timedelta(days=60)),
    }
    quotes.put_quote(ctx, person_of(holder.id), invitation.id, load(QuoteIn(), form))


def _finish_perhaps(ctx, make, chance, lead):
    quoted = [each for each in held(make, lead) if each.state is InvitationState.QUOTED]
    ending = chance.randrange(3)
    if ending == 1 and quoted:
        outcome.choose_provider(ctx, business_of(lead), quoted[0].id)
    elif ending:
        outcome.close_request(ctx, business_of(lead), reason="not_now")
