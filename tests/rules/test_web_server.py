"""How gunicorn is told to serve: what it takes, and whom it gives up."""

import os
import signal
import socket
import struct
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import SimpleNamespace

import pytest
from gunicorn.config import Config
from prometheus_client import CollectorRegistry

from marketplace.core import metrics
from marketplace.local.commands import GUNICORN_CONF, ROOT
from tests.fleet import wait_until


@pytest.fixture
def conf():
    spec = spec_from_loader("conf", SourceFileLoader("conf", str(GUNICORN_CONF)))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_setting_is_one_and_bounds_what_is_taken(conf):
    known = Config()
    said = {name for name in vars(conf) if name in known.settings}
    for name in said:
        known.set(name, getattr(conf, name))
    assert (known.limit_request_line, known.limit_request_fields) == (4_094, 60)
    assert known.limit_request_field_size == 8_190
    assert known.forwarder_headers == []
    assert "when_ready" in said
    assert not known.permit_obsolete_folding
    assert not known.permit_unconventional_http_method


def test_whoever_does_not_read_the_answer_is_given_up(conf):
    conf.PATIENCE = 1
    with socket.create_server(("127.0.0.1", 0)) as door:
        conf.when_ready(SimpleNamespace(LISTENERS=[SimpleNamespace(sock=door)]))
        with socket.create_connection(door.getsockname()):
            conn, _ = door.accept()
            with conn:
                conn.setblocking(True)  # as gunicorn does
                set_to = conn.getsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, 16)
                assert struct.unpack("ll", set_to) == (1, 0)
                with pytest.raises(BlockingIOError):
                    conn.sendall(bytes(50_000_000))


APP = """
def app(environ, start_response):
    start_response("204 No Content", [])
    return []
"""


def test_processes_that_end_unasked_are_counted_and_those_that_are_to_stop_are_not(tmp_path):
    """Else each restart would look like a crash where several services count together."""
    (tmp_path / "plain.py").write_text(APP)
    counted = tmp_path / "counted"
    counted.mkdir()
    web = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--config", GUNICORN_CONF, "--workers", "2",
         "--bind", f"unix:{tmp_path}/door", "--pythonpath", tmp_path, "plain:app"],
        cwd=ROOT, env={metrics.FOLDER: str(counted), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip

    def at_work():
        return Path(f"/proc/{web.pid}/task/{web.pid}/children").read_text().split()

    def ended():
        together = CollectorRegistry()
        together.register(metrics.EveryProcess(counted))
        return together.get_sample_value("marketplace_processes_ended_total", {"process": "web"})

    try:
        wait_until(lambda: ended() == 0, "it is told as none from the first")
        wait_until(lambda: len(at_work()) == 2, "both are there")
        os.kill(int(at_work()[0]), signal.SIGKILL)
        wait_until(lambda: ended() == 1 and len(at_work()) == 2, "one was replaced")
        web.terminate()
        assert web.wait(20) == 0
    finally:
        web.kill()
        web.wait()
    assert ended() == 1
