"""Every page as it looks: on a phone and at a desk, light and dark, with axe going over it."""

import gzip
import os
import re
import time
from pathlib import Path
from shutil import rmtree
from types import SimpleNamespace

import pytest
from axe_playwright_python.sync_playwright import Axe
from werkzeug.wrappers import Response

from tests.browser.conftest import DESK, PHONE
from tests.pages.every_page import KEPT

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
"""Where to look at them all, after `make looks`. Not in git."""

TAKES_PICTURES = "LOOKS" in os.environ
"""They take their time, and nobody looks at them where only faults are looked for."""

RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "rules": {"color-contrast": {"enabled": False}, "target-size": {"enabled": False}},
    "resultTypes": ["violations"],
    "iframes": False,  # letters are kept in frames where no script runs, axe's neither
}
"""What a page is asked once: it is the same at every width and in every scheme."""

ALL = {"exclude": []}
NEW = {"include": [["[data-new]"]]}
ASK = "([where, rules]) => axe.run(where, rules).then(result => result.violations)"

SEEN_RULES = {
    "runOnly": {"type": "rule", "values": ["color-contrast", "target-size"]},
    "resultTypes": ["violations"],
    "iframes": False,
}
"""What is asked at both sizes, of every kind of element once.

They are two in three seconds of all that axe does, and say the same of the same header on two
hundred pages.
"""

AT_MOST = 60 * 1024
"""Bytes on the way of a page with its style and scripts, without pictures."""

STILL = 0.001
"""How far a page may move: parts of a pixel, by rounding. 0.1 would be good to others."""

WATCH = """
window.shifted = [];
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) {
    const moved = entry.sources.map(({node}) => node?.outerHTML?.slice(0, 80) ?? node?.nodeName);
    window.shifted.push([entry.value, ...moved]);
  }
}).observe({type: "layout-shift", buffered: true});
"""

PARTS = """
performance.getEntriesByType("resource")
  .filter(each => ["link", "script"].includes(each.initiatorType) && !each.name.includes(".svg"))
  .map(each => each.encodedBodySize)
"""

ELEMENTS = """
() => {
  const all = [document.body, ...document.querySelectorAll("body *")];
  const place = new Map(all.map((each, at) => [each, at]));
  const named = ({name, value}) => name.match(/^(class|type|role|aria-(current|invalid))$/)
    ? `${name}=${value}` : name;
  return all.map(each => [place.get(each.parentElement) ?? -1,
    [each.tagName, ...[...each.attributes].map(named)].join(" ")]);
}
"""
"""Every element of a page: the place of what it stands in, what it is, and how it is marked."""

MARK = """
places => {
  const all = [document.body, ...document.querySelectorAll("body *")];
  for (const at of places) all[at].setAttribute("data-new", "");
}
"""


def test_every_page_is_accessible_light_stays_in_its_width_and_stands_still(
    window, site, collected, pytestconfig
):
    """On a phone in light, and at a desk in dark those that something new stands on.

    `make looks` goes over every page; here one that is like others before it is left out.
    """
    pytestconfig.stash[KEPT] = collected
    rmtree(SCREENSHOTS, ignore_errors=True)
    pages = dict(enumerate(collected)) if TAKES_PICTURES else unlike_others(collected)
    faults, with_new = looked_at(pages, window(PHONE, color_scheme="light"), site, RULES)
    again = {number: pages[number] for number in pages if TAKES_PICTURES or number in with_new}
    more, _ = looked_at(again, window(DESK, color_scheme="dark"), site)
    assert not faults + more, "\n".join(map(str, faults + more))
    assert len(pages) > len(collected) / 3
    assert len(with_new) > len(collected) / 10


BAD = """<!doctype html><html lang="en"><title>Bad</title><main><h1>Bad</h1><input>
<p style="color: #ccc; width: 2000px">Too faint, and too wide</p></main></html>"""


def test_what_is_wrong_with_a_page_is_found(window, site):
    response = Response(mimetype="text/html")
    page = SimpleNamespace(html=BAD, response=response, cookie=None, at="/bad")
    faults, with_new = looked_at({0: page}, window(PHONE), site, RULES)
    assert {fault[1] for fault in faults} == {"label", "color-contrast", "1618 pixels too wide"}
    assert with_new == [0]


