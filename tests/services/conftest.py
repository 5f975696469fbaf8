"""Fixtures of the command line: its settings, and how a command ends."""

import pytest

from marketplace.cli import main


@pytest.fixture
def environment(services, monkeypatch):
    """The settings of the test installation, where a command looks for them."""
    values = {
        "DATABASE_URL": services.database_url,
        "REDIS_URL": services.redis_url,
        "SECRET_KEY": "a secret of the tests and of nobody else",
        "PUBLIC_URL": "http://localhost",
        "MAIL_BACKEND": "mailbox",
        "TOTP_FOR_ADMINS": "optional",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"MARKETPLACE_{name}", value)
    return monkeypatch


@pytest.fixture
def run(capsys):
    """Run a command; give its exit code, what it said, and what it complained of."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(each) for each in arguments])
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run
