"""Who holds a set of data, as the kernel knows it: a lock, and a process that still runs."""

import fcntl
import os
import time
from pathlib import Path


class FileLock:
    """A lock on a file, which ends with the last process that has inherited it."""

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)

    def take(self, *, within: float = 0.0) -> bool:
        """Return whether the lock could be had within so many seconds."""
        end = time.monotonic() + within
        while True:
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= end:
                    return False
                time.sleep(0.01)
            else:
                return True

    def sign(self, who: str) -> None:
        """Note who holds the lock now; who inherits it signs by itself, below."""
        os.ftruncate(self.fd, 0)
        os.lseek(self.fd, 0, os.SEEK_SET)
        os.write(self.fd, who.encode())

    def signature(self) -> str:
        """Return what was signed last."""
        signed = os.pread(self.fd, 10_000, 0).decode(errors="replace").strip()
        return signed.splitlines()[-1] if signed else ""

    def holder(self) -> int | None:
        """Return the process that signed last, if it is still that one that has its number."""
        signed = self.signature()
        try:
            pid = int(signed.split()[0])
            return pid if _identity(signed) == _identity(_stat(pid)) else None
        except (IndexError, ValueError, OSError):
            return None

    def close(self) -> None:
        """Let go. Who has inherited the lock still holds it."""
        os.close(self.fd)


SIGN_AND_BECOME = 'read -r me < "/proc/$$/stat"; echo "$me"; exec "$@" >&2'
"""For a shell whose output is the lock. A child that signs before it becomes the server is
known even if its keeper is killed at the very moment of starting it."""


def _stat(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text()


def _identity(stat: str) -> str:
    """Return when the kernel started the process: with its number, who it is."""
    return stat.rpartition(")")[2].split()[19]
