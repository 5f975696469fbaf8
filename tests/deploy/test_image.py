"""The image: by hadolint, and by what it copies, runs and leaves behind."""

import json
import re
import shlex
from pathlib import Path

from marketplace.local.commands import ROOT as CODE
from tests.deploy.files import DEPLOY, ROOT, is_a_command, option_of, run, tool

DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
STEPS = [
    (words[0], words[1])
    for line in re.sub(
        r"\\\n\s*", " ", re.sub(r"^\s*#.*\n", "", DOCKERFILE, flags=re.M)
    ).splitlines()
    if len(words := line.split(None, 1)) == 2
]
HADOLINT = ROOT / "build" / "tools" / "hadolint" / "bin" / "hadolint"


def said(step: str) -> list[str]:
    return [rest for name, rest in STEPS if name == step]


def test_hadolint_finds_nothing():
    looked = run(tool(HADOLINT), "--failure-threshold", "style", DEPLOY / "Dockerfile")
    assert (looked.returncode, looked.stdout) == (0, ""), looked.stdout


def test_hadolint_would_find_something(tmp_path):
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN cd /opt && pip install flask\n")
    looked = run(tool(HADOLINT), bad)
    assert looked.returncode == 1
    assert {"DL3006", "DL3013"} <= set(re.findall(r"DL\d+", looked.stdout))


def test_it_is_made_in_two_stages_of_one_pinned_base():
    assert said("FROM") == ["python:${PYTHON} AS builder", "python:${PYTHON}"]
    python, *others = said("ARG")
    assert others == ["VERSION=unknown", "REVISION=unknown"]
    assert re.fullmatch(r"PYTHON=3\.1[1-9]-slim-[a-z]+", python)


def test_it_says_what_it_is_and_of_which_version():
    (labels,) = said("LABEL")
    says = dict(word.split("=", 1) for word in shlex.split(labels))
    begins = "org.opencontainers.image."
    assert {*says} == {
        f"{begins}{each}" for each in ("title", "description", "version", "revision")
    }
    assert says[f"{begins}version"] == "${VERSION}"
    assert says[f"{begins}revision"] == "${REVISION}"


def test_it_runs_as_nobody_and_what_it_runs_is_not_its_own():
    assert said("USER") == ["10001:10001"]
    last = [step for step, _ in STEPS if step in ("USER", "RUN", "COPY")][-1]
    assert last == "USER"
    assert "--chown" not in DOCKERFILE


def test_all_that_it_copies_is_there_and_let_in():
    let_in = [
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    ]
    assert "*" in (ROOT / ".dockerignore").read_text().splitlines()
    copied = [each for rest in said("COPY") if "--from" not in rest for each in rest.split()[:-1]]
    assert copied
    for each in copied:
        assert (ROOT / each).exists(), each
        assert Path(each).parts[0] in let_in, each
    assert {"config", "marketplace", "workers", "wsgi.py", "pyproject.toml"} <= {*copied}


def test_it_holds_no_setting_and_no_secret():
    assert "MARKETPLACE_" not in DOCKERFILE
    assert not {name for name, _ in STEPS} & {"ADD", "VOLUME"}


def test_it_serves_where_it_says():
    (entry,), (command,), (port,) = said("ENTRYPOINT"), said("CMD"), said("EXPOSE")
    assert json.loads(entry) == ["marketplace"]
    assert is_a_command(json.loads(command))
    assert option_of(json.loads(command), "--port") == port


def test_nothing_asks_it_that_a_worker_could_not_answer():
    """Switched off again, it counts for `up --wait` as a health check that never passes."""
    assert said("HEALTHCHECK") == []


def test_its_commands_are_found_where_they_are_put():
    places = [
        word for rest in said("ENV") for word in shlex.split(rest) if word.startswith("PATH=")
    ]
    assert places == ["PATH=/opt/marketplace/.venv/bin:$PATH"]
    assert said("WORKDIR") == ["/opt/marketplace", "/opt/marketplace"]
    assert "--from=builder /opt/marketplace /opt/marketplace" in said("COPY")
    assert (CODE / "wsgi.py").exists()  # beside the packages, where gunicorn is sent to
