"""Nobody learns who is known here: the same answer to the letter, and the same work behind it."""

import json
import re
import time
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pyotp
import pytest

from marketplace.accounts import credentials, factors, passwords
from marketplace.accounts.models import User
from marketplace.accounts.rules import CODE_LENGTH
from marketplace.core import links
from marketplace.core.forms import Form
from marketplace.core.links import Purpose
from marketplace.leads import service as leads
from marketplace.providers import team
from tests.conftest import Client
from tests.factories import lead_form
from tests.people import PASSWORD, a_person, bearer, session_token
from tests.providers import application
from tests.services.test_leads import confirmed, submitted, token_for

RANDOM = ("X-Request-Id", "Date")


def told(response):
    """Return all that an answer tells, but for what is drawn anew every time."""
    body = response.get_data(as_text=True)
    body = re.sub(r"R-[0-9A-Z]{6}", "R-", body)
    body = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "id", body)
    headers = [(name, value) for name, value in response.headers if name not in RANDOM]
    return response.status_code, body, sorted(headers)


class Work:
    """How many statements went to the database, and how many slow hashes were made."""

    statements = hashes = 0


@contextmanager
def work(app, monkeypatch):
    """Count what is done inside."""
    done, real = Work(), credentials._hasher

    class Counting(type(real)):
        def verify(self, *args):
            done.hashes += 1
            return real.verify(*args)

        def hash(self, *args, **kwargs):
            done.hashes += 1
            return real.hash(*args, **kwargs)

    def counted(execute):
        def run(*arguments, **how):
            done.statements += 1
            return execute(*arguments, **how)

        return run

    counting = Counting(time_cost=1, memory_cost=256, parallelism=1)
    with app.app_context(), monkeypatch.context() as changed:
        changed.setattr(credentials, "_hasher", counting)
        # The driver's: some statements go past SQLAlchemy.
        for name in ("execute", "executemany"):
            changed.setattr(psycopg.Cursor, name, counted(getattr(psycopg.Cursor, name)))
        yield done


@pytest.fixture
def kim(ctx):
    return a_person(ctx)


def test_signing_in_tells_nothing_and_works_as_hard_whatever_was_wrong(
    app, client, ctx, kim, monkeypatch
):
    gone = a_person(ctx, "gone@harbour.example", provider_id=kim.provider_id)
    fresh = a_person(ctx, "new@harbour.example", provider_id=kim.provider_id, password=None)
    with ctx.transaction() as tx:
        tx.session.get_one(User, gone.id).disabled_at = tx.now
    tries = {
        "unknown": ("nobody@harbour.example", PASSWORD),
        "wrong": (kim.email, "seven noisy herons"),
        "disabled": (gone.email, PASSWORD),
        "no password yet": (fresh.email, PASSWORD),
    }
    credentials.is_password("x", None)  # what nobody's password is compared with is made once
    answers, costs = {}, {}
    for name, (email, password) in tries.items():
        with work(app, monkeypatch) as done:
            body = {"email": email, "password": password}
            answers[name] = told(client.post("/api/v1/sessions", json=body))
        costs[name] = (done.hashes, done.statements)
    assert len(set(map(str, answers.values()))) == 1, answers
    assert answers["wrong"][0] == 401
    assert {hashes for hashes, _ in costs.values()} == {1}, costs
    statements = [each for _, each in costs.values()]
    assert max(statements) - min(statements) <= 4, costs


def test_a_reset_is_asked_alike_and_takes_as_long_for_anybody(client, ctx, kim):
    answers = set()
    for email in (kim.email, "nobody@harbour.example"):
        begun = time.monotonic()
        answers.add(str(told(client.post("/api/v1/password-resets", json={"email": email}))))
        assert time.monotonic() - begun >= passwords.LIKE_TIME
    assert len(answers) == 1


