"""Import and export of providers: all or nothing, every bad row named, twice changes nothing."""

import csv
import io
import tracemalloc
from datetime import date

import pytest
from sqlalchemy import delete, func, select

from marketplace.accounts.models import User
from marketplace.catalogue.models import AccreditationBody
from marketplace.core.actors import ANYBODY, OPERATOR
from marketplace.core.errors import NotAllowed
from marketplace.core.events import Event
from marketplace.core.jobs import Job
from marketplace.matching import service as matching
from marketplace.notifications.models import Notification
from marketplace.providers import service
from marketplace.providers.cells import COLUMNS, FURTHER_COLUMNS
from marketplace.providers.exporting import export_providers
from marketplace.providers.facts import provider_facts
from marketplace.providers.importing import import_providers
from marketplace.providers.models import (
    Accreditation,
    AccreditationCheck,
    Coverage,
    Provider,
    Relationship,
)
from tests.people import an_admin
from tests.services.road import held

WHOLE = (*COLUMNS, *FURTHER_COLUMNS)

CONSULTANT = {
    "name": "Harbour Quality Pty Ltd",
    "kind": "consultant",
    "country": "AU",
    "registration_number": "51 824 753 556",
    "website": "harbour.example",
    "contact_name": "Kim Reyes",
    "email": "Kim@Harbour.example",
    "phone": "+61 2 5550 1234",
    "standards": "ISO 9001;ISO 14001",
    "regions": "AU-NSW;AU-VIC",
    "sectors": "17;28",
    "headcount_min": "1",
    "headcount_max": "500",
    "remote": "yes",
    "open_capacity": "4",
    "monthly_capacity": "12",
    "related_to": "",
    "accreditations": "",
}
BODY = {
    **CONSULTANT,
    "name": "Southern Certification Ltd",
    "kind": "certification_body",
    "country": "NZ",
    "registration_number": "",
    "website": "https://southern.example",
    "email": "lee@southern.example",
    "related_to": "Harbour Quality",
    "accreditations": (
        "JASANZ|S-1|ISO 9001:2026|2028-12-31|17,28;UKAS|4711|ISO/IEC 27001:2022|2027-06-30;"
        "NATA|N-1|ISO 14001|2020-01-01|"
    ),
}


@pytest.fixture
def file(tmp_path):
    """Write rows (or text, or bytes) to a file; return its path."""

    def write(*rows, header=COLUMNS, raw=None):
        path = tmp_path / "providers.csv"
        if raw is not None:
            path.write_bytes(raw)
            return path
        with path.open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out)
            writer.writerow(header)
            writer.writerows(
                [row[name] for name in header] if isinstance(row, dict) else row for row in rows
            )
        return path

    return write


def run(ctx, path, **how):
    return import_providers(ctx, OPERATOR, path, **how)


def words(report):
    return [str(problem) for problem in report.problems]


def everything(ctx):
    """Return every row that an import can touch, but for what counts what happened."""
    found = {}
    with ctx.reading() as session:
        for model in (
            Provider, Coverage, Accreditation, AccreditationCheck, Relationship, User, Event,
            Notification,
        ):  # fmt: skip
            table = model.__table__
            rows = session.execute(select(table).order_by(*table.primary_key))
            found[table.name] = [tuple(row) for row in rows]
    return found


