"""A real gunicorn, and clients that send slowly, without end, or what is no HTTP at all."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from config import web_worker
from marketplace.local.commands import web_command
from tests.conftest import settings_for
from tests.fleet import wait_until
from tests.fuzz.hostile import mutated
from tests.fuzz.sizes import MINUTES, draw, rounds

IMPATIENT = Path(__file__).parent / "impatient_gunicorn.py"
THREADS = 4
PATIENT = MINUTES >= 10
"""Whether the deadlines are those of a server, for which several minutes are needed."""

HEADERS_WITHIN, BODY_WITHIN = (
    (web_worker.HEADERS_WITHIN, web_worker.BODY_WITHIN) if PATIENT else (1.5, 2.0)
)
SLACK = 20.0
"""Seconds that a busy machine may add; without a deadline it would be for ever."""

ALIVE = "/healthz"


class Server:
    """A web process of the product, on a port of this machine."""

    def __init__(self, port: int) -> None:
        self.port = port

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=BODY_WITHIN + SLACK)

    def says(self, path: str = ALIVE) -> int:
        """Return with what another client is answered."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=HEADERS_WITHIN + SLACK)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def answer_to(self, raw: bytes) -> bytes:
        """Send something as it is, and return all that comes back until the line is closed."""
        with self.connect() as line:
            with suppress(OSError):
                line.sendall(raw)
                line.shutdown(socket.SHUT_WR)
            return _rest_of(line)


def _rest_of(line: socket.socket) -> bytes:
    found = b""
    with suppress(ConnectionError):
        while more := line.recv(65536):
            found += more
    return found


@pytest.fixture(scope="module")
def server(services, installation, tmp_path_factory):
    settings = settings_for(services)
    environment = {
        "MARKETPLACE_DATABASE_URL": services.database_url,
        "MARKETPLACE_REDIS_URL": services.redis_url,
        "MARKETPLACE_SECRET_KEY": settings.secret_key,
        "MARKETPLACE_PUBLIC_URL": settings.public_url,
        "MARKETPLACE_MAIL_BACKEND": "mailbox",
        "MARKETPLACE_RATE_LIMITS": "off",
        "MARKETPLACE_TOTP_FOR_ADMINS": "optional",
    }
    log = tmp_path_factory.mktemp("web") / "log"
    with socket.create_server(("127.0.0.1", 0), backlog=64) as door, log.open("wb") as out:
        door.set_inheritable(True)
        command = web_command(door.fileno(), processes=1, threads=THREADS)
        if not PATIENT:
            command[command.index("--config") + 1] = str(IMPATIENT)
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            pass_fds=[door.fileno()],
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        server = Server(door.getsockname()[1])
        try:
            wait_until(lambda: server.says() == 200, "the server answers", patience=90)
            yield server
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=60)
    said = log.read_text()
    assert "Traceback" not in said, said[-4000:]
    assert "ip=" not in said, said[-4000:]
    assert '"level": "error"' not in said, said[-4000:]


BEGUN = b"POST /api/v1/leads HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