def test_a_form_is_answered_alike_whether_or_not_the_business_has_a_request(
    app, client, ctx, make, monkeypatch
):
    confirmed(ctx, make, 1)
    other_contact = lead_form(1)
    other_contact["contact"]["email"] = "sam@elsewhere.example"
    sent = {"first": lead_form(2), "same contact": lead_form(1), "other contact": other_contact}
    answers, costs = {}, {}
    for name, form in sent.items():
        with work(app, monkeypatch) as done:
            answers[name] = told(client.post("/api/v1/leads", json=form))
        costs[name] = done.statements
    assert len(set(map(str, answers.values()))) == 1, answers
    assert answers["first"][0] == 202
    assert json.loads(answers["first"][1])["status"] == "awaiting_confirmation"
    assert max(costs.values()) - min(costs.values()) <= 1, costs


def test_a_confirmation_tells_not_why_it_opens_nothing(app, client, ctx, make, clock, monkeypatch):
    used = submitted(ctx, make, 1)
    used_token = token_for(ctx, used)
    leads.confirm_lead(ctx, used_token)
    lapsed_token = token_for(ctx, submitted(ctx, make, 2))
    clock.advance(days=4)
    tokens = (used_token, lapsed_token, links.new_token("confirm"), "confirm_" + "x" * 32, "x")
    answers, costs = set(), []
    for token in tokens:
        with work(app, monkeypatch) as done:
            answer = client.post("/api/v1/leads/confirmations", json={"token": token})
        answers.add(str(told(answer)))
        costs.append(done.statements)
    assert len(answers) == 1, answers
    assert max(costs) - min(costs) <= 4, costs
    assert "410" in answers.pop()


def test_a_request_token_tells_not_why_it_opens_nothing(app, client, ctx, make, monkeypatch):
    lead, _ = confirmed(ctx, make, 1)
    with ctx.transaction() as tx:
        moment = tx.now + timedelta(microseconds=1)
        lapsed = links.mint(tx, Purpose.REQUEST, lead.id, expires_at=moment)
    ctx.clock.advance(seconds=1)
    tokens = (lapsed, links.new_token("request"), "request_x", links.new_token("session"))
    answers, costs = set(), []
    for each in tokens:
        with work(app, monkeypatch) as done:
            answers.add(str(told(client.get("/api/v1/request", headers=bearer(each)))))
        costs.append(done.statements)
    assert len(answers) == 1, answers
    assert max(costs) - min(costs) <= 4, costs
    assert "401" in answers.pop()


def test_whoever_invites_a_colleague_learns_nothing_of_the_address(
    app, client, ctx, make, monkeypatch
):
    ours, theirs = make.provider(), make.provider()
    a_person(ctx, "sam@kestrel.example", provider_id=theirs.id)
    headers = bearer(session_token(ctx, a_person(ctx, provider_id=ours.id)))
    answers, costs = set(), {}
    for email in ("sam@kestrel.example", "max@kestrel.example"):
        body = {"name": "A Colleague", "email": email, "role": "member"}
        with work(app, monkeypatch) as done:
            answer = client.post("/api/v1/portal/team", json=body, headers=headers)
        assert answer.status_code == 201, answer.json
        answers.add(str(told(answer)).replace(email, "address"))
        costs[email] = done.statements
    assert len(answers) == 1, answers
    assert max(costs.values()) - min(costs.values()) <= 4, costs


def test_an_application_is_answered_alike_whoever_is_known(app, client, ctx, kim, monkeypatch):
    known = application(contact={"name": "Kim Reyes", "email": kim.email})
    fresh = application("Another Name", contact={"name": "Kim Reyes", "email": "a@b.example"})
    answers, costs = set(), []
    for each in (known, known, fresh):
        with work(app, monkeypatch) as done:
            answers.add(str(told(client.post("/api/v1/provider-applications", json=each))))
        costs.append(done.statements)
    assert len(answers) == 1, answers
    assert max(costs) - min(costs) <= 4, costs


def test_a_number_is_checked_without_a_look_at_who_has_it(app, client, ctx, make, monkeypatch):
    taken, free = "51 824 753 556", "33 051 775 556"
    company = {**lead_form(1)["company"], "registration_number": taken}
    confirmed(ctx, make, 1, company=company)
    with work(app, monkeypatch) as done:
        answers = {
            str(told(client.get("/checks/number", query_string={"country": "AU", "typed": each})))
            for each in (taken, free)
        }
    assert done.statements == 0
    assert len(answers) == 1, answers
    assert "are right" in answers.pop()


