"""`marketplace <command>`: run the product, look after it, and see what is wrong with it."""

import io
import os
import sys
from pathlib import Path
from typing import NoReturn

import click
from email_validator import EmailNotValidError, validate_email
from redis import RedisError
from sqlalchemy.exc import OperationalError, ProgrammingError

from config.log_lines import frames
from config.settings import Settings, SettingsError
from marketplace.accounts.administrators import remove_admin_called
from marketplace.accounts.service import create_admin
from marketplace.backup_commands import back_up_command, note_backup_command, restore_command
from marketplace.catalogue.seeding import seed_catalogue
from marketplace.console import FILE, environment_for, on_data_dir, product_for, progress_of
from marketplace.core.actors import OPERATOR
from marketplace.core.errors import MarketplaceError
from marketplace.core.jobs import QUEUES
from marketplace.core.metrics import counting_together
from marketplace.local.commands import (
    environment_of,
    scheduler_command,
    web_command,
    worker_command,
)
from marketplace.local.doctor import examine
from marketplace.local.doorway import open_door
from marketplace.local.places import LocalError
from marketplace.local.up import Up, Wanted
from marketplace.log_command import verify_log_command
from marketplace.matching.checking import check_coverage
from marketplace.migrations.schema import upgrade
from marketplace.privacy.retention import apply_retention, retention_report
from marketplace.providers.exporting import export_providers
from marketplace.providers.importing import ImportReport, import_providers
from marketplace.reseal_command import reseal_command
from marketplace.simulate_command import simulate_command

COUNT = click.IntRange(1, 256)
PORT = click.IntRange(0, 65535)


class QueueNames(click.ParamType[tuple[str, ...]]):
    """Names of queues with commas between them."""

    name = "names"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(each.strip() for each in str(value).split(",")))
        for each in names:
            if each not in QUEUES:
                self.fail(f"there is no queue {each!r}, but {', '.join(QUEUES)}", param, ctx)
        return names


def become(command: list[str], data_dir: Path | None) -> NoReturn:
    """Turn this process into another one of the product."""
    environment = environment_of(environment_for(data_dir))
    Settings.from_env(environment)
    held = counting_together(environment)
    if held is not None:
        os.set_inheritable(held, True)
    os.execve(command[0], command, environment)  # nosec B606  # the command is ours


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=False,  # else that the command is missing would be the whole help in one line
)
def cli() -> None:
    """One form, up to three comparable quotes, within 24 hours."""


cli.add_command(simulate_command)
cli.add_command(reseal_command)
cli.add_command(verify_log_command)
cli.add_command(back_up_command)
cli.add_command(restore_command)
cli.add_command(note_backup_command)


@cli.command()
@click.option("--port", type=PORT, default=8000, show_default=True, help="0 takes a free one.")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data"),
    show_default=True,
    help="Where everything is kept.",
)
@click.option("--workers", type=COUNT, default=2, show_default=True, help="Worker processes.")
@click.option("--demo", is_flag=True, help="With invented providers, sign-ins and a lead.")
def up(port: int, data_dir: Path, workers: int, demo: bool) -> None:
    """Start everything on this machine, an embedded PostgreSQL and Redis included."""
    Up(Wanted(data_dir, port, workers, demo)).run()


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to answer on.")
@click.option("--port", type=PORT, default=8000, show_default=True)
@click.option("--processes", type=COUNT, default=2, show_default=True)
@click.option("--threads", type=COUNT, default=8, show_default=True, help="In each process.")
@on_data_dir
def web(host: str, port: int, processes: int, threads: int, data_dir: Path | None) -> None:
    """Serve the pages and the API."""
    Settings.from_env(environment_for(data_dir))
    door = open_door(port, host)
    door.set_inheritable(True)
    click.echo(f"Serving on {host}, port {door.getsockname()[1]}.")
    sys.stdout.flush()
    become(web_command(door.fileno(), processes=processes, threads=threads), data_dir)


@cli.command()
@click.option("--processes", type=COUNT, default=1, show_default=True)
@click.option(
    "--queues",
    type=QueueNames(),
    default=",".join(QUEUES),
    show_default=True,
    help="Serve these alone: the first before every job, the others in turn.",
)
@on_data_dir
def worker(processes: int, queues: tuple[str, ...], data_dir: Path | None) -> None:
    """Take jobs off the queues; asked to stop, finish the one at hand."""
    become(worker_command(processes, queues), data_dir)


