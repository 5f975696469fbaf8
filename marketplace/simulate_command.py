"""`marketplace simulate`: what would become of a market, under a policy and other strategies."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from marketplace.console import FILE, on_data_dir, product_for, progress_of
from marketplace.core.policy import Policy
from marketplace.matching.simulation.chart import drift_chart
from marketplace.matching.simulation.figures import Figures, figures
from marketplace.matching.simulation.generating import generated_market
from marketplace.matching.simulation.ground import Ground
from marketplace.matching.simulation.markets import Market
from marketplace.matching.simulation.policy_files import read_policy, values_of, written_policy
from marketplace.matching.simulation.running import simulate
from marketplace.matching.simulation.stored import stored_market
from marketplace.matching.simulation.strategies import Strategy
from marketplace.matching.simulation.words import NAMES, ROWS, STRATEGIES, about

PLAIN_WIDTH = 150
"""Columns of the table where it does not go to a terminal."""

MONTH = timedelta(days=365.25 / 12)


def _strategies(_ctx: click.Context, _option: click.Parameter, value: str) -> list[Strategy]:
    asked = [name.strip().replace("-", "_") for name in value.split(",")]
    if unknown := [name for name in asked if name not in set(Strategy)]:
        known = ", ".join(Strategy)
        raise click.BadParameter(f"{', '.join(unknown)}: there are {known}")
    return [Strategy(name) for name in dict.fromkeys(asked)]


@click.command("simulate")
@click.option("--months", type=click.IntRange(1, 120), default=12, show_default=True)
@click.option(
    "--providers",
    type=click.IntRange(1, 5_000),
    default=40,
    show_default=True,
    help="Of an invented market.",
)
@click.option(
    "--leads-per-month",
    type=click.IntRange(1, 10_000),
    default=50,
    show_default=True,
    help="Of an invented market.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, other luck.")
@click.option("--stored", is_flag=True, help="The last months of this installation instead.")
@click.option("--policy", "policy_file", type=FILE, help="A TOML file with numbers to try.")
@click.option("--print-policy", is_flag=True, help="Write such a file to start from, and stop.")
@click.option(
    "--strategies",
    callback=_strategies,
    default=",".join(Strategy),
    show_default=True,
    help="Which to compare.",
)
@click.option(
    "--chart",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the drift of every provider as an SVG file.",
)
@click.option("--json", "as_json", is_flag=True, help="Everything, for a program to read.")
@on_data_dir
def simulate_command(
    months: int,
    providers: int,
    leads_per_month: int,
    seed: int,
    stored: bool,
    policy_file: Path | None,
    print_policy: bool,
    strategies: list[Strategy],
    chart: Path | None,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """Run months of a market, invented or stored, by the rules of the product.

    Compares the fair turn with an oracle and with simpler strategies. Nothing is changed.
    """
    if print_policy:
        click.echo(written_policy(_policy(Policy(), policy_file)), nl=False)
        return
    if chart is not None:
        _try_to_write(chart)
    if stored:
        with product_for(data_dir) as product:
            policy = _policy(product.ctx.policy, policy_file)
            until = product.ctx.clock()
            with product.ctx.reading() as session:
                market = stored_market(
                    session, policy, since=until - months * MONTH, until=until, seed=seed
                )
    else:
        policy = _policy(Policy(), policy_file)
        market = generated_market(
            providers=providers, months=months, leads_per_month=leads_per_month, seed=seed
        )
    if not market.requests:
        raise click.ClickException(f"nothing to simulate: {market.name}")
    shown = _run(Ground(market, policy), strategies)
    if chart is not None:
        chart.write_bytes(drift_chart(shown, market=market.name))
    if as_json:
        click.echo(json.dumps(_document(market, policy, shown), indent=2, default=str))
        return
    _print(market, shown)


def _try_to_write(file: Path) -> None:
    """Fail before anything is run where a file cannot be written; leave no trace of the trial."""
    is_new = not file.exists()
    file.open("ab").close()
    if is_new:
        file.unlink()


def _policy(base: Policy, file: Path | None) -> Policy:
    return base if file is None else read_policy(file, base)


def _run(ground: Ground, strategies: Sequence[Strategy]) -> list[Figures]:
    leads = len(ground.market.requests)
    shown: list[Figures] = []
    with progress_of("Simulating") as progress:

        def opened(lead: int) -> None:
            progress(len(shown) * leads + lead, len(strategies) * leads)

        for strategy in strategies:
            shown.append(figures(ground, simulate(ground, strategy, progress=opened)))
    return shown


def _print(market: Market, shown: Sequence[Figures]) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=PLAIN_WIDTH)
    table = Table(box=box.SIMPLE)
    table.add_column("", no_wrap=True)
    for each in shown:
        table.add_column(NAMES[each.strategy], justify="right")
    for name, said in ROWS:
        table.add_row(name, *(said(each) for each in shown))
    console.print(about(market), highlight=False)
    console.print(table)
    console.print(STRATEGIES, highlight=False)


def _document(market: Market, policy: Policy, shown: Sequence[Figures]) -> dict[str, Any]:
    return {
        "market": {
            "name": market.name,
            "about": about(market),
            "providers": len(market.members),
            "leads": len(market.requests),
            "starts_at": _utc(market.starts_at),
            "ends_at": _utc(market.ends_at),
            "seed": market.seed,
        },
        "policy": values_of(policy),
        "strategies": [asdict(each) for each in shown],
    }


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