def test_a_vouched_for_file_becomes_verified_providers(ctx, file):
    report = run(ctx, file(CONSULTANT, BODY), verified=True)
    assert words(report) == []
    assert (report.rows, report.created, report.accreditations, report.relationships) == (
        2,
        2,
        3,
        1,
    )
    with ctx.reading() as session:
        body = session.scalars(select(Provider).where(Provider.country == "NZ")).one()
        consultant = session.scalars(select(Provider).where(Provider.country == "AU")).one()
        coverage = session.get(Coverage, consultant.id)
        held = session.scalars(select(Accreditation).order_by(Accreditation.body)).all()
        related = session.scalars(select(Relationship)).one()
        users = session.scalars(select(User.email).order_by(User.email)).all()
        checks = session.scalars(select(AccreditationCheck)).all()
        verbs = set(session.scalars(select(Event.verb).where(Event.actor_kind == "operator")))
    assert (body.state, consultant.state, coverage.state) == ("verified",) * 3
    assert consultant.legal_entity == "AU:51824753556"
    assert consultant.website == "https://harbour.example"
    assert coverage.standards == ["ISO 9001", "ISO 14001"]
    assert (coverage.remote, coverage.open_capacity, coverage.monthly_capacity) == (True, 4, 12)
    assert [(a.body, a.edition, a.sectors, a.state) for a in held] == [
        ("JASANZ", "2026", ["17", "28"], "verified"),
        ("NATA", None, None, "verified"),
        ("UKAS", "2022", None, "verified"),
    ]
    assert {related.provider_id, related.other_id} == {body.id, consultant.id}
    assert related.kind == "declared"
    assert users == ["kim@harbour.example", "lee@southern.example"]
    assert {(check.result, check.checked_by) for check in checks} == {("found", None)}
    assert verbs >= {"provider.imported", "accreditation.imported", "user.created"}


def test_without_a_word_for_it_providers_have_applied_and_accreditations_are_claimed(ctx, file):
    run(ctx, file(CONSULTANT, BODY))
    with ctx.reading() as session:
        assert set(session.scalars(select(Provider.state))) == {"applied"}
        assert set(session.scalars(select(Coverage.state))) == {"applied"}
        assert set(session.scalars(select(Accreditation.state))) == {"claimed"}
        assert session.scalars(select(AccreditationCheck)).all() == []


@pytest.mark.parametrize("verified", [True, False])
def test_the_same_file_twice_changes_nothing(ctx, file, verified):
    path = file(CONSULTANT, BODY)
    run(ctx, path, verified=verified)
    before = everything(ctx)
    again = run(ctx, path, verified=verified)
    assert everything(ctx) == before
    assert (again.created, again.changed, again.unchanged) == (0, 0, 2)


def test_a_dry_run_says_what_would_be_done_and_does_nothing(ctx, file):
    before = everything(ctx)
    report = run(ctx, file(CONSULTANT, BODY), dry_run=True, invite=True)
    assert (report.created, report.dry_run, report.is_accepted) == (2, True, True)
    assert everything(ctx) == before


def test_a_changed_row_updates_its_provider(ctx, file):
    run(ctx, file(CONSULTANT, BODY), verified=True)
    moved = {**CONSULTANT, "name": "Harbour Quality Group", "regions": "AU", "open_capacity": "9"}
    report = run(ctx, file(moved, BODY | {"related_to": "51824753556"}), verified=True)
    assert (report.created, report.changed, report.unchanged) == (0, 1, 1), words(report)
    with ctx.reading() as session:
        provider = session.scalars(select(Provider).where(Provider.country == "AU")).one()
        coverage = session.get(Coverage, provider.id)
    assert (provider.name, provider.name_key) == ("Harbour Quality Group", "harbour quality group")
    assert (coverage.regions, coverage.open_capacity) == (["AU"], 9)


def test_a_row_that_names_every_part_of_a_country_covers_the_country(ctx, make, file):
    states = "AU-NSW;AU-VIC;AU-QLD;AU-SA;AU-WA;AU-TAS;AU-NT"
    seven = {**CONSULTANT, "regions": states, "remote": "no"}
    run(ctx, file(seven), verified=True)
    lead = make.matched_lead(regions=["AU"])
    assert held(make, lead) == []
    path = file({**seven, "regions": f"{states};AU-ACT;NZ-AUK"})
    run(ctx, path, verified=True)
    with ctx.reading() as session:
        assert session.scalars(select(Coverage.regions)).one() == ["AU", "NZ-AUK"]
    assert run(ctx, path, verified=True).unchanged == 1
    matching.match_lead(ctx, lead.id)
    assert len(held(make, lead)) == 1


