"""The people of a provider, as they see to it themselves."""

import pytest

from tests.people import PASSWORD, a_person, bearer, session_token


@pytest.fixture
def harbour(make):
    return make.provider(name="Harbour Quality Pty Ltd")


@pytest.fixture
def person(signed_in, harbour):
    return signed_in(harbour)


def test_a_colleague_is_invited_joins_by_the_mail_and_is_removed(
    ctx, person, browser, link_to, client
):
    person.open("/portal/profile")
    page = person.open(person.page.link("/portal/team"))
    assert "Remove" not in page.text  # the last one stays
    page = person.send("/portal/team", name="Lee Okafor", email="lee@harbour.example", role="owner")
    assert "They are written to at lee@harbour.example" in page.text
    assert "Invited, and not here yet" in page.text

    newcomer = browser()
    address = link_to("lee@harbour.example", "set-password")
    page = newcomer.open(address)
    assert "You sign in for Harbour Quality Pty Ltd with lee@harbour.example" in page.text
    assert newcomer.send("set-password", password="short").status == 422
    assert "Your password is set" in newcomer.send("set-password", password=PASSWORD).text
    page = newcomer.send("/sign-in", email="lee@harbour.example", password=PASSWORD)
    assert page.at == "/portal"
    again = newcomer.open(address)
    assert again.status == 410
    assert "An invitation works once" in again.text

    api = client.post(
        "/api/v1/sessions", json={"email": "lee@harbour.example", "password": PASSWORD}
    ).json["token"]
    assert client.get("/api/v1/portal/provider", headers=bearer(api)).status_code == 200
    page = person.open("/portal/team")
    assert "Lee Okafor is signed out everywhere at once" in page.text
    theirs, mine = remove_of(page)
    assert "stays one" not in page.text
    removed = person.post(theirs, page.form(theirs).values)
    assert "They can sign in no more" in removed.text
    assert client.get("/api/v1/portal/provider", headers=bearer(api)).status_code == 401
    assert newcomer.open("/portal").at.startswith("/sign-in")
    assert "That was done already" in person.post(theirs, page.form(theirs).values).text
    assert "an owner has to remain" in person.post(mine, page.form(mine).values).text.lower()
    assert "The last owner who can sign in stays one" in person.page.text


def remove_of(page):
    """Return where colleagues are removed, the newest first: the oldest is who looks."""
    return [form.action for form in page.forms if form.action.endswith("/remove")][::-1]


def test_of_an_address_known_elsewhere_the_page_says_the_same(ctx, make, person):
    a_person(ctx, "di@wattle.example", provider_id=make.provider().id)
    said = []
    for email in ("di@wattle.example", "nobody@wattle.example"):
        person.open("/portal/team")
        page = person.send("/portal/team", name="Di Hart", email=email)
        said.append(page.text.replace(email, "the address"))
        person.send("/withdraw")
    assert said[0] == said[1]


def test_a_wrong_form_is_shown_again_with_what_was_typed(person):
    person.open("/portal/team")
    page = person.send("/portal/team", name="Lee Okafor", email="lee")
    assert page.status == 422
    assert "The e-mail address" in page.text
    assert dict(page.forms[-1].values)["name"] == "Lee Okafor"


def test_whoever_removes_themselves_is_signed_out(ctx, person, harbour):
    a_person(ctx, "lee@harbour.example", provider_id=harbour.id)
    page = person.open("/portal/team")
    (mine, _) = [form.action for form in page.forms if form.action.endswith("/remove")]
    page = person.post(mine, page.form(mine).values)
    assert page.at.startswith("/sign-in")
    assert "You do not sign in here any more" in page.text


def test_a_link_to_set_a_first_password_is_mailed_again(ctx, person, harbour, link_to):
    a_person(ctx, "lee@harbour.example", password=None, provider_id=harbour.id)
    person.open("/portal/team")
    assert "The link is mailed again" in person.send("/link").text
    assert link_to("lee@harbour.example", "set-password")


def test_software_does_not_manage_people(ctx, client, harbour):
    person = a_person(ctx, "lee@harbour.example", provider_id=harbour.id)
    token = session_token(ctx, person)
    assert client.get("/portal/team", headers=bearer(token)).status_code == 303
