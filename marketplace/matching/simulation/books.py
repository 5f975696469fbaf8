"""What a simulation keeps of its providers, and leaves behind: capacity, accounts, every turn."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from marketplace.core.policy import Policy
from marketplace.invitations import rules as invitations
from marketplace.invitations.rules import DeclineReason, Holding, InvitationEvent, InvitationState
from marketplace.matching import rules
from marketplace.matching.account import Account
from marketplace.matching.bands import Fit
from marketplace.matching.rules import COST_OF_A_TURN, Choice, End
from marketplace.matching.simulation.answering import Window
from marketplace.matching.simulation.markets import Member
from marketplace.matching.simulation.strategies import Strategy
from marketplace.providers.rules import ProviderFacts, month_of


@dataclass
class Sent:
    """An invitation of a simulation."""

    lead: int
    """Which of the market's requests."""
    provider_id: UUID
    place: int
    sent_at: datetime
    window: Window
    """Its times, since it was sent or came back."""
    state: InvitationState = InvitationState.SENT
    reason: DeclineReason | None = None
    accepted_at: datetime | None = None
    responded_at: datetime | None = None
    quoted_at: datetime | None = None
    ended_at: datetime | None = None
    is_settled: bool = False
    steps: list[tuple[datetime, InvitationState]] = field(default_factory=list)
    """Every state it came to after it was sent, and when."""

    @property
    def is_live(self) -> bool:
        return self.state in invitations.LIVE

    @property
    def holding(self) -> Holding:
        return Holding(self.place, self.state, self.accepted_at is not None, passed_on=False)

    def apply(self, event: InvitationEvent, *, now: datetime) -> None:
        """Let `event` happen at `now`, or raise `Conflict`: too late, or not possible any more."""
        self.state = invitations.after(
            self.state,
            event,
            now=now,
            open_by=self.window.open_by,
            respond_by=self.window.respond_by,
        )
        if self.state in (InvitationState.ACCEPTED, InvitationState.QUOTED):
            self.accepted_at = self.accepted_at or now
        if event is InvitationEvent.QUOTE:
            self.quoted_at = self.quoted_at or now
            self.responded_at = self.responded_at or now
        self.ended_at = None if self.is_live else now
        self.steps.append((now, self.state))


@dataclass(frozen=True)
class Entry:
    """A line of the ledger: what a provider gained and what it paid."""

    at: datetime
    provider_id: UUID
    gained: float
    paid: float
    """A turn; less than nothing where one came back; nothing where it was not its turn."""


@dataclass
class Outcome:
    """What became of a market under a strategy."""

    strategy: Strategy
    accounts: dict[UUID, Account]
    entries: list[Entry] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    waited: set[int] = field(default_factory=set)
    """The leads that at some time had a place which nobody could take."""


class Books:
    """The providers of a market while time runs, and their ledger."""

    def __init__(self, members: Iterable[Member], policy: Policy, strategy: Strategy) -> None:
        self.policy = policy
        self.facts = {each.facts.id: each.facts for each in members}
        self.served = dict.fromkeys(self.facts, 0)
        self.outcome = Outcome(strategy, dict.fromkeys(self.facts, Account()))
        self._shares: dict[tuple[int, UUID], dict[UUID, float]] = {}
        self._refunded: Counter[tuple[UUID, date]] = Counter()
        """Declines that had their turn back, by provider and month."""

    def change(self, provider_id: UUID, **changes: Any) -> ProviderFacts:
        """Note that something about a provider is otherwise from now on."""
        changed = self.facts[provider_id] = self.facts[provider_id]._replace(**changes)
        return changed

    def take_place(self, provider_id: UUID, now: datetime) -> None:
        """Count an invitation that is sent now: one more live, and one more in its month."""
        facts = self.facts[provider_id]
        self.served[provider_id] += 1
        self.change(
            provider_id,
            open_count=facts.open_count + 1,
            month=month_of(now),
            month_count=facts.used_this_month(now) + 1,
        )

    def take_place_again(self, provider_id: UUID) -> None:
        """Count an invitation that came back as live; it was counted when it was sent."""
        self.change(provider_id, open_count=self.facts[provider_id].open_count + 1)

    def free_place(self, provider_id: UUID) -> bool:
        """Count one live invitation less; return whether the provider was full before."""
        facts = self.facts[provider_id]
        self.change(provider_id, open_count=facts.open_count - 1)
        return facts.open_count == facts.open_capacity

    def enter_turns(
        self, lead: int, choice: Choice, fits: Mapping[UUID, Fit], now: datetime
    ) -> None:
        """Enter what a run decided, in the accounts and line by line."""
        invited = {seat.provider_id for seat in choice.chosen}
        for seat in choice.chosen:
            band = {
                each: gained
                for each, gained in choice.gained.items()
                if fits[each].band == seat.fit.band
            }
            self._shares[lead, seat.provider_id] = rules.shares_of_a_turn(band)
        for each, gained in choice.gained.items():
            paid = COST_OF_A_TURN if each in invited else 0.0
            self.outcome.entries.append(Entry(now, each, gained, paid))
            self.outcome.accounts[each] = self.outcome.accounts[each].after_run(
                gained=gained,
                balance=choice.credits[each],
                month=month_of(now),
                invited_at=now if paid else None,
            )

    def settle(self, sent: Sent, now: datetime, *, request_finished: bool) -> None:
        """Enter how an invitation ended, or was answered for good; once."""
        if sent.is_settled or sent.state not in rules.SETTLEMENTS:
            return
        sent.is_settled = True
        month = sent.provider_id, month_of(now)
        back = rules.refund(
            End(
                state=sent.state,
                lasted=now - sent.sent_at,
                decline_reason=sent.reason,
                took_part=sent.accepted_at is not None and sent.responded_at is not None,
                request_finished=request_finished,
            ),
            refunds_this_month=self._refunded[month],
            soon=self.policy.decline_refund_within,
            at_most=self.policy.decline_refunds_per_month,
            fair_time=self.policy.min_response_window,
        )
        if back:
            self._refunded[month] += sent.state is InvitationState.DECLINED
            self.outcome.entries.append(Entry(now, sent.provider_id, 0.0, -back))
            for each, share in self._shares[sent.lead, sent.provider_id].items():
                self.outcome.entries.append(Entry(now, each, -share, 0.0))
                account = self.outcome.accounts[each]
                self.outcome.accounts[each] = account.after_undoing(
                    share, month_is_open=account.month == month_of(sent.sent_at)
                )
        account = self.outcome.accounts[sent.provider_id]
        self.outcome.accounts[sent.provider_id] = account.after_end(
            back=back,
            remark=rules.remark(sent.state, responded=sent.responded_at is not None),
            fading=self.policy.record_fading,
        )
