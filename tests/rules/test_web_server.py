"""How gunicorn is told to serve: what it takes, and whom it gives up."""

import socket
import struct
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from types import SimpleNamespace

import pytest
from gunicorn.config import Config

from marketplace.local.commands import GUNICORN_CONF


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
