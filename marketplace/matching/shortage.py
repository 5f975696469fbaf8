"""Why a place stays empty: what is to blame, as a code and in words that the business may read."""

from collections.abc import Mapping

from sqlalchemy import ARRAY, Text
from sqlalchemy.orm import Session

from marketplace.matching.bench import Bench
from marketplace.matching.candidates import entered_under, rarest
from marketplace.matching.conditions import FIRST_FAILED, Asked, statement
from marketplace.matching.eligibility import Filter, Wanted

TOO_FEW = "too_few"

SUITING = (Filter.KIND, Filter.EDITION, Filter.STATE, Filter.STANDARDS, Filter.REGIONS)
"""What makes a provider one that suits a lead. What hinders whoever does is worth a name."""

_NOBODY = {
    Filter.KIND: "no provider of the kind that is asked for has joined yet",
    Filter.EDITION: "the time to ask for an edition that is asked for is over, so that only a new "
    "request, for the current edition, can lead to a certificate",
    Filter.STATE: "no provider of the kind that is asked for is verified yet",
    Filter.STANDARDS: "no verified provider offers all of the standards asked for",
    Filter.REGIONS: "no provider of these standards covers the region",
    Filter.HEADCOUNT: "no provider of these standards takes a business of this size",
    Filter.CAPACITY: "every fitting provider is fully booked",
    Filter.PAUSE: "every fitting provider is on leave",
    Filter.ACCREDITATION: "no fitting body has a current accreditation for what is asked",
    Filter.INVITED: "every fitting provider was asked before",
    Filter.IMPARTIALITY: "impartiality rules out every other fitting provider",
}

_SOME = {
    Filter.HEADCOUNT: "take no business of this size",
    Filter.CAPACITY: "are fully booked",
    Filter.PAUSE: "are on leave",
    Filter.ACCREDITATION: "have no current accreditation for what is asked",
    Filter.INVITED: "were asked before",
    Filter.IMPARTIALITY: "are ruled out by impartiality",
}


def to_blame(failed: Mapping[Filter, int]) -> list[Filter]:
    """Return what is to blame that nobody is left, by how many each filter took out.

    Whatever took out the most of those who suit, or several that took out as many; where nobody
    suits, the one behind which nobody was left.
    """
    hindered = hindering(failed)
    if hindered:
        return [name for name, count in hindered.items() if count == max(hindered.values())]
    return [name for name in SUITING if failed.get(name)][-1:] or [Filter.KIND]


def hindering(failed: Mapping[Filter, int]) -> dict[Filter, int]:
    """Return how many of those who suit each of the other filters took out, in their order."""
    return {name: failed[name] for name in _SOME if failed.get(name)}


def why_empty(
    session: Session, wanted: Wanted, bench: Bench, *, chosen: int, empty: int
) -> tuple[str, str]:
    """Return as a code and in words why so many places stay empty once some were chosen."""
    apart = len(bench.seats) - chosen
    if apart:
        words = f"impartiality rules out {_more(apart)} beside one invited"
        return Filter.IMPARTIALITY, words
    funnel = bench.funnel
    if bench.seats:
        return TOO_FEW, _too_few(empty, funnel.failed if funnel.is_exact else None)
    if not funnel.is_exact or funnel.eligible:
        return _why_nobody(failed_where_it_is(session, wanted, bench.asked))
    return _why_nobody(funnel.failed)


def _too_few(empty: int, failed: Mapping[Filter, int] | None) -> str:
    if failed is None:
        return f"it takes {_more(empty)} than may be invited now"
    if not hindering(failed):
        return f"it takes {_more(empty)} than there are"
    return f"it takes {_more(empty)} than may be invited now: of the others {_shares(failed)}"


def _more(n: int) -> str:
    return f"{n} more fitting provider{'' if n == 1 else 's'}"


def _why_nobody(failed: Mapping[Filter, int] | None) -> tuple[str, str]:
    if failed is None:
        return TOO_FEW, "whoever fitted has just been taken; we are looking again"
    # Of several that share it, the one that whoever came the furthest failed by.
    code = to_blame(failed)[-1]
    if len(hindering(failed)) <= 1:
        return code, _NOBODY[code]
    return code, f"no provider that fits may be invited now: {_shares(failed)}"


def _shares(failed: Mapping[Filter, int]) -> str:
    """Return in words which filter took out the most of those who suit, or which several did."""
    first, *others = to_blame(failed)
    if others:
        return "as many " + " as ".join(_SOME[each] for each in (first, *others))
    count, of = failed[first], sum(hindering(failed).values())
    share = "all" if count == of else "most" if 2 * count > of else "the largest part"
    return f"{share} {_SOME[first]}"


_WHERE_IT_IS = statement(
    f"""
    WITH c AS (
        SELECT coverage.* FROM coverage WHERE provider_id IN (
            SELECT e.provider_id FROM coverage_entries e
            WHERE e.standard = :standard AND e.region = ANY (:entered_under)
              AND e.kind = ANY (:of_kinds)
        )
    )
    SELECT CASE {FIRST_FAILED} END AS failed, count(*) AS providers FROM c GROUP BY failed
    """,  # nosec B608  # our own names; values are bound
    entered_under=ARRAY(Text()),
    of_kinds=ARRAY(Text()),
    standard=Text(),
)

_SOMEBODY = statement(
    """
    SELECT EXISTS (
        SELECT FROM coverage
        WHERE kind = ANY (:kinds) AND state = 'verified' AND standards @> :standards
    ) AS offers_them_all
    """
)


def failed_where_it_is(
    session: Session, wanted: Wanted, asked: Asked
) -> Mapping[Filter, int] | None:
    """Return how many each filter takes out, where a sample is too coarse to tell.

    Counted over everybody who covers the rarest of the standards where the lead is. None where
    somebody is eligible after all.
    """
    under = {"entered_under": entered_under(wanted), "of_kinds": sorted(map(str, wanted.kinds))}
    standard = rarest(session, wanted, under)
    rows = _WHERE_IT_IS.rows(session, {**asked, **under, "standard": standard})
    if any(row.failed is None for row in rows):
        return None
    failed = {Filter(row.failed): row.providers for row in rows}
    if failed and to_blame(failed) != [Filter.STANDARDS]:
        return failed
    # Nobody there offers them all: the region is to blame where somebody elsewhere does.
    values = {"kinds": asked["kinds"], "standards": asked["standards"]}
    (row,) = _SOMEBODY.rows(session, values)
    return {Filter.REGIONS if row.offers_them_all else Filter.STANDARDS: 1}
