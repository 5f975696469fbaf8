"""An administrator's own choice of a provider, and the turn that it is. Pure."""

from collections.abc import Collection, Sequence
from uuid import UUID

from marketplace.matching.rules import COST_OF_A_TURN, PRECISION, Choice, Seat, gains
from marketplace.providers.rules import ProviderKind


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
    paid = {provider_id: COST_OF_A_TURN}
    return Choice(
        chosen=(chosen,),
        gained=gained,
        credits={
            each.provider_id: round(
                each.credit + gained[each.provider_id] - paid.get(each.provider_id, 0.0), PRECISION
            )
            for each in pool
        },
    )
