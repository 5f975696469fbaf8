from datetime import date, timedelta
from uuid import UUID

import pytest

from marketplace.catalogue.rules import Editions, Recognition
from marketplace.core.errors import Conflict
from marketplace.providers.cells import COLUMNS, Reference, read_row
from marketplace.providers.evidence import evidence
from marketplace.providers.rules import (
    ACCREDITATION_LIFECYCLE,
    PROVIDER_LIFECYCLE,
    AccreditationEvent,
    AccreditationState,
    CheckResult,
    ProviderEvent,
    ProviderState,
    RelationFacts,
    RelationshipKind,
    check_event,
    is_recognised,
    name_key,
    standstills,
)
from tests.rules.facts import BODY, DAY, NOW, TODAY, accreditation, provider

OTHER = UUID(int=2)


@pytest.mark.parametrize("state", ProviderState)
@pytest.mark.parametrize("event", ProviderEvent)
def test_a_provider_moves_only_as_the_table_says(state, event):
    expected = {
        ("applied", "approve"): "verified",
        ("applied", "reject"): "rejected",
        ("verified", "suspend"): "suspended",
        ("suspended", "reinstate"): "verified",
    }.get((state, event))
    if expected is None:
        with pytest.raises(Conflict):
            PROVIDER_LIFECYCLE.after(state, event)
    else:
        assert PROVIDER_LIFECYCLE.after(state, event) == expected


@pytest.mark.parametrize("state", [AccreditationState.WITHDRAWN, AccreditationState.EXPIRED])
def test_an_accreditation_that_ended_stays_ended(state):
    assert ACCREDITATION_LIFECYCLE.is_final(state)


@pytest.mark.parametrize(
    ("result", "event"),
    [
        (CheckResult.FOUND, AccreditationEvent.VERIFY),
        (CheckResult.CONFIDENTIAL, AccreditationEvent.VERIFY),
        (CheckResult.NOT_FOUND, AccreditationEvent.DOUBT),
        (CheckResult.MISMATCH, AccreditationEvent.DOUBT),
    ],
)
def test_what_a_look_into_a_register_leads_to(result, event):
    assert check_event(result) is event


@pytest.mark.parametrize(
    ("recognition", "only_for", "standard", "expected"),
    [
        (Recognition.RECOGNISED, None, "ISO 9001", True),
        (Recognition.RECOGNISED, ["ISO 22301"], "ISO 22301", True),
        (Recognition.RECOGNISED, ["ISO 22301"], "ISO 9001", False),
        (Recognition.UNVERIFIED, None, "ISO 9001", False),
        (Recognition.NOT_RECOGNISED, ["ISO 9001"], "ISO 9001", False),
    ],
)
def test_a_body_is_recognised_standard_by_standard(recognition, only_for, standard, expected):
    assert is_recognised(recognition, only_for, standard) is expected


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, True),
        ({"valid_until": TODAY}, True),
        ({"valid_until": TODAY - timedelta(days=1)}, False),
        ({"valid_from": TODAY}, True),
        ({"valid_from": TODAY + timedelta(days=1)}, False),
        ({"recognised": False}, False),
        ({"state": AccreditationState.CLAIMED}, False),
        ({"state": AccreditationState.SUSPENDED}, False),
        ({"state": AccreditationState.WITHDRAWN}, False),
    ],
)
def test_an_accreditation_counts_up_to_its_last_day_while_verified(changes, counts):
    assert accreditation(**changes).counts(TODAY) is counts


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"open_count": 2}, False),
        ({"open_capacity": 0, "open_count": 0}, False),
        ({"month_count": 5}, False),
        ({"month_count": 5, "month": date(2026, 10, 1)}, True),
        ({"month_count": 5, "month": date(2026, 12, 1)}, False),  # our clock is behind
        ({"monthly_capacity": 0, "month": date(2026, 10, 1)}, False),
    ],
)
def test_capacity_is_what_is_open_and_what_the_month_has_left(changes, expected):
    busy = {"open_capacity": 2, "open_count": 1, "monthly_capacity": 5, "month_count": 4}
    assert provider(**(busy | changes)).has_capacity(NOW) is expected


def test_a_pause_runs_from_its_start_up_to_its_end():
    hour = timedelta(hours=1)
    paused = provider(pauses=((NOW, NOW + hour),))
    moments = [NOW - hour, NOW, NOW + hour / 2, NOW + hour]
    assert [paused.is_paused(moment) for moment in moments] == [False, True, True, False]


@pytest.mark.parametrize(
    ("start", "end", "related"),
    [
        (None, None, True),
        (TODAY, TODAY, True),
        (TODAY + timedelta(days=1), None, False),
        (None, TODAY - timedelta(days=1), False),
    ],
)
def test_a_relationship_holds_on_both_of_its_days(start, end, related):
    relation = RelationFacts(OTHER, RelationshipKind.OWNERSHIP, start, end)
    assert provider(related=frozenset({relation})).related_on(TODAY) == (
        {OTHER} if related else set()
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Harbour Quality Pty Ltd", "HARBOUR QUALITY"),
        ("Åsa & Søn A/S", "asa and søn as"),
        ("Müller GmbH", "MULLER"),
        ("O'Neil, Inc.", "ONeil"),
    ],
)
def test_names_are_compared_without_case_accents_punctuation_and_legal_form(one, other):
    assert name_key(one) == name_key(other)


