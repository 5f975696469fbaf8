"""What every answer of every route tells the browser, and under which names the site answers."""

import re
from http.cookies import SimpleCookie

import pytest
from flask.sessions import SecureCookieSessionInterface

from marketplace.bootstrap import build
from marketplace.core.actors import OPERATOR
from marketplace.core.db import db, new_id
from marketplace.core.forms import Form
from marketplace.leads import sites
from marketplace.web.app import create_app
from marketplace.web.headers import CACHED, LISTED
from tests.conftest import Client, settings_for
from tests.pages.browser import Browser
from tests.people import PASSWORD, a_person, an_admin, bearer, session_token

SITE = "https://quotes.example"

VALUES = {"filename": "site.css", "number": "1"}
"""What stands for a part of a path that is neither an id nor a token."""

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}


def paths(app):
    """Yield every route: its rule, and a path of it."""
    for rule in app.url_map.iter_rules():
        filled = {
            name: VALUES.get(name, str(new_id()) if "uuid" in rule.rule else "x_y")
            for name in rule.arguments
        }
        yield rule, re.sub(r"<(?:\w+:)?(\w+)>", lambda part, f=filled: f[part[1]], rule.rule)


@pytest.fixture(scope="module")
def encrypted(services, installation):
    """The application of a site that people reach by https."""
    product = build(settings_for(services, PUBLIC_URL=SITE, MAIL_BACKEND="mailbox"))
    yield create_app(product)
    with product.app.app_context():
        db.engine.dispose()


def check(answer, *, framed_by="'none'"):
    headers = answer.headers
    policy = dict(each.split(" ", 1) for each in headers["Content-Security-Policy"].split("; "))
    if "sandbox" not in headers["Content-Security-Policy"]:
        assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == framed_by
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] in ("same-origin", "cross-origin")
    assert "geolocation=()" in headers["Permissions-Policy"]
    assert headers["Referrer-Policy"] in ("no-referrer", "same-origin", "strict-origin")
    assert headers["Cache-Control"]
    kind = headers.get("Content-Type", "")
    if kind.startswith("text/") or "xml" in kind:
        assert "charset=utf-8" in kind
    assert policy["object-src"] == policy["base-uri"] == "'none'"
    assert "Content-Type" in headers or not answer.content_length
    assert "Access-Control-Allow-Origin" not in headers
    for unsafe in ("unsafe-eval", "'unsafe-inline' 'self'", "*"):
        assert unsafe not in headers["Content-Security-Policy"]
    assert "unsafe" not in policy.get("script-src", "")


def test_every_route_and_method_answers_with_every_header(ctx, app, client):
    as_admin = Browser(Client(app, app.response_class))
    as_admin.open("/sign-in")
    as_admin.send("/sign-in", email=an_admin(ctx).email, password=PASSWORD)
    tried = 0
    for rule, path in paths(app):
        asked = [(client, method) for method in rule.methods - {"HEAD", "OPTIONS"} | {"TRACE"}]
        for visitor, method in [*asked, *([(as_admin.client, "GET")] * ("GET" in rule.methods))]:
            with visitor.open(path, method=method) as answer:
                tried += 1
                assert answer.status_code < 500, (method, path)
                assert method != "TRACE" or answer.status_code == 405
                check(answer)
                check_kept(rule, answer)
    assert tried > 600
    for path in ("/nothing", "/api/v1/nothing", "/static", "/static/", "/static/nothing", "/.git/",
                 "/static/../app.py"):  # fmt: skip
        answer = client.get(path)
        check(answer)
        assert answer.status_code == 404, path


def check_kept(rule, answer):
    """What is private is kept nowhere; what other sites may load is the form inside them alone."""
    assert "Strict-Transport-Security" not in answer.headers
    cached = answer.headers["Cache-Control"]
    public = rule.endpoint in CACHED or rule.rule in ("/api/v1/catalogue", "/api/docs/style.css")
    assert "no-store" in cached or (public and answer.status_code < 400), rule
    if answer.status_code == 405:
        return
    own_site = answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert own_site == (rule.rule not in ("/embed", "/embed.js")), rule