def test_a_wrong_code_of_either_sort_is_answered_as_a_wrong_password(
    app, client, ctx, kim, monkeypatch
):
    """Whoever has the password alone learns from no answer that it is right."""
    with ctx.transaction() as tx:
        held = tx.session.get_one(User, kim.id)
        factors.give_secret(held, pyotp.random_base32(), ctx.seal)
        (code, *_) = factors.make_recovery_codes(tx, held)
    credentials.is_password("x", None)
    wrong = "2" * CODE_LENGTH
    tries = {
        "password": {"password": "seven noisy herons", "totp": "123456"},
        "password, with a good code": {"password": "seven noisy herons", "totp": code},
        "no code": {"password": PASSWORD},
        "one-time code": {"password": PASSWORD, "totp": "000000"},
        "recovery code": {"password": PASSWORD, "totp": wrong},
        "nonsense": {"password": PASSWORD, "totp": "x"},
    }
    answers, costs = {}, {}
    for name, body in tries.items():
        client.post("/api/v1/sessions", json={"email": kim.email, "password": "x" * 12})
        ctx.clock.advance(hours=25)  # nobody has to wait
        with work(app, monkeypatch) as done:
            answers[name] = told(client.post("/api/v1/sessions", json={"email": kim.email, **body}))
        costs[name] = (done.hashes, done.statements)
    assert len(set(map(str, answers.values()))) == 1, answers
    assert answers["password"][0] == 401
    assert {hashes for hashes, _ in costs.values()} == {1}, costs
    statements = [each for _, each in costs.values()]
    assert max(statements) - min(statements) <= 4, costs


@pytest.fixture
def visitor(app, monkeypatch):
    """Return what a form of a page answers to somebody new, and what the next page says."""
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)

    def send(path, **values):
        fresh = Client(app, app.response_class)
        status, body, headers = told(fresh.post(path, data=values))
        headers = [(name, each) for name, each in headers if name != "Set-Cookie"]
        flashed = re.findall(r'<p class="flash.*?</p>', fresh.get("/terms").text)
        return status, body, headers, flashed

    return send


def test_the_link_to_a_request_is_asked_alike_and_takes_as_long_for_anybody(ctx, make, visitor):
    lead, _ = confirmed(ctx, make, 1)
    answers = set()
    for email in (lead.contact_email, "nobody@harbour.example"):
        begun = time.monotonic()
        answers.add(str(visitor("/requests/link", email=email)))
        assert time.monotonic() - begun >= passwords.LIKE_TIME
    assert len(answers) == 1, answers
    assert "is on its way to it" in answers.pop()


def test_a_link_into_a_team_tells_not_why_it_opens_nothing(app, ctx, make, visitor, monkeypatch):
    me, tokens = passwords.actor_of(a_person(ctx, provider_id=make.provider().id)), {}
    for name in ("used", "taken back", "lapsed"):
        form = Form({"name": "A Colleague", "email": f"{name.replace(' ', '')}@harbour.example"})
        invitation = team.invite_member(ctx, me, form)
        with ctx.transaction() as tx:
            ends = tx.now + timedelta(seconds=1 if name == "lapsed" else 60)
            tokens[name] = links.mint(tx, Purpose.JOIN_TEAM, invitation.id, expires_at=ends)
        if name == "used":
            team.join_team(ctx, Form({"token": tokens[name], "password": "six slow green trams"}))
        elif name == "taken back":
            team.withdraw_invitation(ctx, me, invitation.id)
    ctx.clock.advance(seconds=2)
    tokens |= {"unknown": links.new_token("join"), "no token": "join_x"}
    answers, costs = {}, {}
    for name, token in tokens.items():
        with work(app, monkeypatch) as done:
            answers[name] = visitor("/set-password", token=token, password="six slow green trams")
        costs[name] = (done.hashes, done.statements)
    assert len(set(map(str, answers.values()))) == 1, answers
    assert answers["used"][0] == 410
    assert {hashes for hashes, _ in costs.values()} == {0}, costs
    assert max(each for _, each in costs.values()) - min(each for _, each in costs.values()) <= 4
