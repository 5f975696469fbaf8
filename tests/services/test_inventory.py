"""The inventory of data: complete, and kept to by erasure."""

import pytest
from sqlalchemy import ARRAY, Enum, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB

from marketplace.core.db import Base
from marketplace.privacy.inventory import CATALOGUE, INVENTORY, WITHHELD, Fate, Whose, personal
from marketplace.privacy.retention import RULES
from marketplace.quotes.erasure import erase_request
from tests.factories import business_of
from tests.services.whole_request import a_whole_request, fill, named_in


def columns():
    """Yield every column that can hold a text or a file and is no code by its type."""
    for table in Base.metadata.sorted_tables:
        for column in table.columns if table.name not in CATALOGUE else ():
            kind = column.type
            is_words = isinstance(kind, ARRAY) and isinstance(kind.item_type, Text)
            is_text = isinstance(kind, Text | LargeBinary | JSONB) and not isinstance(kind, Enum)
            if is_text or is_words:
                yield f"{table.name}.{column.name}"


def test_every_column_that_can_hold_a_text_has_its_line_and_every_line_its_column():
    """A new one is missing here: say in `privacy/inventory.py` whose it is and what becomes of it.

    Then see that erasure, retention and the export keep to it: the tests below and beside tell.
    """
    there = set(columns())
    assert there - INVENTORY.keys() == set(), "without a line"
    assert INVENTORY.keys() - there == set(), "without a column"


def test_a_line_that_names_a_rule_names_one_that_there_is():
    rules = {rule.name for rule in RULES}
    named = {line.until for line in INVENTORY.values() if " " not in line.until}
    assert named - rules == {"`idempotency_window`"}


def test_what_is_personal_does_not_simply_stay():
    stays = [
        name for name, line in INVENTORY.items() if line.is_personal and line.fate is Fate.STAYS
    ]
    assert stays == ["events.address"]
    assert set(WITHHELD) <= set(personal(Whose.BUSINESS))


@pytest.fixture
def lead(ctx, make):
    return a_whole_request(ctx, make)


def test_erasure_leaves_nothing_of_a_business_in_any_column_of_the_inventory(ctx, make, lead):
    filled = fill(ctx, [c for c in personal(Whose.BUSINESS) if c != "leads.business_key"])
    assert len(filled) >= 25, filled
    before = named_in(make)
    assert set(before) >= {c.partition(".")[0] for c in filled}
    erase_request(ctx, business_of(lead))
    assert named_in(make) == ["notifications"]  # the last word, which goes once it is sent