def test_what_is_no_page_loads_nothing(ctx, client):
    head = bearer(session_token(ctx, a_person(ctx)))
    for path in ("/api/v1/catalogue", "/api/v1/nothing", "/healthz", "/mailbox/messages"):
        policy = client.get(path, headers=head).headers["Content-Security-Policy"]
        never = "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
        assert policy == f"default-src 'none'; {never}", path


def test_a_fault_is_answered_with_the_headers_too(app, client, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr("marketplace.web.pages.lead_form.choices", broken)
    answer = client.get("/")
    assert answer.status_code == 500
    check(answer)


def test_only_the_embedded_form_is_framed_and_only_by_the_site_that_was_named(ctx, app, client):
    sites.add_site(ctx, OPERATOR, Form({"name": "K", "address": "https://kestrel.example"}))
    for rule, path in paths(app):
        if "GET" in rule.methods:
            with client.get(f"{path}?site=https://kestrel.example") as answer:
                is_form = rule.rule == "/embed"
                check(answer, framed_by="https://kestrel.example" if is_form else "'none'")
    check(client.get("/embed?site=https://elsewhere.example"))


def test_behind_tls_browsers_are_to_come_by_https_alone_for_two_years(encrypted):
    client = Client(encrypted, encrypted.response_class)
    for path in ("/", "/nothing", "/api/v1/catalogue", "/healthz"):
        answer = client.get(path, base_url=SITE)
        said = answer.headers["Strict-Transport-Security"]
        assert said == "max-age=63072000; includeSubDomains"


def in_over_https(encrypted, ctx, client=None):
    """Sign somebody in over https and return their client and the answer."""
    client = client or Client(encrypted, encrypted.response_class)
    person = a_person(ctx, "kim@quotes.example")
    page = client.get("/sign-in", base_url=SITE).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]
    answer = client.post(
        "/sign-in",
        data={"csrf_token": token, "email": person.email, "password": PASSWORD},
        base_url=SITE,
        headers={"Referer": f"{SITE}/sign-in", "Origin": SITE, "Sec-Fetch-Site": "same-origin"},
    )
    assert answer.status_code == 303, answer.text
    return client, answer


def test_behind_tls_cookies_are_of_this_host_alone(encrypted, ctx):
    _, answer = in_over_https(encrypted, ctx)
    found = {}
    for line in answer.headers.getlist("Set-Cookie"):
        found |= SimpleCookie(line)
    assert set(found) == {"__Host-marketplace", "__Host-device"}
    for each in found.values():
        assert (each["path"], each["domain"], each["secure"]) == ("/", "", True)
        assert (each["httponly"], each["samesite"]) == (True, "Lax")


def old_cookie(app, values):
    """Return a session's cookie as it was signed when it had its plain name."""
    return SecureCookieSessionInterface().get_signing_serializer(app).dumps(values)


def test_whoever_is_signed_in_stays_so_as_the_cookie_changes_its_name(encrypted, ctx):
    person = a_person(ctx, "kim@quotes.example")
    token = session_token(ctx, person)
    client = Client(encrypted, encrypted.response_class)
    value = old_cookie(encrypted, {"sign_in": token})
    client.set_cookie("marketplace", value, domain="quotes.example", secure=True)
    answer = client.get("/sign-in", base_url=SITE)
    lines = answer.headers.getlist("Set-Cookie")
    assert "Sign out" in answer.text
    assert any(line.startswith("__Host-marketplace=") for line in lines)
    assert any(line.startswith("marketplace=;") for line in lines)
    kept = client.get_cookie("__Host-marketplace", domain="quotes.example")
    assert client.get_cookie("marketplace", domain="quotes.example") is None
    assert "Sign out" in client.get("/sign-in", base_url=SITE).text
    # What was issued under the new name is nothing under the old one, which a neighbour can set.
    neighbour = Client(encrypted, encrypted.response_class)
    neighbour.set_cookie("marketplace", kept.value, domain="quotes.example", secure=True)
    assert "Sign out" not in neighbour.get("/sign-in", base_url=SITE).text


