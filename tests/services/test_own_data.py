"""Everybody has their own data given to them, whole, and can have themselves forgotten."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from marketplace.accounts.email_changes import SIDES, ask_email_change, confirm_email_change
from marketplace.accounts.models import EmailChange, SignIn, User
from marketplace.accounts.passwords import actor_of, mail_link
from marketplace.accounts.service import sign_in
from marketplace.core import links
from marketplace.core.actors import TeamRole
from marketplace.core.agreements import Agreed
from marketplace.core.consents import Whose, agree
from marketplace.core.context import Origin
from marketplace.core.db import Base
from marketplace.core.errors import Conflict, Invalid, NotAllowed, NotSignedIn
from marketplace.core.events import Event
from marketplace.core.forms import Form
from marketplace.core.jobs import Job
from marketplace.insights.worklist import worklist
from marketplace.invitations.models import Invitation
from marketplace.matching.service import match_lead
from marketplace.notifications.channels import MailboxChannel
from marketplace.notifications.delivery import deliver_due_notifications
from marketplace.notifications.models import Notification
from marketplace.notifications.queries import mailbox
from marketplace.notifications.suppressions import suppress_address
from marketplace.privacy.accounts import account_data, erase_account, leave
from marketplace.privacy.export import business_data
from marketplace.privacy.inventory import INVENTORY, WITHHELD, WITHHELD_FROM_USERS, personal
from marketplace.privacy.inventory import Whose as Of
from marketplace.providers import service as providers
from marketplace.providers import team
from marketplace.providers.members import change_role
from marketplace.providers.models import Provider
from marketplace.providers.profile import update_provider
from marketplace.quotes.models import Quote
from marketplace.web.files import as_download
from tests.factories import ADMIN, business_of
from tests.people import PASSWORD, a_person, an_admin, bearer
from tests.services.road import a_quote, held
from tests.services.whole_request import a_whole_request, fill


def erase(ctx, user):
    """Sign in, which proves who one is, and erase one's account."""
    return erase_account(ctx, actor_of(user), token_of(ctx, user))


def token_of(ctx, user):
    return sign_in(ctx, Form({"email": user.email, "password": PASSWORD})).token


@pytest.fixture
def ctx(ctx):
    return ctx.at(Origin("r-1", "203.0.113.77", "page"))


def said(app, data):
    with app.test_request_context():
        return as_download("request", data).get_data(as_text=True)


def test_a_business_is_given_everything_of_the_inventory_but_what_is_withheld(ctx, make, app):
    lead = a_whole_request(ctx, make)
    filled = fill(ctx, [c for c in personal(Of.BUSINESS) if c not in WITHHELD])
    given = said(app, business_data(ctx, business_of(lead)))
    for column, mark in filled.items():
        if column == "leads.contact_email":
            continue  # by which its messages are found; it stands in them as well
        assert mark in given, column
    kept = json.loads(given)
    assert kept["request"]["reference"] == lead.reference
    assert kept["consents"][0]["address"] == "203.0.113.77"
    assert kept["reminders"]["certificate"]["form"]["company"]["name"] == "Zephyrine Holdings"
    chosen = next(each for each in kept["invitations"] if each["quote"])
    assert chosen["contact_seen_since"]
    assert chosen["quote"]["notes"] == "For Zephyrine Holdings."
    assert chosen["review"]["rating"] == 4
    whats = [each["what"] for each in kept["events"]]
    assert {"lead.submitted", "lead.awarded", "lead.data_exported"} <= set(whats)
    assert not set(WITHHELD) & {f"leads.{name}" for name in kept["request"]}


def test_a_business_is_given_its_messages_and_nobody_elses(ctx, make, app):
    lead = a_whole_request(ctx, make)
    other = make.matched_lead()
    given = business_data(ctx, business_of(lead))
    assert {each["recipient"] for each in given["messages"]} == {"quillon@zephyrine.example"}
    assert other.contact_email not in said(app, given)
    first, second = held(make, lead)
    whole = said(app, given)
    for invitation in (first, second):
        of = make.ask(lambda session, at=invitation: session.get(Provider, at.provider_id))
        # The address of the one that was chosen was told to the business; no other's.
        assert (of.contact_email in whole) is (invitation.state == "won")


@pytest.fixture
def owner(ctx, make):
    return a_person(ctx, provider_id=make.provider().id)


