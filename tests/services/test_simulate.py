"""`marketplace simulate`: stored months run again, and what the command says and writes."""

import json
import random
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from sqlalchemy import select

from marketplace.core.forms import Form
from marketplace.invitations.models import Invitation
from marketplace.matching import service as matching
from marketplace.matching.models import Credit
from marketplace.matching.simulation.answering import Habits
from marketplace.matching.simulation.ground import Ground
from marketplace.matching.simulation.running import simulate
from marketplace.matching.simulation.stored import stored_market
from marketplace.matching.simulation.strategies import Strategy
from marketplace.providers import pauses
from marketplace.providers import service as providers
from tests.factories import ADMIN, person_of

SVG = "{http://www.w3.org/2000/svg}"
SMALL = ("--months", 1, "--providers", 12, "--leads-per-month", 10)


def stored(ctx, *, days=400, seed=1):
    now = ctx.clock()
    with ctx.reading() as session:
        return stored_market(
            session,
            ctx.policy,
            since=now - timedelta(days=days),
            until=now + timedelta(seconds=1),
            seed=seed,
        )


def test_a_stored_month_run_again_invites_whom_the_product_invited(ctx, make, clock, monkeypatch):
    """The same rules on the same leads, with the same seeds: place by place, credit by credit."""
    for number in range(9):
        make.provider(
            "certification_body" if number % 3 == 0 else "consultant",
            standards=("ISO 9001", "ISO 14001")[: 1 + number % 2],
            sectors=("17",) if number % 4 else (),
            monthly_capacity=6 if number == 5 else 1000,
        )
    provider, body = make.provider(), make.provider("certification_body")
    make.relationship(body, provider)
    draw = random.Random(4)
    seeds = Ground(stored(ctx), ctx.policy)
    leads = []
    for number in range(24):
        clock.advance(minutes=7)
        lead = make.lead(
            service=draw.choice(["consulting", "certification", "either"]),
            standards=draw.choice([["ISO 9001"], ["ISO 14001"], ["ISO 9001", "ISO 14001"]]),
            sector=draw.choice(["17", "28"]),
        )
        monkeypatch.setattr("secrets.randbits", lambda _, n=number: seeds.seed(n, 1))
        matching.match_lead(ctx, lead.id)
        leads.append(lead.id)

    market = stored(ctx)
    assert [request.id for request in market.requests] == leads
    opened_last = market.requests[-1].opened_at
    silent = tuple(replace(each, habits=Habits(never_looks=1.0)) for each in market.members)
    market = replace(market, members=silent)
    outcome = simulate(Ground(market, ctx.policy), Strategy.CREDIT)

    invited = make.ask(
        lambda s: s.execute(
            select(Invitation.lead_id, Invitation.place, Invitation.provider_id)
        ).all()
    )
    assert len(invited) > 50
    again = [each for each in outcome.sent if each.sent_at <= opened_last]
    assert {(market.requests[each.lead].id, each.place, each.provider_id) for each in again} == {
        tuple(each) for each in invited
    }
    owed = make.ask(lambda s: dict(s.execute(select(Credit.provider_id, Credit.balance)).all()))
    lines = [entry for entry in outcome.entries if entry.at <= opened_last]
    for provider_id, balance in owed.items():
        moved = sum(each.gained - each.paid for each in lines if each.provider_id == provider_id)
        assert balance == pytest.approx(moved, abs=1e-7)


def test_providers_are_taken_as_they_are_and_begin_with_nothing(ctx, make, clock):
    early, suspended, pausing = make.provider(), make.provider(), make.provider()
    make.matched_lead()
    clock.advance(days=40)
    late = make.provider("certification_body")
    providers.suspend_provider(ctx, ADMIN, suspended.id, reason="a test")
    span = {"from": clock.now, "until": clock.now + timedelta(days=30)}
    pauses.add_pause(ctx, person_of(pausing.id), Form(span))
    market = stored(ctx, days=45)
    members = {member.facts.id: member for member in market.members}
    assert members.keys() == {early.id, late.id, pausing.id}
    assert members[late.id].joins_at == late.verified_at
    assert members[late.id].facts.accreditations
    assert members[pausing.id].returns_at == [clock.now + timedelta(days=30)]
    for member in members.values():
        assert (member.facts.open_count, member.facts.month_count) == (0, 0)