def test_nothing_that_everybody_may_keep_sets_a_cookie(encrypted, ctx):
    value = old_cookie(encrypted, {"sign_in": session_token(ctx, a_person(ctx))})
    public = 0
    for rule, path in paths(encrypted):
        client = Client(encrypted, encrypted.response_class)
        client.set_cookie("marketplace", value, domain="quotes.example", secure=True)
        if "GET" in rule.methods:
            with client.get(path, base_url=SITE) as answer:
                is_public = "public" in answer.headers["Cache-Control"]
                assert is_public != bool(answer.headers.getlist("Set-Cookie")), rule
                public += is_public
    assert public >= 4


def test_no_neighbour_makes_a_browser_known_that_is_its_own(encrypted, ctx):
    client = Client(encrypted, encrypted.response_class)
    client.set_cookie("device", "planted", domain="quotes.example", secure=True)
    _, answer = in_over_https(encrypted, ctx, client)
    assert "planted" not in str(answer.headers.getlist("Set-Cookie"))


def test_whoever_signs_out_leaves_nothing_behind(make, signed_in):
    visitor = signed_in(make.provider())
    inside = visitor.client.get("/portal")
    assert inside.headers["Cache-Control"] == "no-store"  # so going back shows nothing
    page = visitor.open("/portal/profile")
    form = page.form("/sign-out")
    answer = visitor.client.post("/sign-out", data=dict(form.values))
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    with visitor.client.session_transaction() as session:
        assert set(session) <= {"_flashes"}
    assert visitor.client.get("/portal").status_code == 303


def test_the_session_holds_credentials_and_what_the_menu_goes_by_and_nothing_else(browser, ctx):
    person = a_person(ctx)
    visitor = browser()
    visitor.open("/sign-in")
    visitor.send("/sign-in", email=person.email, password=PASSWORD)
    with visitor.client.session_transaction() as session:
        assert set(session) - {"_flashes"} == {"sign_in", "role", "kind", "csrf_token"}
        assert person.email not in str(session)


HOSTS = {
    "quotes.example": 200,
    "quotes.example:443": 200,
    "QUOTES.example": 200,
    "localhost": 200,
    "localhost:8001": 200,
    "127.0.0.1:8000": 200,
    "[::1]:8000": 200,
    "elsewhere.example": 421,
    "quotes.example.elsewhere.example": 421,
    "elsewhere.example:443": 421,
    "quotes.example@elsewhere.example": 421,
    "10.0.0.7": 421,
    "": 421,
    "quotes.example/..": 421,
    "quotes.example:99999": 421,
}


@pytest.mark.parametrize(("host", "status"), HOSTS.items())
def test_the_site_answers_under_its_own_name_alone(encrypted, host, status):
    client = Client(encrypted, encrypted.response_class)
    for path in ("/sign-in", "/api/v1/catalogue"):
        answer = client.get(path, base_url=SITE, headers={"Host": host})
        assert answer.status_code == status, (host, path)
        check(answer)
    assert client.get("/healthz", base_url=SITE, headers={"Host": host}).status_code == 200


def test_what_a_request_says_of_its_host_is_in_no_page_and_no_mail(ctx, app, client, browser):
    a_person(ctx)
    hostile = "elsewhere.example"
    names = ("X-Forwarded-Host", "X-Forwarded-Server", "X-Host", "Forwarded", "X-Original-URL")
    said = {name: f"host={hostile}" if name == "Forwarded" else hostile for name in names}
    for path in ("/", "/sign-in", "/embed/how", "/forgot-password", "/api/openapi.json"):
        answer = client.get(path, headers=said)
        assert answer.status_code == 200
        assert hostile not in answer.text + str(answer.headers)
    answer = client.post(
        "/api/v1/password-resets", json={"email": "kim@harbour.example"}, headers=said
    )
    assert answer.status_code in (202, 204)
    mail = client.get("/mailbox/messages").text
    assert hostile not in mail


