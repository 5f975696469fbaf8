"""The form inside other sites: framed by those named, sent without a cookie, source recorded."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import pytest

from marketplace.core.actors import OPERATOR
from marketplace.core.forms import Form
from marketplace.leads import sites
from marketplace.leads.models import Lead
from tests.conftest import Client
from tests.pages.browser import Page
from tests.pages.steps import FILLED, NEED
from tests.people import an_admin, bearer, session_token

KESTREL = "https://kestrel.example"
PATH = f"/embed?site={quote(KESTREL, safe='')}"


@pytest.fixture
def kestrel(ctx):
    """A site in which the form may stand."""
    return sites.add_site(ctx, OPERATOR, Form({"name": "Kestrel", "address": KESTREL}))


FROM = {"REMOTE_ADDR": "198.51.100.31"}
"""An address that no other file comes from: what each may send is counted over all of them."""


@pytest.fixture
def frame(app):
    """Open and send the form as a frame in another site does: no cookie goes either way."""

    def visit(path, values=None, **headers):
        client = Client(app, app.response_class, use_cookies=False)
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        if values is None:
            answer = client.get(path, headers=said, environ_overrides=FROM)
        else:
            several = {}
            for name, value in values:
                several.setdefault(name, []).append(value)
            answer = client.post(path, data=several, headers=said, environ_overrides=FROM)
        assert "Set-Cookie" not in answer.headers
        return Page(answer, path)

    return visit


def filled(page, **changes):
    """Return what the form would send, filled in."""
    form = page.form("/embed")
    given = {name.replace("__", "."): value for name, value in {**FILLED, **changes}.items()}
    return [*((n, v) for n, v in form.values if n not in given), *given.items(), *NEED]


def leads(make):
    return make.ask(lambda session: session.query(Lead).order_by(Lead.id).all())


def ancestors(page):
    policy = page.response.headers["Content-Security-Policy"]
    return re.search(r"frame-ancestors ([^;]*)", policy)[1]


def test_a_site_that_was_named_may_frame_the_form_and_no_other(kestrel, frame):
    page = frame(PATH)
    assert page.status == 200
    assert ancestors(page) == KESTREL
    assert "X-Frame-Options" not in page.response.headers
    assert 'data-site="https://kestrel.example"' in page.html


@pytest.mark.parametrize(
    "site",
    [
        "https://elsewhere.example",
        "http://kestrel.example",
        "https://www.kestrel.example",
        "https://kestrel.example.elsewhere.example",
        "https://kestrel.example *",
        "https://kestrel.example;script-src *",
        "null",
        "\r\nX-Forged: 1",
    ],
)
def test_a_site_that_was_not_named_is_refused_and_may_frame_nothing(kestrel, frame, make, site):
    at = f"/embed?site={quote(site, safe='')}"
    for page in (frame(at), frame(at, filled(frame(PATH)))):
        assert page.status == 403
        assert ancestors(page) == "'none'"
        assert "X-Forged" not in page.response.headers
        assert "kestrel.example" not in page.response.headers["Content-Security-Policy"]
    assert leads(make) == []


def test_a_site_that_is_taken_away_again_is_refused_from_then_on(ctx, kestrel, frame, make):
    page = frame(PATH)
    sites.remove_site(ctx, OPERATOR, kestrel.id)
    assert frame(PATH).status == 403
    assert frame(PATH, filled(page)).status == 403
    assert leads(make) == []


def test_a_frame_that_does_not_say_its_site_is_known_by_where_it_was_asked_for(kestrel, frame):
    assert ancestors(frame("/embed", Referer=f"{KESTREL}/")) == KESTREL
    assert frame("/embed", Referer="https://elsewhere.example/").status == 403


def test_who_opens_the_frame_by_itself_is_sent_to_the_front_page(kestrel, frame):
    page = frame("/embed")
    assert (page.status, page.response.location) == (302, "/")
    assert ancestors(page) == "'none'"


def test_a_form_is_sent_without_cookies_and_answered_right_there(
    kestrel, frame, clock, make, link_to, browser
):
    page = frame(PATH)
    clock.advance(minutes=2)
    sent = frame(PATH, filled(page))
    (lead,) = leads(make)
    assert sent.status == 200
    assert ancestors(sent) == KESTREL
    assert "Please check your e-mail" in sent.text
    assert lead.reference in sent.text
    assert lead.source == KESTREL
    assert lead.signals["seconds_to_fill"] == 120
    assert lead.review_reasons == []
    business = browser()
    business.open(link_to("mia@kestrel.example", "confirm"))
    assert business.send("/requests/confirm").at == "/requests"


def test_administrators_see_from_which_site_a_request_came(
    kestrel, frame, clock, make, admin, client, ctx
):
    page = frame(PATH)
    clock.advance(minutes=2)
    frame(PATH, filled(page))
    (lead,) = leads(make)
    assert f"the form inside {KESTREL}" in admin.open(f"/admin/leads/{lead.id}").text
    token = session_token(ctx, an_admin(ctx, "bo@marketplace.example"))
    answer = client.get(f"/api/v1/admin/leads/{lead.id}", headers=bearer(token))
    assert answer.json["source"] == KESTREL


def test_every_wrong_field_is_named_in_the_frame_and_what_was_typed_is_kept(
    kestrel, frame, clock, make
):
    page = frame(PATH)
    clock.advance(minutes=2)
    again = frame(PATH, filled(page, headcount="many", contact__email="", region_written="2612"))
    assert again.status == 422
    assert ancestors(again) == KESTREL
    assert again.title.startswith("Error: ")
    assert "Write the number of people in digits, such as 42" in again.text
    assert ("headcount", "many") in again.form("/embed").values
    assert "We took 2612 to be in Australian Capital Territory" in again.text
    put_right = [(n, v) for n, v in again.form("/embed").values if n != "headcount"]
    more = [("headcount", "42"), ("contact.email", "mia@kestrel.example")]
    kept = [(n, v) for n, v in put_right if n != "contact.email"]
    assert frame(PATH, [*kept, *more]).status == 200
    (lead,) = leads(make)
    assert set(lead.regions) == {"AU-NSW", "AU-ACT"}
    assert lead.signals["seconds_to_fill"] == 120  # from the first look at the form


@pytest.mark.parametrize("late", [timedelta(days=1, seconds=1), None, "forged", "front page"])
def test_a_form_without_a_good_seal_is_not_taken_but_shown_again_as_it_was(
    kestrel, frame, browser, clock, make, late
):
    page = frame(PATH)
    values = filled(page)
    if isinstance(late, timedelta):
        clock.advance(seconds=late.total_seconds())
    else:
        other = dict(browser().open("/").form("/").values)["begun"]
        seal = {None: "", "forged": "a.b", "front page": other}[late]
        values = [(n, seal if n == "begun" else v) for n, v in values]
    again = frame(PATH, values)
    assert again.status == 422
    assert "open for too long, and nothing was sent" in again.text
    assert leads(make) == []
    clock.advance(minutes=1)
    assert frame(PATH, again.form("/embed").values).status == 200
    (lead,) = leads(make)
    assert (lead.company_name, lead.source) == ("Kestrel Joinery Pty Ltd", KESTREL)


def test_the_seal_of_one_site_is_none_in_another_or_on_the_front_page(
    ctx, kestrel, frame, browser, clock, make
):
    sites.add_site(ctx, OPERATOR, Form({"name": "Other", "address": "https://other.example"}))
    values = filled(frame(PATH))
    clock.advance(minutes=2)
    assert frame("/embed?site=https://other.example", values).status == 422
    seal = dict(values)["begun"]
    visitor = browser()
    visitor.open("/")
    assert visitor.send("/", *NEED, **FILLED, begun=seal).at == "/requests/sent"
    (lead,) = leads(make)
    assert lead.source is None
    assert lead.signals["seconds_to_fill"] == 0


def test_a_machine_in_the_frame_is_noticed_as_on_the_front_page(kestrel, frame, clock, make):
    page = frame(PATH)
    frame(PATH, [*((n, v) for n, v in filled(page) if n != "fax"), ("fax", "1234")])
    (lead,) = leads(make)
    assert lead.signals["honeypot_filled"] is True
    assert lead.signals["seconds_to_fill"] == 0
    assert len(lead.review_reasons) == 2


def test_clicking_five_times_at_once_or_loading_the_answer_again_makes_one_request(
    kestrel, frame, clock, make
):
    values = filled(frame(PATH))
    clock.advance(minutes=2)
    with ThreadPoolExecutor(5) as pool:
        pages = list(pool.map(lambda _: frame(PATH, values), range(5)))
    assert {page.status for page in pages} == {200}
    (lead,) = leads(make)
    assert all(lead.reference in page.text for page in pages)


def test_one_address_may_not_send_without_end_and_is_told_so_in_the_frame(app, ctx, kestrel, frame):
    values = filled(frame(PATH), headcount="many")
    policy = replace(ctx.policy, rate_limits=True)
    product = app.extensions["marketplace"]
    app.extensions["marketplace"] = replace(product, ctx=replace(ctx, policy=policy))
    pages = [frame(PATH, values) for _ in range(21)]
    assert [page.status for page in pages] == [422] * 20 + [429]
    assert ancestors(pages[-1]) == KESTREL
    assert "nothing was sent. Please wait 1 minute" in " ".join(pages[-1].text.split())
    assert ("contact.name", "Mia Ferrante") in pages[-1].form("/embed").values
    assert frame("/embed", values).status in (403, 429)


@pytest.mark.parametrize(
    ("asked", "shown"), [("dark", "dark"), ("light", "light"), ("auto", None), ('"><b', None)]
)
def test_the_form_is_light_or_dark_as_the_site_around_it_says(kestrel, frame, clock, asked, shown):
    page = frame(f"{PATH}&scheme={quote(asked)}")
    clock.advance(minutes=2)
    again = frame(page.form("/embed").action, filled(page, headcount="many"))
    form = again.form("/embed")
    put_right = [(n, "42" if n == "headcount" else v) for n, v in form.values]
    sent = frame(form.action, put_right)
    assert "Please check your e-mail" in sent.text
    for each in (page, again, sent):
        (html,) = [attributes for tag, attributes in each.elements if tag == "html"]
        assert html.get("data-scheme") == shown
        assert ("meta", {"name": "color-scheme", "content": shown or "light dark"}) in each.elements


def test_what_goes_wrong_in_the_frame_is_said_in_the_frame(
    kestrel, frame, clock, make, monkeypatch
):
    values = filled(frame(PATH))

    def broken(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr("marketplace.leads.service.submit_lead", broken)
    page = frame(PATH, values)
    assert page.status == 500
    assert ancestors(page) == KESTREL
    assert "<header" not in page.html


def test_links_in_the_frame_open_beside_the_page_or_in_the_frame(kestrel, frame):
    page = frame(PATH)
    sent = frame(PATH, filled(page))
    for shown in (page, sent):
        for tag, attributes in shown.elements:
            if tag == "a" and not attributes["href"].startswith(("#", "/embed?")):
                assert attributes["target"] == "_blank", attributes
                assert attributes["rel"] == "noopener"


def test_the_script_is_small_public_and_kept_for_an_hour(client):
    with client.get("/embed.js") as answer:
        assert answer.mimetype == "text/javascript"
        assert answer.headers["Cache-Control"] == "public, max-age=3600"
        assert "Set-Cookie" not in answer.headers
        assert len(answer.data) < 4096
        tag = answer.headers["ETag"]
    with client.get("/embed.js", headers={"If-None-Match": tag}) as answer:
        assert answer.status_code == 304


def test_the_owner_of_a_site_is_told_the_one_line_that_it_takes(browser):
    page = browser().open("/embed/how")
    assert '<script src="http://localhost/embed.js" async></script>' in page.text


def test_an_administrator_names_a_site_and_takes_it_away_again(admin, frame):
    page = admin.open("/admin/sites")
    assert "own front page alone" in page.text
    wrong = admin.send("/add", name="", address="http://kestrel.example/x")
    assert wrong.status == 422
    assert "The name is required" in wrong.text
    assert "The address must begin with https://" in wrong.text
    added = admin.send("/add", name="Kestrel", address="https://Kestrel.example/x")
    assert "The form may stand in https://kestrel.example" in added.text
    assert frame(PATH).status == 200
    assert "already" in admin.send("/add", name="x", address=KESTREL).text
    gone = admin.send("/remove")
    assert "no longer shown" in gone.text
    assert frame(PATH).status == 403


def test_nobody_else_names_sites(browser, signed_in, make):
    assert browser().open("/admin/sites").at.startswith("/sign-in")
    provider = signed_in(make.provider())
    assert provider.open("/admin/sites").status == 403
