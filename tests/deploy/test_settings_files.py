"""What stands in the files of settings is what the product reads, and all that it has to have."""

import re
import stat

import pytest

from config.settings import Settings
from marketplace.local.commands import environment_of
from tests.deploy.files import (
    DEPLOY,
    SETTINGS,
    read_env,
    run,
    secrets_for,
    texts,
    without_default,
)

NO_SETTINGS = {
    "MARKETPLACE_ETC",  # where the files of settings are
    "MARKETPLACE_IMAGE",
    "MARKETPLACE_OWNER_PASSWORD",
    "MARKETPLACE_PRODUCT_PASSWORD",
}
"""What begins as settings do, and is for others to read."""

DECIDED = read_env((DEPLOY / "settings.env").read_text())


def test_every_setting_that_is_named_exists():
    named = {name for _, text in texts() for name in re.findall(r"\bMARKETPLACE_[A-Z_]+\b", text)}
    assert named > without_default()
    assert named - SETTINGS - NO_SETTINGS == set()


def test_what_has_no_default_is_all_there_and_nobody_else_learns_of_the_owner(tmp_path):
    drawn = secrets_for(tmp_path / "etc")
    doors = DECIDED | drawn["secrets"]
    assert doors.keys() >= without_default()
    settings = Settings.from_env(doors)
    assert settings.trusted_proxies == 1
    assert settings.public_url == "https://quotes.example"
    migrating = Settings.from_env(doors | drawn["migrate"])
    assert "marketplace_owner" in migrating.migration_database_url
    assert doors.keys().isdisjoint(drawn["migrate"])
    assert environment_of(doors | drawn["migrate"]) == doors


def test_secrets_are_drawn_once_and_for_root_alone(tmp_path):
    one, other = secrets_for(tmp_path / "one"), secrets_for(tmp_path / "other", "db", "queue")
    for path in (tmp_path / "one").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    values = [value for each in (one, other) for file in each.values() for value in file.values()]
    drawn = {hexes for value in values for hexes in re.findall(r"[0-9a-f]{64}", value)}
    assert len(drawn) == 2 * 5
    assert "@db/" in other["secrets"]["MARKETPLACE_DATABASE_URL"]
    assert "@queue:" in other["secrets"]["MARKETPLACE_REDIS_URL"]
    before = {path: path.read_text() for path in (tmp_path / "one").iterdir()}
    again = run(DEPLOY / "make-secrets", tmp_path / "one")
    assert again.returncode == 1
    assert "nothing was changed" in again.stderr
    assert {path: path.read_text() for path in (tmp_path / "one").iterdir()} == before


def test_where_the_disk_is_full_no_secret_is_written_and_the_next_try_writes_all(tmp_path):
    full = tmp_path / "programs"
    full.mkdir()
    (full / "sync").write_text("#!/bin/sh\nexit 1\n")
    (full / "sync").chmod(0o755)
    etc = tmp_path / "etc"
    given = {"PATH": f"{full}:/usr/bin:/bin", "SENDGRID_API_KEY": "SG.made-up"}
    failed = run(DEPLOY / "make-secrets", etc, env=given)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert [*etc.iterdir()] == []
    assert secrets_for(etc).keys() == {"secrets", "migrate", "postgres", "redis"}


@pytest.mark.parametrize("key", ["SG.it's", "SG.two lines\nA='b'", "$(id)"])
def test_what_would_break_the_file_is_no_key(tmp_path, key):
    given = {"PATH": "/usr/bin:/bin", "SENDGRID_API_KEY": key}
    refused = run(DEPLOY / "make-secrets", tmp_path / "etc", env=given)
    assert refused.returncode == 1
    assert "Nothing was written" in refused.stderr
    assert not (tmp_path / "etc").exists()


def test_each_side_of_a_password_has_the_same(tmp_path):
    drawn = secrets_for(tmp_path / "etc")
    product, owner = (
        drawn["postgres"][f"MARKETPLACE_{who}_PASSWORD"] for who in ("PRODUCT", "OWNER")
    )
    assert f":{product}@" in drawn["secrets"]["MARKETPLACE_DATABASE_URL"]
    assert f":{owner}@" in drawn["migrate"]["MARKETPLACE_MIGRATION_DATABASE_URL"]
    assert f":{drawn['redis']['REDIS_PASSWORD']}@" in drawn["secrets"]["MARKETPLACE_REDIS_URL"]


def test_a_file_that_lacks_its_secrets_starts_nothing(tmp_path):
    (tmp_path / "etc").mkdir()
    with pytest.raises(AssertionError):
        read_env("MARKETPLACE_SECRET_KEY=unquoted $words")
    said = run(DEPLOY / "make-secrets", tmp_path / "etc", env={"PATH": "/usr/bin:/bin"}, input="")
    assert said.returncode == 0, said.stderr
    drawn = read_env((tmp_path / "etc" / "secrets.env").read_text())
    with pytest.raises(Exception, match="MARKETPLACE_SENDGRID_API_KEY is not set"):
        Settings.from_env(DECIDED | drawn)