ONWARD = [
    "https://elsewhere.example", "//elsewhere.example", "///elsewhere.example",
    "/\\elsewhere.example", "\\\\elsewhere.example", "/\t/elsewhere.example",
    "\t//elsewhere.example", " //elsewhere.example",
    "javascript:alert(1)", "data:text/html,x", "http:elsewhere.example", "https:/elsewhere.example",
    "/%0d%0aLocation:%20https://elsewhere.example\r\nX: y", "/portal\r\nX: y", "elsewhere.example",
    "/\u2215elsewhere.example", "?next=//x", "", "/..//elsewhere.example/x", "@elsewhere.example",
    "//[elsewhere.example", "https://[", "//\u2100elsewhere.example",
]  # fmt: skip


@pytest.mark.parametrize("onward", ONWARD)
def test_nobody_is_led_elsewhere_by_signing_in(ctx, browser, onward):
    person = a_person(ctx)
    visitor = browser()
    visitor.open("/sign-in")
    values = dict(visitor.page.form("/sign-in").values)
    values |= {"email": person.email, "password": PASSWORD, "next": onward}
    answer = visitor.client.post("/sign-in", data=values)
    assert answer.status_code == 303
    assert re.fullmatch(r"/(?![/\\])[!-~]*", answer.location), answer.location
    assert "X" not in answer.headers
    page = visitor.client.get("/sign-in", query_string={"next": onward})
    assert "elsewhere.example" not in page.text or onward.startswith("/..")


def test_every_form_of_every_page_is_refused_without_its_word_and_from_another_site(
    make, app, signed_in, admin
):
    """To whoever is signed in where it stands; to nobody, what is somebody's is not there."""
    owner = signed_in(make.provider()).client
    inside = {"/portal": owner, "/account": owner, "/admin": admin.client}
    exempt = {"embed.send", "stop_reminders.stop_by_link"}
    elsewhere = (
        {},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "https://["},
        {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    )
    tried = 0
    for rule, path in paths(app):
        if rule.methods & UNSAFE and not path.startswith("/api/") and rule.endpoint not in exempt:
            who = next((each for at, each in inside.items() if path.startswith(at)), None)
            for said in elsewhere:
                visitor = who or Client(app, app.response_class)
                answer = visitor.post(path, data={"a": "typed there"}, headers=said)
                # To nobody, what is somebody's is not there: they are led to sign in.
                is_out = who is None and answer.status_code in (303, 401)
                assert is_out or answer.status_code == 400, (path, said, answer.status_code)
                assert answer.status_code != 303 or "/sign-in" in answer.location
                # Another site neither puts its form into a page of ours nor signs anybody out.
                if said:
                    assert (answer.status_code, answer.headers.get("Set-Cookie")) == (400, None)
                    assert "typed there" not in answer.text
                tried += 1
    assert tried > 200


@pytest.mark.parametrize(
    "said", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}]
)
def test_even_with_its_word_a_form_from_another_site_is_refused(browser, said):
    visitor = browser()
    form = visitor.open("/forgot-password").form("/forgot-password")
    values = dict(form.values) | {"email": "kim@harbour.example"}
    refused = visitor.client.post("/forgot-password", data=values, headers=said)
    assert refused.status_code == 400
    ours = {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}
    assert visitor.client.post("/forgot-password", data=values, headers=ours).status_code == 303


def test_beyond_https_a_form_says_from_which_page_of_ours_it_comes(encrypted):
    client = Client(encrypted, encrypted.response_class)
    page = client.get("/forgot-password", base_url=SITE).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]
    for referrer in ("", "https://elsewhere.example/", "https://["):
        answer = client.post(
            "/forgot-password",
            data={"csrf_token": token, "email": "kim@harbour.example"},
            base_url=SITE,
            headers={"Referer": referrer},
        )
        assert answer.status_code == 400, referrer


def test_the_api_takes_no_cookie_for_a_credential(make, signed_in):
    visitor = signed_in(make.provider())
    assert visitor.client.get("/portal").status_code == 200
    for path in ("/api/v1/portal/provider", "/api/v1/portal/invitations"):
        assert visitor.client.get(path).status_code == 401


def test_every_name_in_the_lists_is_a_route(app):
    known = {rule.endpoint for rule in app.url_map.iter_rules()}
    assert {*CACHED, *LISTED} <= known