@pytest.mark.parametrize(
    ("about", "middle", "size"),
    [
        ("", '<form class="find"', PHONE),
        ("", 'id="registration_number-hint"', DESK),
        ("<h1>Confirm your request</h1>", 'href="/terms"', PHONE),
    ],
    ids=["half a header", "half a row of fields", "half a footer at the foot of a window"],
)
def test_a_page_that_comes_in_two_parts_is_drawn_in_one(
    window, site, every_page, about, middle, size
):
    """On a slow line half of it would be drawn, and move as the rest of it comes."""
    html = next(each.html for each in every_page if about in each.html and middle in each.html)
    at = html.index(middle)

    def slowly():
        yield html[:at].encode()
        time.sleep(0.5)
        yield html[at:].encode()

    person = window(size)
    person.page.add_init_script(WATCH)
    site.again["/slowly"] = Response(slowly(), mimetype="text/html")
    person.page.goto(f"{site.url}/slowly", wait_until="load")
    drawn = person.page.wait_for_function("performance.getEntriesByName('first-paint')[0]")
    assert drawn.evaluate("each => each.startTime") > 500
    assert not person.page.evaluate("window.shifted")


def unlike_others(collected):
    """Return by number the first page of each name, and all with an element that none before has.

    The same page in another state, with nothing on it that is marked otherwise, looks the same.
    """
    names, elements, pages = set(), set(), {}
    for number, page in enumerate(collected):
        name = name_of(page)
        on_it = {(tag, *map(marks.get, MARKS)) for tag, marks in page.elements}
        if name not in names or not on_it <= elements:
            pages[number] = page
        names.add(name)
        elements |= on_it
    return pages


MARKS = ("class", "type", "role", "aria-current", "aria-invalid")
"""By what of an element its look is chosen, beside what it is and stands in."""


def looked_at(pages, person, site, rules=None):
    """Look at pages by number, at one size; return what is wrong, and which have something new.

    `rules`: what a page is asked, the first of its name as a whole and others where they are new,
    beside what is asked of every kind of element.
    """
    folder = SCREENSHOTS / str(person.page.viewport_size["width"])
    folder.mkdir(parents=True, exist_ok=True)
    person.page.add_init_script(WATCH)
    person.page.add_init_script(Axe().axe_script)  # sent and compiled once, not for every page
    faults, kinds, with_new, names = [], {}, [], set()
    for number, shown in pages.items():
        weight = show(person.page, site, shown, number)
        name = f"{number:02}-{name_of(shown)}"
        wide, shifted = person.page.evaluate(
            "[document.documentElement.scrollWidth - innerWidth, window.shifted]"
        )
        if TAKES_PICTURES:
            picture = folder / f"{name}.jpeg"  # half the time of a PNG, and as good to look at
            person.page.screenshot(path=picture, quality=80, full_page=True, animations="disabled")
        is_first = TAKES_PICTURES or name_of(shown) not in names
        names.add(name_of(shown))
        asked = [(ALL, rules)] if rules and is_first else []
        new = new_ones(person.page.evaluate(ELEMENTS), kinds)
        if new:
            with_new.append(number)
            person.page.evaluate(MARK, new)
            asked += [(NEW, each) for each in (SEEN_RULES, not is_first and rules) if each]
        for where, which in asked:
            found = person.page.evaluate(ASK, [where, which])
            faults += [
                (name, each["id"], [node["html"][:200] for node in each["nodes"]][:3])
                for each in found
            ]
        if wide > 0:
            faults.append((name, f"{wide} pixels too wide"))
        if sum(amount for amount, *_ in shifted) > STILL:
            faults.append((name, f"moves about: {shifted}"))
        if weight > AT_MOST:
            faults.append((name, f"{weight} bytes"))
    return faults, with_new


def new_ones(elements, kinds):
    """Return the places of those elements whose kind is new, without what stands in such a one.

    A kind is what an element is, how it is marked and what it stands in: all that style goes by.
    """
    new, of_each = set(), []
    for at, (parent, named) in enumerate(elements):
        kind = (of_each[parent] if parent >= 0 else None, named)
        if kind not in kinds:
            kinds[kind] = len(kinds)
            new.add(at)
        of_each.append(kinds[kind])
    return [at for at in sorted(new) if elements[at][0] not in new]


def name_of(shown):
    """Return what a page is called among the others: its address without ids and tokens."""
    parts = shown.at.partition("?")[0].strip("/").split("/")
    return "-".join(part for part in parts if not re.search(r"[-_].*\d|_x$", part)) or "form"


def show(page, site, shown, number):
    """Show a page that was collected, as if it came just now; return how heavy it is, in bytes."""
    names = ("Content-Type", "Content-Security-Policy")
    headers = [(name, value) for name, value in shown.response.headers if name in names]
    address = f"/shown/{number}"
    site.again[address] = Response(shown.html, headers=headers)
    page.context.clear_cookies()
    if shown.cookie:
        page.context.add_cookies(
            [{"name": "marketplace", "value": shown.cookie.value, "url": site.url}]
        )
    page.goto(site.url + address, wait_until="load")
    parts = page.evaluate(PARTS)
    return len(gzip.compress(shown.html.encode())) + sum(parts)
