"""What a stored run says for itself: why these three, and why not that one."""

import pytest
from sqlalchemy import select, update

from marketplace.matching import explanation
from marketplace.matching.models import Credit, MatchingRun
from tests.factories import ADMIN


def explained(ctx, lead):
    return explanation.explain_matching(ctx, ADMIN, lead.id)


def told(ctx, lead):
    """Return what the last run says of everybody on its bench, by place or else by id."""
    bench = explained(ctx, lead)["runs"][0]["bench"]
    return {seat["place"] or seat["provider_id"]: seat["why"] for seat in bench}


def body(make):
    """Return a certification body that fits as well as a consultant."""
    provider = make.provider("certification_body", accredited=False)
    make.accreditation(provider, edition="2026")
    return provider


def test_where_one_of_each_kind_is_needed_every_place_is_explained_by_the_turn_that_decided_it(
    ctx, make
):
    bodies = {str(body(make).id) for _ in range(5)}
    for _ in range(5):
        make.provider()
    lead = make.matched_lead(service="either", sector=None)
    (run,) = explained(ctx, lead)["runs"]
    assert [(each["kind"], each["places"], len(each["scores"])) for each in run["rounds"]] == [
        ("certification_body", [1], 5),
        ("consultant", [2], 5),
        (None, [3], 8),
    ]
    drawn = "(nothing is lacking); the draw put it before others of the same credit and the same"
    lost = "turns and the same wait, the draw decided for another"
    said = told(ctx, lead)
    assert said.pop(1) == (
        "was invited into place 1: one certification body was needed, and its credit of 0.20 turns "
        f"was number 1 of the 5 certification bodies in its band {drawn} wait"
    )
    assert said.pop(2) == (
        "was invited into place 2: one consultant was needed, and its credit of 0.20 turns was "
        f"number 1 of the 5 consultants in its band {drawn} wait"
    )
    assert said.pop(3) == (
        "was invited into place 3: its credit of 0.33 turns was number 1 of the 8 left in its band "
        f"{drawn} wait"
    )
    for each, why in said.items():
        first, second = f"at the same credit of 0.20 {lost}", "one had to be a "
        if each not in bodies:
            first, second = f"{second}certification body", first
        else:
            second += "consultant"
        assert why == (
            f"was eligible, but for place 1, {first}; for place 2, {second}; for place 3, at the "
            f"same credit of 0.33 {lost}"
        )


def test_who_would_leave_nobody_of_the_other_kind_beside_it_is_told_so(ctx, make):
    related, consultant = body(make), make.provider()
    body(make)
    make.relationship(related, consultant)
    said = told(ctx, make.matched_lead(service="either", sector=None))
    assert said[1] == (
        "was invited into place 1: one certification body was needed, and it was the only "
        "certification body of its band that could still be invited (nothing is lacking)"
    )
    assert said[2] == (
        "was invited into place 2: one consultant was needed, and it was the only consultant of "
        "its band (nothing is lacking)"
    )
    assert said[str(related.id)] == (
        "was eligible, but for place 1, beside it no consultant could have been invited, of which "
        "one was needed; for place 2, impartiality keeps it from a lead together with one invited"
    )


def test_a_poorer_fit_is_told_what_it_lacks_and_who_waited_longer_that_it_did(ctx, make, clock):
    for _ in range(2):
        make.provider()
    make.matched_lead()
    clock.advance(hours=1)
    for _ in range(2):
        make.provider()
    poorer = make.provider(sectors=())
    said = told(ctx, make.matched_lead())
    credit = "its credit of 0.75 turns was number 1 of the 4 in its band (nothing is lacking)"
    waited = "it had waited longer than others of the same credit"
    drawn = "the draw put it before others of the same credit and the same wait"
    for place, tie in ((1, waited), (2, waited), (3, drawn)):
        assert said[place] == f"was invited into place {place}: {credit}; {tie}"
    assert said[str(poorer.id)] == (
        "was eligible, but a better fit was invited (not known to cover sector 17)"
    )


@pytest.mark.parametrize(("credit", "told_as"), [(-0.5, "0.25"), (-0.0004, "0.7496")])
def test_who_has_less_credit_is_told_how_much_less(ctx, make, credit, told_as):
    for _ in range(3):
        make.provider()
    poorest = make.provider()
    with ctx.transaction() as tx:
        tx.session.add(Credit(provider_id=poorest.id, balance=credit))
    said = told(ctx, make.matched_lead())
    theirs = "0.75" if told_as == "0.25" else "0.7500"
    assert said[str(poorest.id)] == (
        f"was eligible, but it was the turn of others: its credit of {told_as} turns came behind "
        f"the {theirs} of the last one invited from its band"
    )


def test_a_run_that_did_not_write_its_rounds_down_is_read_as_the_rules_of_today_would_decide(
    ctx, make
):
    for _ in range(3):
        body(make)
        make.provider()
    lead = make.matched_lead(service="either", sector=None)
    said = told(ctx, lead)
    (run,) = make.ask(lambda s: s.scalars(select(MatchingRun)).all())
    older = {name: value for name, value in run.bench.items() if name != "rounds"}

    def stored(bench):
        with ctx.transaction() as tx:
            tx.session.execute(update(MatchingRun).values(rule_version="2", bench=bench))

    stored(older)
    assert told(ctx, lead) == said
    # Where they would not, as if every band had been decided at once.
    at_a_band = [[*seat[:5], 0.5, *seat[6:]] for seat in older["seats"]]
    stored({**older, "seats": at_a_band})
    (read,) = explained(ctx, lead)["runs"]
    assert read["replay_agrees"] is None
    assert [(each["kind"], each["places"]) for each in read["rounds"]] == [(None, [1, 2, 3])]
    assert all(seat["why"] for seat in read["bench"])
