"""The command line: what it does, and the one line it says when it cannot."""

import csv
import io
import json
import os
import re
import secrets
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from redis import Redis
from rq import SimpleWorker
from rq.cron import CronScheduler
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from marketplace import cli as cli_module
from marketplace.accounts import credentials
from marketplace.accounts import queries as accounts
from marketplace.cli import cli
from marketplace.core import pdfs
from marketplace.core.db import new_id
from marketplace.core.sealing import Seal
from marketplace.local.connection import decided, read_connection, write_connection
from marketplace.local.demo import people, stage
from marketplace.local.doctor import examine
from marketplace.local.places import LocalError
from marketplace.providers import webhooks
from marketplace.providers.models import Provider
from tests.people import an_admin

HEADER = (
    "name,kind,country,registration_number,website,contact_name,email,phone,standards,regions,"
    "sectors,headcount_min,headcount_max,remote,open_capacity,monthly_capacity,related_to,"
    "accreditations\n"
)
SOUND = (
    "Alder Quality,consultant,AU,,,Kim Reyes,kim@alder.example,,ISO 9001,AU-NSW,,,,yes,,,,\n"
    "Birch Cert,certification_body,AU,,,Ada Lim,ada@birch.example,,ISO 9001,AU,,,,no,,,,"
    "JASANZ|B-1|ISO 9001:2026|2029-06-30|17\n"
)


@pytest.fixture
def file(tmp_path):
    def write(rows):
        path = tmp_path / "providers.csv"
        path.write_text(HEADER + rows)
        return path

    return write


def how_many(ctx, table=Provider):
    with ctx.reading() as session:
        return session.scalar(select(func.count()).select_from(table))


@pytest.mark.parametrize("command", sorted(cli.commands))
def test_every_command_says_what_it_does(command, run):
    code, out, _ = run(command, "--help")
    assert code == 0
    assert "--data-dir" in out


def test_wrong_settings_are_all_named_in_one_line(environment, run):
    environment.delenv("MARKETPLACE_SECRET_KEY")
    environment.setenv("MARKETPLACE_PLACES", "7")
    code, out, err = run("migrate")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "MARKETPLACE_SECRET_KEY" in err
    assert "MARKETPLACE_PLACES" in err


def test_a_wrong_option_is_one_line_too(run):
    code, _, err = run("web", "--prot", "1")
    assert code == 2
    assert err.count("\n") == 1
    assert "--port" in err


def test_without_a_command_that_is_said_in_one_line(run):
    code, out, err = run()
    assert (code, out) == (2, "")
    assert err == "marketplace: Missing command. (`marketplace --help` says more)\n"


