"""A question that is left open for long extends windows: late, twice, at once, answered between."""

from dataclasses import replace
from datetime import datetime, timedelta
from math import inf
from zoneinfo import ZoneInfo

import psycopg
import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError

from marketplace.core import connections
from marketplace.core.calendars import CalendarKind
from marketplace.core.errors import Conflict
from marketplace.core.events import Event
from marketplace.insights import casework
from marketplace.invitations import endings, extension, queries, questions
from marketplace.invitations import service as invitations
from marketplace.invitations.models import Invitation, Miss, Question
from marketplace.invitations.rules import DeclineReason, InvitationEvent, InvitationState
from marketplace.matching import service as matching
from marketplace.notifications.models import Commitment, Notification
from marketplace.quotes import comparison, drafts, inbox, outcome
from tests.factories import ADMIN, Factory, business_of, person_of
from tests.services.road import a_quote, again, held

TICK, MINUTE, HOUR = timedelta(microseconds=1), timedelta(minutes=1), timedelta(hours=1)
WITHIN = 4 * HOUR


def look(ctx, invitation):
    return invitations.look_at_invitation(ctx, person_of(invitation.provider_id), invitation.id)


def accept(ctx, invitation):
    return invitations.accept_invitation(ctx, person_of(invitation.provider_id), invitation.id)


def decline(ctx, invitation):
    who, no = person_of(invitation.provider_id), DeclineReason.NO_CAPACITY
    return invitations.decline_invitation(ctx, who, invitation.id, reason=no)


def ask(ctx, invitation, words="How many shifts?"):
    return questions.ask_question(ctx, person_of(invitation.provider_id), invitation.id, text=words)


def answer(ctx, lead, question, words="Two."):
    return questions.answer_question(ctx, business_of(lead), question.id, text=words)


def extensions(make, invitation):
    """Return the facts of every extension of an invitation, the first first."""
    rows = (
        select(Event)
        .where(Event.subject_id == invitation.id, Event.verb == "invitation.extended")
        .order_by(Event.id)
    )
    return make.ask(lambda session: [each.facts for each in session.scalars(rows)])


def letters(make, template, subject_id=None):
    rows = select(Notification).where(Notification.template == template).order_by(Notification.id)
    if subject_id is not None:
        rows = rows.where(Notification.subject_id == subject_id)
    return make.ask(lambda session: session.scalars(rows).all())


def states(make, invitations_):
    return [again(make, each).state for each in invitations_]


@pytest.fixture
def three(ctx, make):
    """Return a lead and its three invitations, all of them opened."""
    for _ in range(3):
        make.provider()
    lead = make.matched_lead()
    found = held(make, lead)
    for each in found:
        look(ctx, each)
    return lead, [again(make, each) for each in found]


# By how much


def test_an_answer_in_time_extends_nothing(ctx, three, make, clock):
    lead, found = three
    asked = ask(ctx, found[0])
    clock.now += WITHIN
    answer(ctx, lead, asked)
    clock.now += WITHIN
    assert extension.extend_windows(ctx) == 0
    for each in found:
        assert again(make, each).respond_by == each.respond_by
        assert extensions(make, each) == []
    assert letters(make, "answer_awaited") == letters(make, "deadline_extended") == []


def test_a_late_answer_extends_every_window_by_as_much_at_its_instant(ctx, three, make, clock):
    lead, found = three
    asked = ask(ctx, found[0])
    clock.now += WITHIN + 90 * MINUTE
    answer(ctx, lead, asked)
    for each in found:
        now = again(make, each)
        assert (now.respond_by - each.respond_by, now.extended_by) == (90 * MINUTE, 90 * MINUTE)
        assert extensions(make, each) == [
            {
                "lead": str(lead.id),
                "because": "question_unanswered",
                "minutes": 90,
                "minutes_in_all": 90,
                "respond_by": now.respond_by.isoformat(),
            }
        ]
        (told,) = letters(make, "question_answered", each.id)
        assert told.values["respond_by"] == now.respond_by.isoformat()
        assert told.values["is_extended"] is True
    # Who has just got the answer, with the new time in it, is told nothing else.
    extension.extend_windows(ctx)
    assert letters(make, "deadline_extended") == []


