"""Tokens of links leave the address at the first visit, and nobody else hears of them."""

from http.cookies import SimpleCookie

import pytest

from marketplace.accounts.models import EmailChange
from marketplace.core import links
from marketplace.core.db import new_id
from marketplace.core.links import Purpose
from marketplace.leads import service as leads
from marketplace.leads.rules import LeadState
from marketplace.notifications.wording import LINK_PATHS
from marketplace.providers import pauses
from marketplace.quotes import outcome
from marketplace.web.api.common import LeadIn
from marketplace.web.api.request import RemindersIn
from marketplace.web.requests import load
from tests.factories import business_of, lead_form
from tests.people import PASSWORD, a_person
from tests.services.road import an_awarded_lead

PAGES = {
    Purpose.CONFIRM_LEAD: ("/requests/confirm", "Confirm and look for providers"),
    Purpose.REQUEST: ("/requests/open", "Your request"),
    Purpose.OUTCOME: ("/requests/outcome", "What came of your request"),
    Purpose.SET_PASSWORD: ("/set-password", "Choose a password"),
    Purpose.EMAIL_OLD: ("/email-change", "This was not me"),
    Purpose.EMAIL_NEW: ("/email-change", "Sign in by another address?"),
    Purpose.WITHDRAW: ("/join/withdraw", "Take your application back?"),
    Purpose.NOT_OURS: ("/requests/not-ours", "Is this request not yours?"),
    Purpose.COME_BACK: ("/come-back", "Take invitations again?"),
    Purpose.ASK_AGAIN: ("/requests/again", "nothing is sent until you agree"),
    Purpose.REMINDERS: ("/reminders", "Reminders of your certificate"),
}
"""Where the link of each sort leads, and what stands there."""

OWN_PAGE = (Purpose.REQUEST, Purpose.OUTCOME)
"""Open the page of a request, whose session the token is."""


@pytest.fixture
def tokens(ctx, make):
    """A good token of every sort."""
    awarded = an_awarded_lead(ctx, make)
    provider = make.provider()
    form = load(RemindersIn(), {"certified_on": "2026-11-20", "consent": True})
    certificate = outcome.want_reminders(ctx, business_of(awarded), form, door="api")
    leads.submit_lead(ctx, load(LeadIn(), lead_form(50)))
    person = a_person(ctx, password=None)
    waiting = make.ask(
        lambda session: (
            session.query(leads.Lead).filter_by(state=LeadState.AWAITING_CONFIRMATION).one()
        )
    )
    with ctx.transaction() as tx:
        change = EmailChange(
            id=new_id(), user_id=person.id, email="new@acme.example", asked_at=tx.now,
            expires_at=tx.now + tx.policy.email_change_within,
        )  # fmt: skip
        tx.session.add(change)
        pause = pauses.begin_pauses_for_misses(tx, [provider.id])[provider.id]
        about = {
            Purpose.CONFIRM_LEAD: waiting.id,
            Purpose.NOT_OURS: waiting.id,
            Purpose.REQUEST: awarded.id,
            Purpose.OUTCOME: awarded.id,
            Purpose.SET_PASSWORD: person.id,
            Purpose.EMAIL_OLD: change.id,
            Purpose.EMAIL_NEW: change.id,
            Purpose.WITHDRAW: provider.id,
            Purpose.COME_BACK: pause,
            Purpose.ASK_AGAIN: certificate.id,
            Purpose.REMINDERS: certificate.id,
        }
        return {
            purpose: links.mint(tx, purpose, subject, expires_at=waiting.confirm_by)
            for purpose, subject in about.items()
        }


@pytest.mark.parametrize("purpose", PAGES)
def test_a_link_leads_to_an_address_without_its_token_as_often_as_it_is_opened(
    browser, tokens, purpose
):
    path, said = PAGES[purpose]
    visitor = browser()
    for _ in range(2):
        page = visitor.open(f"{path}/{tokens[purpose]}")
        assert (page.status, said in page.text) == (200, True)
        assert tokens[purpose] not in page.at
        assert page.response.headers["Cache-Control"] in ("no-store", "private, no-cache")
        assert visitor.open(page.at).status == 200  # loaded anew


def test_no_route_takes_a_token_in_its_address_but_to_take_it_out(app):
    """But for what mail programs stop reminders by (RFC 8058), whose look leads on as well."""
    for rule in app.url_map.iter_rules():
        if "token" in rule.arguments and rule.rule != "/reminders/<token>/stop":
            assert rule.methods <= {"GET", "HEAD", "POST"}, rule
            assert rule.endpoint.rpartition(".")[2].startswith("open_"), rule
    known = {rule.rule for rule in app.url_map.iter_rules()}
    for path in LINK_PATHS.values():
        assert f"{path}<token>" in known


@pytest.mark.parametrize("purpose", [Purpose.CONFIRM_LEAD, Purpose.SET_PASSWORD])
def test_a_form_that_was_open_before_tokens_left_addresses_leads_to_its_page_of_now(
    browser, tokens, purpose
):
    path, said = PAGES[purpose]
    visitor = browser()
    visitor.open(f"{path}/{tokens[purpose]}")
    word = dict(visitor.page.form(path).values)["csrf_token"]
    page = visitor.post(f"{path}/{tokens[purpose]}", [("csrf_token", word)])
    assert (page.status, page.at, said in page.text) == (200, path, True)


