"""What every command shares: the product it works on, and a bar that shows how far it is."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from config.settings import Settings
from marketplace.bootstrap import Product, build
from marketplace.core.db import db
from marketplace.local.connection import read_connection

FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)

on_data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Work on the system that `marketplace up` keeps in this folder.",
)


def environment_for(data_dir: Path | None) -> dict[str, str]:
    """Return the environment with what `up` keeps in the data folder, where one is named."""
    return {**os.environ, **(read_connection(data_dir) if data_dir else {})}


@contextmanager
def product_for(data_dir: Path | None) -> Iterator[Product]:
    """Open the product that the settings or the data folder name."""
    product = build(Settings.from_env(environment_for(data_dir)))
    with product.app.app_context():
        try:
            yield product
        finally:
            db.engine.dispose()
            product.redis.close()


@contextmanager
def progress_of(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show, on a terminal only, how much is done of how much; the caller tells."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)
