"""What processes cost, as the kernel counts it: processor time and memory, from `/proc`."""

import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

_TICK = 1000 / os.sysconf("SC_CLK_TCK")
_ANONYMOUS = re.compile(r"^RssAnon:\s+(\d+) kB", re.MULTILINE)


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it and live."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # it has just ended
            for child in task.read_text().split():
                found += family(int(child))
    return found


def processor_ms(pids: Iterable[int]) -> float:
    """Return the milliseconds of processor that these families took, those that ended included.

    In ticks of the kernel, mostly of ten milliseconds: a figure is worth what it is long.
    """
    total = 0
    for pid in {each for root in pids for each in family(root)}:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15]))  # its own and of children it waited for
    return total * _TICK


def resident(pids: Iterable[int]) -> int:
    """Return the bytes that these families hold for themselves: what they share does not count."""
    total = 0
    for pid in {each for root in pids for each in family(root)}:
        with suppress(OSError):
            found = _ANONYMOUS.search(Path(f"/proc/{pid}/status").read_text())
            total += int(found[1]) * 1024 if found else 0
    return total


class Meter:
    """How much each kind of process spends between two looks."""

    def __init__(self, kinds: Mapping[str, Iterable[int]]) -> None:
        """`kinds`: the first process of each family, by what it is called."""
        self._kinds = {kind: list(pids) for kind, pids in kinds.items()}
        self.begin()

    def begin(self) -> None:
        """Count from here on."""
        self._before = self._now()

    def _now(self) -> dict[str, float]:
        return {kind: processor_ms(pids) for kind, pids in self._kinds.items()}

    def spent(self) -> dict[str, float]:
        """Return the milliseconds since the meter was made, by kind."""
        return {kind: now - self._before[kind] for kind, now in self._now().items()}

    def resident(self) -> dict[str, int]:
        """Return the bytes that each kind holds now."""
        return {kind: resident(pids) for kind, pids in self._kinds.items()}