@pytest.mark.parametrize("purpose", PAGES)
def test_a_browser_that_keeps_no_cookies_is_told_so(app, browser, tokens, purpose):
    path, _ = PAGES[purpose]
    refusing = app.test_client(use_cookies=False)
    first = refusing.get(f"{path}/{tokens[purpose]}")
    assert first.status_code == 303
    then = refusing.get(first.location)
    assert then.status_code == (401 if purpose in OWN_PAGE else 400)
    assert "cookies" in then.text
    assert "allow cookies" in then.text


@pytest.mark.parametrize("purpose", PAGES)
def test_once_it_has_lapsed_neither_the_link_nor_the_page_that_is_open_is_good(
    browser, tokens, purpose, clock
):
    path, _ = PAGES[purpose]
    visitor = browser()
    at = visitor.open(f"{path}/{tokens[purpose]}").at
    clock.advance(days=366 * 4)
    assert visitor.open(at).status == (401 if purpose in OWN_PAGE else 410)
    page = browser().open(f"{path}/{tokens[purpose]}")
    assert page.status == 410
    assert "This link was used or has lapsed" in page.text


def test_of_two_links_in_two_tabs_each_does_what_its_page_shows(ctx, make, browser):
    people = [a_person(ctx, f"{name}@harbour.example", password=None) for name in ("ana", "bo")]
    with ctx.transaction() as tx:
        later = tx.now + ctx.policy.response_window
        tokens = [
            links.mint(tx, Purpose.SET_PASSWORD, each.id, expires_at=later) for each in people
        ]
    visitor = browser()
    first = visitor.open(f"/set-password/{tokens[0]}")
    visitor.open(f"/set-password/{tokens[1]}")
    visitor.page = first
    assert "Your password is set" in visitor.send("/set-password", password=PASSWORD).text
    assert visitor.send("/sign-in", email="ana@harbour.example", password=PASSWORD).at == "/portal"
    # That ended this browser's session, and with it what else was open: the link is still good.
    assert visitor.open("/set-password").status == 400
    assert visitor.open(f"/set-password/{tokens[1]}").status == 200


def test_of_two_requests_in_two_tabs_none_is_changed_by_the_page_of_the_other(ctx, make, browser):
    make.provider()
    mine, other = make.matched_lead(), make.matched_lead()
    with ctx.transaction() as tx:
        open_mine, open_other = (
            f"/requests/open/{leads.mint_request_token(tx, each)}" for each in (mine, other)
        )
    visitor = browser()
    for path, typed in (
        ("/requests/erase", {}),
        ("/requests/close", {"reason": "not_now"}),
        ("/requests/outcome", {"outcome": "not_now"}),
    ):
        visitor.open(open_mine)
        shown = visitor.open(path)
        form = shown.form(path)
        visitor.open(open_other)
        visitor.page = shown
        refused = visitor.send(form.action, **typed)
        assert refused.status == 409
        assert "another request was opened since" in refused.text
    now = [make.lead_called(each.reference) for each in (mine, other)]
    assert [(each.state, each.erased_at) for each in now] == [(LeadState.OPEN, None)] * 2
    visitor.open(open_mine)
    visitor.open("/requests/erase")
    assert visitor.send("/requests/erase").status == 200
    assert make.lead_called(mine.reference).erased_at is not None


def test_a_computer_that_has_forgotten_a_request_opens_none_of_its_links(browser, tokens):
    visitor = browser()
    for purpose, (path, _) in PAGES.items():
        assert visitor.open(f"{path}/{tokens[purpose]}").status == 200, purpose
    visitor.open("/requests")
    form = visitor.page.form("/requests/forget")
    answer = visitor.client.post("/requests/forget", data=dict(form.values))
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    for purpose, (path, _) in PAGES.items():
        at = "/requests" if purpose in OWN_PAGE else path
        assert visitor.open(at).status == (401 if purpose in OWN_PAGE else 400), purpose
    with visitor.client.session_transaction() as session:
        assert set(session) <= {"csrf_token"}


def test_a_token_in_a_session_opens_only_what_its_own_sort_opens(browser, tokens):
    visitor = browser()
    visitor.open(f"/requests/not-ours/{tokens[Purpose.NOT_OURS]}")
    for path in ("/requests/confirm", "/set-password", "/come-back", "/reminders"):
        assert visitor.open(path).status == 400, path
    for purpose, (path, _) in PAGES.items():
        wrong = next(each for other, each in tokens.items() if other not in (purpose, *OWN_PAGE))
        assert browser().open(f"{path}/{wrong}").status == 410, purpose


def test_neither_a_line_of_the_log_nor_another_address_holds_a_token(browser, tokens, written):
    for purpose, (path, _) in PAGES.items():
        visitor = browser()
        page = visitor.open(f"{path}/{tokens[purpose]}")
        addresses = [
            attributes.get(name, "")
            for _, attributes in page.elements
            for name in ("href", "src", "action")
        ]
        assert not any(tokens[purpose] in each for each in addresses), purpose
        visitor.open(f"{path}/{tokens[purpose]}/nowhere?{tokens[purpose]}")
    assert '"request"' in written.getvalue()
    for token in tokens.values():
        assert token.partition("_")[2] not in written.getvalue()


def test_the_cookie_that_carries_a_token_is_seen_by_no_script_and_sent_by_no_other_site(
    app, tokens
):
    answer = app.test_client().get(f"/requests/confirm/{tokens[Purpose.CONFIRM_LEAD]}")
    (morsel,) = SimpleCookie(answer.headers["Set-Cookie"]).values()
    assert (morsel["httponly"], morsel["samesite"], morsel["path"]) == (True, "Lax", "/")
