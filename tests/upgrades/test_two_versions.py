"""The version before and this one on one database, while leads walk through both."""

import subprocess
from datetime import timedelta

import pytest

from tests.fleet import running
from tests.upgrades.before import (
    Column,
    NotThere,
    commit_before,
    lacking,
    unpack,
    what_it_would_miss,
)
from tests.upgrades.rolling import BEFORE, NOW, found_wrong, provide, roll


def test_leads_walk_on_while_one_version_takes_over_from_the_other(tmp_path_factory):
    folder = tmp_path_factory.mktemp("upgrade")
    try:
        tree = unpack(commit_before(), folder / "before")
    except NotThere as reason:
        pytest.skip(f"NO VERSION BEFORE, SO THE UPGRADE WAS NOT TRIED: {reason}")
    assert lacking(tree) == [], "what the version before needs is among our packages no more"
    settings = {"LEAD_CONFIRMATION": "required"}
    with running(folder, window=timedelta(minutes=10), settings=settings, is_built=False) as fleet:
        reads = provide(fleet, tree)
        road = roll(fleet, tree, leads=1)
        assert found_wrong(fleet, road, reads) == []
    assert len(road.finished) >= 3
    assert {each.door for each in road.answers} == {BEFORE, NOW}


def test_what_the_version_before_would_stumble_over_is_named():
    reads = {"leads": ["id", "notes"], "devices": ["id"]}
    there = [
        Column("leads", "id", is_demanded=True),
        Column("leads", "remarks", is_demanded=True),
        Column("leads", "mood", is_demanded=False),
        Column("later", "id", is_demanded=True),
    ]
    assert what_it_would_miss(reads, there) == [
        "devices.id is gone, and it is read",
        "leads.notes is gone, and it is read",
        "leads.remarks has to be named by whoever writes a row",
    ]


def test_a_history_that_was_cut_off_is_named(tmp_path):
    for command in (["init", "-q"], ["-c", "user.name=x", "-c", "user.email=x@y.example",
                    "commit", "-q", "--allow-empty", "-m", "x"]):  # fmt: skip
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    commit = commit_before(tmp_path)  # nothing brought the newest migration: it is new
    with pytest.raises(NotThere, match="found none"):
        unpack(f"{commit}^", tmp_path / "before", tmp_path)
    with pytest.raises(NotThere, match="found none"):
        commit_before(tmp_path.parent)