@cli.command()
@on_data_dir
def scheduler(data_dir: Path | None) -> None:
    """Ring the sweeps on the clock. Several at once do no harm."""
    become(scheduler_command(), data_dir)


@cli.command()
@on_data_dir
def migrate(data_dir: Path | None) -> None:
    """Bring the database into the shape that this version expects."""
    with product_for(data_dir) as product:
        is_ours = upgrade(product.app)
    click.echo(
        "The database is in shape."
        if is_ours
        else "The database is newer than this version, which works with it; it was left as it is."
    )


@cli.command("seed-catalogue")
@on_data_dir
def seed_catalogue_command(data_dir: Path | None) -> None:
    """Add what is missing of standards, regions, sectors and accreditation bodies."""
    with product_for(data_dir) as product:
        added = seed_catalogue(product.ctx)
    for what, count in added.items():
        click.echo(f"{what.replace('_', ' ')}: {count} added")


@cli.command("import-providers")
@click.argument("file", type=FILE)
@click.option("--dry-run", is_flag=True, help="Check and count, and change nothing.")
@click.option("--verified", is_flag=True, help="Vouch for what the file says.")
@click.option("--invite", is_flag=True, help="Mail each contact a link to set a password.")
@on_data_dir
def import_providers_command(
    file: Path, dry_run: bool, verified: bool, invite: bool, data_dir: Path | None
) -> None:
    """Take in every provider of a CSV file, or none; every bad row is named."""
    with product_for(data_dir) as product, progress_of(f"Reading {file.name}") as progress:
        report = import_providers(
            product.ctx,
            OPERATOR,
            file,
            dry_run=dry_run,
            verified=verified,
            invite=invite,
            progress=progress,
        )
    for problem in report.problems:
        click.echo(f"{file}: {problem}", err=True)
    if report.problems:
        raise click.ClickException(
            f"nothing was imported: {len(report.problems)} problems, named above"
        )
    click.echo(_summary(report))


def _summary(report: ImportReport) -> str:
    would = "Nothing was changed; this would be done. " if report.dry_run else ""
    parts = [
        f"{report.rows} rows: {report.created} new, {report.changed} changed, "
        f"{report.unchanged} unchanged",
        f"{report.accreditations} accreditations and {report.relationships} relationships "
        "new or changed",
        f"{report.approved} approved" if report.approved else "",
        f"{report.left_rejected} left rejected" if report.left_rejected else "",
        f"accreditation bodies that nobody has looked at yet: {', '.join(report.new_bodies)}"
        if report.new_bodies
        else "",
        f"{report.invited} invited to set a password" if report.invited else "",
    ]
    return would + "; ".join(part for part in parts if part) + "."


@cli.command("export-providers")
@click.option("--output", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@on_data_dir
def export_providers_command(output: Path | None, data_dir: Path | None) -> None:
    """Write all providers as CSV, to be imported again: to a file or to standard output."""
    with product_for(data_dir) as product:
        if output is not None:
            # Names and addresses of people are in it: for its owner alone.
            with open(output, "w", encoding="utf-8", newline="", opener=_private) as file:
                count = export_providers(product.ctx, OPERATOR, file)
            click.echo(f"{count} providers written to {output}.")
            return
        out = io.TextIOWrapper(sys.stdout.buffer, "utf-8", newline="")
        export_providers(product.ctx, OPERATOR, out)
        out.flush()
        out.detach()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, mode=0o600)


@cli.command("check-coverage")
@click.option("--mend", is_flag=True, help="Make true what can be made again from elsewhere.")
@on_data_dir
def check_coverage_command(mend: bool, data_dir: Path | None) -> None:
    """Compare what matching goes by with the providers and invitations behind it."""
    with product_for(data_dir) as product, progress_of("Checking coverage") as progress:
        report = check_coverage(product.ctx, OPERATOR, mend=mend, progress=progress)
    for difference in report.differences:
        click.echo(difference)
    click.echo(
        f"{report.providers} providers checked; differences: {len(report.differences)}; "
        f"mended: {report.mended}."
    )
    if report.remaining:
        way = (
            "what a provider says of itself, it or an import has to say anew"
            if mend
            else "`marketplace check-coverage --mend` makes true what it can"
        )
        raise click.ClickException(f"differences that remain: {report.remaining}; {way}")


