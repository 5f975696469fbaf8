"""The audit passes only what was audited: found, excused, out of date, unknown, away."""

import re
import socket
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.supply import audit
from tests.supply.advisories import SILENCE, advisories
from tests.supply.audit import (
    EXCUSED,
    FOUND,
    NOT_AUDITED,
    SOUND,
    Excuse,
    Finding,
    NotAudited,
    complaints,
    findings_of,
    main,
    read_excuses,
)
from tests.supply.lock import read_lock

TODAY = date(2027, 1, 15)
DIGEST = "0" * 64
FLAW = {"id": "PYSEC-2027-1", "aliases": ["CVE-2027-1111"], "fixed_in": ["2.1"], "summary": "x"}
LOCK = f"""
alpha==1.0 \\
    --hash=sha256:{DIGEST}
    # via marketplace (pyproject.toml)
beta==2.0 ; sys_platform == 'never' \\
    --hash=sha256:{DIGEST}
    # via alpha
beta==1.9 ; sys_platform != 'never' \\
    --hash=sha256:{DIGEST}
    # via alpha
"""
ALPHA = LOCK.partition("beta")[0]


@pytest.fixture
def audited(tmp_path, monkeypatch, capsys):
    """Audit a lock against what a service knows: return the outcome and what was said."""

    def run(lock, known, excused=""):
        (tmp_path / "lock").write_text(lock)
        (tmp_path / "excused").write_text(excused)
        with advisories(known, tmp_path) as environment:
            for name, value in {**environment, "NO_PROXY": ""}.items():
                monkeypatch.setenv(name, value)
            outcome = main(
                ["--lock", str(tmp_path / "lock"), "--excused", str(tmp_path / "excused")]
            )
        said = capsys.readouterr()
        return outcome, said.out + said.err

    return run


def test_every_pin_is_asked_about_for_whatever_platform_and_an_excused_finding_passes(audited):
    today = datetime.now(UTC).date()
    excused = (
        '[[excused]]\nid = "CVE-2027-1111"\npackage = "beta"\nreason = "Not reached."\n'
        f"since = {today}\nlook_again_by = {today + timedelta(days=1)}\n"
    )
    known = {"alpha 1.0": [], "beta 1.9": [], "beta 2.0": [{**FLAW, "fixed_in": []}]}
    assert audited(LOCK, known, excused) == (
        SOUND,
        "Nothing is known against any of 3 packages; 1 excused.\n",
    )


def test_a_finding_that_nobody_excused_fails(audited):
    outcome, said = audited(ALPHA, {"alpha 1.0": [FLAW]})
    assert outcome == FOUND
    assert said == "alpha 1.0: CVE-2027-1111, PYSEC-2027-1 (mended in 2.1)\n"


def test_a_package_that_the_service_does_not_know_was_not_audited(audited):
    outcome, said = audited(ALPHA, {"alpha 1.1": []})
    assert outcome == NOT_AUDITED
    assert re.search(r"^alpha 1\.0: .*could not be audited", said, re.MULTILINE)


def test_an_answer_without_a_word_of_what_is_known_audits_nothing(audited):
    outcome, said = audited(LOCK, {"alpha 1.0": [], "beta 1.9": SILENCE, "beta 2.0": []})
    assert outcome == NOT_AUDITED
    assert "says nothing of what is known" in said


def test_a_service_that_is_away_audits_nothing(tmp_path, monkeypatch, capsys):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        monkeypatch.setenv("NO_PROXY", "")
        (tmp_path / "lock").write_text(ALPHA)
        assert main(["--lock", str(tmp_path / "lock")]) == NOT_AUDITED
    assert "the service could not be asked" in capsys.readouterr().err


FINDING = Finding("beta", "2.0", frozenset({"PYSEC-2027-1", "CVE-2027-1111"}), ())


def an_excuse(**changes):
    stated = {
        "id": "CVE-2027-1111",
        "package": "beta",
        "reason": "Only reached by what is not called.",
        "since": TODAY,
        "look_again_by": TODAY,
    }
    return Excuse(**{**stated, **changes})


@pytest.mark.parametrize(
    ("findings", "excuses", "said"),
    [
        ([], [], []),
        ([FINDING], [an_excuse()], []),
        ([FINDING], [an_excuse(id="PYSEC-2027-1")], []),
        (
            [FINDING],
            [an_excuse(look_again_by=TODAY - timedelta(days=1))],
            [
                "beta 2.0: CVE-2027-1111, PYSEC-2027-1"
                " (mended in nothing yet; its excuse does not hold)"
            ],
        ),
        (
            [FINDING],
            [an_excuse(since=TODAY + timedelta(days=1), look_again_by=TODAY + timedelta(days=91))],
            [
                "beta 2.0: CVE-2027-1111, PYSEC-2027-1"
                " (mended in nothing yet; its excuse does not hold)"
            ],
        ),
        (
            [replace(FINDING, fixed_in=("2.1",))],
            [an_excuse()],
            ["beta 2.0: CVE-2027-1111, PYSEC-2027-1 (mended in 2.1; its excuse does not hold)"],
        ),
        (
            [FINDING],
            [an_excuse(package="alpha")],
            [
                "beta 2.0: CVE-2027-1111, PYSEC-2027-1 (mended in nothing yet)",
                "alpha: the excuse for CVE-2027-1111 matches nothing: take it out",
            ],
        ),
        ([], [an_excuse()], ["beta: the excuse for CVE-2027-1111 matches nothing: take it out"]),
    ],
)
def test_an_excuse_holds_for_its_finding_in_its_time_and_while_nothing_mends_it(
    findings, excuses, said
):
    assert complaints(findings, excuses, today=TODAY) == said


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ('reason = "It is not reached."', None),
        ('reason = " "', "no reason"),
        ("", "reason"),
        ('reason = "x"\nlook_again_by = 2027-04-16', "within 90 days"),
        ('reason = "x"\nlook_again_by = 2027-01-01', "within 90 days"),
        ('reason = "x"\nlook_again_by = "soon"', "dates"),
        ('reason = "x"\nfor_ever = true', "for_ever"),
    ],
)
def test_an_excuse_is_stated_in_full_for_ninety_days_at_most(line, wrong):
    again = "" if "look_again_by" in line else "look_again_by = 2027-04-15\n"
    text = f'[[excused]]\nid = "X"\npackage = "beta"\nsince = 2027-01-15\n{again}{line}\n'
    if wrong is None:
        assert [each.id for each in read_excuses(text)] == ["X"]
    else:
        with pytest.raises(ValueError, match=wrong):
            read_excuses(text)


def test_the_excuses_of_this_repository_are_stated_in_full():
    read_excuses(EXCUSED.read_text())


def test_a_pin_of_which_nothing_was_said_was_not_audited():
    pins = read_lock(LOCK)
    said = [{"name": pin.name, "version": pin.version, "vulns": []} for pin in pins]
    assert findings_of(pins, said) == []
    with pytest.raises(NotAudited, match=r"beta 1\.9: nothing was said of it"):
        findings_of(pins, said[:-1])


def test_an_answer_that_cannot_be_read_audits_nothing(monkeypatch):
    monkeypatch.setattr(audit.sys, "executable", "true")
    with pytest.raises(NotAudited, match="it said nothing"):
        audit.asked(read_lock(LOCK))
