"""The page of a request as its business uses it: the clock, on a phone, on paper."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from marketplace.leads import service as leads
from marketplace.quotes import service as quotes
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.requests import load
from tests.browser.conftest import DESK, PHONE
from tests.factories import person_of
from tests.pages.steps import held_by
from tests.pages.test_business_pages import CERTIFICATION

NAMES = ("Southern Assurance Pty Ltd", "Wattle Certification", "Meridian Quality Registrars")


@pytest.fixture
def at_request(make, ctx, window):
    """Return a window with a request that was answered by so many of three."""

    def open_it(quoted, size=DESK, body=CERTIFICATION):
        for name in NAMES:
            make.provider("certification_body", name=name)
        lead = make.matched_lead(service="certification")
        for each in held_by(make, lead)[:quoted]:
            form = load(QuoteIn(), body)
            quotes.put_quote(ctx, person_of(each.provider_id), each.id, form)
        with ctx.transaction() as tx:
            token = leads.mint_request_token(tx, lead)
        person = window(size)
        person.page.clock.install(time=ctx.clock())
        person.go(f"/requests/open/{token}")
        return person.page

    return open_it


def test_the_promise_counts_down_in_the_words_of_the_server(at_request, ctx):
    page = at_request(0)
    for passed, said in (
        (timedelta(0), "24 hours left"),
        (timedelta(minutes=31), "23 hours 29 minutes left"),
        (timedelta(hours=23, minutes=59, seconds=1), "less than a minute left"),
        (timedelta(hours=24, minutes=1), "the time is over"),
    ):
        page.clock.set_fixed_time(ctx.clock() + passed)
        page.clock.run_for(15_000)
        expect(page.locator("[data-until]")).to_have_text(said)


def test_a_phone_shows_every_quote_and_keeps_the_names_in_sight(at_request):
    page = at_request(3, PHONE)
    heads = page.get_by_role("columnheader")
    last = page.get_by_role("link", name="Choose").first
    last.scroll_into_view_if_needed()
    for name in NAMES:
        expect(heads.filter(has_text=name)).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


BROKEN = """
() => {
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    for (const {index, 0: amount} of node.data.matchAll(/[A-Z]{3}\\s[\\d,.]*\\d/g)) {
      const range = document.createRange();
      range.setStart(node, index);
      range.setEnd(node, index + amount.length);
      const lines = new Set([...range.getClientRects()].map(box => Math.round(box.top)));
      if (lines.size > 1) found.push([amount, node.parentElement.outerHTML.slice(0, 200)]);
    }
  }
  return found;
}
"""


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_no_amount_is_broken_across_lines(at_request, size):
    fees = dict.fromkeys(("application", "stage_1", "stage_2", "annual", "travel"), "12345.50")
    page = at_request(3, size, {**CERTIFICATION, "fees": fees, "tax_rate": "10"})
    for folded in page.locator("#main details").all():
        folded.evaluate("each => each.open = true")
    assert page.get_by_text("AUD 12,345.50").count() >= 3
    assert page.evaluate(BROKEN) == []
    hidden = "all => all.filter(each => each.scrollWidth > each.clientWidth).length"
    assert page.locator("article .scroll").evaluate_all(hidden) == 0
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_paper_gets_the_comparison_and_nothing_else(at_request):
    page = at_request(3)
    page.emulate_media(media="print")
    expect(page.get_by_role("table")).to_be_visible()
    expect(page.get_by_text("printed on 23 November 2026")).to_be_visible()
    for unprinted in ("Who was invited", "What you can do", "Your choice"):
        expect(page.get_by_text(unprinted, exact=True)).to_be_hidden()