@cli.command("retention")
@click.option("--dry-run", is_flag=True, help="Count what is over, and change nothing.")
@on_data_dir
def retention_command(dry_run: bool, data_dir: Path | None) -> None:
    """Forget what is over, rule by rule; the scheduler does the same by itself."""
    with product_for(data_dir) as product:
        found = (retention_report if dry_run else apply_retention)(product.ctx, OPERATOR)
    for each in found:
        oldest = f", the oldest since {each.oldest:%Y-%m-%d}" if each.oldest else ""
        gone = "" if dry_run else f"; {each.done} forgotten"
        kept = f"{each.kept.days} days" if each.kept.days else f"{each.kept}"
        click.echo(f"{each.rule.name} (kept for {kept}): {each.count} over{oldest}{gone}")
    if dry_run:
        click.echo("Nothing was changed.")


@cli.command("create-admin")
@click.argument("email")
@click.option("--name", default="Administrator", show_default=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option(
    "--new-totp", is_flag=True, help="Set another second factor up: the one of now is lost."
)
@on_data_dir
def create_admin_command(
    email: str, name: str, password_stdin: bool, new_totp: bool, data_dir: Path | None
) -> None:
    """Make an administrator, or let one back in; without a password a link to set one is shown."""
    try:
        email = validate_email(email, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as error:
        raise click.BadParameter(str(error), param_hint="EMAIL") from error
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    with product_for(data_dir) as product:
        made = create_admin(product.ctx, email, name, password, new_totp=new_totp)
    click.echo(f"{made.user.email} is an administrator.")
    if made.set_password_token:
        link = f"{product.settings.public_url}/set-password/{made.set_password_token}"
        click.echo(f"To set a password: {link}")
    if made.totp_address:
        click.echo(f"For the authenticator, shown this once: {made.totp_address}")


@cli.command("remove-admin")
@click.argument("email")
@on_data_dir
def remove_admin_command(email: str, data_dir: Path | None) -> None:
    """Let an administrator in no more, and end every session of theirs; one always remains."""
    with product_for(data_dir) as product:
        removed = remove_admin_called(product.ctx, email)
    click.echo(f"{removed.email} is no administrator any more.")


@cli.command()
@on_data_dir
def doctor(data_dir: Path | None) -> None:
    """Say what is wrong with this installation, and what to do about it."""
    wrong = 0
    for finding in examine(environment_for(data_dir), data_dir):
        click.echo(f"{'wrong' if finding.is_wrong else 'ok':<6} {finding.text}")
        wrong += finding.is_wrong
    if wrong:
        raise click.ClickException(f"{wrong} of these want looking after")


def main(arguments: list[str] | None = None) -> None:
    """Run a command; what goes wrong is one line, and the exit code is not zero."""
    try:
        code = cli.main(arguments, prog_name="marketplace", standalone_mode=False)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "marketplace"
        _fail(f"{error.format_message()} (`{where} --help` says more)", 2)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("stopped before it was done", 130)
    except (SettingsError, LocalError, MarketplaceError) as error:
        _fail(str(error))
    except OperationalError as error:
        _fail(f"The database cannot be reached: {error.orig}. Does it run? (See `doctor`.)")
    except ProgrammingError as error:
        _fail(f"The database is not in shape: run `marketplace migrate`. ({error.orig})")
    except RedisError as error:
        _fail(f"Redis cannot be reached: {error}")
    except OSError as error:
        _fail(str(error))
    except Exception as error:
        # Its text may be of anybody, or of a password: PostgreSQL quotes the row that it refuses.
        click.echo(frames((type(error), error, error.__traceback__)), err=True)
        _fail("this went wrong by a fault of ours; where, and by which error, stands above")
    else:
        sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int = 1) -> NoReturn:
    click.echo(f"marketplace: {' '.join(message.split())}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
