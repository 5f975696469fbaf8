"""No secret is in the tree, in what a command says of itself, or among a process' arguments."""

import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from config.settings import PREFIX
from marketplace.cli import cli
from marketplace.local import commands

ROOT = Path(__file__).parents[2]

SECRETS = {
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a key of SendGrid": r"\bSG\.[\w-]{16,}\.[\w-]{16,}",
    "a key of a cloud": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[\w-]{35}\b",
    "a token of a forge": r"\b(?:gh[pousr]_\w{36}|github_pat_\w{22,}|glpat-[\w-]{20})\b",
    "a token of a chat": r"\bxox[abposr]-[\w-]{10,}",
    "a secret of a webhook": r"\bwhsec_[A-Za-z0-9+/]{24,}={0,2}",
    "a token of ours": r"\b(?:session|request|confirm|password|key|join|back|dates)_[\w-]{32,}",
    "a signed token": r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}",
    "a password in an address": r"\b(?:postgres(?:ql)?|rediss?|https?)://[^\s/@:\"'{}]+:[^\s/@\"'{}]{8,}@",
}  # fmt: skip
"""What gives a secret away, wherever it stands."""

INVENTED = {
    "tests/services/test_webhooks.py": "a secret of a webhook",  # of the standard's own example
}


def files():
    """Yield every file of the tree that a person wrote, with its text."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.splitlines()
    paths = [ROOT / each for each in listed] or [
        each
        for room in ("config", "marketplace", "workers", "tests", ".ci")
        for each in (ROOT / room).rglob("*")
    ]
    for path in paths:
        if path.is_file() and "__pycache__" not in path.parts:
            yield str(path.relative_to(ROOT)), path.read_text(errors="replace")


def test_no_file_holds_what_gives_a_secret_away():
    looked_at, found = 0, []
    for name, text in files():
        looked_at += 1
        for what, pattern in SECRETS.items():
            if INVENTED.get(name) != what and (hit := re.search(pattern, text)):
                found.append((name, what, hit[0][:12]))
    assert found == []
    assert looked_at > 500


def test_what_is_looked_for_would_be_found():
    planted = {
        "a private key": "-----BEGIN EC " + "PRIVATE KEY-----",
        "a key of SendGrid": "SG." + "a" * 22 + "." + "b" * 43,
        "a key of a cloud": "AKIA" + "A1B2" * 4,
        "a token of a forge": "ghp_" + "a1" * 18,
        "a token of a chat": "xoxb-" + "1234567890",
        "a secret of a webhook": "whsec_" + "MfKQ9r8G" * 4,
        "a token of ours": "session_" + "a_B-" * 8,
        "a signed token": "eyJ" + "hbGciOiJIUz." + "eyJ" + "zdWIiOiIxMj." + "c2lnbmF0dXJl",
        "a password in an address": "postgresql://app:" + "correct-horse@db.example",
    }
    for what, pattern in SECRETS.items():
        assert re.search(pattern, planted[what]), what


HUSH = {
    "SECRET_KEY": "hush-hush-hush-hush-hush-hush-hush-hush",
    "SECRET_KEYS_OLD": "hush-hush-hush-hush-hush-hush-hush-old-",
    "SENDGRID_API_KEY": "hush-hush-mail",
    "DATABASE_URL": "postgresql://app:hush-db@127.0.0.1:9/none",
    "REDIS_URL": "redis://:hush-hush-redis@127.0.0.1:9/0",
    "PUBLIC_URL": "http://localhost",
    "MAIL_FROM": "quotes@marketplace.example",
}


@pytest.fixture
def hushed(monkeypatch):
    for name, value in HUSH.items():
        monkeypatch.setenv(PREFIX + name, value)


@pytest.mark.parametrize("command", ["", *sorted(cli.commands)])
def test_no_command_says_a_secret_where_it_explains_itself(hushed, command):
    said = CliRunner().invoke(cli, [*([command] if command else []), "--help"])
    assert said.exit_code == 0
    assert "hush" not in said.output


@pytest.mark.parametrize("command", ["doctor", "migrate", "seed-catalogue", "reseal"])
def test_no_command_says_a_secret_when_it_fails(hushed, command):
    said = CliRunner().invoke(cli, [command])
    assert said.exit_code != 0
    assert "hush" not in said.output
    assert "hush" not in str(said.exception)


def test_no_process_has_a_setting_among_its_arguments(hushed):
    for command in (
        commands.web_command(3),
        commands.worker_command(1),
        commands.scheduler_command(),
        commands.rehearsal_command("http://localhost"),
    ):
        assert "hush" not in " ".join(command)
        assert PREFIX not in " ".join(command)
