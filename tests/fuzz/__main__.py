"""Run the campaigns in their long form: `python -m tests.fuzz --help`."""

import argparse
import os
import secrets
import sys
from pathlib import Path

import click
import pytest

HERE = Path(__file__).parent
PLACES = (HERE, HERE.parent / "properties")


def main() -> int:
    """Run all of them, or those whose name has `--only` in it; return how pytest ended."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="about how long each may take")
    parser.add_argument("--only", default="", help="part of the names of campaigns")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    asked = parser.parse_args()
    os.environ["FUZZ_MINUTES"] = str(asked.minutes)
    os.environ["FUZZ_SEED"] = str(asked.seed)
    click.echo(f"seed {asked.seed}")
    campaigns = [path for place in PLACES for path in sorted(place.glob("test_*.py"))]
    chosen = [str(path) for path in campaigns if asked.only in path.stem]
    if not chosen:
        parser.error(f"no campaign has '{asked.only}' in its name")
    return int(pytest.main([*chosen, "--numprocesses=0", "--quiet"]))


if __name__ == "__main__":
    sys.exit(main())