def test_only_what_still_runs_is_extended(ctx, three, make, clock):
    lead, (one, two, three_) = three
    asked = ask(ctx, one)
    a_quote(ctx, two)
    decline(ctx, three_)
    before = [again(make, each).columns for each in (two, three_)]
    clock.now += WITHIN + 2 * HOUR
    extension.extend_windows(ctx)
    answer(ctx, lead, asked)
    assert again(make, one).extended_by == 2 * HOUR
    assert [again(make, each).columns for each in (two, three_)] == before
    (told,) = letters(make, "question_answered", two.id)
    assert told.values["respond_by"] is None


def test_the_question_of_one_that_has_left_keeps_the_others_waiting_still(ctx, three, make, clock):
    lead, (one, two, _) = three
    asked = ask(ctx, one)
    decline(ctx, one)
    clock.now += WITHIN + 2 * HOUR
    answer(ctx, lead, asked)
    assert again(make, two).extended_by == 2 * HOUR


def test_a_question_that_is_never_answered_extends_by_so_much_at_most(ctx, three, make, clock):
    _, (one, *_) = three
    ask(ctx, one)
    for _ in range(80):
        clock.now += HOUR
        extension.extend_windows(ctx)
        endings.end_due_invitations(ctx)
    # 24 hours of its own, and 48 more: over since hour 72.
    assert again(make, one).respond_by == one.respond_by + ctx.policy.extension_at_most
    assert again(make, one).state is InvitationState.EXPIRED
    assert again(make, one).ended_at == one.sent_at + 72 * HOUR
    miss = make.ask(lambda session: session.get(Miss, one.id))
    assert miss.at == one.sent_at + 72 * HOUR


def test_it_does_not_go_beyond_the_end_of_the_request(ctx, three, make, clock):
    lead, (one, *_) = three
    with ctx.transaction() as tx:
        tx.session.get(type(lead), lead.id).expires_at = one.respond_by + HOUR
    ask(ctx, one)
    clock.now += 20 * HOUR
    extension.extend_windows(ctx)
    assert again(make, one).respond_by == one.respond_by + HOUR
    assert make.lead_called(lead.reference).expires_at == one.respond_by + HOUR


def test_it_is_counted_in_the_time_of_the_commitment(ctx, clock):
    sydney = ZoneInfo("Australia/Sydney")
    clock.now = datetime(2026, 11, 27, 15, tzinfo=sydney)  # a Friday
    ctx = replace(ctx, policy=replace(ctx.policy, calendar=CalendarKind.BUSINESS_DAYS))
    make = Factory(ctx)
    make.provider()
    lead = make.matched_lead()
    (one,) = held(make, lead)
    look(ctx, one)
    asked = ask(ctx, one)
    clock.now = datetime(2026, 11, 29, 12, tzinfo=sydney)
    extension.extend_windows(ctx)
    assert again(make, one).extended_by == 5 * HOUR  # of Friday
    clock.now = datetime(2026, 11, 30, 2, tzinfo=sydney)
    answer(ctx, lead, asked)
    now = again(make, one)
    assert now.extended_by == 7 * HOUR
    assert now.respond_by == datetime(2026, 11, 30, 22, tzinfo=sydney)


def test_the_commitment_does_not_move(ctx, three, make, clock):
    lead, (one, *_) = three
    asked = ask(ctx, one)
    before = make.ask(lambda session: session.get(Commitment, lead.id)).columns
    clock.now += 30 * HOUR
    extension.extend_windows(ctx)
    answer(ctx, lead, asked)
    assert make.ask(lambda session: session.get(Commitment, lead.id)).columns == before


# A deadline is true at its instant


def test_an_answer_of_a_provider_is_in_time_while_it_waits_though_no_sweep_has_run(
    ctx, three, make, clock
):
    _, (one, two, three_) = three
    ask(ctx, one)
    clock.now = one.respond_by + 5 * MINUTE
    who = person_of(two.provider_id)
    assert drafts.save_draft(ctx, who, two.id, {"notes": ["a"]}, seen="0-").is_saved
    accept(ctx, one)
    a_quote(ctx, two)
    ask(ctx, three_)
    assert states(make, (one, two, three_)) == ["accepted", "quoted", "opened"]
    assert again(make, one).extended_by == 20 * HOUR + 5 * MINUTE