def test_a_name_that_is_only_a_legal_form_keeps_it():
    assert name_key("Limited") == "limited"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("cert.pdf", b"%PDF-1.7 ...", ("cert.pdf", "application/pdf")),
        ("../../etc/passwd", b"\x89PNG\r\n\x1a\n...", ("passwd.png", "image/png")),
        ("c:\\x\\scan.jpeg.exe", b"\xff\xd8\xff\xe0", ("scan.jpeg.jpg", "image/jpeg")),
        ('a"b\r\nc.pdf', b"%PDF-", ("ab\r\nc".replace("\r\n", "") + ".pdf", "application/pdf")),
        (None, b"%PDF-", ("evidence.pdf", "application/pdf")),
        ("page.pdf", b"<html>", None),
        ("empty.pdf", b"", None),
    ],
)
def test_a_file_is_what_its_first_bytes_say(name, content, expected):
    file = evidence(name, content)
    if expected is None:
        assert isinstance(file, str), "what is wrong with it, in words"
    else:
        assert (file.name, file.media_type) == expected


def test_a_row_is_read_with_the_defaults_of_empty_cells():
    reference = Reference(
        standards={"ISO 9001": Editions("2026", "2015", None, None)},
        countries={"DK"},
        regions={"DK"},
        sectors={"17"},
        languages={"da"},
    )
    cells = dict.fromkeys(COLUMNS, "") | {
        "name": "Nordlys ApS",
        "kind": "certification_body",
        "country": "DK",
        "contact_name": "Bo",
        "email": "BO@nordlys.example",
        "standards": " ISO 9001 ; ISO 9001 ;",
        "regions": "DK",
        "accreditations": "DANAK|1|ISO 9001:2015|2027-01-31|17, 17 ; DANAK|1|ISO 9001|2027-01-31",
    }
    row = read_row(cells, reference)
    assert row.problems == []
    assert row.values["standards"] == ["ISO 9001"]
    assert (row.values["email"], row.values["remote"]) == ("bo@nordlys.example", False)
    assert (row.values["headcount_min"], row.values["headcount_max"]) == (1, 1_000_000)
    assert [(a.edition, a.sectors) for a in row.accreditations] == [("2015", ["17"]), (None, None)]
    assert "languages" not in row.values, "a file without the column says nothing of it"


@pytest.mark.parametrize(
    ("column", "cell", "value", "problem"),
    [
        ("languages", "", [], None),
        ("languages", " a0 ;a1; a0 ", ["a0", "a1"], None),
        ("languages", ";".join(f"a{n}" for n in range(20)), [f"a{n}" for n in range(20)], None),
        ("languages", ";".join(f"a{n}" for n in range(21)), None, "must have at most 20 entries"),
        ("languages", "a0;A0;xx", None, "not a language of the catalogue: A0, xx"),
        ("weeks_to_start", "", None, None),
        ("weeks_to_start", "0", 0, None),
        ("weeks_to_start", "104", 104, None),
        ("weeks_to_start", "105", None, "must be a whole number from 0 to 104"),
        ("weeks_to_start", "soon", None, "must be a whole number from 0 to 104"),
    ],
)
def test_a_cell_of_a_further_column_is_read_by_itself(column, cell, value, problem):
    reference = Reference({}, (), (), (), languages={f"a{n}" for n in range(21)})
    row = read_row(dict.fromkeys(COLUMNS, "") | {column: cell}, reference)
    assert row.values.get(column) == value
    assert dict(row.problems).get(column) == problem


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({}, []),
        ({"state": ProviderState.APPLIED}, ["not_verified"]),
        ({"state": ProviderState.SUSPENDED, "open_capacity": 0}, ["not_verified", "takes_none"]),
        ({"pauses": ((NOW, NOW + DAY),)}, ["paused"]),
        ({"pauses": ((NOW - DAY, NOW),)}, []),
        ({"pauses": ((NOW + DAY, NOW + 2 * DAY),)}, []),
        ({"monthly_capacity": 0}, ["takes_none"]),
        ({"open_capacity": 2, "open_count": 1}, []),
        ({"open_capacity": 2, "open_count": 2}, ["all_open"]),
        ({"open_capacity": 2, "open_count": 3}, ["all_open"]),
        ({"monthly_capacity": 2, "month_count": 2}, ["month_used"]),
        ({"monthly_capacity": 2, "month_count": 2, "month": date(2026, 10, 1)}, []),
        ({"kind": BODY, "accreditations": ()}, ["no_accreditation"]),
        ({"kind": BODY, "accreditations": (accreditation(),)}, []),
        (
            {"kind": BODY, "accreditations": (accreditation(standard="ISO 45001"),)},
            ["no_accreditation"],
        ),
        (
            {"kind": BODY, "accreditations": (accreditation(valid_until=TODAY - DAY),)},
            ["no_accreditation"],
        ),
    ],
)
def test_every_reason_why_a_provider_is_invited_to_nothing_is_named(changes, reasons):
    assert standstills(provider(**changes), NOW) == reasons
