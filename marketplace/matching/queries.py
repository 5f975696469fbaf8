"""What a run reads: whom the lead wants, the bench, the funnel; and the runs that were stored."""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    Integer,
    Select,
    all_,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session, aliased

from marketplace.catalogue.rules import covering
from marketplace.core.policy import Policy
from marketplace.invitations.models import Invitation
from marketplace.leads.models import Lead
from marketplace.leads.rules import LeadState, Service
from marketplace.matching.conditions import Condition
from marketplace.matching.eligibility import Adviser, Filter, Wanted
from marketplace.matching.models import MatchingRun
from marketplace.providers import queries as providers
from marketplace.providers.models import REMOTE, Coverage, CoverageEntry, Provider
from marketplace.providers.rules import ProviderKind, name_key

SHUFFLE_RANGE = 2**31 - 1


def wanted_of(session: Session, lead: Lead, policy: Policy, today: date) -> Wanted:
    """Return what eligibility needs to know of a lead, with those who advised the business."""
    wanted = Wanted(
        service=lead.service,
        editions=lead.editions,
        regions=tuple(lead.regions),
        headcount=lead.headcount,
        sector=lead.sector,
        remote_ok=lead.remote_ok,
        weeks=_weeks(lead, policy.weeks_of_timeframe, today),
        language=lead.language,
    )
    if ProviderKind.CERTIFICATION_BODY not in wanted.kinds:
        return wanted  # impartiality asks who advised only of those who certify
    advisers = (*_named_advisers(session, lead), *_chosen_before(session, lead, policy.engagement))
    return Wanted(**{**vars(wanted), "advisers": advisers})


