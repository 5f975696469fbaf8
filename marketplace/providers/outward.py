"""Requests to addresses that others give us, which must not reach into our own network.

The name is resolved once, every address that it stands for is checked, and the connection is made
to one of these: a name that stands for something else a moment later gains nothing. No redirect is
followed, no answer is read beyond its head, and all of it takes so many seconds and no more.
"""

import re
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from threading import Timer
from urllib.parse import urlsplit

from marketplace.core.texts import N_

TIMEOUT = 10.0
"""Seconds for everything: finding, connecting, sending, and the head of the answer."""

_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9-]{1,63})*", re.I)
_TRANSLATED = ip_network("64:ff9b::/96")
"""IPv4 inside IPv6 (RFC 6052): the last four bytes are where it really goes."""


class LeadsInside(Exception):
    """The address stands for something that is not on the public internet."""


@dataclass(frozen=True)
class Answer:
    """How a request was answered."""

    status: int
    headers: Mapping[str, str]


def problem_with(url: str, *, loopback: bool) -> str | None:
    """Return what is wrong with an address that somebody gives us to call, if anything is.

    `loopback`: whether this machine may be called, in development.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return N_("must be a web address such as https://hooks.acme.example/quotes")
    if not re.fullmatch(r"[\x21-\x7e]+", url) or parts.fragment or "@" in parts.netloc or port == 0:
        return N_("must be a web address in ASCII, without a user, a password or a #")
    literal = _address(host)
    if literal is None and not _HOST.fullmatch(host):
        return N_("must name a host such as hooks.acme.example")
    if loopback and is_here(url) and parts.scheme in ("http", "https"):
        return None
    if parts.scheme != "https":
        return N_("must begin with https://")
    if host == "localhost" or (literal is not None and not is_outside(host)):
        return N_("must be on the public internet")
    return None


def is_here(url: str) -> bool:
    """Return whether an address names this machine itself."""
    host = urlsplit(url).hostname or ""
    literal = _address(host)
    return host == "localhost" or (literal is not None and literal.is_loopback)


def is_outside(address: str) -> bool:
    """Return whether an IP address is one of the public internet, whatever it is wrapped in."""
    found = _address(address)
    if found is None:
        return False
    if isinstance(found, IPv6Address):
        inner = _inside(found)
        if inner is not None:
            return is_outside(str(inner))
        if found.is_site_local:
            return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _inside(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 one leads to, if it does."""
    if address in _TRANSLATED:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    loopback: bool = False,
    timeout: float = TIMEOUT,
) -> Answer:
    """Post to an address, or raise `LeadsInside`, `OSError` or `http.client.HTTPException`."""
    if problem_with(url, loopback=loopback):
        raise LeadsInside
    parts = urlsplit(url)
    connection = _Connection(
        parts.hostname or "",
        parts.port,
        tls=_TLS if parts.scheme == "https" else None,
        loopback=loopback,
        timeout=timeout,
    )
    # A time-out of the socket starts anew with every byte.
    end = Timer(timeout, connection.cut_off)
    end.daemon = True
    end.start()
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, dict(headers))
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.headers))
    finally:
        end.cancel()
        connection.close()


_TLS = ssl.create_default_context()


class _Connection(HTTPConnection):
    """Connects to nothing but addresses that were checked, until its time is over."""

    sock: socket.socket | None

    def __init__(
        self,
        host: str,
        port: int | None,
        *,
        tls: ssl.SSLContext | None,
        loopback: bool,
        timeout: float,
    ) -> None:
        self.default_port = 443 if tls else 80  # left out of the `Host` header
        super().__init__(host, port or self.default_port)
        self._tls, self._loopback = tls, loopback
        self._until = time.monotonic() + timeout

    def connect(self) -> None:
        """Connect to what the name stands for now."""
        self.sock = self._reach()
        if self._tls is not None:
            self.sock.settimeout(self._left())
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)
        self.sock.settimeout(self._left())

    def _reach(self) -> socket.socket:
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        if not all(self._is_allowed(str(each[4][0])) for each in found):
            raise LeadsInside
        fault: OSError = OSError("no address")
        for family, kind, protocol, _, address in found:
            reached = socket.socket(family, kind, protocol)
            try:
                reached.settimeout(self._left())
                reached.connect(address)
                return reached
            except OSError as error:
                reached.close()
                fault = error
        raise fault

    def _is_allowed(self, address: str) -> bool:
        if self._loopback and ip_address(address).is_loopback:
            return True
        return self._tls is not None and is_outside(address)

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def cut_off(self) -> None:
        """End it, whatever it is waiting for."""
        if self.sock is not None:
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)
