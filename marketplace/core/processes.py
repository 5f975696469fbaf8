"""How this product's processes are kept: started again ever later, and gone with their parent."""

import ctypes
import os
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1


class BackOff:
    """How long to wait before starting something again that ends by itself."""

    def __init__(self, *, first: float = 0.5, longest: float = 15.0, forgive: float = 60.0) -> None:
        """Wait from `first` to `longest` seconds; who ran for `forgive` seconds begins anew."""
        self.first, self.longest, self.forgive = first, longest, forgive
        self._next = first
        self._began = time.monotonic()

    def started(self) -> None:
        """Note that it has been started."""
        self._began = time.monotonic()

    def ended(self) -> float:
        """Note that it has ended; return how many seconds to wait."""
        if time.monotonic() - self._began >= self.forgive:
            self._next = self.first
        wait = self._next
        self._next = min(2 * wait, self.longest)
        return wait


def tie_to_parent(parent: int, how: signal.Signals = signal.SIGTERM) -> None:
    """Have the kernel send `how` to this process when `parent` is gone, even by SIGKILL.

    To be called in the new process. It lasts over an exec, and not over a fork. Linux only;
    elsewhere a parent that is killed leaves its children to be stopped by hand.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(how))
    if os.getppid() != parent:  # it was faster
        os.kill(os.getpid(), how)
