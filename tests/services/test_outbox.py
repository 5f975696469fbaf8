"""The outbox: written with its cause, handed on at least once, and once where nothing crashes."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Lock, Thread

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from marketplace.core import links
from marketplace.core.actors import OPERATOR, SYSTEM, Actor, Kind
from marketplace.core.db import new_id
from marketplace.core.errors import Conflict, NotAllowed, NotFound
from marketplace.core.events import Event
from marketplace.core.jobs import Job
from marketplace.core.links import Link, Purpose, token_hash
from marketplace.insights.worklist import worklist
from marketplace.notifications import delivery
from marketplace.notifications.channels import MailboxChannel, Message, Seal
from marketplace.notifications.claims import claim_due
from marketplace.notifications.delivery import deliver_due_notifications
from marketplace.notifications.forgetting import forget_messages
from marketplace.notifications.models import MailboxMessage, MailPause, Notification, Suppression
from marketplace.notifications.reports import Report, note_reports
from marketplace.notifications.rules import Attempt, NotificationState, SendOutcome
from marketplace.notifications.service import LinkTo, Recipient, notify, retry_notification
from marketplace.notifications.suppressions import (
    lift_suppression,
    suppress_address,
    suppression_of,
    suppressions,
)
from tests.factories import ADMIN

JO = Recipient("jo@acme.example", "Jo Tran", "Australia/Sydney")
SECRET = "the secret of an installation, long enough"


@dataclass
class Channel:
    """A way out that remembers what went through it, and does what the test says."""

    answer: Callable[[Message], Attempt] = lambda message: Attempt(SendOutcome.SENT)
    public_url: str = "https://quotes.example"
    messages: list[Message] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def send(self, ctx, message: Message) -> Attempt:
        with self.lock:
            self.messages.append(message)
        return self.answer(message)

    @property
    def references(self) -> list[str]:
        return [message.words.subject.split()[2] for message in self.messages]


def say(ctx, *references: str, template="request_closed", **changes) -> None:
    """Write one message for each reference: `Your request <reference> is closed`."""
    with ctx.transaction() as tx:
        for reference in references:
            subject_id = new_id()
            link = LinkTo(Purpose.REQUEST, subject_id, tx.now + timedelta(days=30))
            given = {"link": link, "reference": reference, **changes}
            notify(tx, template, JO, subject_id, **given)


def outbox(ctx) -> list[Notification]:
    with ctx.reading() as session:
        return list(session.scalars(select(Notification).order_by(Notification.id)))


def only(ctx) -> Notification:
    (notification,) = outbox(ctx)
    return notification


def states(ctx) -> list[str]:
    return [notification.state for notification in outbox(ctx)]


def events(ctx) -> list[str]:
    with ctx.reading() as session:
        return list(session.scalars(select(Event.verb).order_by(Event.id)))


def refused(outcome: SendOutcome, detail: str = "said so") -> Callable[[Message], Attempt]:
    return lambda message: Attempt(outcome, detail)


# Writing it down


def test_a_message_exists_once_however_often_its_cause_is_repeated(ctx, queue):
    subject_id = new_id()
    for _ in range(3):
        with ctx.transaction() as tx:
            notify(tx, "data_erased", JO, subject_id, reference="R-1")
    assert len(outbox(ctx)) == 1
    assert queue.jobs == [(Job.DELIVER_NOTIFICATIONS, None)]


def test_another_occasion_is_another_message(ctx):
    subject_id = new_id()
    with ctx.transaction() as tx:
        for occasion in ("1", "2"):
            notify(tx, "data_erased", JO, subject_id, occasion=occasion, reference="R-1")
    assert len(outbox(ctx)) == 2


def test_many_messages_ring_one_job(ctx, queue):
    say(ctx, "R-1", "R-2", "R-3")
    assert queue.jobs == [(Job.DELIVER_NOTIFICATIONS, None)]


def test_nothing_is_sent_for_what_was_rolled_back(ctx, queue):
    def fail() -> None:
        with ctx.transaction() as tx:
            notify(tx, "data_erased", JO, new_id(), reference="R-1")
            raise RuntimeError("after all not")

    with pytest.raises(RuntimeError):
        fail()
    channel = Channel()
    assert deliver_due_notifications(ctx, channel) == 0
    assert (outbox(ctx), channel.messages, queue.jobs) == ([], [], [])


# Handing it on


def test_a_message_is_handed_on_once_with_a_link_that_works(ctx):
    say(ctx, "R-1")
    channel = Channel()
    assert deliver_due_notifications(ctx, channel) == 1
    assert deliver_due_notifications(ctx, channel) == 0
    (message,) = channel.messages
    assert (message.recipient, message.template) == ("jo@acme.example", "request_closed")
    sent = only(ctx)
    assert (sent.state, sent.attempts, sent.last_error) == (NotificationState.SENT, 1, None)
    assert sent.sent_at == ctx.clock()
    token = message.words.text.split("/requests/open/")[1].split()[0]
    with ctx.reading() as session:
        (link,) = session.scalars(select(Link))
    assert link.token_hash == token_hash(token)
    assert (link.subject_id, link.purpose) == (sent.subject_id, Purpose.REQUEST)


def test_every_change_of_a_message_leaves_an_event(ctx, clock):
    say(ctx, "R-1")
    deliver_due_notifications(ctx, Channel(refused(SendOutcome.PASSING)))
    clock.advance(minutes=1)
    deliver_due_notifications(ctx, Channel())
    assert events(ctx) == [
        f"notification.{verb}" for verb in ("claimed", "put_back", "claimed", "sent")
    ]


def test_more_than_a_batch_is_drained_the_longest_due_first(ctx, clock):
    ctx = replace(ctx, policy=replace(ctx.policy, send_batch=2))
    references = [f"R-{number}" for number in range(7)]
    for reference in references:
        say(ctx, reference)
        clock.advance(seconds=1)
    channel = Channel()
    assert deliver_due_notifications(ctx, channel) == 7
    assert channel.references == references


def test_a_passing_fault_is_retried_within_seconds_and_then_ever_later(ctx, clock):
    say(ctx, "R-1")
    channel = Channel(refused(SendOutcome.PASSING, "the mail service answered 500"))
    waits = []
    for attempts in range(1, ctx.policy.send_attempts):
        deliver_due_notifications(ctx, channel)
        queued = only(ctx)
        assert (queued.state, queued.attempts) == (NotificationState.QUEUED, attempts)
        assert queued.last_error == "the mail service answered 500"
        waits.append(queued.next_attempt_at - clock.now)
        assert deliver_due_notifications(ctx, channel) == 0
        assert len(channel.messages) == attempts
        clock.now = queued.next_attempt_at
    assert waits[0] <= timedelta(seconds=3)
    assert waits[-1] > 8 * waits[0]
    deliver_due_notifications(ctx, channel)
    assert only(ctx).state is NotificationState.FAILED
    clock.advance(days=1)
    deliver_due_notifications(ctx, channel)
    assert len(channel.messages) == ctx.policy.send_attempts


def test_a_wish_of_the_mail_service_to_wait_is_followed(ctx, clock):
    say(ctx, "R-1")
    wish = Attempt(SendOutcome.PASSING, "429", not_before=timedelta(minutes=10))
    deliver_due_notifications(ctx, Channel(lambda message: wish))
    assert only(ctx).next_attempt_at == clock.now + timedelta(minutes=10)


def test_a_message_that_is_refused_fails_at_once_and_stops_nobody_else(ctx):
    say(ctx, "R-1", "R-bad", "R-3")
    answers = {True: Attempt(SendOutcome.MESSAGE_REFUSED, "400"), False: Attempt(SendOutcome.SENT)}
    channel = Channel(lambda message: answers["R-bad" in message.words.subject])
    assert deliver_due_notifications(ctx, channel) == 2
    assert states(ctx) == ["sent", "failed", "sent"]
    assert [each.last_error for each in outbox(ctx)] == [None, "400", None]


@pytest.mark.parametrize("poison", [{"template": "no_such_template"}, {"link": None}])
def test_a_message_without_words_fails_and_stops_nobody_else(ctx, poison):
    say(ctx, "R-1")
    say(ctx, "R-bad", **poison)
    say(ctx, "R-3")
    ticking = replace(ctx, clock=Ticking(ctx.clock))
    channel = Channel()
    assert deliver_due_notifications(ticking, channel) == 2
    assert states(ctx) == ["sent", "failed", "sent"]
    assert "no words" in (outbox(ctx)[1].last_error or "")


class Ticking:
    """A clock that moves on whenever it is read, as real ones do."""

    def __init__(self, clock) -> None:
        self.clock = clock

    def __call__(self):
        self.clock.advance(milliseconds=1)
        return self.clock()


def test_a_value_that_is_missing_fails_its_own_message_only(ctx):
    with ctx.transaction() as tx:
        notify(tx, "data_erased", JO, new_id())
    say(ctx, "R-2")
    assert deliver_due_notifications(ctx, Channel()) == 1
    assert states(ctx) == ["failed", "sent"]
    assert outbox(ctx)[0].last_error == "no words: data_erased: 'reference' is undefined"


def test_a_fault_in_sending_is_tried_again_and_tells_no_secrets(ctx, caplog, capsys):
    say(ctx, "R-bad", "R-2")

    def break_down(message: Message) -> Attempt:
        if "R-bad" in message.words.subject:
            raise RuntimeError(f"could not write to {message.recipient}")
        return Attempt(SendOutcome.SENT)

    assert deliver_due_notifications(ctx, Channel(break_down)) == 1
    assert states(ctx) == ["queued", "sent"]
    assert outbox(ctx)[0].last_error == "a fault of ours: RuntimeError"
    printed = capsys.readouterr()
    assert "jo@acme.example" not in caplog.text + printed.out + printed.err


def test_a_link_that_has_lapsed_is_not_sent(ctx, clock):
    say(ctx, "R-1")
    clock.advance(days=31)
    channel = Channel()
    assert deliver_due_notifications(ctx, channel) == 0
    assert channel.messages == []
    assert only(ctx).last_error == "no words: its link has lapsed meanwhile"
    with ctx.reading() as session:
        assert session.scalars(select(Link)).all() == []


def test_what_went_out_is_recorded_though_the_next_cannot_begin(ctx, clock, monkeypatch):
    say(ctx, "R-1", "R-2", "R-3")
    mint = links.mint

    def fail_at_the_second(*about, **more):
        mint_calls.append(about)
        if len(mint_calls) == 2:
            raise RuntimeError("no link today")
        return mint(*about, **more)

    mint_calls = []
    monkeypatch.setattr(links, "mint", fail_at_the_second)
    channel = Channel()
    assert deliver_due_notifications(ctx, channel) == 2
    assert channel.references == ["R-1", "R-3"]
    assert states(ctx) == ["sent", "queued", "sent"]
    clock.advance(minutes=1)
    assert deliver_due_notifications(ctx, channel) == 1
    assert channel.references == ["R-1", "R-3", "R-2"]


def test_what_went_out_is_recorded_though_the_run_is_stopped_in_the_midst(ctx, monkeypatch):
    say(ctx, "R-1", "R-2")
    mint, minted = links.mint, []

    def stop_at_the_second(*about, **more):
        minted.append(about)
        if len(minted) == 2:
            raise KeyboardInterrupt
        return mint(*about, **more)

    monkeypatch.setattr(links, "mint", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        deliver_due_notifications(ctx, Channel())
    assert states(ctx) == ["sent", "sending"]


def test_no_transaction_is_open_while_a_message_is_sent(ctx):
    say(ctx, "R-1")

    def look(message: Message) -> Attempt:
        session = ctx.sessions()
        assert not session.in_transaction()
        return Attempt(SendOutcome.SENT)

    assert deliver_due_notifications(ctx, Channel(look)) == 1


# When the mail service refuses us


def test_a_refusal_of_us_pauses_everything_and_counts_against_no_message(ctx, clock):
    say(ctx, "R-1", "R-2", "R-3")
    channel = Channel(refused(SendOutcome.WE_ARE_REFUSED, "the mail service answered 401"))
    with capture_logs() as lines:
        assert deliver_due_notifications(ctx, channel) == 0
    assert [each["event"] for each in lines if each["log_level"] == "error"] == ["mail_paused"]
    assert len(channel.messages) == 1
    assert states(ctx) == ["queued"] * 3
    assert [each.attempts for each in outbox(ctx)] == [0, 0, 0]
    with ctx.reading() as session:
        (pause,) = session.scalars(select(MailPause))
    assert pause.reason == "the mail service answered 401"
    deliver_due_notifications(ctx, channel)
    assert len(channel.messages) == 1


def test_a_way_out_that_refuses_us_is_on_the_work_list_until_it_takes_us_again(ctx, clock):
    say(ctx, "R-1")
    assert worklist(ctx, ADMIN).paused == []
    deliver_due_notifications(ctx, Channel(refused(SendOutcome.WE_ARE_REFUSED)))
    assert [each.channel for each in worklist(ctx, ADMIN).paused] == ["email"]
    clock.advance(hours=1)
    assert deliver_due_notifications(ctx, Channel()) == 1
    assert worklist(ctx, ADMIN).paused == []


def test_after_a_pause_one_message_tries_and_then_all_follow(ctx, clock):
    say(ctx, "R-1", "R-2", "R-3")
    closed = Channel(refused(SendOutcome.WE_ARE_REFUSED))
    deliver_due_notifications(ctx, closed)
    clock.advance(minutes=10)
    deliver_due_notifications(ctx, closed)
    assert closed.references == ["R-1", "R-2"]  # another one tries each time
    clock.advance(minutes=10)
    channel = Channel()
    assert deliver_due_notifications(ctx, channel) == 3
    assert states(ctx) == ["sent"] * 3
    with ctx.reading() as session:
        assert session.scalars(select(MailPause)).all() == []


# When somebody is killed, late, or not alone


def test_a_claim_whose_holder_vanished_lapses_and_is_taken_over(ctx, clock):
    say(ctx, "R-1")

    def vanish(message: Message) -> Attempt:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver_due_notifications(ctx, Channel(vanish))
    channel = Channel()
    assert deliver_due_notifications(ctx, channel) == 0
    assert only(ctx).state is NotificationState.SENDING
    clock.advance(seconds=61)
    assert deliver_due_notifications(ctx, channel) == 1
    assert only(ctx).state is NotificationState.SENT


KILLED = """
import os, signal, sys
from dataclasses import replace
from datetime import UTC, datetime
from config.settings import Settings
from marketplace.bootstrap import build
from marketplace.notifications.delivery import deliver_due_notifications

