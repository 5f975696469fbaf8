"""A policy to try, as a file: what it changes; and all that is wrong with it is said at once."""

import tomllib
from datetime import timedelta

import pytest

from marketplace.core.errors import Invalid
from marketplace.core.policy import Policy
from marketplace.matching.simulation.policy_files import FIELDS, read_policy, written_policy


@pytest.fixture
def read(tmp_path):
    def read(text, base=None):
        file = tmp_path / "try.toml"
        file.write_text(text, encoding="utf-8")
        return read_policy(file, base or Policy())

    return read


def test_an_empty_file_changes_nothing(read):
    base = Policy(places=2)
    assert read("", base) == base


def test_the_defaults_are_a_file_that_changes_nothing(read):
    written = written_policy(Policy())
    assert read(written) == Policy()
    assert set(tomllib.loads(written)) == set(FIELDS)
    assert "# How many providers a lead is held out to at once" in written


def test_what_was_changed_is_written_as_well(read):
    policy = read("[band_points]\nsector = 3\n", Policy(open_within=timedelta(minutes=90)))
    again = read(written_policy(policy))
    assert again == policy
    assert again.open_within == timedelta(minutes=90)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("places = 2", "places", 2),
        ('response_window = "PT48H"', "response_window", timedelta(days=2)),
        ('open_within = "PT90M"', "open_within", timedelta(minutes=90)),
        ("record_prior = [4, 1]", "record_prior", (4.0, 1.0)),
        ("weight_bounds = [1, 1]", "weight_bounds", (1.0, 1.0)),
        ("record_fading = 1", "record_fading", 1.0),
        ("decline_refunds_per_month = 0", "decline_refunds_per_month", 0),
        ("[band_points]\nsector = 2\nlanguage = 0", "band_points", {"sector": 2, "language": 0}),
        ("[weeks_of_timeframe]\nasap = 2", "weeks_of_timeframe", {"asap": 2}),
    ],
)
def test_what_a_file_names_is_tried(read, text, name, value):
    assert getattr(read(text), name) == value


@pytest.mark.parametrize(
    "text",
    [
        "places = 0", "places = 4", "places = true", "places = 2.0", 'places = "3"',
        "max_invitations = 0", "bench_size = -1", "record_fading = 0", "record_fading = 1.1",
        "record_fading = nan", "record_fading = [1]", "record_prior = [8]", "record_prior = 8",
        "record_prior = [8, 0]", "record_prior = [inf, 1]", "record_prior = [true, 1]",
        "record_prior = [1e308, 1e308]", "record_prior = [1e-320, 1e300]",
        "record_prior = [nan, 1]", f"record_prior = [1{400 * '0'}, 1]",
        "weight_bounds = [0.00001, 0.00001]", "weight_bounds = [1, 1e308]",
        "weight_bounds = [1.25, 0.5]", "response_window = 24", 'response_window = "24h"',
        'response_window = "P1Y"', 'response_window = "-PT1H"', 'response_window = "PT0S"',
        "open_within = 12:00:00", "impartiality_years = -1", "band_points = 1",
        "[band_points]\nprice = 1", "[band_points]\nsector = -1", "[weeks_of_timeframe]\nsoon = 1",
        "decline_refunds_per_month = 1.5", "session_lifetime = \"PT1H\"", "sendgrid = 1",
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_by_its_name(read, text):
    name = text.strip("[").replace("]", " ").split()[0]
    with pytest.raises(Invalid, match=name):
        read(text)


def test_everything_that_is_wrong_is_named_at_once(read):
    with pytest.raises(Invalid) as refused:
        read('places = 9\nplases = 3\nopen_within = "soon"\nbench_size = 64\n')
    assert [error.pointer for error in refused.value.errors] == ["places", "plases", "open_within"]


@pytest.mark.parametrize(
    "text",
    [
        "places =",
        "places = 3\nplaces = 3",
        "\x00",
        "places = " + 200_000 * "[",
        "places = " + 5_000 * "9",
    ],
    ids=lambda text: text[:24],
)
def test_what_is_not_toml_is_refused(read, text):
    with pytest.raises(Invalid, match=r"try\.toml: is not TOML"):
        read(text)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    file = tmp_path / "try.toml"
    file.write_bytes(b"places = 3 # \xff")
    with pytest.raises(Invalid, match="is not TOML"):
        read_policy(file, Policy())
