"""Why not me: in one sentence, what runs saw of a provider, and what is so by now."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from marketplace.core.errors import NotFound
from marketplace.core.policy import Policy
from marketplace.invitations import queries as invitations
from marketplace.invitations.models import Invitation
from marketplace.leads.models import Lead
from marketplace.matching import queries
from marketplace.matching.eligibility import obstacle
from marketplace.matching.models import MatchingRun
from marketplace.matching.reasons import excluded, places_in_words, reasons
from marketplace.providers.facts import provider_facts
from marketplace.providers.models import Provider


def why_not(
    session: Session,
    lead: Lead,
    provider_id: UUID,
    stored: Sequence[MatchingRun],
    *,
    policy: Policy,
    now: datetime,
) -> str:
    """Return in a sentence why a provider was not invited, or that it was.

    `stored`: every run for the lead, the latest first. What the latest saw that knows the provider
    stands as it was written down; what is otherwise by now is added to it.
    """
    held = invitations.invitations_for_lead(session, lead.id)
    facts = provider_facts(session, [provider_id, *(each.provider_id for each in held)], now=now)
    if provider_id not in facts:
        raise NotFound("no such provider")
    provider = session.get_one(Provider, provider_id)
    for each in held:
        if each.provider_id == provider_id:
            return f"{provider.name} {_was_invited(each)}."
    found = obstacle(
        queries.wanted_of(session, lead, policy, now.date()),
        facts.pop(provider_id),
        invited=facts,
        now=now,
        impartiality_years=policy.impartiality_years,
    )
    today = None if found is None else found.why
    return f"{provider.name} {_said(provider, stored, held, policy, today)}."


def _was_invited(invitation: Invitation) -> str:
    if invitation.by_hand_because is None:
        return f"was invited, into place {invitation.place}"
    because = invitation.by_hand_because.strip().rstrip(".")
    return f"was invited by hand, into place {invitation.place}: {because}"


def _said(
    provider: Provider,
    stored: Sequence[MatchingRun],
    held: Sequence[Invitation],
    policy: Policy,
    today: str | None,
) -> str:
    """`today`: what hinders the provider now, if anything does."""
    by_hand = [each.place for each in held if each.is_live and each.by_hand_because is not None]
    note = f"{places_in_words(by_hand)} {_were(by_hand)} filled by hand" if by_hand else ""
    # What an administrator gave away by hand says nothing of the places that runs filled.
    for run in sorted(stored, key=lambda run: run.by_hand_because is not None):
        why = reasons(run).get(provider.id)
        if why is not None:
            is_told = run.by_hand_because is not None and len(by_hand) == 1
            told = (why, None if is_told else note, today and f"now it {today}")
            return "; ".join(filter(None, told))
        if provider.id in excluded(run):
            _, why = excluded(run)[provider.id]
            return why if why == today else f"{why}; {_now(today)}"
    if stored:
        return f"{_unseen(provider, stored[0], policy)}; {_now(today)}"
    return today or "is eligible, but nobody has been looked for yet"


def _unseen(provider: Provider, run: MatchingRun, policy: Policy) -> str:
    """Return why the latest run, like those before, knows nothing of a provider."""
    looked = run.last_at or run.at
    when = f"when providers were last looked for ({looked.astimezone(UTC):%Y-%m-%d %H:%M} UTC)"
    if provider.created_at >= looked:
        return f"had not joined yet {when}"
    if provider.verified_at is None or provider.verified_at >= looked:
        return f"was not verified yet {when}"
    seats = len(reasons(run))
    market = run.market or {}
    if market.get("bench_was_full", seats >= policy.bench_size):
        return (
            f"was not among the {seats} eligible providers, taken from a random point of a "
            "shuffled list, that took part in the turn"
        )
    return f"was not eligible {when}, and why was noted of some only"


def _now(today: str | None) -> str:
    return "it would be eligible now" if today is None else f"now it {today}"


def _were(places: Sequence[int]) -> str:
    return "was" if len(places) == 1 else "were"