def test_vouching_later_verifies_who_had_applied(ctx, file):
    path = file(CONSULTANT, BODY)
    run(ctx, path)
    report = run(ctx, path, verified=True)
    assert report.approved == 2
    with ctx.reading() as session:
        assert set(session.scalars(select(Provider.state))) == {"verified"}
        assert set(session.scalars(select(Coverage.state))) == {"verified"}
        assert set(session.scalars(select(Accreditation.state))) == {"verified"}


def test_vouching_for_accreditations_alone_is_a_change_that_waiting_leads_hear_of(ctx, file, queue):
    path = file(BODY | {"related_to": ""})
    run(ctx, path)
    with ctx.reading() as session:
        (provider_id,) = session.scalars(select(Provider.id))
    service.approve_provider(ctx, OPERATOR, provider_id)
    queue.jobs.clear()
    report = run(ctx, path, verified=True)
    assert (report.changed, report.unchanged, report.accreditations) == (1, 0, 3)
    assert (Job.REMATCH_WAITING_LEADS, None) in queue.jobs
    with ctx.reading() as session:
        assert set(session.scalars(select(Accreditation.state))) == {"verified"}
    queue.jobs.clear()
    assert run(ctx, path, verified=True).unchanged == 1
    assert queue.jobs == []


def test_who_holds_an_invitation_is_looked_at_again_when_a_file_says_what_may_cost_it(
    ctx, file, queue
):
    run(ctx, file(CONSULTANT, BODY | {"related_to": ""}), verified=True)
    queue.jobs.clear()
    run(ctx, file(CONSULTANT, BODY | {"related_to": "51824753556"}), verified=True)
    assert queue.jobs == [(Job.RECHECK_STANDING, None)]
    queue.jobs.clear()
    run(ctx, file(BODY | {"accreditations": "JASANZ|C-1|ISO 9001:2026|2026-12-31|17,28"}))
    assert (Job.RECHECK_STANDING, None) in queue.jobs


def test_what_an_administrator_decided_is_left_alone(ctx, file):
    path = file(CONSULTANT, BODY)
    run(ctx, path)
    with ctx.reading() as session:
        ids = dict(session.execute(select(Provider.country, Provider.id)).all())
    service.reject_provider(ctx, OPERATOR, ids["NZ"], reason="not accredited")
    service.approve_provider(ctx, OPERATOR, ids["AU"])
    service.suspend_provider(ctx, OPERATOR, ids["AU"], reason="complaints")
    before = everything(ctx)
    report = run(ctx, path, verified=True)
    assert (report.left_rejected, report.unchanged, report.approved) == (1, 1, 0), words(report)
    assert everything(ctx) == before


def test_a_later_end_without_anybodys_word_takes_the_verification_back(ctx, file):
    run(ctx, file(CONSULTANT, BODY), verified=True)
    longer = BODY | {"accreditations": BODY["accreditations"].replace("2028-12-31", "2031-12-31")}
    report = run(ctx, file(CONSULTANT, longer))
    assert (report.changed, report.accreditations) == (1, 1)
    with ctx.reading() as session:
        held = dict(session.execute(select(Accreditation.body, Accreditation.state)).all())
        ends = session.scalars(
            select(Accreditation.valid_until).where(Accreditation.body == "JASANZ")
        ).one()
    assert held == {"JASANZ": "claimed", "UKAS": "verified", "NATA": "verified"}
    assert ends == date(2031, 12, 31)


def test_an_invitation_goes_to_every_contact_without_a_password_once(ctx, file):
    path = file(CONSULTANT, BODY)
    assert run(ctx, path, invite=True).invited == 2
    run(ctx, path, invite=True)
    with ctx.reading() as session:
        letters = session.execute(select(Notification.template, Notification.recipient)).all()
    assert sorted(letters) == [
        ("set_password", "kim@harbour.example"),
        ("set_password", "lee@southern.example"),
    ]


