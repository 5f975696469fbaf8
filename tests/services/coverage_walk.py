"""A long random road through everything that touches a provider or its load, by use cases alone."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import select

from marketplace.core.actors import OPERATOR
from marketplace.core.errors import MarketplaceError
from marketplace.core.forms import Form
from marketplace.core.jobs import Job
from marketplace.invitations import endings
from marketplace.invitations import queries as invitation_queries
from marketplace.invitations import service as invitations
from marketplace.invitations.models import Invitation
from marketplace.invitations.rules import (
    ANSWERABLE,
    LIVE,
    DeclineReason,
    InvitationEvent,
    InvitationState,
)
from marketplace.leads.models import Lead
from marketplace.leads.rules import UNFINISHED, CloseReason, LeadState
from marketplace.matching import service as matching
from marketplace.matching import settling, waiting
from marketplace.providers import profile, service
from marketplace.providers.importing import import_providers
from marketplace.providers.models import Provider
from marketplace.providers.rules import ProviderState
from marketplace.quotes import outcome
from tests.factories import ADMIN, business_of, person_of
from tests.providers import a_provider
from tests.services.road import a_quote, held

COLUMNS = (
    "name,kind,country,registration_number,website,contact_name,email,phone,standards,regions,"
    "sectors,headcount_min,headcount_max,remote,open_capacity,monthly_capacity,related_to,"
    "accreditations\n"
)


class Walk:
    """Takes steps; one that the product refuses is a step as well."""

    def __init__(self, ctx: Any, make: Any, clock: Any, folder: Any, *, seed: int) -> None:
        self.ctx, self.make, self.clock, self.folder = ctx, make, clock, folder
        self.draw = Random(seed)
        self.trail: list[str] = []
        self._made = 0
        self._imported: list[str] = []
        self._steps: dict[Callable[[], object], int] = {
            self.bring_a_provider_in: 4, self.import_a_file: 3, self.change_capacity: 4,
            self.suspend: 3, self.reinstate: 4, self.send_a_form: 8, self.match: 8,
            self.do_what_was_rung: 12, self.invite_by_hand: 4, self.look: 10, self.accept: 6,
            self.quote: 10, self.compete: 4, self.decline: 6, self.release: 6, self.come_back: 6,
            self.replace: 4, self.choose: 4, self.close: 4, self.sweep: 6, self.let_hours_pass: 6,
            self.let_days_pass: 2, self.turn_the_month: 2,
        }  # fmt: skip

        for _ in range(6):
            self.bring_a_provider_in()
            self.send_a_form()

    def step(self) -> None:
        """Take a step, and note which it was; sooner one that has not gone through twice yet."""
        weights = [
            weight if self.trail.count(step.__name__) > 1 else 4 * weight
            for step, weight in self._steps.items()
        ]
        (step,) = self.draw.choices(list(self._steps), weights=weights)
        self.trail.append(step.__name__)
        try:
            step()
        except MarketplaceError as refusal:
            self.trail[-1] += f" ({refusal})"

    # Providers

    def bring_a_provider_in(self) -> None:
        coverage = {"regions": ["AU"], **self._capacity()}
        a_provider(self.ctx, f"{self._word().title()} Quality", coverage=coverage)

    def import_a_file(self) -> None:
        """One that nobody knows, and one of the file before, saying something else.

        Every other file is vouched for: what came with the one before is approved.
        """
        words = [*self._imported[-1:], self._word()]
        self._imported.append(words[-1])
        rows = [
            f"{word.title()} Systems,consultant,AU,,,Kim Reyes,kim@{word}-systems.example,,"
            f"ISO 9001,AU,,,,no,{take['open_capacity']},{take['monthly_capacity']},,\n"
            for word in words
            for take in [self._capacity()]
        ]
        path = self.folder / "providers.csv"
        path.write_text(COLUMNS + "".join(rows))
        report = import_providers(self.ctx, OPERATOR, path, verified=len(self._imported) % 2 == 0)
        assert not report.problems

    def change_capacity(self) -> None:
        actor = person_of(self._provider(ProviderState.VERIFIED))
        profile.update_provider(self.ctx, actor, Form({"coverage": self._capacity()}))

    def suspend(self) -> None:
        found = self._provider(ProviderState.VERIFIED)
        service.suspend_provider(self.ctx, ADMIN, found, reason="a walk")

    def reinstate(self) -> None:
        service.reinstate_provider(self.ctx, ADMIN, self._provider(ProviderState.SUSPENDED))

    # Leads, and who is invited to them

    def send_a_form(self) -> None:
        self.make.lead()

    def match(self) -> None:
        matching.match_lead(self.ctx, self._lead().id)

    def do_what_was_rung(self) -> None:
        """Some of it: the rest is lost, and left to the sweeps."""
        rung, self.ctx.queue.jobs[:] = list(self.ctx.queue.jobs), []
        for job, subject_id in self.draw.sample(rung, min(len(rung), 5)):
            if job is Job.MATCH_LEADS:
                matching.match_lead(self.ctx, subject_id)
            elif job is Job.RECHECK_PROVIDER:
                waiting.recheck_provider(self.ctx, subject_id)
            elif job is Job.REMATCH_WAITING_LEADS:
                waiting.rematch_waiting_leads(self.ctx, subject_id)

    def invite_by_hand(self) -> None:
        provider_id = self._provider(ProviderState.VERIFIED)
        matching.invite_by_hand(self.ctx, ADMIN, self._lead().id, provider_id, why="a walk")

    # Answers and ends

    def look(self) -> None:
        held = self._invitation(InvitationState.SENT)
        invitations.look_at_invitation(self.ctx, person_of(held.provider_id), held.id)

    def come_back(self) -> None:
        held = self._invitation(InvitationState.RELEASED)
        invitations.look_at_invitation(self.ctx, person_of(held.provider_id), held.id)

    def accept(self) -> None:
        held = self._invitation(InvitationState.SENT, InvitationState.OPENED)
        invitations.accept_invitation(self.ctx, person_of(held.provider_id), held.id)

    def quote(self) -> None:
        a_quote(self.ctx, self._invitation(InvitationState.OPENED, InvitationState.ACCEPTED))

    def compete(self) -> None:
        """Whoever holds an invitation to one request quotes: one of them will lose."""
        for each in held(self.make, self._lead()):
            if each.state in (InvitationState.SENT, InvitationState.OPENED):
                invitations.look_at_invitation(self.ctx, person_of(each.provider_id), each.id)
                a_quote(self.ctx, each)

    def decline(self) -> None:
        held = self._invitation(*LIVE)
        actor, reason = person_of(held.provider_id), DeclineReason.OTHER
        invitations.decline_invitation(self.ctx, actor, held.id, reason=reason)

    def release(self) -> None:
        """Pass on what nobody opened, as the clock will."""
        held = self._invitation(InvitationState.SENT)
        with self.ctx.transaction() as tx:
            lead, held = invitation_queries.lock_with_lead(tx.session, held)
            held.open_by = tx.now  # it was not opened in time
            endings.end(tx, OPERATOR, held, InvitationEvent.RELEASE)
            endings.pass_on(tx, lead, held)

    def replace(self) -> None:
        ended_or_not = [*ANSWERABLE, InvitationState.EXPIRED, InvitationState.DECLINED]
        had_accepted = (
            select(Invitation)
            .join(Lead)
            .where(
                Lead.state == LeadState.OPEN,
                Invitation.accepted_at.is_not(None),
                Invitation.passed_on_at.is_(None),
                Invitation.state.in_(ended_or_not),
            )
        )
        held = self._one(had_accepted, Invitation.id)
        lead = self.make.ask(lambda session: session.get(Lead, held.lead_id))
        endings.replace_invitation(self.ctx, business_of(lead), held.id)

    def choose(self) -> None:
        held = self._invitation(InvitationState.QUOTED)
        lead = self.make.ask(lambda session: session.get(Lead, held.lead_id))
        outcome.choose_provider(self.ctx, business_of(lead), held.id)

    def close(self) -> None:
        outcome.close_request(self.ctx, business_of(self._lead()), reason=CloseReason.NOT_NOW)

    # Time

    def sweep(self) -> None:
        endings.end_due_invitations(self.ctx)
        outcome.expire_due_leads(self.ctx)
        settling.settle_ended_invitations(self.ctx)

    def let_hours_pass(self) -> None:
        self.clock.advance(hours=self.draw.uniform(0, 8))

    def let_days_pass(self) -> None:
        self.clock.advance(days=self.draw.uniform(0, 12))

    def turn_the_month(self) -> None:
        """Invite just after a month began, and then by a clock where it has not."""
        self.clock.now = (self.clock.now.replace(day=1) + timedelta(days=32)).replace(day=1)
        self.clock.now = self.clock.now.replace(hour=0, minute=0, second=1)
        behind = self.clock.now - timedelta(seconds=2)
        late = replace(self.ctx, clock=lambda: behind)
        leads = [self.make.lead() for _ in range(4)]
        for ctx, lead in zip((self.ctx, late, self.ctx, late), leads, strict=True):
            matching.match_lead(ctx, lead.id)

    # What there is to choose from

    def _word(self) -> str:
        self._made += 1
        return "firm" + "".join(chr(ord("a") + int(digit)) for digit in str(self._made))

    def _capacity(self) -> dict[str, int]:
        return {
            "open_capacity": self.draw.randint(1, 5),
            "monthly_capacity": self.draw.randint(1, 9),
        }

    def _provider(self, state: ProviderState) -> UUID:
        return self._one(select(Provider.id).where(Provider.state == state), Provider.id)

    def _lead(self) -> Lead:
        return self._one(select(Lead).where(Lead.state.in_(UNFINISHED)), Lead.id)

    def _invitation(self, *states: InvitationState) -> Invitation:
        return self._one(select(Invitation).where(Invitation.state.in_(states)), Invitation.id)

    def _one(self, rows: Any, key: Any) -> Any:
        """Return one of the latest fifty."""
        latest = rows.order_by(key.desc()).limit(50)
        found = self.make.ask(lambda session: session.scalars(latest).all())
        if not found:
            raise MarketplaceError("there is none yet")
        return self.draw.choice(found)
