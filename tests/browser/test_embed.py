"""The form inside other sites, in a browser that gives no cookies to third parties."""

from threading import Thread

import pytest
from playwright.sync_api import expect
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from marketplace.core.actors import OPERATOR
from marketplace.core.forms import Form
from marketplace.leads import sites
from marketplace.leads.models import Lead
from tests.browser.conftest import CHROMIUM, DESK, PATIENCE, PHONE, QUIET, Quiet

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<title>Kestrel</title>
{head}<body><h1>Kestrel association</h1>{body}<p id="after">After</p></body></html>"""

WATCH = """
window.shifted = 0;
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) window.shifted += entry.value;
}).observe({type: "layout-shift", buffered: true});
"""


@pytest.fixture(scope="module")
def strict(chromium):
    """A browser that gives no cookies to third parties."""
    args = [*QUIET, "--test-third-party-cookie-phaseout"]
    browser = chromium.browser_type.launch(executable_path=CHROMIUM, args=args)
    yield browser
    browser.close()


@pytest.fixture
def elsewhere():
    """Another site, and what its pages hold, by path."""
    pages = {}

    def answer(environ, start):
        html = pages.get(environ["PATH_INFO"], "")
        return Response(html, 200 if html else 404, content_type="text/html")(environ, start)

    server = make_server("127.0.0.1", 0, answer, threaded=True, request_handler=Quiet)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", pages
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def reader(strict):
    """Somebody who reads the other site."""
    opened = []

    def read(size=DESK):
        context = strict.new_context(viewport=size, reduced_motion="reduce")
        context.set_default_timeout(PATIENCE)
        context.add_init_script(WATCH)
        opened.append(context)
        return context.new_page()

    yield read
    for context in opened:
        context.close()


def name(ctx, origin):
    sites.add_site(ctx, OPERATOR, Form({"name": "Kestrel", "address": origin}))


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_a_reader_of_another_site_sends_the_form_without_a_cookie(
    ctx, site, elsewhere, reader, make, clock, size
):
    origin, pages = elsewhere
    name(ctx, origin)
    tag = f'<script src="{site.url}/embed.js" async></script>'
    pages["/"] = PAGE.format(head="", body=tag)
    page = reader(size)
    page.goto(f"{origin}/")
    frame = page.locator("iframe")
    form = page.frame_locator("iframe")
    expect(frame).to_have_attribute("title", "Ask for up to three quotes for your ISO project")
    expect(form.locator("button.big")).to_be_attached()
    fits(page)
    assert page.evaluate("shifted") < 0.05
    assert (
        page.evaluate("document.querySelector('iframe').nextElementSibling.id") == "after"
    )  # where its tag stands

    clock.advance(minutes=2)
    form.locator("button.big").click()
    expect(form.locator(".summary")).to_be_focused()
    fits(page)
    assert (
        page.evaluate("Math.abs(document.querySelector('iframe').getBoundingClientRect().top)") < 2
    )
    form.locator(".summary a[href='#contact-email']").click()
    expect(form.locator("#contact-email")).to_be_focused()
    top = page.evaluate("scrollY")
    box = form.locator("#contact-email").bounding_box()
    assert top > 0
    assert 0 <= box["y"] < size["height"]

    form.locator("#contact-email").fill("mia@kestrel.example")
    form.locator("#contact-name").fill("Mia Ferrante")
    form.locator("#company-name").fill("Kestrel Joinery")
    form.locator("#headcount").fill("42")
    form.locator("[value=consulting]").check()
    form.locator("[value='ISO 9001']").check()
    form.locator("[value='AU-NSW']").check()
    form.locator("#consent-share_with_matched_providers").check()
    form.locator("button.big").click()
    expect(form.get_by_text("We have written to")).to_be_visible()
    fits(page)
    expect(form.locator("h1")).to_be_in_viewport()
    (lead,) = make.ask(lambda session: session.query(Lead).all())
    assert lead.source == origin
    assert lead.signals["seconds_to_fill"] == 120
    assert page.context.cookies() == []


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_frame_is_of_the_sites_own_scheme_and_not_seen_before_it_has_its_height(
    ctx, site, elsewhere, reader, scheme
):
    origin, pages = elsewhere
    name(ctx, origin)
    tag = f'<script src="{site.url}/embed.js" data-scheme="{scheme}"></script>'
    pages["/"] = PAGE.format(head="", body=tag)
    page = reader()
    page.emulate_media(color_scheme="light" if scheme == "dark" else "dark")
    held = []
    page.route("**/embed?*", lambda route: held.append(route))
    page.goto(f"{origin}/", wait_until="commit")
    expect(page.locator("iframe")).to_be_hidden()
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()
    expect(page.locator("iframe")).to_be_visible()
    fits(page)
    assert page.evaluate("shifted") < 0.001
    (_, inside) = page.frames
    red = inside.evaluate("getComputedStyle(document.body).backgroundColor").split("(")[1]
    assert (int(red.split(",")[0]) < 128) is (scheme == "dark")


def fits(page):
    """Wait until the frame is as tall as what it shows."""
    (_, inside) = page.frames
    height = "document.documentElement.getBoundingClientRect().height"
    for _ in range(100):
        if abs(page.locator("iframe").bounding_box()["height"] - inside.evaluate(height)) < 2:
            return
        page.wait_for_timeout(50)
    raise AssertionError("the frame does not grow to what it shows")


@pytest.mark.parametrize(
    ("head", "body", "inside"),
    [
        (
            '<script src="{}/embed.js" async data-into="#here"></script>',
            '<div id="here"></div>',
            "here",
        ),
        ('<script src="{}/embed.js"></script>', "<main>Words</main>", "BODY"),
    ],
)
def test_the_tag_may_stand_in_the_head(ctx, site, elsewhere, reader, head, body, inside):
    origin, pages = elsewhere
    name(ctx, origin)
    pages["/"] = PAGE.format(head=head.format(site.url), body=body)
    page = reader()
    page.goto(f"{origin}/")
    expect(page.frame_locator("iframe").locator("button.big")).to_be_attached()
    parent = "(e => e.id || e.nodeName)(document.querySelector('iframe').parentElement)"
    assert page.evaluate(parent) == inside


def test_a_site_that_was_not_named_gets_a_link_and_cannot_take_the_name_of_another(
    ctx, site, elsewhere, reader
):
    origin, pages = elsewhere
    name(ctx, "https://kestrel.example")
    pages["/"] = PAGE.format(head="", body=f'<script src="{site.url}/embed.js"></script>')
    borrowed = f"{site.url}/embed?site=https%3A%2F%2Fkestrel.example"
    pages["/borrowed"] = PAGE.format(head="", body=f'<iframe title="x" src="{borrowed}"></iframe>')
    page = reader()
    page.clock.install()
    page.goto(f"{origin}/")  # there once its frame is, or is refused
    expect(page.frame_locator("iframe").locator("button.big")).not_to_be_attached()
    page.clock.fast_forward(6000)
    expect(page.locator("iframe")).to_have_count(0)
    expect(page.locator("a")).to_have_attribute("href", f"{site.url}/")

    said = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{origin}/borrowed")
    expect(page.frame_locator("iframe").locator("button.big")).not_to_be_attached()
    assert any("frame-ancestors https://kestrel.example" in each for each in said), said


def test_a_page_cannot_make_the_frame_another_size_and_learns_nothing_but_its_height(
    ctx, site, elsewhere, reader
):
    origin, pages = elsewhere
    name(ctx, origin)
    listening = "window.heard = []; addEventListener('message', each => heard.push(each.data))"
    pages["/"] = PAGE.format(
        head=f"<script>{listening}</script>",
        body=f'<script src="{site.url}/embed.js"></script>',
    )
    page = reader()
    page.goto(f"{origin}/")
    expect(page.frame_locator("iframe").locator("button.big")).to_be_attached()
    fits(page)
    before = page.locator("iframe").bounding_box()["height"]
    page.evaluate("postMessage({height: 1}, '*')")
    page.wait_for_timeout(100)
    assert page.locator("iframe").bounding_box()["height"] == before
    heard = page.evaluate("heard")
    assert {"height": 1} in heard
    assert all(set(each) == {"height"} for each in heard)
