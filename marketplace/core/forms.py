"""What somebody sent, as far as it could be read, with everything found wrong so far."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from marketplace.core.errors import FieldError, Invalid


@dataclass(frozen=True, repr=False)
class Form:
    """Values that passed the checks of form, and what did not.

    A use case adds what only the database can tell, so that one answer names every wrong field.
    """

    values: dict[str, Any]
    problems: tuple[FieldError, ...] = ()

    def is_sound(self, name: str) -> bool:
        """Return whether nothing is wrong with the top-level field `name` or anything below it.

        Nor with the whole: what is no object at all has no sound fields.
        """
        pointer = f"/{name}"
        return not any(
            p.pointer in ("", pointer) or p.pointer.startswith(pointer + "/") for p in self.problems
        )

    def accept(self, more: Iterable[FieldError] = ()) -> dict[str, Any]:
        """Return the values, or raise `Invalid` naming every problem, `more` included."""
        problems = [*self.problems, *more]
        if problems:
            raise Invalid(problems)
        return self.values
