"""A machine: by systemd's own verifier and its judgement of what each service is left with."""

import re
import shlex
import shutil
from configparser import ConfigParser

import pytest

from marketplace.core.jobs import JOB_TIMEOUT
from tests.deploy.files import (
    DEPLOY,
    MACHINE,
    is_a_command,
    option_of,
    run,
    secrets_for,
    settings_of,
    tool,
    without_default,
)
from tests.deploy.files import read_env as read
from workers.supervision import GRACE

FOLDER = DEPLOY / "systemd"
SERVICES = sorted(path.name for path in FOLDER.glob("*.service"))
HARDENING = (FOLDER / "marketplace-.service.d" / "hardening.conf").read_text()

EXPOSED_AT_MOST = 1.5
"""Of ten, by `systemd-analyze security`, which calls up to two "OK". What is left open is the
network, which servers are for."""


def lines_of(text, key):
    return re.findall(rf"^{key}=(.*)$", text, flags=re.M)


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A root folder with our units, and with what they name."""
    root = tmp_path_factory.mktemp("machine")
    units = root / "etc" / "systemd" / "system"
    shutil.copytree(FOLDER, units)
    program = root / MACHINE.lstrip("/") / ".venv" / "bin" / "marketplace"
    for each in (program, root / "bin" / "sh", root / "usr" / "bin" / "find"):
        each.parent.mkdir(parents=True, exist_ok=True)
        each.write_text("#!/bin/sh\n")
        each.chmod(0o755)
    for each in (
        "sysinit",
        "basic",
        "shutdown",
        "multi-user",
        "network-online",
        "umount",
        "timers",
    ):
        (units / f"{each}.target").write_text(
            f"[Unit]\nDescription={each}\nDefaultDependencies=no\n"
        )
    for each in ("tmp.mount", "-.mount", "system.slice", "-.slice"):
        if (source := shutil.which(f"/lib/systemd/system/{each}", mode=0)) is not None:
            shutil.copy(source, units)
    return root


def verified(root, *names):
    units = [root / "etc" / "systemd" / "system" / name for name in names]
    return run(tool("systemd-analyze"), "verify", f"--root={root}", "--man=no", *units)


def test_systemd_takes_every_unit(machine):
    said = verified(machine, "marketplace.target", "marketplace-back-up.timer", *SERVICES)
    assert (said.returncode, said.stderr) == (0, "")


def test_systemd_would_say_what_is_wrong(machine, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(machine, root, symlinks=True)
    unit = root / "etc/systemd/system/marketplace-web.service"
    unit.write_text(unit.read_text().replace("KillMode=mixed", "KillMood=mixed"))
    assert "KillMood" in verified(root, "marketplace-web.service").stderr


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_left_with_little(machine, service):
    judged = run(
        *(tool("systemd-analyze"), "security", "--offline=yes", f"--root={machine}", "--no-pager"),
        f"--threshold={EXPOSED_AT_MOST * 10:.0f}",
        service,
    )
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", judged.stdout)
    assert exposure, judged.stderr
    assert judged.returncode == 0, judged.stdout
    assert float(exposure[1]) <= EXPOSED_AT_MOST


def test_a_service_without_its_drop_in_would_be_found_out(machine, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(machine, root, symlinks=True)
    shutil.rmtree(root / "etc/systemd/system/marketplace-.service.d")
    judged = run(
        *(tool("systemd-analyze"), "security", "--offline=yes", f"--root={root}", "--no-pager"),
        *(f"--threshold={EXPOSED_AT_MOST * 10:.0f}", "marketplace-web.service"),
    )
    assert judged.returncode != 0


@pytest.mark.parametrize("service", SERVICES)
def test_what_runs_is_a_command(service):
    text = (FOLDER / service).read_text()
    commands = lines_of(text, "ExecStart")
    assert commands
    for each in commands:
        program, *words = shlex.split(each)
        if program == "/bin/sh":  # for the name of a file with the time in it
            program, *words = shlex.split(words[-1].removeprefix("exec "))
        assert program == f"{MACHINE}/.venv/bin/marketplace"
        assert is_a_command(words)
    if len(commands) == 1:
        assert service == f"marketplace-{words[0]}.service"


def test_only_the_migrations_know_the_owner(tmp_path):
    drawn = secrets_for(tmp_path / "etc")
    files = {name.rsplit("/", 1)[1] for name in lines_of(HARDENING, "EnvironmentFile")}
    assert files == {"settings.env", "secrets.env"}
    environment = read((DEPLOY / "settings.env").read_text()) | drawn["secrets"]
    assert environment.keys() >= without_default()
    assert settings_of(environment)
    more = {name: lines_of((FOLDER / name).read_text(), "EnvironmentFile") for name in SERVICES}
    assert more.pop("marketplace-migrate.service") == ["/etc/marketplace/migrate.env"]
    assert not any(more.values())


def test_who_is_asked_to_stop_has_the_time_for_it():
    (worker,) = lines_of((FOLDER / "marketplace-worker.service").read_text(), "TimeoutStopSec")
    assert int(worker.removesuffix("s")) > JOB_TIMEOUT + GRACE
    for name in ("web", "worker"):
        assert "KillMode=mixed" in (FOLDER / f"marketplace-{name}.service").read_text()


def test_an_index_that_takes_hours_is_built_to_its_end():
    """Cut off it would begin again, at every attempt."""
    migrating = (FOLDER / "marketplace-migrate.service").read_text()
    assert lines_of(migrating, "TimeoutStartSec") == ["infinity"]
    assert "activeDeadlineSeconds" not in (DEPLOY / "kubernetes/migrate/job.yaml").read_text()


def test_web_answers_the_proxy_of_its_own_machine_alone():
    (command,) = lines_of((FOLDER / "marketplace-web.service").read_text(), "ExecStart")
    words = command.split()
    where = f"{option_of(words, '--host')}:{option_of(words, '--port')}"
    assert f"server {where};" in (DEPLOY / "nginx" / "upstream.conf").read_text()
    assert where.startswith("127.0.0.1:")


def test_the_target_starts_and_stops_all_that_runs():
    for name in SERVICES:
        unit = ConfigParser(strict=False, interpolation=None)
        unit.optionxform = str
        unit.read_string((FOLDER / name).read_text())
        if unit["Service"].get("Type") != "oneshot":
            assert unit["Unit"]["PartOf"] == unit["Install"]["WantedBy"] == "marketplace.target"
            assert "marketplace-migrate.service" in unit["Unit"]["Wants"]
            assert unit["Service"]["Restart"] == "always"


def test_a_back_up_is_for_the_product_alone_and_is_kept_as_long_as_people_are_promised():
    text = (FOLDER / "marketplace-back-up.service").read_text()
    assert lines_of(text, "StateDirectoryMode") == ["0700"]
    (keeps,) = lines_of(text, "ExecStartPost")  # and not before there is another
    assert keeps.split()[0] == "/usr/bin/find"
    assert "-mtime +29 -delete" in keeps
    assert "30 days" in (DEPLOY / "BACKUP.md").read_text()


def test_the_command_of_a_machine_reads_the_settings_that_are_for_it(tmp_path):
    """The wrapper itself, with a `setpriv` that shows what it was given in place of doing it."""
    if shutil.which("id") is None:
        pytest.skip("NO ID: the command of a machine is NOT TESTED")
    secrets_for(tmp_path / "etc")
    shutil.copy(DEPLOY / "settings.env", tmp_path / "etc")
    stand_ins = {"id": "echo 0", "setpriv": 'env; echo "ASKED $*"'}
    for name, does in stand_ins.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "MARKETPLACE_ETC": str(tmp_path / "etc")}
    for command, knows in (("migrate", True), ("doctor", False)):
        said = run(FOLDER / "marketplace", command, "--help", env=environment)
        assert said.returncode == 0, said.stderr
        assert f"{MACHINE}/.venv/bin/marketplace {command} --help" in said.stdout
        assert ("MARKETPLACE_MIGRATION_DATABASE_URL=" in said.stdout) == knows
        given = dict(line.split("=", 1) for line in said.stdout.splitlines() if "=" in line[:40])
        assert settings_of(given)
