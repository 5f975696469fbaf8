"""Changing the installation's secret: nobody is signed out, and the old one can be taken out."""

import json
import re

import pytest
from click.testing import CliRunner
from cryptography.fernet import InvalidToken
from flask import Flask
from sqlalchemy import select

from marketplace import sealed
from marketplace.accounts import passwords
from marketplace.bootstrap import build, channel_of
from marketplace.cli import cli
from marketplace.core.actors import Actor, Kind
from marketplace.core.db import db, new_id
from marketplace.core.forms import Form
from marketplace.core.sealing import Seal
from marketplace.leads import service as leads
from marketplace.notifications.models import MailboxMessage
from marketplace.providers import webhooks
from marketplace.providers.webhooks import WEBHOOK, Webhook
from marketplace.web import cookies
from marketplace.web.app import create_app
from tests.conftest import Client, settings_for
from tests.jobs import do_jobs
from tests.pages.browser import Browser
from tests.people import PASSWORD, a_person

FIRST, SECOND, THIRD = (f"the {which} secret of an installation, long enough" for which in "123")


def application(services, secret, *old):
    """Return the application of an installation with this secret, and those before it."""
    settings = settings_for(services, SECRET_KEY=secret, SECRET_KEYS_OLD=json.dumps(old))
    app = create_app(build(settings))
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    return app


@pytest.fixture(scope="module")
def installed(services, installation):
    """The installation before the change, while it goes on, and after the old key is taken out."""
    apps = [
        application(services, FIRST),
        application(services, SECOND, FIRST, THIRD),
        application(services, SECOND),
    ]
    yield apps
    for app in apps:
        with app.app_context():
            db.engine.dispose()


def moved(browser, app):
    """Return the same browser after the site was started anew, with all of its cookies."""
    client = Client(app, app.response_class)
    client._cookies = browser.client._cookies
    then = Browser(client)
    then.page = browser.page
    return then


def a_browser(app):
    return Browser(Client(app, app.response_class))


def signed_in(app, person):
    visitor = a_browser(app)
    visitor.open("/sign-in")
    assert visitor.send("/sign-in", email=person.email, password=PASSWORD).status == 200
    return visitor


def test_whoever_is_signed_in_stays_in_and_open_forms_go_through(ctx, make, installed):
    before, between, after = installed
    provider = make.provider()
    person = a_person(ctx, provider_id=provider.id)
    visitor = signed_in(before, person)
    visitor.open("/portal/profile")
    visitor = moved(visitor, between)
    assert visitor.send("/portal/profile", contact_name="Kim A. Reyes").status == 200
    assert visitor.open("/portal").at == "/portal"  # signed anew on the way
    assert moved(visitor, after).open("/portal").at == "/portal"
    # Whoever has not come since the change signs in again once the old key is gone.
    late = moved(signed_in(before, person), after)
    assert late.open("/portal").at.startswith("/sign-in")


def test_a_cookie_is_signed_anew_once_and_only_if_it_has_to_be(ctx, make, installed):
    before, between, _ = installed
    visitor = signed_in(before, a_person(ctx, provider_id=make.provider().id))
    visitor = moved(visitor, between)
    assert "Set-Cookie" in visitor.client.get("/healthz").headers or (
        "Set-Cookie" in visitor.client.get("/portal/profile").headers
    )
    assert "Set-Cookie" not in visitor.client.get("/portal/profile").headers


@pytest.mark.parametrize("is_encrypted", [True, False])
def test_of_a_cookie_of_either_name_it_is_known_which_key_signed_it(is_encrypted):
    def site(key, *old):
        app = Flask("site")
        app.config |= {"SECRET_KEY": key, "SECRET_KEY_FALLBACKS": list(old)}
        cookies.register(app, is_encrypted=is_encrypted)
        return app

    def signed_by(app):
        serializer = app.session_interface.get_signing_serializer(app)
        return f"{app.config['SESSION_COOKIE_NAME']}={serializer.dumps({'session': 'x'})}"

    def opened(app, cookie):
        with app.test_request_context("/", headers={"Cookie": cookie}) as request:
            found = app.session_interface.open_session(app, request.request)
            return dict(found), found.modified

    before, between, after = site(FIRST), site(SECOND, THIRD, FIRST), site(SECOND)
    assert opened(between, signed_by(before)) == ({"session": "x"}, True)
    assert opened(between, signed_by(between)) == ({"session": "x"}, False)
    assert opened(after, signed_by(between)) == ({"session": "x"}, False)
    assert opened(after, signed_by(before)) == ({}, False)


def test_seals_of_forms_and_links_of_mails_hold(ctx, make, installed):
    before, between, _ = installed
    lead = make.lead()
    with ctx.transaction() as tx:
        token = leads.mint_request_token(tx, lead)
    front = a_browser(before).open("/")
    seal = dict(front.form("/").values)["begun"]
    visitor = a_browser(between)
    assert visitor.open(f"/requests/open/{token}").at == "/requests"
    page = visitor.open("/")
    values = [(name, value) for name, value in page.form("/").values if name != "begun"]
    # A form whose seal is not ours is taken for a machine's: the seal is put back into the page.
    refused = visitor.post("/", [*values, ("begun", seal)])
    assert refused.status == 422
    assert dict(refused.form("/").values)["begun"] == seal