def test_a_record_moves_how_a_provider_is_taken_to_answer(ctx, make, clock):
    silent, unknown = make.provider(), make.provider()
    with ctx.transaction() as tx:
        tx.session.add(Credit(provider_id=silent.id, answered=2, missed=18))
    habits = {member.facts.id: member.habits for member in stored(ctx).members}
    assert habits[unknown.id] == Habits()
    # A Beta posterior: (18 + 2) of (20 + 10) lapse, where 2 of 10 are expected.
    assert habits[silent.id].never_looks == pytest.approx(Habits().never_looks * (20 / 30) / 0.2)
    assert habits[silent.id].stays_silent > Habits().stays_silent


def test_only_leads_that_opened_in_the_time_are_run(ctx, make, clock):
    make.provider()
    make.lead()
    clock.advance(days=50)
    inside = make.lead()
    assert [request.id for request in stored(ctx, days=30).requests] == [inside.id]
    assert len(stored(ctx, days=60).requests) == 2


def test_more_than_a_batch_is_read_whole_and_in_order(ctx, make, clock, monkeypatch):
    monkeypatch.setattr("marketplace.matching.simulation.stored.BATCH", 2)
    for _ in range(5):
        make.provider()
        clock.advance(minutes=1)
        make.lead()
    market = stored(ctx)
    assert len({member.facts.id for member in market.members}) == 5
    opened = [request.opened_at for request in market.requests]
    assert len(opened) == 5
    assert opened == sorted(opened)


def test_stored_months_are_run_by_the_command(environment, ctx, make, clock, run):
    clock.now = datetime.now(UTC) - timedelta(days=2)
    for _ in range(4):
        make.provider()
    for _ in range(3):
        make.matched_lead()
    before = make.ask(lambda s: len(s.scalars(select(Invitation)).all()))
    code, out, err = run("simulate", "--stored", "--months", 1, "--strategies", "credit,oracle")
    assert (code, err) == (0, "")
    assert "4 verified providers, 3 leads" in out
    assert make.ask(lambda s: len(s.scalars(select(Invitation)).all())) == before


def test_where_no_lead_opened_there_is_nothing_to_simulate(environment, ctx, run):
    code, out, err = run("simulate", "--stored")
    assert (code, out) == (1, "")
    assert "nothing to simulate" in err


def test_an_invented_market_needs_neither_settings_nor_a_database(monkeypatch, run):
    for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "PUBLIC_URL"):
        monkeypatch.delenv(f"MARKETPLACE_{name}", raising=False)
    code, out, err = run("simulate", *SMALL)
    assert (code, err) == (0, "")
    for words in (
        "12 invented providers, 10 invented leads from 2026-01-01 to 2026-02-01",
        "A model, not a measurement",
        "credit", "oracle", "random", "least recently served", "lowest count",
        "Drift from the fair share, mean", "Gini", "Newcomers' first month",
        "Returners' first month", "one quote inside 24 hours", "three quotes inside 24 hours",
    ):  # fmt: skip
        assert words in " ".join(out.split())


def test_the_same_command_says_the_same(run):
    assert run("simulate", *SMALL) == run("simulate", *SMALL)
    assert run("simulate", *SMALL) != run("simulate", *SMALL, "--seed", 2)


def test_only_the_strategies_that_are_asked_for_are_shown(run):
    _, out, _ = run("simulate", *SMALL, "--strategies", "credit,lowest-count")
    assert "lowest count" in out
    assert "least recently" not in out
    code, _, err = run("simulate", *SMALL, "--strategies", "credit,cheapest")
    assert code == 2
    assert "cheapest" in err
    assert err.count("\n") == 1


