"""What is looked at here, with what, and the settings that it leads to."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from config.settings import PREFIX, Settings, SettingsError
from marketplace.cli import cli

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "config" / "deploy"

SETTINGS = {PREFIX + field.name.upper() for field in fields(Settings)}

MOMENT = "2026-11-30T02:10:00Z"
"""As the scripts of `backup/` write one."""

MACHINE = "/opt/marketplace/current"
"""Where a machine has the product."""


def tool(path: str | Path) -> str:
    """Return where a program is; without it the test is skipped, and says so."""
    found = shutil.which(path)
    if found is None:
        name = Path(path).name
        pytest.skip(f"NO {name.upper()}: what config/deploy has for it is NOT TESTED")
    return found


def run(*command: str | Path, **how: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*command], capture_output=True, text=True, check=False, **how)


def without_default() -> set[str]:
    """Return every setting that has to be set."""
    with pytest.raises(SettingsError) as refused:
        Settings.from_env({})
    return {each.removesuffix(" is not set") for each in refused.value.problems}


def read_env(text: str) -> dict[str, str]:
    """Read a file of settings as systemd, Compose and a shell do all three, or fail."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    found = [re.fullmatch(r"([A-Z_]+)='([^'\\]*)'", line) for line in lines]
    assert None not in found, lines
    return {each[1]: each[2] for each in found if each}


def documents(text: str) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(text) if each]


def secrets_for(folder: Path, *hosts: str) -> dict[str, dict[str, str]]:
    """Draw secrets by `make-secrets`, and return what each of its files says."""
    said = run(
        DEPLOY / "make-secrets",
        folder,
        *hosts,
        env={**os.environ, "SENDGRID_API_KEY": "SG.made-up"},
    )
    assert said.returncode == 0, said.stderr
    return {path.stem: read_env(path.read_text()) for path in folder.glob("*.env")}


def is_a_command(words: Iterable[str]) -> bool:
    """Return whether `marketplace` takes these words: a command that there is, and its options."""
    name, *options = words
    command = cli.commands[name]
    try:
        command.make_context(name, [*options])
    except click.UsageError:
        return False
    return True


def option_of(words: Iterable[str], option: str) -> str:
    words = [*words]
    return words[words.index(option) + 1]


def texts() -> Iterator[tuple[str, str]]:
    """Yield every file of config/deploy, with its text."""
    for path in sorted(DEPLOY.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield str(path.relative_to(DEPLOY)), path.read_text(encoding="utf-8")


def settings_of(environment: Mapping[str, str]) -> Settings:
    """Return the settings that a process starts with, or fail with what is wrong with them."""
    return Settings.from_env(environment)
