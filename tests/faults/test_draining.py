"""The web is asked to stop with a request half sent: it is answered, and nobody else is let in."""

import json
import os
import signal
import socket
import subprocess

import pytest
from redis import Redis
from sqlalchemy import func, select

from marketplace.core.db import db
from marketplace.leads.models import Lead
from marketplace.local.commands import web_command
from tests.conftest import empty_tables
from tests.factories import lead_form
from tests.fleet import wait_until

PATIENCE = 30


@pytest.fixture
def web(installation, services, tmp_path):
    """Yield the process and the port of a web of its own."""
    environment = {
        "MARKETPLACE_DATABASE_URL": services.database_url,
        "MARKETPLACE_REDIS_URL": services.redis_url,
        "MARKETPLACE_SECRET_KEY": "a secret of the tests and of nobody else",
        "MARKETPLACE_PUBLIC_URL": "http://localhost",
        "MARKETPLACE_MAIL_BACKEND": "mailbox",
        "MARKETPLACE_RATE_LIMITS": "off",
    }
    with socket.create_server(("127.0.0.1", 0)) as door, (tmp_path / "log").open("wb") as log:
        door.set_inheritable(True)
        port = door.getsockname()[1]
        process = subprocess.Popen(
            web_command(door.fileno(), processes=1, threads=2),
            env={**os.environ, **environment},
            pass_fds=[door.fileno()],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_until(lambda: says(port, "/readyz") == 200, "the web is ready", patience=60)
        yield process, port
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        with Redis.from_url(services.redis_url) as redis:
            redis.flushall()
    with installation.app.app_context():
        db.session.remove()
    empty_tables(installation.app)


def says(port, path):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
            line.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            return int(line.recv(100).split()[1])
    except (OSError, IndexError):
        return None


def test_a_request_at_hand_is_answered_and_no_other_is_taken(web, installation):
    process, port = web
    body = json.dumps(lead_form(1)).encode()
    head = (
        "POST /api/v1/leads HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as line:
        line.sendall(head + body[:50])
        # A thread has it in hand as soon as another that came later is answered.
        assert says(port, "/healthz") == 200
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: says(port, "/healthz") is None, "nobody else is let in")
        assert process.poll() is None
        line.sendall(body[50:])
        answer = line.recv(65536)
    assert answer.startswith(b"HTTP/1.1 202 ")
    assert process.wait(PATIENCE) == 0
    with installation.app.app_context(), installation.ctx.reading() as session:
        assert session.scalar(select(func.count()).select_from(Lead)) == 1