def test_after_the_answer_it_is_in_time_for_as_long_as_was_left_and_no_longer(
    ctx, three, make, clock
):
    lead, (one, two, _) = three
    asked = ask(ctx, one)
    clock.now = one.respond_by + 5 * MINUTE
    answer(ctx, lead, asked)
    left = one.respond_by - (one.sent_at + WITHIN)
    clock.now += left - TICK
    a_quote(ctx, two)
    clock.now += TICK
    with pytest.raises(Conflict, match="time to answer"):
        a_quote(ctx, one)
    assert endings.end_due_invitations(ctx) == 2
    assert again(make, one).state is InvitationState.EXPIRED


def test_no_sweep_expires_or_reminds_whoever_waits_for_an_answer(ctx, three, make, clock):
    _, found = three
    ask(ctx, found[0])
    clock.now = found[0].respond_by + 5 * MINUTE
    endings.remind_holders(ctx)
    endings.end_due_invitations(ctx)
    assert states(make, found) == ["opened"] * 3
    assert letters(make, "invitation_reminder") == []
    clock.now += 20 * MINUTE
    endings.remind_holders(ctx)
    endings.end_due_invitations(ctx)
    assert states(make, found) == ["opened"] * 3
    assert letters(make, "invitation_reminder") == letters(make, "invitation_expired") == []
    # Sweeps come every fifteen seconds: they do not write down every little step.
    assert len(extensions(make, found[0])) == 1


def test_reminders_that_are_to_come_are_later_by_as_much(ctx, three, make, clock):
    lead, (one, *_) = three
    asked = ask(ctx, one)
    clock.now += WITHIN + 10 * HOUR  # the first was planned for hour 12
    answer(ctx, lead, asked)
    endings.remind_holders(ctx)
    assert letters(make, "invitation_reminder", one.id) == []
    assert again(make, one).remind_at == one.reminders[0] + 10 * HOUR
    clock.now = one.reminders[0] + 10 * HOUR
    endings.remind_holders(ctx)
    (told,) = letters(make, "invitation_reminder", one.id)
    assert told.values["due_at"] == again(make, one).respond_by.isoformat()
    assert again(make, one).remind_at == one.reminders[1] + 10 * HOUR


def test_whoever_never_looked_is_passed_on_as_soon_as_ever(ctx, make, clock):
    for _ in range(2):
        make.provider()
    lead = make.matched_lead()
    one, two = held(make, lead)
    look(ctx, one)
    ask(ctx, one)
    clock.now = two.open_by
    extension.extend_windows(ctx)
    endings.end_due_invitations(ctx)
    assert again(make, two).state is InvitationState.RELEASED
    assert again(make, two).open_by == two.open_by


def test_one_that_comes_back_has_a_fresh_window_that_counts_from_then(ctx, make, clock):
    make.provider()
    make.provider()
    lead = make.matched_lead()
    one, two = held(make, lead)
    look(ctx, one)
    asked = ask(ctx, one)
    clock.now = two.open_by
    look(ctx, two)  # released, and back
    back = again(make, two)
    assert (back.state, back.extended_by) == (InvitationState.OPENED, timedelta(0))
    clock.now += 2 * HOUR
    answer(ctx, lead, asked)
    now = again(make, two)
    assert now.extended_by == 2 * HOUR
    assert now.respond_by == back.respond_by + 2 * HOUR


def test_one_that_is_invited_later_waits_from_then_on(ctx, three, make, clock):
    lead, (one, two, three_) = three
    asked = ask(ctx, one)
    a_quote(ctx, one)
    a_quote(ctx, two)
    clock.now += 6 * HOUR
    extension.extend_windows(ctx)
    decline(ctx, three_)
    clock.now += 6 * HOUR
    extension.extend_windows(ctx)
    assert make.ask(lambda session: session.get(Question, asked.id)).look_at is None  # nobody waits
    make.provider()
    clock.now += HOUR
    matching.match_lead(ctx, lead.id)
    fourth = held(make, lead)[-1]
    look(ctx, fourth)
    for _ in range(5):
        clock.now += HOUR
        extension.extend_windows(ctx)
    assert again(make, fourth).extended_by == 5 * HOUR
    assert len(letters(make, "deadline_extended", fourth.id)) == 1


