"""An administrator's own choice of a provider: whom it may not keep out, and the turn that it is.

Pure. The order of turns does not bind it; who may be invited at all does, and what a turn costs.
"""

from collections.abc import Collection, Sequence
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
    bench: Sequence[Seat],
    chosen: Seat,
    *,
    places: int,
    needed_kinds: Collection[ProviderKind],
    clashes: Clashes = (),
) -> ProviderKind | None:
    """Return the kind that could not come in any more beside `chosen`, though one of it is needed.

    `places`: how many stay empty. As in a run, a kind is kept out only if it could have come in:
    somebody of it is eligible; and of two that are needed, some pair could have been invited.
    """
    apart = {*clashes, *((other, one) for one, other in clashes)}

    def leaves(seat: Seat, kind: ProviderKind) -> bool:
        return any(
            each.kind is kind and (seat.provider_id, each.provider_id) not in apart
            for each in bench
        )

    for kind in sorted({*needed_kinds} - {chosen.kind}):
        if chosen.kind in needed_kinds:
            pairs = (leaves(each, kind) for each in bench if each.kind is chosen.kind)
            could_have = places > 0 and any(pairs)
        else:
            could_have = any(each.kind is kind for each in bench)
        if could_have and not (places > 0 and leaves(chosen, kind)):
            return kind
    return None


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
