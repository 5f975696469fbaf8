"""The second factor that people set up themselves: codes, recovery codes, where it is required."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pyotp
import pytest
from sqlalchemy import select

from marketplace.accounts import factors, own, passwords, service, sessions
from marketplace.accounts.models import RecoveryCode, User
from marketplace.core.actors import Kind
from marketplace.core.errors import Conflict, Invalid, NotSignedIn
from marketplace.core.events import Event
from marketplace.core.forms import Form
from marketplace.core.links import Purpose, mint
from marketplace.core.sealing import Seal
from marketplace.notifications.models import Notification
from marketplace.sealed import reseal
from tests.people import PASSWORD, a_person, an_admin, session_token

SECRET = "a secret of the tests and of nobody else"
PLAIN = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def stored(ctx, user):
    with ctx.reading() as session:
        return session.get_one(User, user.id)


def requiring(ctx, **which):
    return replace(ctx, policy=replace(ctx.policy, **which))


def sign_in(ctx, user, totp=None, password=PASSWORD):
    return service.sign_in(ctx, Form({"email": user.email, "password": password, "totp": totp}))


class Armed:
    """Somebody with a second factor, their authenticator, their recovery codes and a session."""

    def __init__(self, ctx, clock, user):
        self.ctx, self.clock, self.user = ctx, clock, user
        self.token = session_token(ctx, user)
        begun = own.begin_second_factor(ctx, self.me, self.token)
        self.totp = pyotp.parse_uri(begun.address)
        form = Form(
            {"set_up": begun.sealed, "code": self.totp.at(clock.now), "current_password": PASSWORD}
        )
        made = own.set_second_factor(ctx, self.me, self.token, form)
        self.codes, self.token = made.codes, made.signed_in.token
        clock.advance(seconds=30)

    @property
    def me(self):
        return sessions.actor_of_session(self.ctx, self.token)

    def code(self):
        """Return the code of now, and let its time pass."""
        code = self.totp.at(self.clock.now)
        self.clock.advance(seconds=30)
        return code

    def proof(self, totp):
        return Form({"current_password": PASSWORD, "totp": totp})


@pytest.fixture
def armed(ctx, clock):
    return Armed(ctx, clock, a_person(ctx))


def told(ctx):
    with ctx.reading() as session:
        rows = session.scalars(select(Notification).order_by(Notification.id))
        return [each.values["what"] for each in rows if each.template == "account_changed"]


def test_a_second_factor_counts_once_a_code_confirms_it_and_not_before(ctx, clock):
    user = a_person(ctx)
    token = session_token(ctx, user)
    me = sessions.actor_of_session(ctx, token)
    begun = own.begin_second_factor(ctx, me, token)
    assert not stored(ctx, user).has_second_factor
    totp = pyotp.parse_uri(begun.address)
    assert totp.secret == begun.secret

    def confirm(**changes):
        values = {"set_up": begun.sealed, "code": totp.at(clock.now), "current_password": PASSWORD}
        return own.set_second_factor(ctx, me, token, Form({**values, **changes}))

    for wrong in ({"code": "000000"}, {"current_password": "no"}, {"set_up": "invented"}):
        with pytest.raises(Invalid) as refused:
            confirm(**wrong)
        assert [each.pointer for each in refused.value.errors] == [f"/{next(iter(wrong))}"]
        assert not stored(ctx, user).has_second_factor
    made = confirm()
    assert stored(ctx, user).has_second_factor
    assert sessions.actor_of_session(ctx, token) is None
    assert sessions.actor_of_session(ctx, made.signed_in.token).id == user.id
    assert told(ctx) == ["second_factor_set_up"]
    with pytest.raises(NotSignedIn):
        sign_in(ctx, user)
    with pytest.raises(NotSignedIn):
        sign_in(ctx, user, totp.at(clock.now))  # confirmed it, and is used up
    clock.advance(seconds=30)
    assert sign_in(ctx, user, totp.at(clock.now))


def test_a_secret_is_confirmed_within_half_an_hour_by_whom_it_was_shown_to(ctx, clock):
    one, other = a_person(ctx), a_person(ctx, "lee@wattle.example")
    token, theirs = session_token(ctx, one), session_token(ctx, other)
    begun = own.begin_second_factor(ctx, sessions.actor_of_session(ctx, token), token)
    totp = pyotp.parse_uri(begun.address)
    for wait, whose in ((0, theirs), (30, token)):
        clock.advance(minutes=wait)
        form = Form(
            {"set_up": begun.sealed, "code": totp.at(clock.now), "current_password": PASSWORD}
        )
        with pytest.raises(Invalid, match="lapsed"):
            own.set_second_factor(ctx, sessions.actor_of_session(ctx, whose), whose, form)


def test_a_set_up_that_is_sent_again_makes_no_code_good_again(ctx, clock):
    user = a_person(ctx)
    token = session_token(ctx, user)
    begun = own.begin_second_factor(ctx, sessions.actor_of_session(ctx, token), token)
    totp = pyotp.parse_uri(begun.address)
    values = {"set_up": begun.sealed, "code": totp.at(clock.now), "current_password": PASSWORD}
    me = sessions.actor_of_session(ctx, token)
    token = own.set_second_factor(ctx, me, token, Form(values)).signed_in.token
    clock.advance(seconds=30)
    used = totp.at(clock.now)
    with pytest.raises(Conflict, match="begin again"):
        own.set_second_factor(ctx, me, token, Form({**values, "totp": used}))
    assert sign_in(ctx, user, used)
    with pytest.raises(NotSignedIn):
        sign_in(ctx, user, used)


def test_its_secret_is_sealed_for_its_owner_and_recovery_codes_are_hashed(ctx, armed):
    user = stored(ctx, armed.user)
    assert user.totp_secret is None
    assert armed.totp.secret.encode() not in user.totp_sealed
    assert factors.secret_of(user, ctx.seal) == armed.totp.secret
    other = a_person(ctx, "lee@wattle.example")
    other.totp_sealed = user.totp_sealed
    assert factors.secret_of(other, ctx.seal) is None
    with ctx.reading() as session:
        hashes = session.scalars(select(RecoveryCode.code_hash)).all()
    assert len(hashes) == len(set(armed.codes)) == 10
    assert all(len(each) == 32 for each in hashes)


def test_a_secret_from_before_they_were_sealed_is_sealed_at_its_next_use(ctx, clock):
    user = a_person(ctx)
    with ctx.transaction() as tx:
        tx.session.get_one(User, user.id).totp_secret = PLAIN
    with pytest.raises(NotSignedIn):
        sign_in(ctx, user)
    sign_in(ctx, user, pyotp.TOTP(PLAIN).at(clock.now))
    kept = stored(ctx, user)
    assert kept.totp_secret is None
    assert factors.secret_of(kept, ctx.seal) == PLAIN
    with pytest.raises(NotSignedIn):
        sign_in(ctx, user, pyotp.TOTP(PLAIN).at(clock.now))


def test_or_by_command_and_a_code_that_was_used_stays_used(ctx, clock, armed):
    lee = a_person(ctx, "lee@wattle.example")
    code = pyotp.TOTP(PLAIN).at(clock.now)
    with ctx.transaction() as tx:
        kept = tx.session.get_one(User, lee.id)
        kept.totp_secret, kept.totp_used_step = PLAIN, int(clock.now.timestamp()) // 30
    before = stored(ctx, armed.user).totp_sealed
    reseal(ctx, [SECRET])
    kept = stored(ctx, lee)
    assert (kept.totp_secret, factors.secret_of(kept, ctx.seal)) == (None, PLAIN)
    assert stored(ctx, armed.user).totp_sealed == before
    with pytest.raises(NotSignedIn):
        sign_in(ctx, lee, code)
    clock.advance(seconds=60)
    assert sign_in(ctx, lee, pyotp.TOTP(PLAIN).at(clock.now))


def test_one_that_an_older_key_sealed_is_read_and_sealed_anew_by_use_or_by_command(
    ctx, clock, armed
):
    rotated = replace(ctx, seal=lambda purpose: Seal(["another secret", SECRET], purpose))
    only_new = Seal("another secret", factors.PURPOSE)
    assert not only_new.is_current(stored(ctx, armed.user).totp_sealed)
    sign_in(rotated, armed.user, armed.code())
    assert only_new.is_current(stored(ctx, armed.user).totp_sealed)
    counts = {each.called: each for each in reseal(ctx, ["a third one", "another secret"])}
    assert counts["secrets of authenticators"].renewed == 1
    lost = replace(ctx, seal=lambda purpose: Seal("nobody knows the old one", purpose))
    with pytest.raises(NotSignedIn):
        sign_in(lost, armed.user, armed.code())
    assert sign_in(lost, armed.user, armed.codes[0])


def test_a_recovery_code_signs_in_once_and_its_owner_is_told(ctx, armed):
    sign_in(ctx, armed.user, armed.codes[3].upper().replace("-", " "))
    with pytest.raises(NotSignedIn):
        sign_in(ctx, armed.user, armed.codes[3])
    account = own.own_account(ctx, armed.me, armed.token)
    assert account.codes_left == 9
    assert told(ctx)[-1] == "recovery_code_used"
    stranger = Armed(ctx, armed.clock, a_person(ctx, "lee@wattle.example"))
    with pytest.raises(NotSignedIn):
        sign_in(ctx, armed.user, stranger.codes[0])


def test_the_log_says_by_which_second_factor_somebody_signed_in(ctx, armed):
    sign_in(ctx, armed.user, armed.code())
    sign_in(ctx, armed.user, armed.codes[0])
    with ctx.reading() as session:
        rows = select(Event.facts).where(Event.verb == "user.signed_in").order_by(Event.id)
        factors_used = [each["factor"] for each in session.scalars(rows)]
    assert factors_used == ["none", "code", "recovery_code"]


def test_codes_that_are_made_anew_take_the_place_of_all(ctx, armed):
    elsewhere = sign_in(ctx, armed.user, armed.code()).token
    made = own.renew_recovery_codes(ctx, armed.me, armed.token, armed.proof(armed.code()))
    fresh = made.codes
    assert not set(fresh) & set(armed.codes)
    assert sessions.actor_of_session(ctx, elsewhere) is None
    assert sessions.actor_of_session(ctx, armed.token) is None
    assert sessions.actor_of_session(ctx, made.signed_in.token).id == armed.user.id
    with pytest.raises(NotSignedIn):
        sign_in(ctx, armed.user, armed.codes[0])
    assert sign_in(ctx, armed.user, fresh[0])


@pytest.mark.parametrize("sort", ["totp", "recovery"])
def test_the_same_code_sent_by_several_at_once_lets_one_in(ctx, installation, clock, armed, sort):
    code = armed.totp.at(clock.now) if sort == "totp" else armed.codes[0]
    start = Barrier(4)

    def attempt(_):
        with installation.app.app_context():
            start.wait()
            try:
                sign_in(ctx, armed.user, code)
            except NotSignedIn:
                return "refused"
            return "in"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attempt, range(4))) == ["in", "refused", "refused", "refused"]


def test_it_is_removed_by_password_and_code_together(ctx, armed):
    for form in (
        Form({"current_password": PASSWORD}),
        armed.proof("000000"),
        Form({"current_password": "no", "totp": armed.code()}),
    ):
        with pytest.raises(Invalid):
            own.remove_second_factor(ctx, armed.me, armed.token, form)
    assert stored(ctx, armed.user).has_second_factor
    own.remove_second_factor(ctx, armed.me, armed.token, armed.proof(armed.code()))
    assert not stored(ctx, armed.user).has_second_factor
    assert told(ctx)[-1] == "second_factor_removed"
    assert sign_in(ctx, armed.user)


def test_where_it_is_required_it_is_replaced_and_never_removed(ctx, armed, clock):
    strict = requiring(ctx, totp_for_providers="required")
    with pytest.raises(Conflict, match="replaced"):
        own.remove_second_factor(strict, armed.me, armed.token, armed.proof(armed.code()))
    begun = own.begin_second_factor(strict, armed.me, armed.token)
    totp = pyotp.parse_uri(begun.address)
    values = {"set_up": begun.sealed, "code": totp.at(clock.now), "current_password": PASSWORD}
    with pytest.raises(Invalid):
        own.set_second_factor(strict, armed.me, armed.token, Form(values))
    lost_telephone = Form({**values, "totp": armed.codes[0]})
    made = own.set_second_factor(strict, armed.me, armed.token, lost_telephone)
    clock.advance(seconds=30)
    with pytest.raises(NotSignedIn):
        sign_in(strict, armed.user, armed.totp.at(clock.now))
    with pytest.raises(NotSignedIn):
        sign_in(strict, armed.user, armed.codes[1])
    assert sign_in(strict, armed.user, made.codes[0])


@pytest.mark.parametrize("role", ["admin", "provider"])
def test_who_needs_one_and_has_none_is_let_into_nothing_but_its_set_up(ctx, clock, role):
    strict = requiring(ctx, totp_for_admins="required", totp_for_providers="required")
    user = an_admin(ctx) if role == "admin" else a_person(ctx)
    with pytest.raises(NotSignedIn):
        sign_in(strict, user, password="not the password")
    begun = sign_in(strict, user)
    assert begun.needs_second_factor
    me = sessions.actor_of_session(strict, begun.token)
    assert (me.kind, me.provider_id) == (Kind.SETTING_UP, None)
    assert not me.is_admin
    set_up = own.begin_second_factor(strict, me, begun.token)
    code = pyotp.parse_uri(set_up.address).at(clock.now)
    form = Form({"set_up": set_up.sealed, "code": code, "current_password": PASSWORD})
    made = own.set_second_factor(strict, me, begun.token, form)
    assert sessions.actor_of_session(strict, begun.token) is None
    kind = sessions.actor_of_session(strict, made.signed_in.token).kind
    assert kind == role


def test_requiring_it_later_closes_every_door_to_who_has_none(ctx):
    token = session_token(ctx, an_admin(ctx))
    assert sessions.actor_of_session(ctx, token).kind is Kind.ADMIN
    strict = requiring(ctx, totp_for_admins="required")
    assert sessions.actor_of_session(strict, token).kind is Kind.SETTING_UP


def test_a_reset_by_mail_never_goes_round_the_second_factor(ctx, armed):
    with ctx.transaction() as tx:
        link = mint(tx, Purpose.SET_PASSWORD, armed.user.id, expires_at=tx.now + timedelta(hours=1))
    passwords.set_password(ctx, Form({"token": link, "password": "a slow green tram"}))
    for wrong in (None, "000000"):
        with pytest.raises(NotSignedIn):
            sign_in(ctx, armed.user, wrong, password="a slow green tram")
    assert sign_in(ctx, armed.user, armed.code(), password="a slow green tram")


def test_the_command_line_gives_an_administrator_another_and_ends_what_runs(ctx, clock):
    strict = requiring(ctx, totp_for_admins="required")
    made = service.create_admin(strict, "ada@marketplace.example", "Ada Okoro", PASSWORD)
    running = sign_in(strict, made.user, pyotp.parse_uri(made.totp_address).at(clock.now))
    again = service.create_admin(strict, made.user.email, "Ada Okoro", new_totp=True)
    assert sessions.actor_of_session(strict, running.token) is None
    clock.advance(seconds=30)
    with pytest.raises(NotSignedIn):
        sign_in(strict, made.user, pyotp.parse_uri(made.totp_address).at(clock.now))
    assert sign_in(strict, made.user, pyotp.parse_uri(again.totp_address).at(clock.now))


def test_every_change_of_it_leaves_an_event_without_its_secret(ctx, armed):
    made = own.renew_recovery_codes(ctx, armed.me, armed.token, armed.proof(armed.code()))
    armed.token = made.signed_in.token
    sign_in(ctx, armed.user, armed.code())
    own.remove_second_factor(ctx, armed.me, armed.token, armed.proof(armed.code()))
    with ctx.reading() as session:
        events = session.scalars(select(Event).where(Event.subject_id == armed.user.id)).all()
    verbs = [each.verb for each in sorted(events, key=lambda each: each.id)]
    assert verbs == [
        "user.created", "user.signed_in", "user.second_factor_set_up", "user.recovery_codes_made",
        "user.recovery_codes_made", "user.signed_in", "user.second_factor_removed",
    ]  # fmt: skip
    said = str([each.facts for each in events])
    assert armed.totp.secret not in said
    assert not any(code in said for code in armed.codes)