def test_a_place_is_not_given_away_while_its_holder_waits_for_an_answer(ctx, three, clock, make):
    lead, (one, *_) = three
    accept(ctx, one)
    ask(ctx, one)
    clock.now = one.respond_by + MINUTE
    (shown,) = [
        each for each in comparison.request_page(ctx, business_of(lead))["invitations"]
        if each["id"] == one.id
    ]  # fmt: skip
    assert not shown["may_be_replaced"]
    with pytest.raises(Conflict, match="still has time"):
        endings.replace_invitation(ctx, business_of(lead), one.id)


def test_a_request_that_finishes_while_they_wait_leaves_no_miss(ctx, three, make, clock):
    lead, found = three
    ask(ctx, found[0])
    clock.now = found[0].respond_by + MINUTE
    outcome.close_lead(ctx, ADMIN, lead.id, reason="not needed any more")
    assert states(make, found) == ["withdrawn"] * 3
    assert make.ask(lambda session: session.scalars(select(Miss)).all()) == []
    extension.extend_windows(ctx)
    assert extension.extend_windows(ctx) == 0


# Late, twice, at once


def test_a_sweep_that_comes_late_ends_where_one_in_time_does(ctx, three, make, clock):
    lead, (one, *_) = three
    asked = ask(ctx, one)
    clock.now += WITHIN
    for _ in range(7):
        extension.extend_windows(ctx)
        clock.now += HOUR
    answer(ctx, lead, asked)
    in_time = again(make, one)
    steps = extensions(make, one)
    assert [each["minutes_in_all"] for each in steps] == [60, 120, 180, 240, 300, 360, 420]

    other = make.matched_lead()
    late = held(make, other)[0]
    look(ctx, late)
    asked = ask(ctx, late)
    clock.now += WITHIN + 7 * HOUR
    answer(ctx, other, asked)
    assert again(make, late).extended_by == in_time.extended_by == 7 * HOUR
    assert len(extensions(make, late)) == 1


def test_twice_is_once(ctx, three, make, clock):
    _, (one, *_) = three
    ask(ctx, one)
    clock.now += WITHIN + 3 * HOUR
    assert extension.extend_windows(ctx) == 1
    before = again(make, one).columns
    with ctx.transaction() as tx:
        tx.session.execute(update(Question).values(look_at=clock.now))
    assert extension.extend_windows(ctx) == 1
    assert extension.extend_windows(ctx) == 0
    assert again(make, one).columns == before
    assert len(extensions(make, one)) == 1
    assert len(letters(make, "deadline_extended", one.id)) == 1
    assert len(letters(make, "answer_awaited")) == 1


def test_two_sweeps_an_answer_and_a_quote_at_once_end_as_one_after_the_other(
    ctx, three, make, clock, at_once
):
    lead, (one, two, three_) = three
    asked = ask(ctx, one)
    clock.now = one.respond_by + 5 * MINUTE
    results = at_once(
        [
            lambda: extension.extend_windows(ctx),
            lambda: extension.extend_windows(ctx),
            lambda: endings.end_due_invitations(ctx),
            lambda: endings.remind_holders(ctx),
            lambda: answer(ctx, lead, asked),
            lambda: a_quote(ctx, two),
        ]
    )
    assert not any(isinstance(each, Exception) for each in results)
    owed = one.respond_by + 5 * MINUTE - (one.sent_at + WITHIN)
    for each in (one, three_):
        now = again(make, each)
        assert (now.state, now.extended_by) == (InvitationState.OPENED, owed)
        assert now.respond_by == each.respond_by + owed
        assert sum(step["minutes"] for step in extensions(make, each)) == owed / MINUTE
    assert again(make, two).state is InvitationState.QUOTED


def test_one_that_fails_stops_nobody_else(ctx, three, make, clock, monkeypatch):
    lead, (one, *_) = three
    make.provider()
    other = make.matched_lead()
    two = held(make, other)[0]
    look(ctx, two)
    poisoned = ask(ctx, one)
    ask(ctx, two)
    found = queries.unanswered_questions

    def fails(session, lead_id):
        if lead_id == lead.id:
            raise RuntimeError("poisoned")
        return found(session, lead_id)

    monkeypatch.setattr(queries, "unanswered_questions", fails)
    clock.now += WITHIN + 2 * HOUR
    assert extension.extend_windows(ctx) == 1
    assert again(make, two).extended_by == 2 * HOUR
    monkeypatch.undo()
    assert extension.extend_windows(ctx) == 1
    assert again(make, one).extended_by == 2 * HOUR
    answer(ctx, lead, poisoned)


