"""Set a paper as a PDF: a program of its own, which `marketplace.core.typesetting` runs for each.

What is set was written by others, at any length and in any script. So this process is confined
(`confined.py`) to so much memory and time, and writes no file. It reads the words as JSON from its
standard input, and answers with the PDF.
"""

import sys
from typing import Literal

import typst

NO_SIGN = "could not be displayed"
"""Of what typst says where no font has a sign that is in the words."""


def main() -> None:
    sys.stdout.buffer.write(typeset(sys.argv[1], sys.stdin.read()))


def typeset(template: str, content: str) -> bytes:
    """Return the paper: accessible (PDF/UA-1) wherever every sign in it can be drawn.

    That standard has no boxes for signs of which no font is there. They are drawn all the same, and
    the paper says so; what they stand for is still in its text.
    """
    try:
        return _compiled(template, {"content": content}, "ua-1")
    except typst.TypstError as error:
        if NO_SIGN not in str(error):
            raise
        return _compiled(template, {"content": content, "boxes": "yes"}, None)


def _compiled(template: str, inputs: dict[str, str], standard: Literal["ua-1"] | None) -> bytes:
    pdf: bytes = typst.compile(template, format="pdf", sys_inputs=inputs, pdf_standards=standard)
    return pdf


if __name__ == "__main__":
    main()