def test_what_is_exported_can_be_imported_and_changes_nothing(ctx, file):
    quoted = {
        **CONSULTANT,
        "name": '=SUM(A1) "Quoted", Ünïcode; Co',
        "registration_number": "",
        "email": "odd@quoted.example",
        "related_to": "Southern Certification;Harbour Quality",
    }
    rows = (
        CONSULTANT | {"languages": "en;de", "weeks_to_start": "0"},
        BODY | {"languages": "", "weeks_to_start": ""},
        quoted | {"languages": "mi", "weeks_to_start": ""},
    )
    run(ctx, file(*rows, header=WHOLE), verified=True)
    out = io.StringIO(newline="")
    assert export_providers(ctx, OPERATOR, out) == 3
    before = everything(ctx)  # with the event of the export
    exported = out.getvalue()
    assert exported.splitlines()[0] == ",".join(WHOLE)
    report = run(ctx, file(raw=exported.encode()), verified=True)
    assert words(report) == []
    assert (report.created, report.changed, report.relationships) == (0, 0, 0)
    assert everything(ctx) == before
    again = io.StringIO(newline="")
    export_providers(ctx, OPERATOR, again)
    assert again.getvalue() == exported


def said(ctx):
    """Return the languages and the weeks of the one provider that there is."""
    with ctx.reading() as session:
        return session.execute(select(Coverage.languages, Coverage.weeks_to_start)).one()


def test_columns_that_a_file_does_without_leave_alone_what_is_known(ctx, file):
    run(ctx, file(CONSULTANT))
    assert said(ctx) == ([], None)
    for further, kept in (
        ({"languages": "en; de;en", "weeks_to_start": "6"}, (["en", "de"], 6)),
        ({"phone": "1"}, (["en", "de"], 6)),
        ({"languages": "mi"}, (["mi"], 6)),
        ({"weeks_to_start": "0"}, (["mi"], 0)),
        ({"languages": ""}, ([], 0)),
        ({"weeks_to_start": ""}, ([], None)),
    ):
        header = (*COLUMNS, *(name for name in further if name in FURTHER_COLUMNS))
        report = run(ctx, file(CONSULTANT | further, header=header))
        assert (report.changed, said(ctx)) == (1, kept), further


def test_a_body_that_nobody_has_heard_of_is_imported_as_it_is_and_makes_nobody_eligible(ctx, file):
    claimed = "World Cert Board|W-1|ISO 9001:2026|2028-12-31|17"
    path = file({**BODY, "related_to": "", "accreditations": claimed})
    try:
        report = import_providers(ctx, OPERATOR, path, verified=True)
        assert (report.created, report.new_bodies) == (1, ("World Cert Board",))
        assert import_providers(ctx, OPERATOR, path, verified=True).new_bodies == ()
        with ctx.reading() as session:
            (provider_id,) = session.scalars(select(Provider.id))
            facts = provider_facts(session, [provider_id], now=ctx.clock())[provider_id]
        (held,) = facts.accreditations
        assert held.state == "verified"
        assert not held.recognised
    finally:
        with ctx.transaction() as tx:
            tx.session.execute(delete(AccreditationCheck))
            tx.session.execute(delete(Accreditation))
            made = AccreditationBody.code == "World Cert Board"
            tx.session.execute(delete(AccreditationBody).where(made))