def test_the_database_lets_a_window_move_later_alone_and_by_an_extension(ctx, three):
    _, (one, *_) = three

    def move(**columns):
        with ctx.transaction() as tx:
            tx.session.execute(update(Invitation).where(Invitation.id == one.id).values(**columns))

    for columns in (
        {"respond_by": one.respond_by - TICK},
        {"respond_by": one.respond_by + HOUR},
        {"extended_by": HOUR},
        {"respond_by": one.respond_by - TICK, "extended_by": HOUR},
        {"respond_by": one.respond_by + HOUR, "extended_by": -HOUR},
    ):
        with pytest.raises(DBAPIError, match="moves later alone"):
            move(**columns)
    move(respond_by=one.respond_by + HOUR, extended_by=HOUR)
    with pytest.raises(DBAPIError, match="moves later alone"):
        move(respond_by=one.respond_by, extended_by=timedelta(0))


# Who is told


def test_the_business_is_told_once_for_each_question_that_it_leaves_open(ctx, three, make, clock):
    lead, (one, two, _) = three
    ask(ctx, one, "How many shifts?")
    clock.now += WITHIN - TICK
    extension.extend_windows(ctx)
    assert letters(make, "answer_awaited") == []
    clock.now += TICK
    for _ in range(3):
        extension.extend_windows(ctx)
    (told,) = letters(make, "answer_awaited")
    assert (told.recipient, told.subject_id) == (lead.contact_email, lead.id)
    assert told.values["question"] == "How many shifts?"
    assert told.values["at_most_minutes"] == 48 * 60
    ask(ctx, two, "How many sites?")
    for _ in range(6):
        clock.now += HOUR
        extension.extend_windows(ctx)
    assert [each.values["question"] for each in letters(make, "answer_awaited")] == [
        "How many shifts?", "How many sites?",
    ]  # fmt: skip


def test_those_who_wait_are_told_once_for_each_question_until_when_they_have(
    ctx, three, make, clock
):
    lead, (one, two, three_) = three
    first = ask(ctx, one)
    clock.now += 3 * HOUR
    ask(ctx, two)
    a_quote(ctx, three_)
    for _ in range(6):
        clock.now += HOUR
        extension.extend_windows(ctx)
    for each in (one, two):
        (told,) = letters(make, "deadline_extended", each.id)
        assert told.values["respond_by"] == (each.respond_by + HOUR).isoformat()
    assert letters(make, "deadline_extended", three_.id) == []
    answer(ctx, lead, first)  # the other one is open still
    for _ in range(6):
        clock.now += HOUR
        extension.extend_windows(ctx)
    assert len(letters(make, "deadline_extended", one.id)) == 2


def test_they_are_told_whichever_sweep_writes_their_time_down(ctx, three, make, clock):
    _, (one, *_) = three
    clock.now = one.respond_by - WITHIN - MINUTE
    ask(ctx, one)
    clock.now = one.respond_by - MINUTE
    extension.extend_windows(ctx)
    for _ in range(2 * 65):
        clock.now += MINUTE / 2
        endings.end_due_invitations(ctx)  # comes first, and more often
        if clock.now.second == 0:
            extension.extend_windows(ctx)
    assert len(letters(make, "deadline_extended", one.id)) == 1
    assert again(make, one).extended_by >= HOUR
    assert len(extensions(make, one)) == 1


def test_whoever_has_quoted_asks_and_no_time_stands_still(ctx, three, make, clock):
    _, found = three
    for each in found:
        a_quote(ctx, each)
    ask(ctx, found[0])
    clock.now += WITHIN + HOUR
    extension.extend_windows(ctx)
    (told,) = letters(make, "answer_awaited")
    assert told.values["at_most_minutes"] is None
    assert letters(make, "deadline_extended") == []
    assert extension.extend_windows(ctx) == 0


# What is shown


def test_everybody_is_shown_the_time_as_it_stands_though_no_sweep_has_run(ctx, three, clock):
    lead, (one, *_) = three
    ask(ctx, one)
    clock.now += WITHIN + 30 * MINUTE
    expected = (one.respond_by + 30 * MINUTE, 30, True)
    own = inbox.own_invitation(ctx, person_of(one.provider_id), one.id)
    listed = inbox.own_invitations(
        ctx, person_of(one.provider_id), state=None, limit=5, after=None
    )[0][0]
    request = comparison.request_page(ctx, business_of(lead))
    case = casework.lead_case(ctx, ADMIN, lead.id)
    for shown in (own, listed, request["invitations"][0], case["invitations"][0]):
        found = (shown["respond_by"], shown["extended_minutes"], shown["stands_still"])
        assert found == expected
    assert request["questions"][0]["awaited_since"] == one.sent_at + WITHIN