def test_a_database_that_is_away_is_one_line(environment, run):
    environment.setenv("MARKETPLACE_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    code, _, err = run("seed-catalogue")
    assert code == 1
    assert err.count("\n") == 1
    assert "database cannot be reached" in err


def test_of_a_fault_of_ours_it_is_said_where_it_came_about_and_no_word_of_it(
    environment, run, monkeypatch
):
    def fail(_):
        raise IntegrityError("INSERT", {"name": "Jo Tran"}, ValueError("Key (name)=(Jo Tran)"))

    monkeypatch.setattr(cli_module, "seed_catalogue", fail)
    code, out, err = run("seed-catalogue")
    assert (code, out) == (1, "")
    assert "test_cli.py:" in err
    assert "sqlalchemy.exc.IntegrityError" in err
    assert err.splitlines()[-1].startswith("marketplace: this went wrong by a fault of ours")
    assert "Tran" not in err


def test_migrating_and_seeding_can_be_repeated(environment, ctx, run):
    assert run("migrate")[0] == 0
    code, out, _ = run("seed-catalogue")
    assert code == 0
    assert "standards: 0 added" in out


def test_a_file_is_imported_whole_and_comes_out_again_as_it_went_in(environment, ctx, run, file):
    path = file(SOUND)
    code, out, _ = run("import-providers", path, "--dry-run", "--verified")
    assert (code, how_many(ctx)) == (0, 0)
    assert "2 new" in out
    assert run("import-providers", path, "--verified")[0] == 0
    assert how_many(ctx) == 2

    code, out, _ = run("import-providers", path, "--verified")
    assert "0 new, 0 changed, 2 unchanged" in out
    target = path.with_name("out.csv")
    assert run("export-providers", "--output", target)[0] == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    rows = list(csv.DictReader(io.StringIO(target.read_text())))
    assert {row["name"] for row in rows} == {"Alder Quality", "Birch Cert"}
    assert run("import-providers", target, "--verified")[1].startswith("2 rows: 0 new, 0 changed")


def test_a_bad_row_is_named_and_nothing_is_imported(environment, ctx, run, file):
    bad = SOUND.replace("kim@alder.example", "kim at alder").replace("JASANZ|", "JASANZ||")
    code, _, err = run("import-providers", file(bad))
    assert code == 1
    assert "line 2, email" in err
    assert "line 3, accreditations" in err
    assert err.splitlines()[-1].startswith("marketplace: nothing was imported")
    assert how_many(ctx) == 0


def damage(ctx, what):
    with ctx.transaction() as tx:
        tx.session.execute(text(f"UPDATE coverage SET {what} WHERE kind = 'consultant'"))


def test_coverage_is_checked_and_what_can_be_made_true_is_mended(environment, ctx, run, file):
    run("import-providers", file(SOUND), "--verified")
    sound = (0, "2 providers checked; differences: 0; mended: 0.\n", "")
    assert run("check-coverage") == sound

    damage(ctx, "open_count = 3")
    code, out, err = run("check-coverage")
    assert code == 1
    assert out.startswith("Alder Quality (")
    assert "): open_count is 3, should be 0\n2 providers checked; differences: 1;" in out
    assert err.startswith(
        "marketplace: differences that remain: 1; `marketplace check-coverage --mend`"
    )
    code, out, err = run("check-coverage", "--mend")
    assert (code, err) == (0, "")
    assert "should be 0, mended\n" in out
    assert run("check-coverage") == sound


def test_what_only_a_provider_can_say_remains(environment, ctx, run, file):
    run("import-providers", file(SOUND), "--verified")
    damage(ctx, "regions = '{ZZ}', state = 'applied'")
    code, out, err = run("check-coverage", "--mend")
    assert code == 1
    assert "regions is ZZ, should be in the catalogue\n" in out
    assert "state is applied, should be verified, mended\n" in out
    assert "differences: 2; mended: 1." in out
    assert "differences that remain: 1; what a provider says of itself" in err


def test_an_administrator_without_a_password_gets_a_link(environment, ctx, run):
    code, out, _ = run("create-admin", "ada@birch.example", "--name", "Ada Lim")
    assert code == 0
    assert "http://localhost/set-password/password_" in out


def test_a_password_is_read_from_standard_input(environment, ctx, run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("a long walk on the beach\n"))
    assert run("create-admin", "ada@birch.example", "--password-stdin")[0] == 0
    with ctx.reading() as session:
        stored = accounts.user_by_email(session, "ada@birch.example").password_hash
    assert credentials.is_password("a long walk on the beach", stored)


def test_a_second_factor_that_is_lost_is_replaced_by_another(environment, ctx, run):
    addresses = set()
    for _ in range(2):
        code, out, _ = run("create-admin", "ada@birch.example", "--new-totp")
        assert code == 0
        addresses.add(re.search(r"shown this once: (otpauth://\S+)", out)[1])
    assert len(addresses) == 2


def test_an_administrator_is_removed_unless_it_is_the_last(environment, ctx, run, monkeypatch):
    for email in ("ada@birch.example", "bo@birch.example"):
        monkeypatch.setattr(sys, "stdin", io.StringIO("a long walk on the beach\n"))
        assert run("create-admin", email, "--password-stdin")[0] == 0
    code, out, _ = run("remove-admin", "ada@birch.example")
    assert (code, out) == (0, "ada@birch.example is no administrator any more.\n")
    for email, why in (("bo@birch.example", "has to remain"), ("x@birch.example", "no such")):
        code, _, err = run("remove-admin", email)
        assert code == 1
        assert why in err


@pytest.mark.parametrize(("email", "password"), [("nobody", "x" * 20), ("a@b.example", "short")])
def test_a_bad_address_or_password_is_refused_in_one_line(
    environment, ctx, run, monkeypatch, email, password
):
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{password}\n"))
    code, _, err = run("create-admin", email, "--password-stdin")
    assert code != 0
    assert err.count("\n") == 1


def test_a_command_works_on_the_system_of_a_data_folder(environment, ctx, run, tmp_path, services):
    settings = {name: value for name, value in os.environ.items() if "MARKETPLACE_" in name}
    write_connection(tmp_path, settings)
    for name in settings:
        environment.delenv(name)
    assert run("migrate")[0] == 1
    assert run("migrate", "--data-dir", tmp_path)[0] == 0


def test_a_data_folder_where_up_never_ran_is_named(environment, run, tmp_path):
    code, _, err = run("migrate", "--data-dir", tmp_path)
    assert code == 1
    assert "has not been started there" in err


def test_the_connection_is_for_its_owner_and_a_shell_reads_it_alike(tmp_path):
    settings = {
        "MARKETPLACE_DATABASE_URL": "postgresql://me@:5432/it?host=/tmp/x",
        "MARKETPLACE_SECRET_KEY": 'it\'s $HOME & "more"; `ls`',
    }
    write_connection(tmp_path, settings)
    path = tmp_path / "connection.env"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_connection(tmp_path) == settings
    script = f'. {path}; printf %s "$MARKETPLACE_SECRET_KEY"'
    read = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True)
    assert read.stdout == settings["MARKETPLACE_SECRET_KEY"]
    assert "MARKETPLACE_DATABASE_URL=postgresql://me@:5432/it?host=/tmp/x\n" in path.read_text()