def test_the_chart_is_one_plain_file_that_says_what_it_shows(run, tmp_path):
    file = tmp_path / "drift.svg"
    code, _, _ = run("simulate", *SMALL, "--chart", file)
    assert code == 0
    root = ElementTree.parse(file).getroot()
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    named = {each.get("id"): each for each in root.iter() if each.get("id")}
    title, description = (named[each] for each in root.get("aria-labelledby").split())
    assert (title.tag, description.tag) == (f"{SVG}title", f"{SVG}desc")
    assert "fair share" in title.text
    assert "Credit strays" in description.text
    tags = {each.tag for each in root.iter()}
    assert not tags & {f"{SVG}{name}" for name in ("script", "image", "use", "a", "link")}
    attributes = {name for each in root.iter() for name in each.attrib}
    assert not any("href" in name or name.startswith("on") for name in attributes)
    style = named["drift-title"] and "".join(e.text for e in root.iter(f"{SVG}style"))
    assert "@import" not in style
    assert "url(" not in style
    circles = list(root.iter(f"{SVG}circle"))
    assert len(circles) == 12 * len(Strategy)
    groups = [each for each in root.iter(f"{SVG}g") if each.get("class") == "dots"]
    assert all(" turns of " in group.find(f"{SVG}title").text for group in groups)
    labels = [each.text for each in root.iter(f"{SVG}text")]
    assert any(label and label.startswith("least recently served: ") for label in labels)


def test_a_chart_is_the_same_each_time_and_a_place_that_cannot_be_written_is_one_line(
    run, tmp_path
):
    for name in ("one.svg", "two.svg"):
        run("simulate", *SMALL, "--chart", tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    code, out, err = run("simulate", *SMALL, "--chart", tmp_path / "nowhere" / "drift.svg")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "nowhere" in err


def test_before_anything_is_run_it_is_seen_whether_the_chart_can_be_written(
    run, tmp_path, monkeypatch
):
    def refuse(*_, **__):
        raise OSError("it was run")

    monkeypatch.setattr("marketplace.simulate_command.simulate", refuse)
    assert (
        run("simulate", *SMALL, "--chart", tmp_path / "drift.svg")[2] == "marketplace: it was run\n"
    )
    assert not (tmp_path / "drift.svg").exists()
    code, _, err = run("simulate", *SMALL, "--chart", tmp_path / "nowhere" / "drift.svg")
    assert (code, err.count("\n")) == (1, 1)


def test_a_program_gets_every_figure(run):
    code, out, err = run("simulate", *SMALL, "--json")
    assert (code, err) == (0, "")
    said = json.loads(out)
    assert said["market"]["providers"] == 12
    assert said["market"]["starts_at"] == "2026-01-01T00:00:00Z"
    assert said["policy"]["response_window"] == "P1D"
    assert [each["strategy"] for each in said["strategies"]] == list(Strategy)
    for each in said["strategies"]:
        assert 0 <= each["with_three_quotes"] <= each["with_one_quote"] <= 1
        assert len(each["standings"]) == 12
        assert {"provider_id", "name", "entitled", "invited"} <= each["standings"][0].keys()


def test_a_policy_to_try_is_tried(run, tmp_path):
    file = tmp_path / "try.toml"
    file.write_text('places = 1\nmax_invitations = 1\nresponse_window = "PT2H"\n')
    _, out, _ = run("simulate", *SMALL, "--policy", file, "--json", "--strategies", "credit")
    (figures,) = json.loads(out)["strategies"]
    assert figures["invitations_per_lead"] <= 1
    assert figures["with_three_quotes"] == 0
    assert json.loads(out)["policy"]["response_window"] == "PT2H"


def test_a_bad_policy_is_one_line_with_every_wrong_name(run, tmp_path):
    file = tmp_path / "try.toml"
    file.write_text("places = 4\nplases = 3\nopen_within = 12\n")
    code, out, err = run("simulate", *SMALL, "--policy", file)
    assert (code, out, err.count("\n")) == (1, "", 1)
    for name in ("places", "plases", "open_within"):
        assert name in err


def test_a_policy_to_start_from_is_written_and_read_again(run, tmp_path):
    _, written, _ = run("simulate", "--print-policy")
    file = tmp_path / "try.toml"
    file.write_text(written)
    assert run("simulate", *SMALL, "--policy", file) == run("simulate", *SMALL)
    assert run("simulate", "--print-policy", "--policy", file)[1] == written


def test_a_bar_is_shown_on_a_terminal_only(monkeypatch, run):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    _, out, err = run("simulate", *SMALL)
    assert "Simulating" in err
    assert "Simulating" not in out
