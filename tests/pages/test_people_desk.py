"""Administrators over HTTP, by the pages and by the API."""

from tests.people import PASSWORD, an_admin, bearer, session_token

PEOPLE = "/api/v1/admin/people"


def sign_out_of(page):
    """Return the form that signs the first person of a page out."""
    found = [each for each in page.forms if each.action.startswith("/admin/people/")]
    return next(each for each in found if each.action.endswith("/sign-out"))


BO = {"name": "Bo Lindqvist", "email": "bo@marketplace.example"}


def test_one_invites_another_who_sets_a_password_and_removes_the_first(admin, browser, link_to):
    admin.open("/admin")
    page = admin.open(admin.page.link("/admin/people"))
    assert "The last one who can sign in stays" in page.text
    assert admin.send("/admin/people", name="Bo", email="nowhere").status == 422
    page = admin.send("/admin/people", **BO)
    assert "They are written to at bo@marketplace.example" in page.text
    assert "Has not set a password yet" in page.text
    assert "The link is mailed again" in admin.send("/link").text

    bo = browser()
    bo.open(link_to(BO["email"], "set-password"))
    assert "Your password is set" in bo.send("set-password", password=PASSWORD).text
    assert bo.send("/sign-in", email=BO["email"], password=PASSWORD).at == "/admin"
    page = bo.open("/admin/people")
    assert "Signed in last" in page.text
    removal = next(form for form in page.forms if form.action.endswith("/remove"))
    assert "They can sign in no more" in bo.post(removal.action, removal.values).text
    assert admin.open("/admin").at.startswith("/sign-in")


def test_whoever_removes_themselves_is_signed_out(ctx, admin):
    an_admin(ctx, BO["email"])
    page = admin.open("/admin/people")
    removal = next(form for form in page.forms if form.action.endswith("/remove"))
    page = admin.post(removal.action, removal.values)
    assert page.at.startswith("/sign-in")
    assert "You do not sign in here any more" in page.text


def test_software_does_the_same(ctx, client):
    ada = an_admin(ctx)
    head = bearer(session_token(ctx, ada))
    made = client.post(PEOPLE, json=BO, headers=head)
    assert made.status_code == 201
    assert made.json["can_sign_in"] is False
    again = client.post(PEOPLE, json=BO, headers=head)
    assert [each["pointer"] for each in again.json["errors"]] == ["/email"]
    listed = client.get(PEOPLE, headers=head).json["items"]
    assert [(each["name"], each["last_signed_in_at"] is None) for each in listed] == [
        ("Bo Lindqvist", True),
        ("Ada Okoro", False),
    ]
    assert client.delete(f"{PEOPLE}/{ada.id}", headers=head).status_code == 409
    assert client.delete(f"{PEOPLE}/{made.json['id']}", headers=head).status_code == 204
    assert client.delete(f"{PEOPLE}/{made.json['id']}", headers=head).status_code == 404


def test_anybody_is_signed_out_everywhere_and_can_sign_in_again(ctx, make, admin, signed_in):
    provider = make.provider()
    person = signed_in(provider)
    page = admin.open(f"/admin/providers/{provider.id}")
    ending = sign_out_of(page)
    page = admin.post(ending.action, ending.values)
    assert (page.at, "signed out everywhere" in page.text) == (
        f"/admin/providers/{provider.id}",
        True,
    )
    assert person.open("/portal").at.startswith("/sign-in")
    page = person.send("/sign-in", email=provider.contact_email, password=PASSWORD)
    assert page.at == "/portal"
    page = admin.open("/admin/people")
    ending = sign_out_of(page)
    assert admin.post(ending.action, ending.values).at.startswith("/sign-in")


def test_software_signs_somebody_out_everywhere(ctx, client):
    head = bearer(session_token(ctx, an_admin(ctx)))
    bo = an_admin(ctx, BO["email"])
    theirs = bearer(session_token(ctx, bo))
    path = f"{PEOPLE}/{bo.id}/sessions"
    assert client.delete(path, headers=head).status_code == 204
    assert client.get(PEOPLE, headers=theirs).status_code == 401
    assert client.get(PEOPLE, headers=head).status_code == 200
    nobody = f"{PEOPLE}/0192f3c1-7d2e-7c3b-9c37-6f3f7c1a2b3c/sessions"
    assert client.delete(nobody, headers=head).status_code == 404