def test_the_environment_wins_over_what_up_decides_and_the_secret_is_kept(tmp_path):
    given = {"MARKETPLACE_MAIL_BACKEND": "sendgrid", "MARKETPLACE_PUBLIC_URL": " ", "HOME": "/"}
    first = decided(tmp_path, given, public_url="http://127.0.0.1:1", urls={})
    assert first["MARKETPLACE_MAIL_BACKEND"] == "sendgrid"
    assert first["MARKETPLACE_PUBLIC_URL"] == "http://127.0.0.1:1"
    assert "HOME" not in first
    again = decided(tmp_path, {}, public_url="http://127.0.0.1:1", urls={})
    assert again["MARKETPLACE_SECRET_KEY"] == first["MARKETPLACE_SECRET_KEY"]
    assert stat.S_IMODE((tmp_path / "secret-key").stat().st_mode) == 0o600


@pytest.mark.parametrize("damaged", [b"", b"short\n", b"\xff" * 65])
def test_a_damaged_secret_is_named_with_what_deleting_it_costs(tmp_path, damaged):
    (tmp_path / "secret-key").write_bytes(damaged)
    with pytest.raises(LocalError, match=r"secret-key is damaged.* sign in again"):
        decided(tmp_path, {}, public_url="http://127.0.0.1:1", urls={})


def test_doctor_names_what_is_missing_and_what_to_do(environment, ctx, run, services):
    with Redis.from_url(services.redis_url) as redis:
        redis.flushall()
    code, out, err = run("doctor")
    assert code == 1
    assert "wrong  No worker was heard of" in out
    assert "wrong  No scheduler was heard of" in out
    assert "marketplace create-admin" in out
    assert "ok     The clocks agree." in out
    assert "ok     Files can be looked into." in out
    assert "3 of these" in err


def test_doctor_names_the_queues_that_no_worker_serves(environment, ctx, run, services):
    with Redis.from_url(services.redis_url) as redis:
        redis.flushall()
        for queues in (["deadlines", "matching"], ["mail", "sweeps"]):
            SimpleWorker(queues, connection=redis).register_birth()
        _, out, _ = run("doctor")
        redis.flushall()
    assert "ok     Workers heard of in the last two minutes: 2." in out
    assert "wrong  No worker serves webhooks, so" in out


