"""Hosts that the tests make: network namespaces, joined by a bridge that stands in one of its own.

No packet leaves them: none of the namespaces has a way out, and this machine's own network is not
touched. A host that is cut off says nothing any more, as one behind a broken switch: what was sent
to it is not refused, it is lost. Everything has a name that begins with the id of the process that
made it, and goes with it; what a killed one left is removed by the next.
"""

import ctypes
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

PREFIX = "mkt"
SUBNET = "10.203.0"
"""Of no meaning outside: no other namespace has an address in it."""

_CLONE_NEWNET = 0x40000000
_LEFT = re.compile(rf"{PREFIX}(\d+)-[a-z-]+")


class NotAllowed(Exception):
    """No namespaces can be made here; the message says why."""


class Network:
    """So many hosts that reach one another, each until it is cut off."""

    def __init__(self, hosts: Sequence[str]) -> None:
        """`hosts`: their names, in the order of their addresses."""
        self.hosts = tuple(hosts)
        self._mark = f"{PREFIX}{os.getpid()}"
        self._made: list[str] = []

    def __enter__(self) -> Self:
        try:
            _remove_left_over()
            switch = self._make("switch")
            _ip("-n", switch, "link", "add", "br0", "type", "bridge")
            _ip("-n", switch, "link", "set", "br0", "up")
            for number, host in enumerate(self.hosts):
                self._plug_in(number, host, switch)
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()

    def address(self, host: str) -> str:
        """Return the address of a host."""
        return f"{SUBNET}.{self.hosts.index(host) + 1}"

    def command(self, host: str, command: Sequence[str], *, user: int | None = None) -> list[str]:
        """Return how to run a command on a host; it is killed when this process ends.

        `user`: the number of whom to run it as, where not as root.
        """
        drop = [f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        return [
            *("ip", "netns", "exec", self._name(host)),
            *("setpriv", "--pdeathsig", "KILL", *drop, "--"),
            *command,
        ]

    def cut(self, host: str) -> None:
        """Lose every packet from and to a host from now on."""
        _ip("-n", self._name("switch"), "link", "set", self._port(host), "down")

    def join(self, host: str) -> None:
        """Let it be reached again."""
        _ip("-n", self._name("switch"), "link", "set", self._port(host), "up")

    @contextmanager
    def inside(self, host: str) -> Iterator[None]:
        """Be on a host: this thread, and the threads and processes that it starts meanwhile."""
        with open("/proc/thread-self/ns/net") as home:
            _enter(Path("/run/netns") / self._name(host))
            try:
                yield
            finally:
                _set_namespace(home.fileno())

    def remove(self) -> None:
        """Take everything down; the links go with their namespaces."""
        while self._made:
            _ip("netns", "del", self._made.pop())

    def _make(self, host: str) -> str:
        name = self._name(host)
        _ip("netns", "add", name)
        self._made.append(name)
        _ip("-n", name, "link", "set", "lo", "up")
        return name

    def _plug_in(self, number: int, host: str, switch: str) -> None:
        name, port = self._make(host), self._port(host)
        # Made where it belongs from the first: not even for a moment in this machine's own network.
        _ip("-n", switch, "link", "add", port, "type", "veth", "peer", "name", "eth0",
            "netns", name)  # fmt: skip
        _ip("-n", switch, "link", "set", port, "master", "br0", "up")
        _ip("-n", name, "addr", "add", f"{SUBNET}.{number + 1}/24", "dev", "eth0")
        _ip("-n", name, "link", "set", "eth0", "up")

    def _name(self, host: str) -> str:
        return f"{self._mark}-{host}"

    def _port(self, host: str) -> str:
        return f"to-{host}"


def why_not() -> str | None:
    """Return why no namespaces can be made here, or None where they can."""
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    for program in ("ip", "setpriv"):
        if shutil.which(program) is None:
            return f"there is no `{program}` here"
    try:
        with Network(["one"]):
            return None
    except NotAllowed as error:
        return str(error)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise NotAllowed(f"`ip {' '.join(arguments)}` was refused: {done.stderr.strip()}")


def _remove_left_over() -> None:
    folder = Path("/run/netns")
    for name in [path.name for path in folder.iterdir()] if folder.is_dir() else []:
        left = _LEFT.fullmatch(name)
        if left and not Path(f"/proc/{left[1]}").exists():
            _ip("netns", "del", name)


def _enter(path: Path) -> None:
    with path.open() as namespace:
        _set_namespace(namespace.fileno())


def _set_namespace(fd: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, _CLONE_NEWNET) != 0:
        raise NotAllowed(os.strerror(ctypes.get_errno()))
