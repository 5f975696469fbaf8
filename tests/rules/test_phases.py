"""Where a consultant's phases cover the usual work: as it says, or as its words suggest."""

import pytest

from marketplace.quotes.phases import LABELS, Work, covered


def of(work, *phases):
    return next(each for each in covered(phases) if each.work == work)


def test_all_usual_work_is_named_in_its_order_whatever_is_quoted():
    assert [each.work for each in covered([])] == list(Work)
    assert all(each.phases == () and not each.is_stated for each in covered([]))
    assert set(LABELS) == set(Work)


@pytest.mark.parametrize(
    ("words", "work"),
    [
        ("Gap analysis", "gap_analysis"),
        ("Initial review of what is there", "gap_analysis"),
        ("Project plan and kick-off", "plan"),
        ("Context of the organisation, and scope", "context"),
        ("Risk assessment", "risks"),
        ("Environmental aspects", "risks"),
        ("Manual and procedures", "documentation"),
        ("Implementation support", "implementation"),
        ("Two workshops for the team", "training"),
        ("Internal audit", "internal_audit"),
        ("Preparing the management review", "management_review"),
        ("Selection of a certification body", "certifier"),
        ("Attendance at stage 1 and stage 2", "at_the_audit"),
        ("Closing nonconformities", "after_the_audit"),
        ("Monthly retainer", "upkeep"),
    ],
)
def test_the_words_of_a_phase_suggest_what_it_covers(words, work):
    by_name = of(work, {"name": words})
    assert (by_name.phases, by_name.is_stated) == ((words,), False)
    by_deliverable = of(work, {"name": "Part one", "deliverables": ["A report", words]})
    assert by_deliverable.phases == ("Part one",)


@pytest.mark.parametrize(
    ("words", "work"),
    [
        ("Implementation plan", "implementation"),
        ("Internal communication", "internal_audit"),
        ("Asterisks", "risks"),
        ("Singapore", "gap_analysis"),
        ("Constrained budget", "training"),
        ("Support by telephone", "at_the_audit"),
    ],
)
def test_words_that_only_look_alike_suggest_nothing(words, work):
    assert of(work, {"name": words}).phases == ()


@pytest.mark.parametrize(
    ("words", "left_out", "offered"),
    [
        ("We do no internal audit and no training", ("internal_audit", "training"), ()),
        ("Documentation, without training", ("training",), ("documentation",)),
        ("Training excluded; manual written", ("training",), ("documentation",)),
        ("Internal audit is not included, but training is", ("internal_audit",), ("training",)),
        ("Manual (excluding procedures) and risk register", (), ("documentation", "risks")),
        ("A no-nonsense gap analysis", (), ("gap_analysis",)),
        ("Nothing; training: two days", (), ("training",)),
    ],
)
def test_words_that_leave_work_out_do_not_suggest_that_it_is_covered(words, left_out, offered):
    for each in left_out:
        assert of(each, {"name": words}).phases == (), each
    for each in offered:
        assert of(each, {"name": words}).phases == (words,), each


def test_a_phase_that_says_what_it_covers_is_taken_at_its_word():
    phase = {"name": "Internal audit and training", "covers": ["internal_audit"]}
    assert of("internal_audit", phase).is_stated
    assert of("training", phase).phases == ()


def test_what_one_phase_says_stands_before_what_the_words_of_another_suggest():
    said = {"name": "Phase B", "covers": ["training"]}
    likely = {"name": "Training day"}
    found = of("training", likely, said)
    assert (found.phases, found.is_stated) == (("Phase B",), True)


def test_hostile_words_are_looked_through_in_no_time():
    name = "attend " * 3000 + "support " * 3000
    assert of("at_the_audit", {"name": name}).phases == ()
    assert of("training", {"name": "no " * 9000 + "training not included " * 9000}).phases == ()