def test_one_bad_row_keeps_all_of_them_out(ctx, file):
    before = everything(ctx)
    report = run(ctx, file(CONSULTANT, BODY | {"country": "XX"}), verified=True)
    assert words(report) == [
        "line 3, country: 'XX' is not an ISO 3166-1 country code of the catalogue"
    ]
    assert everything(ctx) == before


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("name", "", "is required"),
        ("name", "x" * 201, "at most 200"),
        ("name", "two\nlines", None),
        ("name", "bell \x07 here", "control characters"),
        ("name", "Harbour \u202eytilauQ", "control characters"),
        ("kind", "bank", "must be one of"),
        ("country", "AU-NSW", "country code"),
        ("registration_number", "51 824 753 557", "valid ABN"),
        ("website", "no address", "web address"),
        ("contact_name", "", "is required"),
        ("email", "nobody", "e-mail address"),
        ("phone", "1" * 41, "at most 40"),
        ("standards", "", "is required"),
        ("standards", "ISO 9001;ISO 1", "ISO 1"),
        ("regions", "Sydney", "Sydney"),
        ("sectors", "99", "99"),
        ("headcount_min", "0", "from 1"),
        ("headcount_min", "600", "must not be below"),
        ("headcount_max", "1e3", "whole number"),
        ("headcount_max", "٣", "whole number"),
        ("remote", "maybe", "yes or no"),
        ("open_capacity", "-1", "whole number"),
        ("monthly_capacity", "10001", "from 0 to 10000"),
        ("related_to", "Nobody at all", "no provider 'Nobody at all'"),
        ("related_to", "Harbour Quality", "the provider itself"),
        ("accreditations", "JASANZ|1|ISO 9001|2027-01-01", "only a certification body"),
        ("languages", "en;xx;German", "not a language of the catalogue: xx, German"),
        ("weeks_to_start", "105", "from 0 to 104"),
    ],
)
def test_a_bad_cell_is_named_with_its_line(ctx, file, column, cell, reason):
    further = dict.fromkeys(FURTHER_COLUMNS, "")
    report = run(ctx, file(CONSULTANT | further | {column: cell}, header=WHOLE))
    assert not report.is_accepted
    assert report.problems[0].line == 2
    if reason is not None:
        assert {(p.line, p.column) for p in report.problems} <= {(2, column), (2, "headcount_max")}
        assert reason in report.problems[0].reason


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("JASANZ|S-1|ISO 9001", "must be body|"),
        ("|S-1|ISO 9001|2027-01-01", "name an accreditation body"),
        ("JASANZ||ISO 9001|2027-01-01", "certificate number"),
        ("JASANZ|S-1|ISO 1|2027-01-01", "not a standard"),
        ("JASANZ|S-1|ISO 9001:2062|2027-01-01", "not an edition"),
        ("JASANZ|S-1|ISO 9001|2027-02-30", "not a date"),
        ("JASANZ|S-1|ISO 9001|1.2.2027", "not a date"),
        ("JASANZ|S-1|ISO 9001|2027-01-01|99", "not a sector"),
        ("JASANZ|S-1|ISO 9001|2027-01-01;JASANZ|S-1|ISO 9001|2028-01-01", "named twice"),
    ],
)
def test_a_bad_accreditation_is_named(ctx, file, entry, reason):
    report = run(ctx, file(BODY | {"related_to": "", "accreditations": entry}))
    assert [(p.line, p.column) for p in report.problems] == [(2, "accreditations")]
    assert reason in report.problems[0].reason


def test_every_bad_row_and_cell_is_named_at_once(ctx, file):
    rows = [CONSULTANT | {"email": f"{n}@x.example", "registration_number": "",
                          "kind": "bank", "remote": "?"} for n in range(50)]  # fmt: skip
    report = run(ctx, file(*rows))
    assert len(report.problems) == 100
    assert {problem.line for problem in report.problems} == set(range(2, 52))


def test_rows_that_clash_with_each_other_are_named(ctx, file):
    other = BODY | {"related_to": ""}
    rows = [
        CONSULTANT,
        CONSULTANT | {"name": "Another", "email": "a@b.example"},
        other,
        other | {"phone": "1"},
        other | {"name": "Third Ltd"},
    ]
    assert words(run(ctx, file(*rows))) == [
        "line 3: is the same provider as line 2",
        "line 5: is the same provider as line 4",
        "line 6, email: is also the address of line 4",
    ]