SLOW = {
    "headers": (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", b"a", HEADERS_WITHIN),
    "a body": (BEGUN + b"Content-Length: 100000\r\n\r\n{", b" ", BODY_WITHIN),
    "chunks": (BEGUN + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", BODY_WITHIN),
}


@pytest.mark.parametrize("what", SLOW)
def test_whoever_sends_slowly_is_cut_off_and_others_are_answered_meanwhile(server, counted, what):
    start, drip, within = SLOW[what]
    slow = [server.connect() for _ in range(2 * THREADS)]
    begun = time.monotonic()
    for line in slow:
        line.sendall(start)
        line.setblocking(False)
    # More of them than there are threads, twice over: everybody gets a turn all the same.
    patience = within * len(slow) / THREADS + SLACK
    answered = 0
    open_lines = list(slow)
    while open_lines:
        assert time.monotonic() - begun < patience, f"{len(open_lines)} still hold a thread"
        for line in list(open_lines):
            try:
                line.send(drip)
                if line.recv(65536) == b"":
                    open_lines.remove(line)
            except BlockingIOError:
                pass
            except OSError:
                open_lines.remove(line)
        if answered < 2:
            assert server.says() == 200
            answered += 1
        time.sleep(0.1)
    for line in slow:
        line.close()
    assert server.says() == 200
    counted[f"clients that sent {what} slowly"] += len(slow)


def test_whoever_is_refused_while_still_sending_gets_to_read_the_answer(server):
    """The first line says no already; megabytes follow, and then the next request on this line."""
    for _ in range(3):
        connection = HTTPConnection("127.0.0.1", server.port, timeout=SLACK)
        with closing(connection):
            for path, body, status in (
                ("/api/v1/portal/invitations/x/attachments", b" " * 5_000_000, 404),
                (ALIVE, b"", 405),
            ):
                connection.request("POST", path, body)
                answer = connection.getresponse()
                answer.read()
                assert answer.status == status


GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"

TORN = [
    b"\x00" * 100,
    b"\xff\xfe\x00G\x00E\x00T",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a client that speaks TLS
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET /\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    b"get /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"G\x00T /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n" + b"".join(b"X-%d: a\r\n" % n for n in range(5000)) + b"\r\n",
    GET + b"X-Large: " + b"a" * 200_000 + b"\r\n\r\n",
    GET + b"X-Null: a\x00b\r\n\r\n",
    GET + b"X Space: a\r\n\r\n",
    GET + b"X-Folded: a\r\n b\r\n\r\n",
    GET + b": nothing\r\n\r\n",
    GET + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",  # answered before it is looked at
    GET + b"Content-Length: -1\r\n\r\n",
    GET + b"Content-Length: 1e3\r\n\r\n",
    GET + b"Content-Length: 99999999999999999999999\r\n\r\n",
    GET + b"Content-Length: +5\r\n\r\nabcde",
    BEGUN + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    BEGUN
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    BEGUN + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    BEGUN + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    BEGUN + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    BEGUN + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    BEGUN + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    BEGUN + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}\r\n",
    BEGUN + b"Transfer-Encoding: chunked\r\n\r\n2;" + b"a" * 100_000 + b"\r\n{}\r\n0\r\n\r\n",
    BEGUN + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",  # and then no more
    BEGUN + b"Content-Length: 100\r\n\r\n{}",  # likewise
    BEGUN + b"Transfer-Encoding: chunked\r\n\r\n" + b"8000\r\n%b\r\n" % (b"x" * 0x8000) * 40,
    BEGUN + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n",
    BEGUN + b"Expect: nonsense\r\nContent-Length: 2\r\n\r\n{}",
    BEGUN + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    b"GET http://elsewhere.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET //elsewhere.example/%2e%2e HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET /sign-in HTTP/1.1\r\nHost: \xff\x00\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"TRACE /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
]


def requests() -> Iterator[bytes]:
    """Yield what is no HTTP, then those with a few bytes changed, put in and taken out."""
    yield from TORN
    chance = draw("torn")
    for _ in rounds(40):
        yield mutated(chance.choice(TORN)[:4000], chance)


def test_what_is_no_http_is_refused_and_never_a_fault(server, counted):
    for raw in requests():
        said = server.answer_to(raw)
        for line in said.split(b"\r\n"):
            if line.startswith(b"HTTP/1."):
                assert int(line.split()[1]) < 500 or line.split()[1] in (b"501", b"505"), (
                    raw,
                    said,
                )
        assert b"Traceback" not in said
        counted["torn requests"] += 1
    assert server.says() == 200


CHUNKED = BEGUN + b"Transfer-Encoding: chunked\r\n"
TWO_WAYS = [
    BEGUN + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    CHUNKED + b"Content-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    CHUNKED + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    BEGUN + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    BEGUN + b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}",
    BEGUN + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    BEGUN + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    BEGUN + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    BEGUN + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    BEGUN + b"Content-Length: 2, 2\r\n\r\n{}",
    BEGUN + b"Content-Length: +2\r\n\r\n{}",
    BEGUN + b"Content-Length: 0x2\r\n\r\n{}",
    BEGUN + b"Content-Length: 2\n\r\n\r\n{}",
    CHUNKED + b"\r\n0x2\r\n{}\r\n0\r\n\r\n",
    CHUNKED + b"\r\n2\n{}\n0\n\n",
    CHUNKED + b"\r\n2;a\rb\r\n{}\r\n0\r\n\r\n",
    CHUNKED + b"\r\n2;a\nb\r\n{}\r\n0\r\n\r\n",
    CHUNKED + b"\r\n2\r\n{}XX0\r\n\r\n",
    CHUNKED + b"\r\n2\r\n{}\r\n0\r\nContent-Length: 40\r\n\r\n",
    CHUNKED + b"\r\n2\r\n{}\r\n0\r\nHost: elsewhere\r\n\r\n",
    CHUNKED + b"\r\n2\r\n{}\r\n0\r\nX-A: a\nX-B: b\r\n\r\n",
]
"""What two readers may not agree on where it ends."""


@pytest.mark.parametrize("raw", TWO_WAYS)
def test_where_a_request_ends_in_two_ways_nothing_behind_it_is_taken_for_another(server, raw):
    said = server.answer_to(raw + GET + b"\r\n")
    assert said.count(b"HTTP/1.1 ") == 1, said
    assert said.startswith(b"HTTP/1.1 400 "), said
    plain = BEGUN + b"Content-Length: 2\r\n\r\n{}"
    assert server.answer_to(plain + GET + b"\r\n").count(b"HTTP/1.1 ") == 2
