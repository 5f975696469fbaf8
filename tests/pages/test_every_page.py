"""What holds on every page: labels, ids, headers, no other host, no forged form."""

import re
from urllib.parse import urlsplit

from sqlalchemy.exc import OperationalError

from tests.pages.steps import held_by, open_request
from tests.people import PASSWORD, a_person

UNLABELLED = ("hidden", "submit")


def test_every_page_is_sound(every_page):
    assert len(every_page) > 45
    for page in every_page:
        assert page.status < 500, page.text
        check_frame(page)
        check_labels(page)
        check_hosts(page)
        check_headers(page)


def check_frame(page):
    tags = [tag for tag, _ in page.elements]
    assert ("html", {"lang": "en"}) in page.elements, page.at
    assert page.title.strip().endswith("ISO quotes marketplace"), page.at
    assert tags.count("h1") == 1, page.at
    assert tags.count("main") == 1, page.at
    assert 'href="#main">Skip to the content' in page.html
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
    seen = 0
    for level in levels:
        assert level <= seen + 1, (page.at, levels)
        seen = level
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids)), (page.at, sorted(i for i in ids if ids.count(i) > 1))
    if page.status == 200 and page.at.startswith(("/portal", "/admin", "/account")):
        # Whoever is inside gets out from everywhere (ASVS 7.4.4).
        assert ("form", "/sign-out") in [(tag, each.get("action")) for tag, each in page.elements]
    for _, attributes in page.elements:
        for name in ("aria-describedby", "aria-labelledby", "for"):
            for target in attributes.get(name, "").split():
                assert target in ids, (page.at, name, target)
        if attributes.get("href", "").startswith("#"):
            assert attributes["href"][1:] in ids, (page.at, attributes["href"])


def check_labels(page):
    labelled = {attributes["for"] for tag, attributes in page.elements if tag == "label"}
    for tag, attributes in page.elements:
        if tag in ("input", "select", "textarea") and attributes.get("type") not in UNLABELLED:
            assert attributes.get("id") in labelled, (page.at, attributes)
        if tag == "input" and "password" in attributes.get("name", ""):
            # Masked, and filled in by whatever keeps passwords (ASVS 6.2.6, 6.2.7).
            assert attributes["type"] == "password", (page.at, attributes)
            assert attributes["autocomplete"] in ("current-password", "new-password"), page.at
        if tag == "fieldset":
            assert "aria-invalid" not in attributes, (page.at, attributes)
        if tag == "img":
            assert "alt" in attributes


def check_hosts(page):
    check_scripts(page)
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes), (page.at, attributes)
        assert "style" not in attributes, (page.at, attributes)
        assert tag != "style", page.at
        for name in ("src", "action"):
            assert not urlsplit(attributes.get(name, "")).netloc, (page.at, attributes)
        if tag == "link" and attributes["rel"] != "canonical":  # which nothing is fetched from
            assert not urlsplit(attributes["href"]).netloc, (page.at, attributes)


def check_scripts(page):
    """Scripts are files of ours, or data that nothing runs."""
    for attributes, inside in re.findall(r"<script([^>]*)>(.*?)</script>", page.html, re.DOTALL):
        if 'type="application/ld+json"' not in attributes:
            assert 'src="/static/' in attributes, (page.at, attributes)
            assert not inside, (page.at, inside)


def check_headers(page):
    headers = page.response.headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    ancestors = "https://kestrel.example" if page.at.startswith("/embed?") else "'none'"
    assert f"frame-ancestors {ancestors}" in policy
    assert "http" not in policy.replace(ancestors, "")
    assert ("unsafe" in policy) == page.at.startswith("/mailbox")
    # Of a link that is no good any more: every other page has an address without a token.
    token = re.search(
        r"/(confirm|open|outcome|not-ours|set-password|email-change|come-back|withdraw|again|reminders)/\w+_",
        page.at,
    )
    assert not token or page.status == 410, page.at
    if not page.at.startswith("/mailbox"):
        assert headers["Referrer-Policy"] == ("strict-origin" if token else "same-origin")
    is_form = page.status == 200 and 'id="lead-form"' in page.html
    private = "private, no-cache" if is_form else "no-store"
    assert headers["Cache-Control"] == private, page.at
    assert headers["X-Content-Type-Options"] == "nosniff"
    is_listed = page.status == 200 and page.at in ("/", "/terms", "/privacy", "/join", "/embed/how")
    assert ("X-Robots-Tag" not in headers) == is_listed, page.at


def test_the_style_sheet_is_kept_for_long_and_names_no_host(browser):
    visitor = browser()
    page = visitor.open("/")
    with visitor.client.get(page.link("site.css")) as answer:
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "://" not in answer.text
        assert "@import" not in answer.text
        assert "Set-Cookie" not in answer.headers


def test_a_form_without_its_word_is_refused_and_nothing_happens(
    ctx, make, browser, signed_in, admin
):
    provider = make.provider()
    lead = make.matched_lead()
    (invitation,) = held_by(make, lead)
    business = browser()
    open_request(ctx, business, lead)
    for visitor, path in (
        (browser(), "/"),
        (browser(), "/sign-in"),
        (business, "/requests/close"),
        (business, "/requests/erase"),
        (signed_in(provider), f"/portal/invitations/{invitation.id}/accept"),
        (admin, f"/admin/leads/{lead.id}/close"),
        (admin, "/sign-out"),
    ):
        for forged in ([], [("csrf_token", "forged")]):
            page = visitor.post(path, [("reason", "not_now"), *forged])
            assert page.status == 400, path
            assert "Nothing was sent" in page.text
    assert make.lead_called(lead.reference).state == "open"
    assert held_by(make, lead)[0].state == "sent"
    assert admin.open("/admin").status == 200


def test_over_https_a_form_has_to_come_from_this_site(ctx, browser):
    a_person(ctx)
    visitor = browser()
    values = dict(visitor.open("/sign-in").form("/sign-in").values)
    values |= {"email": "kim@harbour.example", "password": PASSWORD}
    for referrer, status in (
        ("", 400),
        ("https://elsewhere.example/", 400),
        ("https://localhost/", 303),
    ):
        answer = visitor.client.post(
            "/sign-in", data=values, base_url="https://localhost", headers={"Referer": referrer}
        )
        assert answer.status_code == status, referrer


def test_every_page_that_changes_something_is_protected(app):
    exempt = app.extensions["csrf"]._exempt_blueprints
    bearers = {blueprint.name for blueprint in exempt}
    for rule in app.url_map.iter_rules():
        if rule.methods & {"POST", "PUT", "PATCH", "DELETE"}:
            name = rule.endpoint.rpartition(".")[0]
            # Whoever sends the form inside another site is nobody, whatever cookies there are; what
            # stops reminders is the token in the address alone.
            alone = ("/embed", "/reminders/<token>/stop")
            is_open = rule.rule.startswith("/api/") or rule.rule in alone
            assert (name in bearers) == is_open, rule
    assert not app.extensions["csrf"]._exempt_views


def test_a_page_while_the_database_is_away_is_a_page(app, browser, monkeypatch):
    def away(*args, **kwargs):
        raise OperationalError("", {}, Exception("gone"), connection_invalidated=True)

    monkeypatch.setattr("marketplace.web.pages.lead_form.choices", away)
    page = browser().open("/")
    assert page.status == 503
    assert page.response.headers["Retry-After"]
    assert "Please go back and try again" in page.text
