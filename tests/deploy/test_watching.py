"""Who watches sees what there is: the alerts and the dashboard name what the product tells."""

import json
import re

import pytest
import yaml
from prometheus_client import REGISTRY

from marketplace.core import metrics
from tests.deploy.files import DEPLOY, run, tool

RULES = DEPLOY / "prometheus" / "alerts.yml"
BOARD = DEPLOY / "grafana" / "marketplace.json"

SERIES = re.compile(r"(?<![\w:])(marketplace_[a-z_]+)(?:\{([^}]*)\})?")
BY_ITSELF = {"instance", "job", "kind", "le", "pid"}
"""Labels that Prometheus, its file or its library add."""

RARE = "sweep"
"""A label of what is told only once there was something to tell."""


@pytest.fixture
def exported(client, installation):
    """Return the labels of every series that the product tells, by its name."""
    told = {}
    summed = metrics.registry(client.application.extensions["figures"])
    with client.application.app_context():
        families = list(summed.collect())
    for family in families:
        # What nothing has happened of yet has no series; the library knows its labels.
        known = getattr(REGISTRY._names_to_collectors.get(family.name), "_labelnames", ())
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}
        for suffix in suffixes.get(family.type, [""]):
            told[family.name + suffix] = set(known)
        for sample in family.samples:
            told[sample.name] = told.get(sample.name, set()) | set(sample.labels)
    for name in ("marketplace_sweep_age_seconds", "marketplace_sweep_every_seconds"):
        told[name] = {RARE}
    return {name: labels for name, labels in told.items() if not name.endswith("_created")}


def expressions():
    """Yield every expression of the alerts and of the dashboard."""
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        yield from (rule["expr"] for rule in group["rules"])
    for panel in json.loads(BOARD.read_text())["panels"]:
        yield from (each["expr"] for each in panel.get("targets", []))


def test_alerts_and_dashboard_ask_for_what_is_told_by_labels_that_it_has(exported):
    asked = 0
    for expression in expressions():
        for name, matchers in SERIES.findall(expression):
            assert name in exported, expression
            labels = set(re.findall(r"([a-z_]+)(?==~|!~|=|!=)", matchers or ""))
            assert labels <= exported[name] | BY_ITSELF, expression
            asked += 1
        grouping = re.findall(r"by \(([^)]*)\)", expression)
        grouped = {each for by in grouping for each in by.split(", ")}
        known = set().union(*(exported[name] for name, _ in SERIES.findall(expression)))
        assert grouped <= known | BY_ITSELF, expression
    assert asked > 40


def test_everything_that_is_told_is_on_the_dashboard(exported):
    shown = BOARD.read_text()
    unseen = {
        name for name in exported if re.sub("_(bucket|count|sum|total)$", "", name) not in shown
    }
    assert unseen == set()


def test_every_alert_says_what_it_means_and_what_to_do():
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
            assert len(rule["annotations"]["summary"]) < 100, rule["alert"]
            assert rule["annotations"]["description"].rstrip()[-1] in ".?", rule["alert"]


def test_every_alert_was_heard_to_ring():
    """By `promtool`, below: one that compares what never matches is no fault to it."""
    tests = yaml.safe_load((RULES.parent / "alerts_test.yml").read_text())["tests"]
    rung = {
        rule["alertname"]
        for test in tests
        for rule in test.get("alert_rule_test", [])
        if "exp_alerts" in rule
    }
    rung |= {
        re.search(r'alertname="(\w+)"', sample["labels"])[1]
        for test in tests
        for asked in test.get("promql_expr_test", [])
        for sample in asked["exp_samples"]
    }
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    assert {rule["alert"] for rule in rules} == rung


def test_prometheus_reads_the_files_and_rings_where_it_should():
    promtool = tool("promtool")
    for command in (["check", "config", "prometheus.yml"], ["test", "rules", "alerts_test.yml"]):
        said = run(promtool, *command, cwd=RULES.parent)
        assert said.returncode == 0, said.stdout + said.stderr
        assert "SUCCESS" in said.stdout


def test_the_dashboard_is_laid_out_without_a_gap_or_an_overlap():
    board = json.loads(BOARD.read_text())
    places, ids = set(), set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & places, panel["title"]
        places |= cells
        assert panel["id"] not in ids
        ids.add(panel["id"])