def test_what_was_sealed_is_opened_sealed_anew_and_needs_the_old_key_no_more(
    ctx, make, installed, services, monkeypatch
):
    before, between, after = installed
    provider = make.provider()
    actor = Actor(
        Kind.PROVIDER, id=a_person(ctx, provider_id=provider.id).id, provider_id=provider.id
    )
    form = Form({"url": "https://hooks.example/in", "enabled": True})
    secret = webhooks.put_webhook(
        ctx, actor, form, seal=Seal(FIRST, WEBHOOK), loopback=False
    ).secret.encode()
    passwords.ask_password_reset(ctx, Form({"email": "kim@harbour.example"}))
    settings = before.extensions["marketplace"].settings
    do_jobs(ctx, channel_of(settings))

    def closed():
        return make.ask(lambda session: session.scalars(select(Webhook.sealed_secret)).one())

    def subject(app):
        (item,) = Client(app, app.response_class).get("/mailbox/messages").json["items"]
        return item["subject"]

    readable = subject(before)
    assert subject(between) == readable
    assert subject(after) != readable
    assert Seal([SECOND, FIRST], WEBHOOK).open(closed()) == secret
    with pytest.raises(InvalidToken):
        Seal(SECOND, WEBHOOK).open(closed())

    for name, value in {
        "DATABASE_URL": services.database_url, "REDIS_URL": services.redis_url,
        "PUBLIC_URL": "http://localhost", "MAIL_BACKEND": "mailbox", "SECRET_KEY": SECOND,
    }.items():  # fmt: skip
        monkeypatch.setenv(f"MARKETPLACE_{name}", value)
    unnamed = CliRunner().invoke(cli, ["reseal"])
    assert unnamed.exit_code == 1
    assert "2 were sealed with a key that is not named" in unnamed.output
    monkeypatch.setenv("MARKETPLACE_SECRET_KEYS_OLD", json.dumps([FIRST]))
    for renewed in (1, 0):
        done = CliRunner().invoke(cli, ["reseal"])
        assert done.exit_code == 0, done.output
        assert f"secrets of webhooks: 1, sealed anew: {renewed}" in done.output
        assert "needs an old key any more" in done.output
    assert Seal(SECOND, WEBHOOK).open(closed()) == secret
    assert subject(after) == readable
    assert make.ask(lambda session: session.scalars(select(MailboxMessage.id)).all())


@pytest.fixture
def hooks(ctx, make, monkeypatch):
    """Secrets of seven webhooks, closed with the first key; two are sealed anew at a time."""
    monkeypatch.setattr(sealed, "AT_ONCE", 2)
    told = {new_id(): f"secret {number}".encode() for number in range(7)}
    with ctx.transaction() as tx:
        for each, secret in told.items():
            tx.session.add(
                Webhook(
                    id=each, provider_id=make.provider().id, url="https://x.example", enabled=True,
                    sealed_secret=Seal(FIRST, WEBHOOK).close(secret), created_at=tx.now,
                )
            )  # fmt: skip
    return told


def opened(make, *keys):
    """Return which secrets of webhooks these keys open, and what they say."""
    rows = make.ask(lambda s: s.execute(select(Webhook.id, Webhook.sealed_secret)).all())
    seal = Seal(keys, WEBHOOK)
    return {each: seal.open(secret) for each, secret in rows if seal.opens(secret)}


def test_reseal_that_breaks_off_has_lost_nothing_and_the_next_goes_on(
    ctx, make, hooks, monkeypatch
):
    before, left = Seal.renewed, iter(range(5))

    def breaks_off(self, closed):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return before(self, closed)

    monkeypatch.setattr(Seal, "renewed", breaks_off)
    with pytest.raises(KeyboardInterrupt):
        sealed.reseal(ctx, [SECOND, FIRST])
    assert opened(make, SECOND, FIRST) == hooks
    assert len(opened(make, SECOND)) == 4
    monkeypatch.setattr(Seal, "renewed", before)
    counts = {each.called: each for each in sealed.reseal(ctx, [SECOND, FIRST])}
    assert counts["secrets of webhooks"].renewed == 3
    assert opened(make, SECOND) == hooks


def test_reseal_by_several_at_once_and_beside_a_write_seals_each_once(ctx, make, hooks, at_once):
    *_, written = hooks
    fresh = Seal([SECOND, FIRST], WEBHOOK).close(b"another")

    def write():
        with ctx.transaction() as tx:
            tx.session.get_one(Webhook, written, with_for_update=True).sealed_secret = fresh

    runs = at_once([*[lambda: sealed.reseal(ctx, [SECOND, FIRST])] * 3, write])
    renewed = sum(each.renewed for counts in runs[:3] for each in counts)
    assert renewed in (6, 7)
    assert opened(make, SECOND) == {**hooks, written: b"another"}


def test_no_key_opens_what_another_purpose_closed():
    closed = Seal([SECOND, FIRST], "webhook").close(b"x")
    with pytest.raises(InvalidToken):
        Seal([SECOND, FIRST], "mailbox").open(closed)
    assert re.fullmatch(rb"[\w=-]+", closed)
