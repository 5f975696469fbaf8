"""A market over simulated time, one event after the other, by the rules of the product.

Whom a lead may be given to, how well they fit, whose turn it is, what an end costs, which places
are free and until when: all of that is asked of the same pure functions that the product asks. Here
is only what strings them together, as `service`, `bench`, `ledger` and `invitations` do it on the
database, and a clock that jumps from event to event. A business never asks for the place of a
provider that accepted and did not quote to be passed on.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import count
from uuid import UUID

from marketplace.core.errors import Conflict
from marketplace.invitations import rules as invitations
from marketplace.invitations.rules import InvitationEvent, InvitationState
from marketplace.matching import rules
from marketplace.matching.eligibility import clashes, standing_obstacle
from marketplace.matching.rules import Seat
from marketplace.matching.simulation import strategies
from marketplace.matching.simulation.answering import Answer, Deed, Window
from marketplace.matching.simulation.books import Books, Outcome, Sent
from marketplace.matching.simulation.ground import Ground
from marketplace.matching.simulation.seating import Seating, Turn
from marketplace.matching.simulation.strategies import Strategy
from marketplace.providers.rules import ProviderFacts, ProviderState

Due = tuple[datetime, int, Callable[[], None]]
"""What happens when; of what happens at one moment, what was asked for first."""


def simulate(
    ground: Ground, strategy: Strategy, *, progress: Callable[[int], None] = lambda _: None
) -> Outcome:
    """Return what becomes of a market under a strategy; always the same for the same ground.

    `progress` is told the number of every lead as it opens.
    """
    simulation = _Simulation(ground, strategy, progress)
    simulation.run()
    return simulation.books.outcome


class _Simulation:
    def __init__(self, ground: Ground, strategy: Strategy, progress: Callable[[int], None]) -> None:
        self.ground, self.market, self.policy = ground, ground.market, ground.policy
        self.strategy, self.progress = strategy, progress
        self.books = Books(self.market.members, self.policy, strategy)
        self.seating = Seating(ground, self.books)
        self.now = self.market.starts_at
        self.held: dict[int, list[Sent]] = {}
        """The invitations of every lead that is open."""
        self.waiting: dict[int, None] = {}
        """Leads with a place that nobody could take, the longest waiting first."""
        self.runs: Counter[int] = Counter()
        self.due: list[Due] = []
        self.numbers = count()

    def run(self) -> None:
        for lead, request in enumerate(self.market.requests):
            self.at(request.opened_at, self.open, lead)
        for member in self.market.members:
            if member.joins_at is not None:
                self.books.change(member.facts.id, state=ProviderState.APPLIED)
                self.at(member.joins_at, self.join, member.facts.id, member.facts.state)
            for _, end in member.facts.pauses:
                self.at(end, self.ring_for, member.facts.id)
        for moment in self.ground.turning_points():
            self.at(moment, self.ring_for)
        while self.due:
            self.now, _, act = heapq.heappop(self.due)
            act()

    def at(self, moment: datetime, act: Callable[..., None], *arguments: object) -> None:
        due: Due = (moment, next(self.numbers), partial(act, *arguments))
        heapq.heappush(self.due, due)

    def open(self, lead: int) -> None:
        self.progress(lead)
        self.held[lead] = []
        self.at(self.ground.finishes_at(lead), self.finish, lead)
        self.match(lead)

    def finish(self, lead: int) -> None:
        self.waiting.pop(lead, None)
        for sent in self.held.pop(lead):
            event = invitations.event_when_the_request_finishes(sent.state, awarded=False)
            if event is not None:
                self.end_or_go_on(sent, event, request_finished=True)

    def join(self, provider_id: UUID, state: ProviderState) -> None:
        self.books.change(provider_id, state=state)
        self.ring_for(provider_id)

    def ring_for(self, provider_id: UUID | None = None) -> None:
        """Let the leads that wait be tried again; or those that this provider can have now."""
        for lead in self.waiting:
            if provider_id is None or self.is_new_for(lead, provider_id):
                self.at(self.now, self.match, lead)

    def is_new_for(self, lead: int, provider_id: UUID) -> bool:
        """Return whether a provider could have a lead now that it was not invited to before."""
        invited = self.invited(lead)
        return (
            provider_id not in invited
            and provider_id in self.ground.candidates(lead)
            and self.seating.may_have(lead, provider_id, invited, self.now)
        )

    # Matching

    def match(self, lead: int) -> None:
        """Fill the empty places of a lead as far as that can be done now."""
        if lead not in self.held:
            return
        held = self.held[lead]
        self.withdraw_what_may_not_stand(lead)
        holdings = [each.holding for each in held]
        places = invitations.free_places(holdings, places=self.policy.places)
        places = places[: max(0, self.policy.max_invitations - len(held))]
        chosen = self.choose(lead, places) if places else []
        if len(chosen) < len(places):
            self.waiting.setdefault(lead)
            self.books.outcome.waited.add(lead)
        else:
            self.waiting.pop(lead, None)

    def withdraw_what_may_not_stand(self, lead: int) -> None:
        wanted, years = self.market.requests[lead].wanted, self.policy.impartiality_years
        for sent in self.held[lead]:
            facts = self.books.facts[sent.provider_id]
            if sent.state in invitations.LIVE and standing_obstacle(
                wanted, facts, now=self.now, impartiality_years=years
            ):
                self.end_or_go_on(sent, InvitationEvent.WITHDRAW)

    def choose(self, lead: int, places: Sequence[int]) -> tuple[Seat, ...]:
        """Invite whom the strategy chooses into these places."""
        self.runs[lead] += 1
        turn = self.turn(lead)
        bench = self.seating.bench(turn)
        candidates = self.seating.candidates(turn, bench)
        choice = strategies.choose(
            self.strategy,
            candidates,
            len(places),
            needed_kinds=turn.needed_kinds,
            clashes=clashes(bench, today=self.now.date()),
            seed=turn.seed,
            window=self.window(lead),
        )
        fits = {each.seat.provider_id: each.seat.fit for each in candidates}
        self.books.enter_turns(lead, choice, fits, self.now)
        for place, seat in zip(places, choice.chosen, strict=False):
            self.invite(lead, place, seat.provider_id)
        return choice.chosen

    def invited(self, lead: int) -> dict[UUID, ProviderFacts]:
        facts = self.books.facts
        return {each.provider_id: facts[each.provider_id] for each in self.held[lead]}

    def turn(self, lead: int) -> Turn:
        held, facts = self.held[lead], self.books.facts
        held_kinds = {facts[each.provider_id].kind for each in held if each.is_live}
        kinds = self.market.requests[lead].wanted.kinds
        return Turn(
            lead=lead,
            now=self.now,
            seed=self.ground.seed(lead, self.runs[lead]),
            invited=self.invited(lead),
            needed_kinds=sorted(rules.places_by_kind(kinds, held_kinds)),
        )

    # Invitations and their answers

    def window(self, lead: int) -> Window:
        """Return the times of an invitation that is sent now."""
        now, due_at = self.now, self.ground.due_at(lead)
        deadline = invitations.respond_by(
            now=now, due_at=due_at, at_least=self.policy.min_response_window
        )
        open_by = invitations.open_by(now=now, within=self.policy.open_within, respond_by=deadline)
        return Window(now, open_by, deadline, due_at)

    def invite(self, lead: int, place: int, provider_id: UUID) -> None:
        sent = Sent(lead, provider_id, place, self.now, self.window(lead))
        self.held[lead].append(sent)
        self.books.outcome.sent.append(sent)
        self.books.take_place(provider_id, self.now)
        answer = self.ground.answer(lead, provider_id)
        if answer.looks_after is not None:
            self.at(self.now + answer.looks_after, self.look, sent)
            self.at(self.now + answer.acts_after, self.act, sent, answer)
        if answer.quotes_after is not None:
            self.at(self.now + answer.quotes_after, self.quote, sent)
        self.at(sent.window.open_by, self.lapse, sent, InvitationEvent.RELEASE)
        self.at(sent.window.respond_by, self.lapse, sent, InvitationEvent.EXPIRE)

    def look(self, sent: Sent) -> None:
        """Let the holder look for the first time; what was released comes back if it can."""
        if sent.state is InvitationState.SENT:
            self.try_to(sent, InvitationEvent.OPEN)
        elif sent.state is InvitationState.RELEASED and sent.lead in self.held:
            holdings = [each.holding for each in self.held[sent.lead]]
            free = invitations.free_places(holdings, places=self.policy.places)
            state = self.books.facts[sent.provider_id].state
            if free and state is ProviderState.VERIFIED:
                sent.place, sent.window = free[0], self.window(sent.lead)
                sent.apply(InvitationEvent.RETURN, now=self.now)
                self.books.take_place_again(sent.provider_id)
                self.at(sent.window.respond_by, self.lapse, sent, InvitationEvent.EXPIRE)
                self.at(self.now, self.match, sent.lead)

    def act(self, sent: Sent, answer: Answer) -> None:
        """Let the holder do what it does, other than quoting."""
        if answer.deed is Deed.ASK:
            in_time = self.now < sent.window.respond_by
            if sent.lead in self.held and sent.is_live and in_time:
                sent.responded_at = sent.responded_at or self.now
        elif answer.deed is Deed.ACCEPT:
            self.try_to(sent, InvitationEvent.ACCEPT)
        elif answer.deed is Deed.DECLINE:
            sent.reason = answer.reason
            self.try_to(sent, InvitationEvent.DECLINE)

    def quote(self, sent: Sent) -> None:
        self.try_to(sent, InvitationEvent.QUOTE)

    def try_to(self, sent: Sent, event: InvitationEvent) -> None:
        """Let the holder do something, if its lead still runs and the rules still allow it."""
        if sent.lead in self.held:
            with suppress(Conflict):
                self.end_or_go_on(sent, event)

    def lapse(self, sent: Sent, event: InvitationEvent) -> None:
        """Let time run out for an invitation, if it has."""
        with suppress(Conflict):
            self.end_or_go_on(sent, event)

    def end_or_go_on(
        self, sent: Sent, event: InvitationEvent, *, request_finished: bool = False
    ) -> None:
        """Let an event happen; pass the place on where it ends there and the contact is unseen."""
        sent.apply(event, now=self.now)
        self.books.settle(sent, self.now, request_finished=request_finished)
        if sent.is_live:
            return
        if self.books.free_place(sent.provider_id):
            self.ring_for(sent.provider_id)
        if sent.accepted_at is None:
            self.at(self.now, self.match, sent.lead)