def test_whoever_signs_in_is_given_what_is_kept_of_them_and_of_nobody_else(ctx, owner, app):
    colleague = a_person(ctx, "lee@works.example", name="Lee Okafor", provider_id=owner.provider_id)
    with ctx.transaction() as tx:
        agree(tx, Whose.USER, owner.id, Agreed.PROVIDER_TERMS)
        tx.session.add(
            SignIn(token_hash=b"x", user_id=owner.id, created_at=tx.now,
                   expires_at=tx.now + timedelta(hours=1))
        )  # fmt: skip
    given = account_data(ctx, actor_of(owner))
    text_of = said(app, given)
    assert given["account"]["name"] == "Kim Reyes"
    assert given["consents"][0]["address"] == "203.0.113.77"
    assert len(given["sessions"]) == 1
    assert "user.data_exported" in [each["what"] for each in given["events"]]
    assert "lee@works.example" not in text_of
    assert "Lee Okafor" not in text_of
    assert "argon2" not in text_of
    assert str(colleague.id) not in text_of
    for column in personal(Of.USER):
        table, _, name = column.partition(".")
        if table == "users":
            assert name in given["account"], column
    secrets = [c for c, line in INVENTORY.items() if line.protection == "secret"]
    assert not {c.partition(".")[2] for c in secrets if c.startswith("users.")} & set(
        given["account"]
    )


FOUND_BY = {
    "users.email", "suppressions.address", "team_invitations.email", "notifications.recipient",
}  # fmt: skip
"""By these the rows of a user are found, so that nothing else can be written there."""


def test_a_user_is_given_every_column_of_the_inventory_but_what_is_withheld(ctx, make, owner, app):
    """A new personal column of a user fails this until the export has it."""
    other, email = make.provider(), owner.email
    boss = a_person(ctx, "lee@works.example", name="Lee Okafor", provider_id=other.id)
    form = Form({"name": "Kim Reyes", "email": email})
    team.invite_member(ctx, actor_of(boss), form)
    suppress_address(ctx, ADMIN, address=email)
    token = token_of(ctx, owner)
    wanted = Form({"email": "new@works.example", "current_password": PASSWORD})
    ask_email_change(ctx, actor_of(owner), token, wanted)
    columns = [c for c in personal(Of.USER) if c not in {*WITHHELD_FROM_USERS, *FOUND_BY}]
    with ctx.transaction() as tx:
        tx.session.execute(text("UPDATE suppressions SET lifted_at = now(), lifted_because = 'x'"))
    filled = fill(ctx, [c for c in columns if c != "events.address"])
    given = account_data(ctx, actor_of(owner))
    whole = said(app, given)
    for column, mark in filled.items():
        assert mark in whole, column
    assert filled.keys() >= {"sign_ins.device", "notifications.last_error", "users.name"}
    assert "203.0.113.0/24" in [each["address"] for each in given["events"]]
    for part in ("account", "mail_stopped", "invitations", "messages"):
        assert email in str(given[part]), part
    assert str(boss.id) not in whole
    assert set(columns) - filled.keys() == {"events.address", "notifications.values"}
    assert [each["values"] for each in given["messages"] if each["values"]]
    assert set(WITHHELD_FROM_USERS) <= set(personal(Of.USER))


def test_a_look_at_ones_data_is_written_down_once_a_day_so_that_the_next_shows_the_same(
    ctx, make, owner, clock
):
    lead = make.lead()
    for actor, export in ((actor_of(owner), account_data), (business_of(lead), business_data)):
        looks = [export(ctx, actor) for _ in range(2)]
        assert looks[0] == looks[1]
        clock.advance(days=1)
        later = export(ctx, actor)["events"]
        whats = [each["what"] for each in later]
        assert len([each for each in whats if each.endswith("data_exported")]) == 2


def test_the_last_owner_of_a_suspended_provider_hands_over_or_leaves_with_it(ctx, make, owner):
    providers.suspend_provider(ctx, ADMIN, owner.provider_id, reason="Looked at.")
    with pytest.raises(Conflict, match="owner has to remain"):
        erase(ctx, owner)
    leave(ctx, actor_of(owner), token_of(ctx, owner))
    gone = make.ask(lambda session: session.get(Provider, owner.provider_id))
    assert (gone.state, gone.contact_name) == ("suspended", "erased")


@pytest.mark.parametrize("state", ["applied", "rejected"])
def test_who_is_alone_with_a_provider_that_was_never_verified_may_go(ctx, make, state):
    provider = make.provider(state=state)
    alone = a_person(ctx, provider.contact_email, provider_id=provider.id)
    erase(ctx, alone)
    gone = make.ask(lambda session: session.get(Provider, provider.id))
    assert gone.contact_name == "erased"