def test_everybody_who_takes_part_reads_one_thread_and_not_who_asked(ctx, three, clock):
    lead, (one, two, three_) = three
    first, second = ask(ctx, one), ask(ctx, two, "How many sites?")
    answer(ctx, lead, first)
    decline(ctx, three_)

    def thread(invitation):
        shown = inbox.own_invitation(ctx, person_of(invitation.provider_id), invitation.id)
        return [(each["question"], each["answer"], each["is_own"]) for each in shown["questions"]]

    assert thread(one) == [("How many shifts?", "Two.", True), ("How many sites?", None, False)]
    assert thread(two) == [("How many shifts?", "Two.", False), ("How many sites?", None, True)]
    assert thread(three_) == [("How many shifts?", "Two.", False)]
    assert second.answer is None
    # What is said after one has left is no longer for it: that others go on is not its business.
    clock.advance(hours=1)
    answer(ctx, lead, second)
    assert len([said for _, said, _ in thread(one) if said]) == 2
    assert thread(three_) == [("How many shifts?", "Two.", False)]


def test_a_question_that_waits_names_neither_who_asked_nor_the_business_to_the_others(ctx, make):
    asking = make.provider(name="Harbour Quality Pty Ltd")
    make.provider()
    lead = make.matched_lead(number=0)
    by_holder = {each.provider_id: each for each in held(make, lead)}
    one = by_holder.pop(asking.id)
    (other,) = by_holder.values()
    words = f"Harbour Quality ({asking.contact_email}) asks {lead.company_name}: how many shifts?"
    ask(ctx, one, words)
    shown = inbox.own_invitation(ctx, person_of(other.provider_id), other.id)["questions"][0]
    for word in ("Harbour", asking.contact_email, "Acme"):
        assert word not in str(shown)
    assert "how many shifts?" in shown["question"]


def test_a_look_at_one_that_is_released_meanwhile_leaves_its_window_no_shorter(ctx, make, clock):
    for _ in range(2):
        make.provider()
    lead = make.matched_lead()
    one, two = held(make, lead)
    look(ctx, one)
    asked = ask(ctx, one)
    clock.now += WITHIN + 4 * HOUR
    answer(ctx, lead, asked)  # extends the one that nobody opened as well
    before = again(make, two)
    assert before.extended_by == 4 * HOUR
    clock.now = two.open_by
    with ctx.transaction() as tx:
        _, row = queries.lock_with_lead(tx.session, before)
        endings.end(tx, person_of(row.provider_id), row, InvitationEvent.RELEASE)
    look(ctx, two)
    assert again(make, two).state is InvitationState.OPENED
    assert again(make, two).respond_by >= before.respond_by


def test_the_sweep_finds_what_is_due_by_its_index(ctx):
    with ctx.reading() as session:
        session.execute(text("SET LOCAL enable_seqscan TO off"))
        plan = session.scalars(
            text("EXPLAIN SELECT id FROM questions WHERE look_at <= now() ORDER BY look_at LIMIT 9")
        ).all()
    assert any("ix_questions_to_look_at" in line for line in plan)


def test_many_windows_take_as_few_statements_as_one(ctx, make, monkeypatch):
    make.provider()
    pairs = []
    for _ in range(4):
        lead = make.matched_lead()
        (invitation,) = held(make, lead)
        look(ctx, invitation)
        ask(ctx, invitation)
        pairs.append((lead, again(make, invitation)))
    sent = []
    monkeypatch.setattr(connections, "TRUSTED", inf)
    execute = psycopg.Cursor.execute
    monkeypatch.setattr(
        psycopg.Cursor, "execute", lambda *args, **given: sent.append(1) or execute(*args, **given)
    )

    def statements(some):
        sent.clear()
        with ctx.reading() as session:
            extension.windows(session, some, policy=ctx.policy, now=ctx.clock())
        return len(sent)

    assert statements(pairs[:1]) == statements(pairs) > 0
