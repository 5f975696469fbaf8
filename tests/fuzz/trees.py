"""Pages as browsers read them (HTML5): what became an element, and what stayed a text."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from selectolax.lexbor import LexborHTMLParser

TYPED = {"text", "search", "email", "tel", "url", "", "textarea"}
"""Sorts of fields into which people write what they like."""


@dataclass(frozen=True)
class Said:
    """A text of a page: of an element, or of one of its attributes."""

    element: str
    attribute: str | None
    text: str


def nodes(html: str) -> Iterator[Any]:
    """Yield every node of the tree, texts and comments among them."""
    root = LexborHTMLParser(html).root
    assert root is not None
    yield from root.traverse(include_text=True)


def shape(html: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return every element in its order: what it is in, what it is, and its attributes' names."""
    return [
        (node.parent.tag if node.parent else "", node.tag, tuple(sorted(node.attributes)))
        for node in nodes(html)
        if node.is_element_node
    ]


def texts(html: str) -> Iterator[Said]:
    """Yield every text of a page, by where it stands."""
    for node in nodes(html):
        if node.is_text_node:
            yield Said(node.parent.tag, None, node.text_content or "")
        elif node.is_comment_node:
            yield Said("a comment", None, node.comment_content or "")
        else:
            for name, value in node.attributes.items():
                yield Said(node.tag, name, value or "")


@dataclass
class Sendable:
    """A form of a page: what would be sent, what people may write, and what was found wrong."""

    action: str
    values: dict[str, list[str]] = field(default_factory=dict)
    typed: set[str] = field(default_factory=set)
    wrong: set[str] = field(default_factory=set)


def forms(html: str) -> list[Sendable]:
    """Return the forms of a page that change something, filled in where something has to be."""
    found = []
    for form in LexborHTMLParser(html).css("form"):
        if (form.attributes.get("method") or "get").lower() != "post":
            continue
        of = Sendable(form.attributes.get("action") or "")
        for node in form.css("input, textarea, select"):
            _add(of, node)
        found.append(of)
    return found


def _add(of: Sendable, node: Any) -> None:
    given = node.attributes
    name = given.get("name")
    if not name:
        return
    kind = given.get("type") or "" if node.tag == "input" else node.tag
    value = given.get("value") or ""
    if given.get("aria-invalid") == "true":
        of.wrong.add(name)
    if kind in TYPED:
        of.typed.add(name)
    if kind == "textarea":
        value = node.text()
    if kind == "select":
        offered = [each.attributes for each in node.css("option")]
        chosen = [each for each in offered if "selected" in each and each.get("value")]
        filled = [each for each in offered if each.get("value")]
        value = (chosen or filled or [{"value": ""}])[0]["value"] or ""
    if kind == "radio" and "checked" not in given and name in of.values:
        return
    if kind == "file":
        return
    if kind == "radio":
        of.values[name] = [value]
    else:
        of.values.setdefault(name, []).append(value)