def test_the_contact_who_goes_is_followed_by_an_owner_who_stays(ctx, make):
    provider = make.provider()
    kim = a_person(ctx, provider.contact_email, provider_id=provider.id)
    a_person(ctx, "lee@works.example", name="Lee Okafor", provider_id=provider.id)
    erase(ctx, kim)
    now = make.ask(lambda session: session.get(Provider, provider.id))
    assert (now.contact_name, now.contact_email) == ("Lee Okafor", "lee@works.example")
    told = select(Notification.recipient).where(Notification.template == "contact_handed_on")
    assert make.ask(lambda session: session.scalars(told).all()) == ["lee@works.example"]
    assert now.erased_at is None
    providers.suspend_provider(ctx, ADMIN, provider.id, reason="Looked at.")


def test_a_provider_leaves_by_software_of_an_owner_who_proves_it(ctx, make, client):
    owner = a_person(ctx, provider_id=make.provider().id)
    head = bearer(token_of(ctx, owner))
    at = "/api/v1/portal/provider"
    assert client.delete(at, json={"current_password": "no"}, headers=head).status_code == 422
    assert client.delete(at, json={"current_password": PASSWORD}, headers=head).status_code == 204
    gone = make.ask(lambda session: session.get(Provider, owner.provider_id))
    assert (gone.state, gone.contact_name) == ("suspended", "erased")
    assert client.get(at, headers=head).status_code == 401


def test_a_user_is_forgotten_by_their_password_alone_and_events_keep_the_id(
    ctx, make, owner, clock
):
    keep = a_person(ctx, "lee@works.example", name="Lee Okafor", provider_id=owner.provider_id)
    me = actor_of(owner)
    team.invite_member(ctx, me, Form({"name": "New", "email": "new@works.example"}))
    token = token_of(ctx, owner)
    clock.advance(minutes=11)
    with pytest.raises(Invalid):
        erase_account(ctx, me, token)  # it was long ago that they proved to be it
    erase(ctx, owner)
    assert make.ask(lambda session: session.get(User, keep.id)).name == "Lee Okafor"
    for row in everything_of(make):
        assert "kim reyes" not in row, row
        assert "kim@harbour.example" not in row, row
    events = make.ask(lambda session: session.scalars(
        select(Event).where(Event.actor_id == owner.id)).all())  # fmt: skip
    assert "user.erased" in [each.verb for each in events]
    with pytest.raises(NotSignedIn):
        erase_account(ctx, me, token)


def everything_of(make):
    return make.ask(
        lambda session: [
            row
            for table in Base.metadata.sorted_tables
            for row in session.scalars(
                text(f"SELECT lower(row_to_json(t)::text) FROM {table.name} t")
            )
        ]
    )


def test_whoever_goes_is_forgotten_by_other_teams_that_asked_them_in(ctx, make, owner):
    a_person(ctx, "lee@works.example", name="Lee Okafor", provider_id=owner.provider_id)
    boss = a_person(ctx, "max@elsewhere.example", provider_id=make.provider().id)
    team.invite_member(ctx, actor_of(boss), Form({"name": "Kim Reyes", "email": owner.email}))
    erase(ctx, owner)
    assert not [row for row in everything_of(make) if "kim@harbour" in row]


def test_an_address_of_before_is_handed_out_and_forgotten_like_that_of_now(ctx, make, clock, app):
    provider = make.provider()
    was = provider.contact_email
    kim = a_person(ctx, was, provider_id=provider.id)
    make.matched_lead()
    token = token_of(ctx, kim)
    wanted = Form({"email": "kim@home.example", "current_password": PASSWORD})
    ask_email_change(ctx, actor_of(kim), token, wanted)
    with ctx.transaction() as tx:
        change = tx.session.scalars(select(EmailChange)).one()
        sides = [links.mint(tx, each, change.id, expires_at=change.expires_at) for each in SIDES]
    for each in sides:
        confirm_email_change(ctx, Form({"token": each}))
    clock.advance(minutes=1)
    lee = a_person(ctx, was, name="Lee Okafor", provider_id=provider.id)  # has the mailbox now
    with ctx.transaction() as tx:
        mail_link(tx, lee, "password_reset", expires_at=tx.now, occasion="")
    kim = make.ask(lambda session: session.get(User, kim.id))
    given = account_data(ctx, actor_of(kim))
    to = [(each["template"], each["recipient"]) for each in given["messages"]]
    assert ("invitation", was) in to
    assert ("password_reset", was) not in to
    erase(ctx, kim)
    rows = select(Notification.template).where(Notification.recipient == was)
    stays = make.ask(lambda session: session.scalars(rows.order_by(Notification.id)).all())
    assert stays == ["password_reset", "contact_handed_on"]
    assert not [row for row in everything_of(make) if "kim@home.example" in row]


def test_the_last_owner_of_a_verified_provider_hands_over_first(ctx, owner):
    other = a_person(ctx, "lee@works.example", name="Lee Okafor", provider_id=owner.provider_id)
    change_role(ctx, actor_of(owner), other.id, role=TeamRole.MEMBER)
    with pytest.raises(Conflict, match="owner has to remain"):
        erase(ctx, owner)
    change_role(ctx, actor_of(owner), other.id, role=TeamRole.OWNER)
    erase(ctx, owner)


