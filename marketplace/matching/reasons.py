"""Why everybody on the bench of a stored run was invited, or was not: round by round, in words."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from uuid import UUID

from marketplace.leads.rules import Service
from marketplace.matching import runs
from marketplace.matching.eligibility import Filter
from marketplace.matching.models import MatchingRun
from marketplace.matching.rules import PRECISION, Round
from marketplace.matching.runs import Turn
from marketplace.providers.rules import ProviderKind

_KINDS = {
    ProviderKind.CONSULTANT: ("consultant", "consultants"),
    ProviderKind.CERTIFICATION_BODY: ("certification body", "certification bodies"),
}


def reasons(run: MatchingRun) -> dict[UUID, str]:
    """Return for each provider on the bench why it was invited, or why not, in a sentence."""
    bench = _Bench(run)
    return {each: bench.why(turn) for each, turn in bench.turns.items()}


def excluded(run: MatchingRun) -> dict[UUID, tuple[Filter, str]]:
    """Return by which filter whom a run took out, of those it names, and that in words."""
    return {
        each: (name, why or _why_excluded(name, run))
        for each, (name, why) in runs.excluded_by(run).items()
    }


class _Bench:
    """What a stored run decided, and on what."""

    def __init__(self, run: MatchingRun) -> None:
        self.turns = {turn.seat.provider_id: turn for turn in runs.turns_of(run)}
        self.rounds = runs.rounds_of(run)
        self.by_hand_because = run.by_hand_because
        self.relatives: dict[UUID, set[UUID]] = defaultdict(set)
        for one, other in run.clashes:
            self.relatives[UUID(one)].add(UUID(other))
            self.relatives[UUID(other)].add(UUID(one))

    def why(self, turn: Turn) -> str:
        if self.by_hand_because is not None:
            if turn.place is not None:
                return f"was invited by hand into place {turn.place}: {self.by_hand_because}"
            return "was eligible, but an administrator gave the place to another by hand"
        for each in self.rounds:
            if turn.seat.provider_id in each.taken:
                return f"was invited into place {turn.place}: {self._why_taken(turn, each)}"
        if not self.rounds:
            return "was eligible, but nobody was invited by this run"
        found = self._why_passed_over(turn)
        if len(found) == 1:
            return f"was eligible, but {next(iter(found))}"
        return "was eligible, but " + "; ".join(
            f"for {places_in_words(places)}, {why}" for why, places in found.items()
        )

    def _why_taken(self, turn: Turn, decided: Round) -> str:
        """Return by what it came before the others of the round."""
        needed = f"one {_KINDS[decided.kind][0]} was needed, and " if decided.kind else ""
        lacks = " and ".join(turn.seat.fit.lacks) or "nothing is lacking"
        own, among = decided.scores[turn.seat.provider_id], len(decided.scores)
        of_its_band = sum(
            each.band == turn.band and decided.kind in (None, each.seat.kind)
            for each in self.turns.values()
        )
        if among == 1:
            only = _KINDS[decided.kind][0] if decided.kind else "one"
            left = "" if of_its_band == 1 else " that could still be invited"
            return f"{needed}it was the only {only} of its band{left} ({lacks})"
        kinds = f" {_KINDS[decided.kind][1]}" if decided.kind else ""
        left = "" if of_its_band == among else " left"
        rank = 1 + sum(score > own for score in decided.scores.values())
        return (
            f"{needed}its credit of {own:.2f} turns was number {rank} of the {among}{kinds}{left} "
            f"in its band ({lacks}){self._tie(turn, decided)}"
        )

    def _tie(self, turn: Turn, decided: Round) -> str:
        """Return what put it before those of the same credit that were left out."""
        own = decided.scores[turn.seat.provider_id]
        equals = [
            self.turns[each]
            for each, score in decided.scores.items()
            if score == own and each not in decided.taken and not self._is_ruled_out(each, decided)
        ]
        if not equals:
            return ""
        if any(each.seat.invited_at == turn.seat.invited_at for each in equals):
            return "; the draw put it before others of the same credit and the same wait"
        return "; it had waited longer than others of the same credit"

    def _is_ruled_out(self, provider_id: UUID, decided: Round) -> bool:
        return not self.relatives[provider_id].isdisjoint(decided.taken)

    def _why_passed_over(self, turn: Turn) -> dict[str, list[int]]:
        """Return the places that others took, by the reason why it did not."""
        found: dict[str, list[int]] = defaultdict(list)
        is_ruled_out = False
        for each in self.rounds:
            is_ruled_out = is_ruled_out or self._is_ruled_out(turn.seat.provider_id, each)
            why = (
                "impartiality keeps it from a lead together with one invited"
                if is_ruled_out
                else self._why_behind(turn, each)
            )
            found[why] += [self.turns[one].place or 0 for one in each.taken]
        return found

    def _why_behind(self, turn: Turn, decided: Round) -> str:
        """Return why one that no relative ruled out took no turn of a round."""
        last = self.turns[decided.taken[-1]]
        if turn.seat.provider_id in decided.scores:
            return _why_later(turn, last, decided)
        if decided.kind not in (None, turn.seat.kind):
            return f"one had to be a {_KINDS[decided.kind][0]}"
        if turn.band > last.band:
            lacks = " and ".join(turn.seat.fit.lacks) or "it fits less well"
            return f"a better fit was invited ({lacks})"
        if decided.kind is None:  # a run of older rules, which did not say
            return "one had to be of another kind"
        (other,) = (names for kind, names in _KINDS.items() if kind is not turn.seat.kind)
        return f"beside it no {other[0]} could have been invited, of which one was needed"


def _why_later(turn: Turn, last: Turn, decided: Round) -> str:
    """Return why it came behind the last one that was taken in a round."""
    own = decided.scores[turn.seat.provider_id]
    theirs = decided.scores[last.seat.provider_id]
    if own != theirs:
        lower, higher = _told_apart(own, theirs)
        return (
            f"it was the turn of others: its credit of {lower} turns came behind the {higher} of "
            "the last one invited from its band"
        )
    if turn.seat.invited_at == last.seat.invited_at:
        return (
            f"at the same credit of {own:.2f} turns and the same wait, the draw decided for another"
        )
    return f"at the same credit of {own:.2f} turns another had waited longer for its turn"


def _told_apart(one: float, other: float) -> tuple[str, str]:
    """Return two different credits with as many places as it takes to see that they are."""
    told = [(f"{one:.{places}f}", f"{other:.{places}f}") for places in range(2, PRECISION + 1)]
    return next((pair for pair in told if pair[0] != pair[1]), told[-1])


def places_in_words(places: Collection[int]) -> str:
    words = [str(place) for place in sorted(places)]
    return f"place {words[0]}" if len(words) == 1 else f"places {_listed(words)}"


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]])


_OTHER_KIND = {
    Service.CONSULTING: _KINDS[ProviderKind.CERTIFICATION_BODY][0],
    Service.CERTIFICATION: _KINDS[ProviderKind.CONSULTANT][0],
}


def _why_excluded(name: Filter, run: MatchingRun) -> str:
    """Return in words what a filter asked, by what the lead wanted."""
    wanted = run.wanted
    standards = ", ".join(
        f"{code} (edition {edition})" for code, edition in wanted["editions"].items()
    )
    sector = f" for sector {wanted['sector']}" if wanted["sector"] else ""
    ended = " and ".join(
        f"edition {wanted['editions'][code]} of {code}" for code in wanted.get("ended", ())
    )
    kind = _OTHER_KIND.get(wanted["service"], "")
    return {
        Filter.KIND: f"is a {kind}, and the request is for {wanted['service']}",
        Filter.EDITION: f"cannot be invited: {ended} can be asked for no longer",
        Filter.STATE: "was not verified",
        Filter.STANDARDS: f"does not offer {_all_of(wanted['editions'])}",
        Filter.REGIONS: f"does not cover {_all_of(wanted['regions'])}"
        + (" nor work remotely" if wanted["remote_ok"] else ""),
        Filter.HEADCOUNT: f"does not take businesses of {wanted['headcount']} people",
        Filter.CAPACITY: "had no free capacity, at once or in that month",
        Filter.PAUSE: "was on leave, or its invitations were paused",
        Filter.ACCREDITATION: "held no verified and current accreditation by a recognised body for "
        f"each of {standards}{sector}",
        Filter.INVITED: "was invited to this request before",
        Filter.IMPARTIALITY: "was related to a provider that was invited to this request, or to "
        "one that had advised the business, or had advised it itself",
    }[name]


def _all_of(codes: Collection[str]) -> str:
    return f"{'all of ' if len(codes) > 1 else ''}{', '.join(codes)}"
