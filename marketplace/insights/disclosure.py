"""What may be shown of figures over a few: nobody is to read off them what one provider asked.

A group is shown only where it is enough: of so many quotes, by so many providers, none of which
made most of them. But where it and all but a little of it are shown, the little can be found by
subtraction: the median of six quotes and that of five of them give the sixth away (where it lies in
the middle, it is twice the one less the other). So what a group has beyond its parts that are shown
is nothing, or enough by itself. Where it is neither, the smallest of those parts are not shown
either: the figures of a whole are more use than those of a small part of it.

What can be found by adding and subtracting what is shown is then made of pieces each of which is
enough: a shown group less its shown parts.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Path = tuple[Any, ...]
"""What names a group: every beginning of it names one that it is a part of."""

Held = Counter[Any]
"""How many quotes each provider has in a group."""


@dataclass(frozen=True)
class Enough:
    """From how much on a group tells of a market, and not of one of those in it."""

    quotes: int
    providers: int
    share_at_most: float
    """Of its quotes, that one provider made."""

    def holds(self, held: Held) -> bool:
        """Return whether a group of these quotes may be shown, taken by itself."""
        quotes = held.total()
        return (
            quotes >= self.quotes
            and len(held) >= self.providers
            and max(held.values()) <= self.share_at_most * quotes
        )


@dataclass(frozen=True)
class Disclosed:
    """What of some groups may be known."""

    shown: Mapping[Path, Held]
    """The groups of which figures may be shown, with all that is in each."""
    hidden: Sequence[Path]
    """Those that may not, though what they are part of may: of them nothing more is known."""


def disclosed(held: Mapping[Path, Held], enough: Enough) -> Disclosed:
    """Return which groups may be shown, all together.

    `held`: by the smallest group that a quote is in. A quote may be in one that has parts, and in
    none of them. What is part of a group that is not shown is not shown.
    """
    whole: defaultdict[Path, Held] = defaultdict(Counter)
    for path, quotes in held.items():
        for length in range(1, len(path) + 1):
            whole[path[:length]].update(quotes)
    parts: defaultdict[Path, list[Path]] = defaultdict(list)
    for path in sorted(whole, key=lambda path: (-whole[path].total(), path)):
        parts[path[:-1]].append(path)
    shown: dict[Path, Held] = {}
    hidden: list[Path] = []
    waiting: list[Path] = [()]
    while waiting:
        path = waiting.pop()
        showing = [part for part in parts[path] if enough.holds(whole[part])]
        rest = whole[path] - sum((whole[part] for part in showing), Counter())
        while rest and not enough.holds(rest):
            rest += whole[showing.pop()]  # the smallest
        shown |= {part: whole[part] for part in showing}
        hidden += [part for part in parts[path] if part not in shown]
        waiting += showing
    return Disclosed(shown, hidden)
