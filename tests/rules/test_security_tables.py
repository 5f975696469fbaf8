"""The tables of requirements and of threats say what is so: all that they name exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")

SECTION = re.compile(r"`config/SECURITY\.md`, ([A-Z][\w ]+\w)(?:: ([A-Z][\w ]+\w))?")
"""A section of the document about security, and a paragraph in it by the words it begins with."""

REQUIREMENT = re.compile(r"V(\d+)\.(\d+)\.(\d+)")

CHAPTERS = {
    1: 27, 2: 11, 3: 19, 4: 10, 5: 9, 6: 35, 7: 18, 8: 7, 9: 7, 11: 14, 12: 9, 13: 13, 14: 9,
    15: 13, 16: 16,
}  # fmt: skip
"""How many requirements of levels 1 and 2 each chapter of OWASP ASVS 5.0.0 has.

The product has neither OAuth nor OpenID Connect (chapter 10) nor WebRTC (chapter 17).
"""

WITHOUT_A_TEST = ("Does not apply: ", "By whoever runs it: ", "Falls short: ", "By reading: ")
"""How a row begins that no test holds; what follows is the reason."""

DOCUMENTED = re.compile(r"V(2|5|6|7|8|11|13|14|15|16)\.1\.\d")
"""What asks for a document: its row says where that stands."""

HEADS = ("requirement", "who wants what")


def rows_of(name):
    """Return the cells of every row of the tables in a file, without their heads."""
    lines = (TESTS / name).read_text(encoding="utf-8").splitlines()
    rows = [
        [cell.strip() for cell in re.split(r"(?<= )\|(?= |$)", line.removeprefix("|"))][:-1]
        for line in lines
        if line.startswith("| ")
    ]
    return [cells for cells in rows if set(cells[0]) != {"-"} and cells[0] not in HEADS]


@cache
def found_in(path):
    """Return the names of the tests that pytest finds in a file."""
    if not (TESTS.parent / path).exists():
        return frozenset()
    tree = ast.parse((TESTS.parent / path).read_text(encoding="utf-8"))
    places = [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]
    functions = [node for each in places for node in each.body if isinstance(node, ast.FunctionDef)]
    return frozenset(each.name for each in functions if each.name.startswith("test_"))


@pytest.mark.parametrize("name", ["asvs.md", "threats.md"])
def test_every_test_that_is_named_exists(name):
    text = (TESTS / name).read_text(encoding="utf-8")
    named = NAMED.findall(text)
    assert len(named) > 60
    assert [each for each in named if each[1] not in found_in(each[0])] == []
    # Nothing that looks like a test is written so that it is not looked for.
    assert text.count("::") == len(named)


def test_every_paragraph_that_is_named_exists():
    document = (TESTS.parent / "config/SECURITY.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", document, re.MULTILINE))
    for number, *cells in rows_of("asvs.md"):
        for section, paragraph in SECTION.findall(" ".join(cells)):
            assert section in sections, (number, section)
            begins = f"**{paragraph}"
            assert not paragraph or begins in sections[section], (number, paragraph)


def test_every_requirement_has_its_row_with_a_test_or_a_reason():
    rows = rows_of("asvs.md")
    order = []
    for number, held_by, remark in rows:
        order.append(tuple(map(int, REQUIREMENT.fullmatch(number).groups())))
        assert remark, number
        if held_by.startswith(WITHOUT_A_TEST):
            assert len(held_by.split()) > 4, number
        else:
            assert NAMED.sub("", held_by).strip(" ,") == "", number
            assert NAMED.search(held_by), number
        if DOCUMENTED.fullmatch(number) and not held_by.startswith("Does not apply"):
            assert "`config/SECURITY.md`" in held_by + remark, number
    assert order == sorted(set(order))
    assert {c: sum(1 for each in order if each[0] == c) for c in CHAPTERS} == CHAPTERS
    assert len(order) == sum(CHAPTERS.values())


def test_the_wording_of_the_standard_is_not_copied():
    """It is under another licence, so requirements are named by their numbers alone."""
    assert "Verify that" not in (TESTS / "asvs.md").read_text(encoding="utf-8")


def test_no_threat_is_without_a_test_that_shows_what_stops_it():
    rows = rows_of("threats.md")
    assert len(rows) >= 50
    for cells in rows:
        assert len(cells) == 4, cells
        assert all(cells), cells
        assert NAMED.search(cells[-1]), cells
        assert NAMED.sub("", cells[-1]).strip(" ,") == "", cells
    assert len({tuple(cells[:2]) for cells in rows}) == len(rows)
