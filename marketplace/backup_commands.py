"""`marketplace back-up` and `marketplace restore`; `marketplace note-backup` for who has others."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from marketplace.console import FILE, on_data_dir, product_for
from marketplace.core.backups import note_backup
from marketplace.local.dumps import back_up, restore

CLOCKS_DIFFER = timedelta(minutes=5)
"""By how much the clock of whoever took a back-up may be ahead of ours."""


@click.command("back-up")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@on_data_dir
def back_up_command(file: Path, data_dir: Path | None) -> None:
    """Write all that is in the database to a new file, which only its owner can read."""
    with product_for(data_dir) as product:
        dumped = back_up(product, file)
    click.echo(f"{file} holds everything up to {dumped.as_of:%Y-%m-%d %H:%M:%S} UTC.")
    click.echo(f"Its log ends with {dumped.head}: note it elsewhere, for `verify-log --expect`.")
    click.echo("What is sealed in it opens with MARKETPLACE_SECRET_KEY: keep that apart from it.")


@click.command("restore")
@click.argument("file", type=FILE)
@on_data_dir
def restore_command(file: Path, data_dir: Path | None) -> None:
    """Make an installation out of a back-up, in an empty database; Redis needs nothing."""
    with product_for(data_dir) as product:
        restored = restore(product, file)
    click.echo(f"Everything in {file} is in the database. Its log ends with {restored.head}.")
    click.echo(
        f"Messages that wait to go out: {restored.waiting}. Those of them that went out after the "
        "back-up was taken will go out again, once workers run."
    )
    click.echo("Now `marketplace verify-log` and `marketplace doctor`; then web, and workers last.")


@click.command("note-backup")
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]),
    help="Up to when it holds everything, such as 2026-11-30T02:00:00Z; else now.",
)
@on_data_dir
def note_backup_command(as_of: datetime | None, data_dir: Path | None) -> None:
    """Note that a back-up taken otherwise is safe, so that `doctor` misses the next."""
    with product_for(data_dir) as product:
        now = product.ctx.clock()
        at = (as_of or now).astimezone(UTC)
        if at > now + CLOCKS_DIFFER:
            # It would be the last one for good: nothing leaves the log, and none would be missed.
            raise click.BadParameter("nothing holds what is yet to happen", param_hint="--as-of")
        note_backup(product.ctx, as_of=at)
    click.echo(f"Noted: there is a back-up of {at:%Y-%m-%d %H:%M:%S} UTC.")
