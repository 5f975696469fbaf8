"""Who can sign in to a demonstration, and how: nothing here is secret, all of it is invented."""

import csv
from pathlib import Path

PROVIDERS = Path(__file__).parent / "providers.csv"

ADMIN_EMAIL = "admin@iso-quotes-demo.example"
ADMIN_NAME = "Demo Administrator"
ADMIN_PASSWORD = "everybody knows this"  # nosec B105  # shown to everybody, on a laptop only

PROVIDER_PASSWORD = "this one as well"  # nosec B105  # shown to everybody, on a laptop only
"""The same for every invented provider."""


def provider_emails() -> dict[str, str]:
    """Return the address that signs in for each invented provider, by the provider's name."""
    with PROVIDERS.open(newline="") as file:
        return {row["name"]: row["email"] for row in csv.DictReader(file)}


def sign_ins() -> list[str]:
    """Return what to tell whoever wants to look around."""
    some = list(provider_emails().values())[:2]
    return [
        f"Administrator:  {ADMIN_EMAIL} with the password '{ADMIN_PASSWORD}'",
        f"Providers:      {some[0]}, {some[1]} and the others with '{PROVIDER_PASSWORD}'",
        "These are for trying out, on this machine only.",
    ]