def test_of_two_owners_who_go_at_once_one_remains(ctx, make, owner, at_once):
    other = a_person(ctx, "lee@works.example", name="Lee Okafor", provider_id=owner.provider_id)
    tokens = [(actor_of(who), token_of(ctx, who)) for who in (owner, other)]
    ended = at_once([lambda it=it: erase_account(ctx, *it) for it in tokens])
    assert sorted(type(each).__name__ for each in ended) == ["Conflict", "NoneType"]


def test_the_last_administrator_stays_and_of_two_at_once_one(ctx, at_once):
    ada = an_admin(ctx)
    with pytest.raises(Conflict, match="administrator has to remain"):
        erase(ctx, ada)
    bo = an_admin(ctx, "bo@marketplace.example")
    tokens = [(actor_of(who), token_of(ctx, who)) for who in (ada, bo)]
    ended = at_once([lambda it=it: erase_account(ctx, *it) for it in tokens])
    assert sorted(type(each).__name__ for each in ended) == ["Conflict", "NoneType"]


def test_software_and_businesses_have_no_account(ctx, make):
    lead = make.lead()
    for act in (account_data, lambda *a: erase_account(*a, "session_x")):
        with pytest.raises((NotAllowed, Invalid)):
            act(ctx, business_of(lead))


def test_erased_halfway_nothing_is_erased_and_then_all_of_it(ctx, make, owner, monkeypatch):
    a_person(ctx, "lee@works.example", name="Lee Okafor", provider_id=owner.provider_id)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("marketplace.privacy.people.forget_bounces", killed)
    with pytest.raises(KeyboardInterrupt):
        erase(ctx, owner)
    assert make.ask(lambda session: session.get(User, owner.id)).name == "Kim Reyes"
    monkeypatch.undo()
    erase(ctx, owner)
    assert make.ask(lambda session: session.get(User, owner.id)).name == "erased"


def test_a_provider_leaves_with_everybody_and_its_quotes_stay_without_their_names(ctx, make):
    staying, leaving = make.provider(), make.provider()
    quoted, waiting = make.matched_lead(), make.matched_lead()
    owner = a_person(ctx, "kim@works.example", provider_id=leaving.id)
    mine = [each for lead in (quoted, waiting) for each in held(make, lead)
            if each.provider_id == leaving.id]  # fmt: skip
    a_quote(ctx, mine[0], notes="Ask for Kim Reyes.")
    member = a_person(ctx, "lee@works.example", name="Lee Okafor", provider_id=leaving.id)
    change_role(ctx, actor_of(owner), member.id, role=TeamRole.MEMBER)
    member = make.ask(lambda session: session.get(User, member.id))
    with pytest.raises(NotAllowed):
        leave(ctx, actor_of(member), token_of(ctx, member))
    was = make.ask(lambda session: session.get(Provider, leaving.id))  # to whom letters went so far
    update_provider(ctx, actor_of(owner), Form({"contact": {"name": "Kim", "email": owner.email}}))
    leave(ctx, actor_of(owner), token_of(ctx, owner))
    assert (Job.RECHECK_PROVIDER, leaving.id) in ctx.queue.jobs
    for lead in (quoted, waiting):
        match_lead(ctx, lead.id)
    states = make.ask(lambda session: session.scalars(
        select(Invitation.state).where(Invitation.provider_id == leaving.id)).all())  # fmt: skip
    assert set(states) == {"withdrawn"}
    mails = MailboxChannel(secrets="a secret", public_url="https://quotes.example")
    assert deliver_due_notifications(ctx, mails) > 0
    with ctx.reading() as session:
        assert not [each for each in mailbox(session) if each.recipient.endswith(".invalid")]
    assert worklist(ctx, ADMIN).messages == []
    body = make.ask(lambda session: session.scalars(select(Quote.body)).one())
    assert "Kim" not in body["notes"]
    assert body["phases"]
    for row in everything_of(make):
        assert "kim reyes" not in row, row
        assert "kim@works.example" not in row, row
        assert was.contact_email not in row, row
        assert was.contact_name.lower() not in row, row
        assert leaving.contact_email not in row, row
    gone = make.ask(lambda session: session.get(Provider, leaving.id))
    assert (gone.name, gone.state, gone.contact_name) == (leaving.name, "suspended", "erased")
    with pytest.raises(Conflict):
        providers.reinstate_provider(ctx, ADMIN, leaving.id)
    assert make.ask(lambda session: session.get(Provider, staying.id)).contact_name != "erased"
