"""A browser without JavaScript: reads a page's forms, fills them in and sends them."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from flask.testing import FlaskClient
from werkzeug.test import Cookie

VOID = {"meta", "link", "img", "input", "br", "hr", "base"}


@dataclass
class HtmlForm:
    """A form with what would be sent if it were sent as it is."""

    action: str
    method: str
    values: list[tuple[str, str]] = field(default_factory=list)


class Page(HTMLParser):
    """One answer, taken apart."""

    def __init__(self, response: Any, at: str) -> None:
        super().__init__()
        self.response, self.at = response, at
        self.status: int = response.status_code
        self.html: str = response.text
        self.forms: list[HtmlForm] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.title = self.text = ""
        self.cookie: Cookie | None = None
        self._open: list[str] = []
        self._area: str | None = None
        self._select: tuple[str, list[str], str | None] | None = None
        self.feed(self.html)

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        named = {name: value or "" for name, value in attributes}
        self.elements.append((tag, named))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "form":
            self.forms.append(HtmlForm(named.get("action", self.at), named.get("method", "get")))
        if "name" not in named or not self.forms or "form" not in self._open:
            if tag == "option" and self._select is not None:
                self._option(named)
            return
        name, values = named["name"], self.forms[-1].values
        if tag == "textarea":
            self._area = name
            values.append((name, ""))
        elif tag == "select":
            self._select = (name, [], None)
        elif tag == "input" and named.get("type") in ("checkbox", "radio"):
            if "checked" in named:
                values.append((name, named.get("value", "on")))
        elif tag == "input":
            values.append((name, named.get("value", "")))

    def _option(self, named: dict[str, str]) -> None:
        name, offered, chosen = self._select or ("", [], None)
        offered.append(named.get("value", ""))
        self._select = (name, offered, named["value"] if "selected" in named else chosen)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass
        if tag == "textarea":
            self._area = None
        if tag == "select" and self._select is not None:
            name, offered, chosen = self._select
            self.forms[-1].values.append((name, chosen if chosen is not None else offered[0]))
            self._select = None

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            name, so_far = self.forms[-1].values[-1]
            # HTML passes over a line break right behind the opening tag.
            typed = so_far + data if so_far else data.removeprefix("\n")
            self.forms[-1].values[-1] = (name, typed)
        elif self._open[-1:] == ["title"]:
            self.title += data
        self.text += data

    def form(self, action: str) -> HtmlForm:
        """Return the form whose action is `action`, or the one that has it in it."""
        found = [form for form in self.forms if action == form.action][:1]
        found = found or [form for form in self.forms if action in form.action]
        assert len(found) == 1, [form.action for form in self.forms]
        return found[0]

    def link(self, pattern: str) -> str:
        """Return the first link that matches."""
        found = re.search(rf'href="([^"]*{pattern}[^"]*)"', self.html)
        assert found is not None, pattern
        return found[1].replace("&amp;", "&")


class Browser:
    """Keeps cookies, follows redirects, and sends forms with what stands in them."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self._page: Page | str = "/"

    @property
    def page(self) -> Page:
        """What it shows."""
        return self.open(self._page) if isinstance(self._page, str) else self._page

    @page.setter
    def page(self, page: Page) -> None:
        self._page = page

    def about_to_open(self, path: str) -> "Browser":
        """Be where this path leads as soon as somebody looks."""
        self._page = path
        return self

    def open(self, path: str) -> Page:
        return self._at(self.client.get(path), path)

    def send(self, action: str, *ticked: tuple[str, str], **filled: str) -> Page:
        """Send the form of this page whose action has `action` in it; `__` stands for a dot.

        What is `filled` replaces what stood there, what is `ticked` is added.
        """
        form = self.page.form(action)
        given = {name.replace("__", "."): value for name, value in filled.items()}
        kept = [(name, value) for name, value in form.values if name not in given]
        return self.post(form.action, [*kept, *given.items(), *ticked])

    def post(self, path: str, values: list[tuple[str, str]]) -> Page:
        """Send these values, however they came about."""
        several: dict[str, list[str]] = {}
        for name, value in values:
            several.setdefault(name, []).append(value)
        return self._at(self.client.post(path, data=several), path)

    def _at(self, response: Any, path: str) -> Page:
        while response.status_code in (301, 302, 303):
            path = response.location
            assert not urlsplit(path).netloc, path
            response = self.client.get(path)
        page = self.page = Page(response, path)
        page.cookie = self.client.get_cookie("marketplace")
        return page
