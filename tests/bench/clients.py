"""Users of the HTTP door: each a connection that is kept, and one request after another.

Sockets and bytes, since they share the processors with what they measure: a request costs a
client here about fifty microseconds.
"""

import json
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)

PATIENCE = 60
"""Seconds to wait for one answer."""


class Refused(Exception):
    """A request was answered otherwise than it should have been."""


class User:
    """One connection to the server on this machine."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        """`address`: where the proxy in front is told that it comes from."""
        self._port, self._address = port, address
        self._socket: socket.socket | None = None

    def ask(self, method: str, path: str, body: Any = None, *, token: str = "") -> Any:
        """Send a request and return what the answer says; raise `Refused` if it is no 2xx."""
        status, said = self.send(self.request(method, path, body, token=token))
        if status // 100 != 2:
            raise Refused(f"{method} {path}: {status} {said[:300]!r}")
        return json.loads(said or b"null")

    def request(self, method: str, path: str, body: Any = None, *, token: str = "") -> bytes:
        """Return a request as it is sent."""
        sent = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {self._address}\r\n"
            f"Content-Length: {len(sent)}\r\n"
            + ("Content-Type: application/json\r\n" if sent else "")
            + (f"Authorization: Bearer {token}\r\n" if token else "")
        )
        return head.encode() + b"\r\n" + sent

    def send(self, request: bytes) -> tuple[int, bytes]:
        """Send a request that is made already; return status and body."""
        for _ in range(2):
            fresh = self._socket is None
            try:
                if self._socket is None:
                    self._socket = socket.create_connection(("127.0.0.1", self._port), PATIENCE)
                    self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._socket.sendall(request)
                return self._answer(self._socket)
            except ConnectionError:  # kept for longer than the server keeps it
                self.leave()
                if fresh:
                    raise
        raise ConnectionError("the server closes every connection")

    def _answer(self, connection: socket.socket) -> tuple[int, bytes]:
        got = b""
        while (end := got.find(b"\r\n\r\n")) < 0:
            got += self._more(connection)
        found = _LENGTH.search(got, 0, end + 2)
        length = int(found[1]) if found else 0
        while len(got) < end + 4 + length:
            got += self._more(connection)
        if b"\r\nconnection: close" in got[:end].lower():
            self.leave()
        return int(got[9:12]), got[end + 4 :]

    @staticmethod
    def _more(connection: socket.socket) -> bytes:
        more = connection.recv(65536)
        if not more:
            raise ConnectionResetError("closed")
        return more

    def leave(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


@dataclass
class Sent:
    """What came of many requests."""

    seconds: float
    times: list[float]
    """Seconds that each took."""

    @property
    def per_second(self) -> float:
        return len(self.times) / self.seconds


def send_all(port: int, requests: list[bytes], *, users: int, within: float, status: int) -> Sent:
    """Let so many users send these, each the next as soon as it is answered.

    Ends by itself after `within` seconds; raises `Refused` where a status is another.
    """
    waiting = iter(requests)
    lock, times = threading.Lock(), []
    end = time.monotonic() + within

    def one() -> None:
        user = User(port)
        try:
            while time.monotonic() < end:
                with lock:
                    request = next(waiting, None)
                if request is None:
                    return
                started = time.perf_counter()
                got, said = user.send(request)
                times.append(time.perf_counter() - started)
                if got != status:
                    raise Refused(f"{got}: {said[:300]!r}")
        finally:
            user.leave()

    started = time.perf_counter()
    run_together([one] * users)
    return Sent(time.perf_counter() - started, times)


def run_together(each: list[Callable[[], None]]) -> None:
    """Run these at once, each in a thread, and raise what the first of them raised."""
    met: list[BaseException] = []

    def kept(run: Callable[[], None]) -> None:
        try:
            run()
        except BaseException as error:  # raised below, where somebody looks
            met.append(error)

    threads = [threading.Thread(target=kept, args=(run,), daemon=True) for run in each]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if met:
        raise met[0]