def test_rows_that_clash_with_what_is_known_are_named(ctx, file):
    run(ctx, file(CONSULTANT))
    an_admin(ctx, "ada@marketplace.example")
    rows = [
        CONSULTANT | {"kind": "certification_body"},
        BODY | {"related_to": "", "email": "ada@marketplace.example"},
    ]
    assert words(run(ctx, file(*rows))) == [
        "line 2, kind: this legal entity is known as a consultant, and cannot be both",
        "line 3, email: signs in for somebody else already",
    ]


def test_related_providers_are_found_by_number_address_and_name(ctx, file):
    rows = [
        CONSULTANT,
        BODY | {"related_to": "51824753556"},
        BODY | {"name": "Third", "email": "c@d.example", "related_to": "KIM@harbour.example"},
        BODY | {"name": "Fourth", "email": "e@f.example", "related_to": "HARBOUR Quality; Third"},
    ]
    report = run(ctx, file(*rows))
    assert words(report) == []
    assert report.relationships == 4


def test_a_provider_known_without_its_number_gets_it(ctx, file):
    run(ctx, file(CONSULTANT | {"registration_number": ""}))
    report = run(ctx, file(CONSULTANT))
    assert (report.created, report.changed) == (0, 1), words(report)


def test_columns_may_stand_in_any_order_behind_a_byte_order_mark(ctx, file):
    names = list(reversed(COLUMNS))
    text = io.StringIO()
    csv.writer(text).writerows([names, [CONSULTANT[name] for name in names], [], [""]])
    report = run(ctx, file(raw=b"\xef\xbb\xbf" + text.getvalue().encode()))
    assert (words(report), report.created) == ([], 1)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "the file is empty"),
        (b"\xff\xfen\x00a\x00m\x00e\x00\r\x00\n\x00", "is UTF-16"),
        (",".join(COLUMNS).replace("email,", "").encode(), "missing columns: email"),
        ((",".join(COLUMNS) + ",fax,").encode(), "unknown columns: (without a name), fax"),
        ((",".join(COLUMNS) + ",email").encode(), "named twice columns: email"),
        (";".join(COLUMNS).encode(), "must be separated by commas"),
    ],
)
def test_a_wrong_header_is_said_clearly(ctx, file, raw, said):
    (problem,) = run(ctx, file(raw=raw)).problems
    assert problem.line == 1
    assert said in problem.reason


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"caf\xe9,consultant", "is not UTF-8 (byte 4 of the line)"),
        (b'"never closed,consultant', "quotation marks"),
        (b'"a"b,consultant', "quotation marks"),
        (b"a,b", "has 2 cells where the header has 18"),
        (b"x" * 200_000, "far too long"),
        (b"x" * 2_000_000, "longer than 1 MiB"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_the_others_are_read_on(ctx, file, line, said):
    rest = io.StringIO()
    csv.writer(rest).writerow([(CONSULTANT | {"remote": "?"})[name] for name in COLUMNS])
    raw = b"\n".join([",".join(COLUMNS).encode(), line, rest.getvalue().encode()])
    first, second = run(ctx, file(raw=raw)).problems
    assert (first.line, second.line, second.column) == (2, 3, "remote")
    assert said in first.reason


def test_only_administrators_import_and_export(ctx, file):
    with pytest.raises(NotAllowed):
        import_providers(ctx, ANYBODY, file(CONSULTANT))
    with pytest.raises(NotAllowed):
        export_providers(ctx, ANYBODY, io.StringIO())


def test_thousands_of_rows_take_little_memory_and_few_statements(ctx, file):
    rows = (
        CONSULTANT
        | {"name": f"Provider {n}", "email": f"p{n}@many.example", "registration_number": ""}
        for n in range(2_000)
    )
    path = file(*rows)
    seen = []
    tracemalloc.start()
    report = run(ctx, path, verified=True, progress=lambda done, of: seen.append((done, of)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (report.created, words(report)) == (2_000, [])
    assert peak < 12_000_000
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)
    with ctx.reading() as session:
        assert session.scalar(select(func.count()).select_from(User)) == 2_000
