"""`marketplace verify-log`: whether the audit log is what was written."""

from pathlib import Path

import click

from marketplace.console import on_data_dir, product_for
from marketplace.core.verifying import verify_log


class Anchor(click.ParamType[tuple[int, bytes]]):
    """The number of a seal and its hash, as `verify-log` and the workers' log say them."""

    name = "SEQ:HASH"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, bytes]:
        """Read both."""
        seq, _, digest = value.partition(":")
        try:
            anchor = int(seq), bytes.fromhex(digest)
        except ValueError:
            anchor = 0, b""
        if anchor[0] < 1 or len(anchor[1]) != 32:
            self.fail("must be a number, a colon and 64 hexadecimal digits", param, ctx)
        return anchor


@click.command("verify-log")
@click.option(
    "--expect",
    "anchors",
    type=Anchor(),
    multiple=True,
    help="An end of the log that was noted before: it must be there still. May be repeated.",
)
@on_data_dir
def verify_log_command(anchors: tuple[tuple[int, bytes], ...], data_dir: Path | None) -> None:
    """Work the chain of the audit log out anew, and name every change of it."""
    with product_for(data_dir) as product:
        seen = verify_log(product.ctx, dict(anchors))
    for each in seen.found:
        click.echo(f"wrong  {each}")
    if seen.more:
        click.echo(f"wrong  and more: {seen.more}")
    waiting = f"{seen.tail.count}"
    if seen.tail.since is not None:
        waiting += f", the oldest since {seen.tail.since:%Y-%m-%d %H:%M:%S} UTC"
    click.echo(f"Events sealed: {seen.events}. Waiting to be sealed: {waiting}.")
    click.echo(f"The log ends with {seen.head}: note it elsewhere, for --expect.")
    if seen.found:
        raise click.ClickException(
            f"the log is not what was written: {len(seen.found) + seen.more} findings, named above"
        )
