"""Error pages: each leads whoever reads it on to where they came to do something."""

import pytest

from tests.pages.steps import open_request


@pytest.mark.parametrize(
    ("who", "path", "status", "words", "onward"),
    [
        ("nobody", "/nothing-here", 404, "To the form", "/"),
        ("business", "/nothing-here", 404, "To your request", "/requests"),
        ("provider", "/nothing-here", 404, "To your invitations", "/portal"),
        ("provider", "/admin", 403, "To your invitations", "/portal"),
        ("administrator", "/nothing-here", 404, "To what needs a hand", "/admin"),
        ("administrator", "/portal", 403, "To what needs a hand", "/admin"),
    ],
)
def test_an_error_page_leads_on(
    ctx, make, browser, signed_in, admin, who, path, status, words, onward
):
    people = {"nobody": browser(), "business": browser(), "administrator": admin}
    people["provider"] = signed_in(make.provider())
    open_request(ctx, people["business"], make.lead())
    page = people[who].open(path)
    assert page.status == status
    assert f'<p><a href="{onward}">{words}</a></p>' in page.html
    assert people[who].open(onward).status == 200