def _weeks(lead: Lead, weeks_of: Mapping[str, int], today: date) -> int | None:
    """Return within how many weeks work should begin: by the time-frame, or by the day it names."""
    timeframe = lead.timeframe or ""
    asked = [weeks_of[timeframe]] if timeframe in weeks_of else []
    if lead.needed_by is not None:
        asked.append(max(0, (lead.needed_by - today).days // 7))
    return min(asked, default=None)


def _named_advisers(session: Session, lead: Lead) -> list[Adviser]:
    """Return those named in the form: under their own names, and as the providers they surely are.

    A name that only resembles a provider's counts once an administrator has said that it is it.
    """
    named = [(name_key(each["name"]), each) for each in lead.consultants_used]
    known = providers.ids_by_name_key(session, [key for key, _ in named]) if named else {}
    advisers = []
    for key, each in named:
        ended_on = date.fromisoformat(each["ended_on"][:10]) if each.get("ended_on") else None
        ids = {*known.get(key, ())}
        if each.get("provider_id"):
            ids.add(UUID(each["provider_id"]))
        advisers += [Adviser(key, each_id, ended_on) for each_id in (*sorted(ids), None)]
    return advisers


def _chosen_before(session: Session, lead: Lead, engagement: timedelta) -> list[Adviser]:
    """Return the consultants that the same business chose before: they advise it, or did.

    By who the business is and not by the link of a follow-on alone, so that sending a new form
    does not make anybody forget. `engagement`: how long one is taken to have advised it.
    """
    rows = session.execute(
        select(Provider.id, Provider.name_key, Lead.finished_at)
        .join(Invitation, Invitation.provider_id == Provider.id)
        .join(Lead, Lead.awarded_invitation_id == Invitation.id)
        .where(
            or_(Lead.id == lead.follows_lead_id, Lead.business_key == lead.business_key),
            Lead.id != lead.id,
            Provider.kind == ProviderKind.CONSULTANT,
        )
    )
    return [
        Adviser(key, provider_id, (chosen_at + engagement).date() if chosen_at else None)
        for provider_id, key, chosen_at in rows
    ]


def waiting_leads(
    session: Session, provider_id: UUID | None = None, *, limit: int = 500
) -> list[UUID]:
    """Return open leads with an empty place, the longest waiting first.

    `provider_id`: only those that this provider's coverage row fits.
    """
    waiting = select(Lead.id).where(Lead.state == LeadState.OPEN, Lead.waiting_since.is_not(None))
    if provider_id is not None:
        region = func.unnest(Lead.regions).column_valued("region")
        uncovered = (
            select(region)
            .where(
                region != all_(Coverage.regions),
                func.split_part(region, "-", 1) != all_(Coverage.regions),
            )
            .correlate(Lead, Coverage)
        )
        waiting = waiting.join(Coverage, Coverage.provider_id == provider_id).where(
            Lead.service.in_([Service.EITHER, _service_of_kind]),
            Lead.standards.contained_by(Coverage.standards),
            Lead.headcount.between(Coverage.headcount_min, Coverage.headcount_max),
            or_(and_(Lead.remote_ok, Coverage.remote), ~uncovered.exists()),
        )
    return list(session.scalars(waiting.order_by(Lead.waiting_since).limit(limit)))


_service_of_kind = case(
    (Coverage.kind == ProviderKind.CONSULTANT, Service.CONSULTING), else_=Service.CERTIFICATION
)


def start_of(seed: int) -> int:
    """Return the point of the shuffled order at which a run begins."""
    return random.Random(seed).randrange(SHUFFLE_RANGE)


FIRST_LOOK = 256
"""How many candidates are looked at first; then ever more, until the bench is full."""


def eligible_ids(
    session: Session,
    wanted: Wanted,
    asked: Sequence[tuple[Filter, Condition]],
    *,
    kinds: Collection[ProviderKind],
    seed: int,
    limit: int,
) -> list[tuple[UUID, ProviderKind]]:
    """Return up to `limit` eligible providers of `kinds`, in shuffled order from a random point on.

    From the point to the end, then from the beginning up to the point. Candidates are read off the
    coverage entries of one standard, in the order of the shuffle and so many at a time: what a
    bench costs depends on how many of them are eligible, and not on how many there are.
    """
    start = start_of(seed)
    standard = _rarest(session, wanted, kinds)
    found: dict[UUID, ProviderKind] = {}
    for begin, end in ((start, SHUFFLE_RANGE), (-1, start)):
        after: tuple[int, UUID] | None = (begin, _LAST_ID)
        size = FIRST_LOOK
        while after is not None and len(found) < limit:
            chunk = _chunk(wanted, standard, kinds, after=after, end=end, size=size)
            read, shuffle, last, ids, of_kinds = session.execute(_eligible(chunk, asked)).one()
            found.update(zip(ids or (), of_kinds or (), strict=True))
            after = (shuffle, last) if read == size else None
            size *= 4
    return list(found.items())[:limit]


_LAST_ID = UUID(int=2**128 - 1)


def _eligible(chunk: CTE, asked: Sequence[tuple[Filter, Condition]]) -> Select[Any]:
    """Return how long the chunk is and where it ends, and the eligible in it, in its order."""
    last = select(chunk).order_by(chunk.c.shuffle.desc(), chunk.c.provider_id.desc()).limit(1)
    ending = last.subquery()
    each = select(chunk.c.shuffle, chunk.c.provider_id).distinct().subquery()
    order = (each.c.shuffle, each.c.provider_id)
    return (
        select(
            select(func.count()).select_from(chunk).scalar_subquery(),
            select(ending.c.shuffle).scalar_subquery(),
            select(ending.c.provider_id).scalar_subquery(),
            func.array_agg(aggregate_order_by(Coverage.provider_id, *order)),
            func.array_agg(aggregate_order_by(Coverage.kind, *order)),
        )
        .select_from(each)
        .join(Coverage, Coverage.provider_id == each.c.provider_id)
        .where(*(condition for _, condition in asked))
    )


def _chunk(
    wanted: Wanted,
    standard: str,
    kinds: Collection[ProviderKind],
    *,
    after: tuple[int, UUID],
    end: int,
    size: int,
) -> CTE:
    """Return the next `size` entries of a standard where the lead is, in the order of the shuffle.

    One provider may be in it twice, by its region and by its country.
    """
    entry, at_most = CoverageEntry, _literally(size)
    parts = [
        select(entry.shuffle, entry.provider_id)
        .where(
            entry.region == region,
            entry.standard == standard,
            entry.kind == kind,
            tuple_(entry.shuffle, entry.provider_id) > after,
            entry.shuffle <= end,
        )
        .order_by(entry.shuffle, entry.provider_id)
        .limit(at_most)
        for region in _entered_under(wanted)
        for kind in sorted(kinds)
    ]
    some = union_all(*parts).subquery()
    return (
        select(some.c.shuffle, some.c.provider_id)
        .order_by(some.c.shuffle, some.c.provider_id)
        .limit(at_most)
        .cte("chunk")
        .prefix_with("MATERIALIZED")
    )


def _entered_under(wanted: Wanted) -> list[str]:
    """Return where everybody is entered who covers the first of the regions, or works remotely."""
    return [*covering(wanted.regions[0]), *([REMOTE] if wanted.remote_ok else [])]


def _rarest(session: Session, wanted: Wanted, kinds: Collection[ProviderKind]) -> str:
    """Return the standard that the fewest cover where the lead is, as far as one look tells."""
    standards = sorted(wanted.editions)
    if len(standards) == 1:
        return standards[0]
    some = [
        select(literal(1))
        .where(
            CoverageEntry.region.in_(_entered_under(wanted)),
            CoverageEntry.standard == standard,
            CoverageEntry.kind.in_(sorted(kinds)),
        )
        .limit(_literally(FIRST_LOOK))
        .subquery()
        for standard in standards
    ]
    counts = session.execute(
        select(*(select(func.count()).select_from(each).scalar_subquery() for each in some))
    ).one()
    return min(zip(counts, standards, strict=True))[1]


def _literally(number: int) -> Any:
    """Return a number that is part of the statement: the planner knows how few rows there are."""
    return bindparam(None, number, Integer(), literal_execute=True)


@dataclass(frozen=True)
class Funnel:
    """How many providers each filter left, counted over all of them or over a random sample."""

    looked_at: int
    providers: int
    """About how many there are; exactly, where all were looked at."""
    left: list[tuple[Filter, int]]
    excluded: dict[Filter, list[UUID]]
    """Some of those that each filter took out."""

    @property
    def is_exact(self) -> bool:
        return self.looked_at == self.providers

    @property
    def first_empty(self) -> Filter | None:
        """The filter that left nobody."""
        return next((name for name, left in self.left if left == 0), None)


def sample_of_coverage(*, seed: int, size: int) -> Any:
    """Return up to `size` coverage rows from a random point of the shuffle on, as an alias."""
    start, at_most = start_of(seed), _literally(size)
    in_order = select(Coverage).order_by(Coverage.shuffle).limit(at_most)
    parts = (in_order.where(Coverage.shuffle > start), in_order.where(Coverage.shuffle <= start))
    return aliased(Coverage, union_all(*parts).limit(at_most).subquery())


def funnel(
    session: Session,
    covered: Any,
    asked: Sequence[tuple[Filter, Condition]],
    *,
    seed: int,
    size: int,
    named: int,
) -> Funnel:
    """Count the funnel over a sample; of each filter's victims, up to `named` are named."""
    start = start_of(seed)
    first = case(*((~condition, literal(str(name))) for name, condition in asked), else_=None)
    distance = (cast(covered.shuffle, BigInteger) - start + SHUFFLE_RANGE) % SHUFFLE_RANGE
    rows = session.execute(
        select(
            first.label("filter"),
            func.count(),
            func.max(distance),
            func.array_agg(covered.provider_id)[1:named],
        ).group_by("filter")
    ).all()
    looked_at = sum(count for _, count, _, _ in rows)
    widest = max((int(far) for _, _, far, _ in rows), default=0)
    # So many within this part of the shuffle's range: as many again in every part as wide.
    about = looked_at if looked_at < size else round(looked_at * SHUFFLE_RANGE / max(widest, 1))
    out = {name: (count, ids) for name, count, _, ids in rows if name is not None}
    left, steps = looked_at, []
    for name, _ in asked:
        left -= out.get(str(name), (0, []))[0]
        steps.append((name, left))
    return Funnel(
        looked_at=looked_at,
        providers=max(about, looked_at),
        left=steps,
        excluded={Filter(name): list(ids) for name, (_, ids) in out.items()},
    )


def first_filter_that_leaves_nobody(
    session: Session, asked: Sequence[tuple[Filter, Condition]]
) -> Filter | None:
    """Return it by asking of every filter, with those before it, whether anybody gets through."""
    found = session.execute(
        select(
            *(
                exists().where(and_(*(each for _, each in asked[: index + 1])))
                for index in range(len(asked))
            )
        )
    ).one()
    return next((name for (name, _), left in zip(asked, found, strict=True) if not left), None)


def last_outcome(session: Session, lead_id: UUID) -> str | None:
    """Return what the last stored run for a lead came to."""
    return session.scalar(
        select(MatchingRun.outcome)
        .where(MatchingRun.lead_id == lead_id)
        .order_by(MatchingRun.id.desc())
        .limit(1)
    )


def runs_of_lead(session: Session, lead_id: UUID) -> list[MatchingRun]:
    """Return every run for a lead, the latest first."""
    return list(
        session.scalars(
            select(MatchingRun)
            .where(MatchingRun.lead_id == lead_id)
            .order_by(MatchingRun.id.desc())
        )
    )
