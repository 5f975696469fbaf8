"""Fixtures: what happens at the same moment, and the command line."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from marketplace.cli import main
from marketplace.core.db import db
from marketplace.core.errors import MarketplaceError


@pytest.fixture
def at_once(installation):
    """Do something many times at the same moment, each in a thread and a transaction of its own."""

    def run(calls):
        start = Barrier(len(calls))

        def one(call):
            with installation.app.app_context():
                start.wait()
                try:
                    return call()
                except MarketplaceError as refusal:
                    return refusal
                finally:
                    db.session.remove()

        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(one, calls))

    return run


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


class Bells:
    """Remembers every ring by itself."""

    def __init__(self):
        self.rung = []

    def put(self, job, subject_ids, *, request_id):
        self.rung.append((job, tuple(subject_ids)))


@pytest.fixture
def bells():
    return Bells()
