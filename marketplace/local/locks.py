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

    def sign(self) -> None:
        """Note who holds the lock, for the message to the next who asks for it."""
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, f"{os.getpid()}\n".encode(), 0)

    def holder(self) -> str:
        """Return who signed last."""
        return os.pread(self.fd, 20, 0).decode().strip() or "unknown"

    def close(self) -> None:
        """Let go. Who has inherited the lock still holds it."""
        os.close(self.fd)


def started_at(pid: int) -> str:
    """Return the kernel's start time of a process: with its number, its identity."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return "gone"


def running_server(record: Path) -> int | None:
    """Return the process that the record names, if it is that one that still runs."""
    try:
        pid, moment = record.read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return int(pid) if moment == started_at(int(pid)) != "gone" else None