@pytest.mark.parametrize("off", [-3600, 3600])
def test_doctor_hears_of_a_scheduler_whatever_its_clock_says(environment, ctx, run, services, off):
    with Redis.from_url(services.redis_url) as redis:
        redis.flushall()
        there, killed = (CronScheduler(redis, name=name) for name in ("there", "killed"))
        for cron in (there, killed):
            cron.register_birth()
            redis.zadd("rq:cron_schedulers", {cron.name: time.time() + off})
        redis.delete(killed.key)  # as it goes after two minutes
        _, out, _ = run("doctor")
        assert redis.zcard("rq:cron_schedulers") == 2  # who looks throws nothing away
        redis.flushall()
    assert "ok     Schedulers heard of in the last two minutes: 1." in out


def test_doctor_says_that_files_cannot_be_looked_into(environment, ctx, run, monkeypatch):
    monkeypatch.setattr(pdfs._PROGRAM, "path", Path("/nowhere/pdf_look.py"))
    code, out, _ = run("doctor")
    assert code == 1
    assert "wrong  The files of quotes cannot be looked into" in out


def test_doctor_says_what_is_away(environment, ctx, run):
    environment.setenv("MARKETPLACE_REDIS_URL", "redis://127.0.0.1:9/0")
    environment.setenv("MARKETPLACE_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    code, out, _ = run("doctor")
    assert code == 1
    assert "The database cannot be used" in out
    assert "Redis cannot be reached" in out


def test_doctor_finds_demo_accounts_everywhere_but_under_up(
    environment, ctx, installation, tmp_path
):
    stage.prepare(replace(installation, ctx=ctx))
    assert how_many(ctx) == len(people.provider_emails())

    def demo_is_named(data_dir=None):
        return any("demonstration" in each.text for each in examine(os.environ, data_dir))

    assert demo_is_named()
    assert not demo_is_named(tmp_path)


def test_doctor_names_administrators_without_a_second_factor(environment, ctx):
    an_admin(ctx)
    environment.setenv("MARKETPLACE_TOTP_FOR_ADMINS", "required")
    assert any("1 of the administrators have no second factor" in f.text for f in findings())


def findings():
    return list(examine(os.environ))


def test_doctor_names_secrets_of_authenticators_that_are_not_sealed(environment, ctx):
    with ctx.transaction() as tx:
        tx.session.merge(an_admin(ctx)).totp_secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    assert any("authenticators are kept as they are" in f.text for f in findings())
    assert CliRunner().invoke(cli, ["reseal"]).exit_code == 0
    assert not any("authenticators" in f.text for f in findings())


def test_doctor_says_whether_old_secrets_are_needed(environment, ctx, make):
    secret = os.environ["MARKETPLACE_SECRET_KEY"]
    with ctx.transaction() as tx:
        tx.session.add(
            webhooks.Webhook(
                id=new_id(), provider_id=make.provider().id, url="https://x.example", enabled=True,
                sealed_secret=Seal(secret, webhooks.WEBHOOK).close(b"x"), created_at=tx.now,
                switched_off_because=None,
            )
        )  # fmt: skip
    environment.setenv("MARKETPLACE_SECRET_KEY", secrets.token_hex(32))
    assert any("1 secrets of webhooks were sealed under a secret" in f.text for f in findings())
    environment.setenv("MARKETPLACE_SECRET_KEYS_OLD", json.dumps([secret]))
    assert any("still needed for 1 secrets of webhooks" in f.text for f in findings())
    assert CliRunner().invoke(cli, ["reseal"]).exit_code == 0
    assert any("SECRET_KEYS_OLD can be emptied" in f.text for f in findings())


def test_the_stage_is_set_once_and_leaves_alone_what_is_there(ctx, installation, make):
    provider = make.provider()
    stage.prepare(replace(installation, ctx=ctx))
    assert how_many(ctx) == 1
    with ctx.reading() as session:
        assert session.get(Provider, provider.id) is not None
        assert accounts.user_by_email(session, people.ADMIN_EMAIL) is not None


def test_a_connection_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "connection.env").write_text("MARKETPLACE_SECRET_KEY='never closed\n")
    with pytest.raises(LocalError, match="cannot be read"):
        read_connection(tmp_path)
