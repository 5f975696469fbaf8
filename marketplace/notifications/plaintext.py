"""The text of a message, made from its HTML, so that both say the same."""

import re
from html.parser import HTMLParser

_PARAGRAPHS = {"p", "h1", "ul", "blockquote", "footer", "main", "div"}
_SPACE = re.compile(r"\s+")


class _Reader(HTMLParser):
    """Reads the few elements that letters are made of."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.href: str | None = None
        self.quoted = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            self.parts.append("\n> " if self.quoted else "\n")
        elif tag == "li":
            self.parts.append("\n- ")
        elif tag == "a":
            self.href = dict(attrs).get("href")
        elif tag in _PARAGRAPHS:
            self.parts.append("\n\n")
        if tag == "blockquote":
            self.quoted = True
            self.parts.append("> ")

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self.href is not None:
            self.parts.append(f":\n{self.href}")
            self.href = None
        elif tag in _PARAGRAPHS:
            self.parts.append("\n\n")
        if tag == "blockquote":
            self.quoted = False

    def handle_data(self, data: str) -> None:
        self.parts.append(_SPACE.sub(" ", data))


def plain_text(html: str) -> str:
    """Return the words of a letter: paragraphs, lists, quotations, and links with their address."""
    reader = _Reader()
    reader.feed(html.rpartition("</head>")[2])
    reader.close()
    lines = (line.strip(" ") for line in "".join(reader.parts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"
