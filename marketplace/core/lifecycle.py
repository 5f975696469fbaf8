"""A life cycle as a table: (state, event) -> next state, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from marketplace.core.errors import Conflict

State = TypeVar("State", bound=StrEnum)
Event = TypeVar("Event", bound=StrEnum)


@dataclass(frozen=True)
class Lifecycle(Generic[State, Event]):
    """Every move a thing may make. A pair that is not in the table is refused."""

    noun: str
    moves: Mapping[tuple[State, Event], State]

    def after(self, state: State, event: Event) -> State:
        """Return the state that `event` leads to, or raise `Conflict`."""
        try:
            return self.moves[state, event]
        except KeyError:
            words = f"this {self.noun} is {state}: {event} is not possible now"
            raise Conflict(words.replace("_", " ")) from None

    def allows(self, state: State, event: Event) -> bool:
        """Return whether `event` may happen in `state`."""
        return (state, event) in self.moves

    def is_final(self, state: State) -> bool:
        """Return whether no event leads out of `state`."""
        return all(start != state for start, _ in self.moves)