class Killer:
    public_url = "https://quotes.example"
    def send(self, ctx, message):
        os.kill(os.getpid(), signal.SIGKILL)

product = build(Settings.from_env())
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        now = datetime.fromisoformat(line.strip())
        with product.app.app_context():
            deliver_due_notifications(replace(product.ctx, clock=lambda: now), Killer())
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""
"""A process that forks a sender at each moment that it is told; so it is started once."""


@pytest.fixture(scope="module")
def senders(services):
    env = {
        **os.environ,
        "MARKETPLACE_DATABASE_URL": services.database_url,
        "MARKETPLACE_REDIS_URL": services.redis_url,
        "MARKETPLACE_SECRET_KEY": SECRET,
        "MARKETPLACE_PUBLIC_URL": "https://quotes.example",
        "MARKETPLACE_MAIL_BACKEND": "mailbox",
    }
    with subprocess.Popen(
        [sys.executable, "-c", KILLED],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def kill_a_sender(clock, senders):
    """Let a process of its own claim what is due, and be killed once it has sent the first."""
    now = clock.now.isoformat()

    def kill() -> None:
        senders.stdin.write(f"{now}\n")
        senders.stdin.flush()
        assert int(senders.stdout.readline()) == -signal.SIGKILL

    return kill


def test_a_sender_killed_in_the_midst_loses_nothing(ctx, clock, kill_a_sender):
    say(ctx, "R-1", "R-2")
    kill_a_sender()
    assert states(ctx) == ["sending"] * 2
    assert deliver_due_notifications(ctx, Channel()) == 0
    clock.advance(seconds=61)
    channel = Channel()
    assert deliver_due_notifications(ctx, channel) == 2
    assert Counter(channel.references) == {"R-1": 1, "R-2": 1}


WENT_OUT = {
    "processed": "sent",
    "deferred": "sent",
    "delivered": "delivered",
    "bounce": "bounced",
    "dropped": "dropped",
}


def report(ctx, what: str, **more) -> None:
    """Let the mail service report this of the one message."""
    note_reports(ctx, [Report(only(ctx).id, what, 1_795_424_400, **more)])


@pytest.mark.parametrize(("what", "state"), WENT_OUT.items())
def test_a_report_before_the_claim_of_a_killed_sender_lapses_says_that_it_went_out(
    ctx, clock, kill_a_sender, what, state
):
    say(ctx, "R-1")
    kill_a_sender()
    report(ctx, what)
    clock.advance(seconds=61)
    channel = Channel()
    assert deliver_due_notifications(ctx, channel) == 0
    assert (channel.messages, states(ctx)) == ([], [state])
    assert only(ctx).sent_at is not None


def test_a_report_between_the_claim_and_the_second_attempt_stops_it(ctx, clock, kill_a_sender):
    say(ctx, "R-1")
    kill_a_sender()
    clock.advance(seconds=61)
    (claim,) = claim_due(ctx)
    report(ctx, "processed")
    channel = Channel()
    assert delivery._Run(ctx, channel).deliver(claim) is None
    assert (channel.messages, states(ctx)) == ([], ["sent"])


@pytest.mark.parametrize("outcome", SendOutcome)
@pytest.mark.parametrize(("what", "state"), WENT_OUT.items())
def test_a_report_while_the_second_attempt_is_under_way_stands_whatever_comes_of_it(
    ctx, clock, what, state, outcome
):
    say(ctx, "R-1")

    def vanish(message: Message) -> Attempt:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver_due_notifications(ctx, Channel(vanish))
    clock.advance(seconds=61)

    def hear_of_the_first(message: Message) -> Attempt:
        report(ctx, what)
        return Attempt(outcome)

    second = Channel(hear_of_the_first)
    deliver_due_notifications(ctx, second)
    assert states(ctx) == [state]
    clock.advance(days=1)
    deliver_due_notifications(ctx, second)
    assert len(second.messages) == 1


def test_a_refusal_of_us_pauses_the_channel_though_the_message_is_not_ours_any_more(ctx, clock):
    say(ctx, "R-1")

    def hear_of_the_first(message: Message) -> Attempt:
        report(ctx, "processed")
        return Attempt(SendOutcome.WE_ARE_REFUSED, "401")

    deliver_due_notifications(ctx, Channel(hear_of_the_first))
    with ctx.reading() as session:
        (pause,) = session.scalars(select(MailPause))
    assert (pause.reason, states(ctx)) == ("401", ["sent"])


@pytest.mark.parametrize("what", WENT_OUT)
def test_whatever_is_reported_in_whatever_state_nothing_is_sent_twice(ctx, clock, what):
    say(ctx, "R-1")
    channel = Channel()
    deliver_due_notifications(ctx, channel)
    for each in (what, *WENT_OUT, what):
        report(ctx, each)
        clock.advance(days=1)
        deliver_due_notifications(ctx, channel)
    assert len(channel.messages) == 1


def test_a_last_word_that_a_report_says_went_out_is_forgotten_too(ctx, clock):
    with ctx.transaction() as tx:
        notify(tx, "data_erased", JO, new_id(), is_last_word=True, reference="R-1")
    deliver_due_notifications(ctx, Channel(refused(SendOutcome.PASSING)))
    report(ctx, "processed")
    assert (only(ctx).state, only(ctx).is_empty) == (NotificationState.SENT, True)


def test_a_message_that_kills_every_sender_is_given_up_one_day(ctx, clock):
    say(ctx, "R-bad", "R-2")
    for _ in range(ctx.policy.send_attempts):
        with pytest.raises(KeyboardInterrupt):
            deliver_due_notifications(ctx, Channel(kill_if_bad))
        clock.advance(seconds=61)
    assert deliver_due_notifications(ctx, Channel(kill_if_bad)) == 1
    assert states(ctx) == ["failed", "sent"]
    assert outbox(ctx)[0].last_error == "every attempt was cut off"


def kill_if_bad(message: Message) -> Attempt:
    if "R-bad" in message.words.subject:
        raise KeyboardInterrupt
    return Attempt(SendOutcome.SENT)


def test_what_waits_long_in_a_slow_batch_is_not_sent_by_two(ctx, clock):
    say(ctx, "R-1", "R-2", "R-3")
    helping = Channel()

    def slowly(message: Message) -> Attempt:
        clock.advance(seconds=0.9 * ctx.policy.send_lease.total_seconds())
        deliver_due_notifications(ctx, helping)
        return Attempt(SendOutcome.SENT)

    slow = Channel(slowly)
    deliver_due_notifications(ctx, slow)
    assert slow.references == ["R-1", "R-2"]
    assert helping.references == ["R-3"]
    assert states(ctx) == ["sent"] * 3


def test_what_went_out_is_recorded_though_somebody_else_took_it_over(ctx, clock):
    say(ctx, "R-1")
    late = Channel(refused(SendOutcome.PASSING))

    def far_too_slowly(message: Message) -> Attempt:
        clock.advance(seconds=120)
        deliver_due_notifications(ctx, late)
        return Attempt(SendOutcome.SENT)

    deliver_due_notifications(ctx, Channel(far_too_slowly))
    assert len(late.messages) == 1
    assert only(ctx).state is NotificationState.SENT


def test_a_failure_that_comes_late_does_not_undo_what_somebody_else_sent(ctx, clock):
    say(ctx, "R-1")

    def far_too_slowly(message: Message) -> Attempt:
        clock.advance(seconds=120)
        deliver_due_notifications(ctx, Channel())
        return Attempt(SendOutcome.PASSING)

    deliver_due_notifications(ctx, Channel(far_too_slowly))
    assert only(ctx).state is NotificationState.SENT


def test_several_workers_at_once_send_every_message_once(ctx, app):
    say(ctx, *[f"R-{number}" for number in range(60)])
    channel = Channel()
    faults: list[BaseException] = []

    def work() -> None:
        try:
            with app.app_context():
                deliver_due_notifications(ctx, channel)
        except BaseException as fault:
            faults.append(fault)

    ctx = replace(ctx, policy=replace(ctx.policy, send_batch=5))
    workers = [Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert faults == []
    assert Counter(channel.references) == {f"R-{number}": 1 for number in range(60)}
    assert set(states(ctx)) == {"sent"}


def test_a_run_ends_in_good_time_and_rings_for_another(ctx, queue, monkeypatch):
    say(ctx, "R-1", "R-2", "R-3")
    queue.jobs.clear()
    monkeypatch.setattr(delivery, "AT_MOST_OF_AN_INTERVAL", -1)
    assert deliver_due_notifications(ctx, Channel()) == 0
    assert states(ctx) == ["queued"] * 3
    assert [each.attempts for each in outbox(ctx)] == [0, 0, 0]
    assert queue.jobs == [(Job.DELIVER_NOTIFICATIONS, None)]
    monkeypatch.undo()
    assert deliver_due_notifications(ctx, Channel()) == 3


# Retrying


def fail(ctx) -> Notification:
    say(ctx, "R-1")
    deliver_due_notifications(ctx, Channel(refused(SendOutcome.MESSAGE_REFUSED)))
    return only(ctx)


def test_an_administrator_retries_what_was_given_up(ctx, queue):
    failed = fail(ctx)
    queue.jobs.clear()
    admin = Actor(Kind.ADMIN, id=new_id())
    assert retry_notification(ctx, admin, failed.id).state is NotificationState.QUEUED
    assert queue.jobs == [(Job.DELIVER_NOTIFICATIONS, None)]
    assert deliver_due_notifications(ctx, Channel()) == 1
    with ctx.reading() as session:
        (event,) = session.scalars(select(Event).where(Event.verb == "notification.retried"))
    assert (event.actor_id, event.subject_id) == (admin.id, failed.id)


def test_only_what_was_given_up_is_retried_and_only_by_an_administrator(ctx):
    failed = fail(ctx)
    for actor in (SYSTEM, Actor(Kind.PROVIDER, id=new_id(), provider_id=new_id())):
        with pytest.raises(NotAllowed):
            retry_notification(ctx, actor, failed.id)
    with pytest.raises(NotFound):
        retry_notification(ctx, OPERATOR, new_id())
    retry_notification(ctx, OPERATOR, failed.id)
    with pytest.raises(Conflict):
        retry_notification(ctx, OPERATOR, failed.id)


# Addresses that get no mail


def stop(ctx, address: str = JO.address) -> Suppression:
    return suppress_address(ctx, OPERATOR, address=address)


def stopped(ctx) -> list[tuple[str, str]]:
    with ctx.reading() as session:
        return [(each.address, each.reason) for each in session.scalars(suppressions())]


@pytest.mark.parametrize(
    ("what", "kind", "reason"),
    [
        ("bounce", "bounce", "hard_bounce"),
        ("spamreport", "", "spam_report"),
        ("bounce", "blocked", None),
        ("bounce", "", None),
        ("dropped", "", None),
        ("deferred", "", None),
    ],
)
def test_a_hard_bounce_and_a_spam_report_end_all_mail_to_an_address(ctx, what, kind, reason):
    say(ctx, "R-1")
    deliver_due_notifications(ctx, Channel())
    report(ctx, what, kind=kind)
    assert stopped(ctx) == ([(JO.address, reason)] if reason else [])
    assert ("suppression.made" in events(ctx)) == bool(reason)


def test_what_is_queued_for_such_an_address_is_held_back_when_its_turn_comes(ctx, clock):
    say(ctx, "R-1")
    with ctx.transaction() as tx:
        notify(tx, "data_erased", Recipient("mo@acme.example", "Mo"), new_id(), reference="R-2")
    stop(ctx, " JO@acme.example")
    channel = Channel()
    assert deliver_due_notifications(ctx, channel) == 1
    assert [each.recipient for each in channel.messages] == ["mo@acme.example"]
    held, sent = outbox(ctx)
    assert (held.state, sent.state) == (NotificationState.SUPPRESSED, NotificationState.SENT)
    assert (held.attempts, held.last_error) == (0, "this address gets no mail")
    clock.advance(days=1)
    assert deliver_due_notifications(ctx, channel) == 0


def test_one_that_lapsed_meanwhile_is_held_back_as_well(ctx, clock, kill_a_sender):
    say(ctx, "R-1")
    kill_a_sender()
    stop(ctx)
    clock.advance(seconds=61)
    assert deliver_due_notifications(ctx, Channel()) == 0
    assert states(ctx) == ["suppressed"]
    report(ctx, "delivered")  # the first attempt, after all
    assert states(ctx) == ["delivered"]


def test_what_was_held_back_can_be_sent_once_the_address_gets_mail_again(ctx):
    say(ctx, "R-1")
    suppression = stop(ctx)
    deliver_due_notifications(ctx, Channel())
    with pytest.raises(Conflict, match="gets no mail"):
        retry_notification(ctx, OPERATOR, only(ctx).id)
    lift_suppression(ctx, OPERATOR, suppression.id, reason="They mended their server.")
    retry_notification(ctx, OPERATOR, only(ctx).id)
    assert deliver_due_notifications(ctx, Channel()) == 1
    assert events(ctx).count("suppression.lifted") == 1


def test_a_report_that_is_played_again_does_not_stop_what_was_lifted(ctx):
    say(ctx, "R-1")
    deliver_due_notifications(ctx, Channel())
    for _ in range(2):
        report(ctx, "bounce", kind="bounce")
        report(ctx, "spamreport")
    ((address, reason),) = stopped(ctx)
    with ctx.reading() as session:
        suppression = suppression_of(session, address)
    lift_suppression(ctx, OPERATOR, suppression.id, reason="Mended.")
    report(ctx, "bounce", kind="bounce")
    report(ctx, "spamreport")
    assert (reason, stopped(ctx)) == ("hard_bounce", [])


def test_a_later_bounce_stops_again_what_was_lifted(ctx):
    for reference in ("R-1", "R-2"):
        say(ctx, reference)
        deliver_due_notifications(ctx, Channel())
        note_reports(ctx, [Report(outbox(ctx)[-1].id, "bounce", 1, kind="bounce")])
        with ctx.reading() as session:
            suppression = suppression_of(session, JO.address)
        if reference == "R-1":
            lift_suppression(ctx, OPERATOR, suppression.id, reason="Mended.")
    assert suppression.notification_id == outbox(ctx)[-1].id


def test_a_last_word_that_is_held_back_is_forgotten_and_never_sent(ctx):
    with ctx.transaction() as tx:
        notify(tx, "data_erased", JO, new_id(), is_last_word=True, reference="R-1")
    suppression = stop(ctx)
    deliver_due_notifications(ctx, Channel())
    assert (only(ctx).state, only(ctx).is_empty) == (NotificationState.SUPPRESSED, True)
    lift_suppression(ctx, OPERATOR, suppression.id, reason="Mended.")
    with pytest.raises(Conflict, match="forgotten"):
        retry_notification(ctx, OPERATOR, only(ctx).id)


def test_of_what_is_forgotten_nothing_is_left_that_was_handed_over(ctx):
    about, values = new_id(), {"reference": "R-1"}
    with ctx.transaction() as tx:
        notify(tx, "data_erased", JO, about, occasion="ab12", path="/portal/record", **values)
        notify(tx, "data_erased", JO, about, occasion="cd34", path="/portal/record", **values)
    with ctx.transaction() as tx:
        forget_messages(tx, [about])
    for each in outbox(ctx):
        row = str({name: value for name, value in each.columns.items() if name != "template"})
        assert all(word not in row for word in (JO.address, JO.name, "R-1", "ab12", "cd34", "/p"))
        assert (each.path, each.occasion, each.values) == (None, "", {})


def test_what_is_forgotten_while_it_waits_in_a_batch_is_not_sent(ctx):
    say(ctx, "R-1", "R-2")
    second = outbox(ctx)[1].subject_id

    def forget(message: Message) -> Attempt:
        with ctx.transaction() as tx:
            forget_messages(tx, [second])
        return Attempt(SendOutcome.SENT)

    channel = Channel(forget)
    assert deliver_due_notifications(ctx, channel) == 1
    assert (channel.references, states(ctx)) == (["R-1"], ["sent", "suppressed"])


def test_after_a_pause_the_one_that_tries_is_one_that_is_sent(ctx, clock):
    say(ctx, "R-1")
    with ctx.transaction() as tx:
        notify(tx, "data_erased", Recipient("mo@acme.example", "Mo"), new_id(), reference="R-2")
    deliver_due_notifications(ctx, Channel(refused(SendOutcome.WE_ARE_REFUSED)))
    stop(ctx)
    clock.advance(minutes=10)
    assert deliver_due_notifications(ctx, Channel()) == 1
    assert states(ctx) == ["suppressed", "sent"]


# The development mailbox


def test_the_mailbox_keeps_a_message_once_and_sealed(ctx, clock):
    say(ctx, "R-1")
    channel = MailboxChannel(secrets=SECRET, public_url="https://quotes.example")
    assert deliver_due_notifications(ctx, channel) == 1
    with ctx.reading() as session:
        (kept,) = session.scalars(select(MailboxMessage))
    assert kept.id == only(ctx).id
    assert b"is closed" not in kept.sealed
    words = Seal(SECRET).open(kept.sealed)
    assert "/requests/open/request_" in words.text

    again = Message(kept.id, kept.recipient, kept.template, words)
    assert channel.send(ctx, again).outcome is SendOutcome.SENT
    with ctx.reading() as session:
        assert len(session.scalars(select(MailboxMessage)).all()) == 1
