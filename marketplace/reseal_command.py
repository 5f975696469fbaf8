"""`marketplace reseal`: after the installation's secret was changed."""

from pathlib import Path

import click

from marketplace.console import on_data_dir, product_for
from marketplace.sealed import reseal

UNTIL = (
    "Sign-ins and forms of before last half a day, the pages of requests as long as their browser "
    "is not closed: a day from now nobody is signed out by taking the old keys out of "
    "MARKETPLACE_SECRET_KEYS_OLD."
)


@click.command("reseal")
@on_data_dir
def reseal_command(data_dir: Path | None) -> None:
    """Close what is kept under seal with the key of now, so that old ones can be taken out."""
    with product_for(data_dir) as product:
        counts = reseal(product.ctx, product.settings.secret_keys)
        old = len(product.settings.secret_keys_old)
    for count in counts:
        click.echo(f"{count.called}: {count.rows}, sealed anew: {count.renewed}")
    lost = sum(count.lost for count in counts)
    if lost:
        raise click.ClickException(
            f"{lost} were sealed with a key that is not named: add it to "
            "MARKETPLACE_SECRET_KEYS_OLD, or do without them"
        )
    click.echo("Nothing that is kept needs an old key any more.")
    if old:
        click.echo(UNTIL)
