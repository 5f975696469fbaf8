"""Leave a server alone that does not answer: each who waits for it holds up somebody else."""

import time
from threading import Lock

LEFT_ALONE = 2.0
"""Seconds for which nobody asks again."""


class CircuitBreaker:
    """Says whether to ask; while the server is away one at a time does, now and then."""

    def __init__(self) -> None:
        self._away_until = 0.0
        self._lock = Lock()

    def may_ask(self) -> bool:
        """Return whether to ask. Whoever does then says how that ended."""
        if not self._away_until:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._away_until:
                return False
            self._away_until = now + LEFT_ALONE
            return True

    def answered(self) -> None:
        """Note that the server is there."""
        self._away_until = 0.0

    def failed(self) -> None:
        """Note that it did not answer."""
        self._away_until = time.monotonic() + LEFT_ALONE
