"""An administrator's own choice of a provider: whom it may not keep out, and the turn that it is.

Pure. The order of turns does not bind it; who may be invited at all does, and what a turn costs.
"""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from marketplace.matching.rules import (
    COST_OF_A_TURN,
    PRECISION,
    Choice,
    Clashes,
    Round,
    Seat,
    gains,
)
from marketplace.providers.rules import ProviderKind


def kept_out(
    kinds: Mapping[UUID, ProviderKind],
    chosen: UUID,
    *,
    places: int,
    needed_kinds: Collection[ProviderKind],
    clashes: Clashes = (),
) -> ProviderKind | None:
    """Return the kind that could not come in any more beside `chosen`, though one of it is needed.

    `kinds`: of everybody who is eligible. `places`: how many stay empty. As in a run, a kind is
    kept out only if it could have come in: somebody of it is eligible; and of two that are needed,
    some pair could have been invited.
    """
    apart = {*clashes, *((other, one) for one, other in clashes)}

    def leaves(one: UUID, kind: ProviderKind) -> bool:
        return any(of is kind and (one, other) not in apart for other, of in kinds.items())

    own = kinds[chosen]
    for kind in sorted({*needed_kinds} - {own}):
        if own in needed_kinds:
            pairs = (leaves(each, kind) for each, of in kinds.items() if of is own)
            could_have = places > 0 and any(pairs)
        else:
            could_have = kind in kinds.values()
        if could_have and not (places > 0 and leaves(chosen, kind)):
            return kind
    return None


def leaves_no_place(kind: ProviderKind) -> str:
    """Return why a choice that keeps a kind out is refused, as a sentence goes on."""
    return (
        f"would leave no place for a {kind.replace('_', ' ')}: the request is for either kind, and "
        "one is eligible"
    )


def choice_of(
    bench: Sequence[Seat], provider_id: UUID, *, needed_kinds: Collection[ProviderKind]
) -> Choice:
    """Return what the invitation of this provider of the bench does to everybody's credit.

    It is a turn like any other: shared out over those of its band, and of its kind where one of
    that is needed, among whom a run would have had to choose; and it alone pays.
    """
    (chosen,) = (seat for seat in bench if seat.provider_id == provider_id)
    pool = [
        seat
        for seat in bench
        if seat.fit.band == chosen.fit.band
        and (seat.kind is chosen.kind or chosen.kind not in needed_kinds)
    ]
    shares = gains([seat.weight for seat in pool], 1)
    gained = {
        seat.provider_id: round(share, PRECISION) for seat, share in zip(pool, shares, strict=True)
    }
    scores = {
        each.provider_id: round(each.credit + gained[each.provider_id], PRECISION) for each in pool
    }
    paid = {provider_id: round(scores[provider_id] - COST_OF_A_TURN, PRECISION)}
    kind = chosen.kind if chosen.kind in needed_kinds else None
    return Choice(
        chosen=(chosen,),
        gained=gained,
        credits=scores | paid,
        rounds=(Round(kind, scores, taken=(provider_id,)),),
    )
