"""What is wrong with an installation, in plain words, and what to do about it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from redis import Redis, RedisError
from rq import Worker
from rq.cron import CronScheduler
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from config.settings import Settings, SettingsError
from marketplace.accounts import factors
from marketplace.accounts import queries as accounts
from marketplace.bootstrap import Product, build
from marketplace.catalogue.models import Standard
from marketplace.core.db import db
from marketplace.core.errors import Unavailable
from marketplace.core.jobs import QUEUES
from marketplace.core.pdfs import why_no_pdf
from marketplace.core.primary import takes_writes
from marketplace.local.backup_findings import backup_findings
from marketplace.local.demo.stage import demo_accounts
from marketplace.local.log_findings import log_findings
from marketplace.local.watch_findings import (
    database_findings,
    disk_findings,
    redis_findings,
    watcher_findings,
)
from marketplace.local.weaknesses import readable_by_others, weaknesses
from marketplace.migrations.schema import missing_migrations
from marketplace.notifications.models import MailPause
from marketplace.notifications.rules import Way
from marketplace.sealed import shut_to

SKEW = 1.0
"""Seconds by which this machine's clock may differ from PostgreSQL's."""

FULL = re.compile("too many (connections|clients)|connection slots")
"""How PostgreSQL refuses a connection that is one too many: before it could send a code."""

NO_PAGES = b"%PDF-1.7\n%%EOF"
"""What looks like a PDF enough to be looked into."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    text: str
    is_wrong: bool = False


def wrong(text: str) -> Finding:
    return Finding(" ".join(text.split()), is_wrong=True)


def _all(found: Iterable[tuple[str, bool]]) -> Iterator[Finding]:
    return (wrong(text) if is_wrong else Finding(text) for text, is_wrong in found)


def examine(environment: Mapping[str, str], data_dir: Path | None = None) -> Iterator[Finding]:
    """Look at everything in turn. `data_dir`: where `marketplace up` keeps the system."""
    is_up = data_dir is not None
    try:
        settings = Settings.from_env(environment)
    except SettingsError as error:
        yield from (wrong(f"{each}. See the settings in the README.") for each in error.problems)
        return
    yield Finding("The settings are complete.")
    yield from (wrong(each) for each in weaknesses(settings, environment))
    if data_dir is not None:
        yield from (wrong(each) for each in readable_by_others(data_dir))
    yield from _all(disk_findings(data_dir, dict(environment)))
    yield from _all(watcher_findings(settings))
    product = build(settings)
    yield _files(product)
    with product.app.app_context():
        try:
            yield from _database(product, is_up=is_up)
            yield from _redis(product.redis, product.ctx.clock())
        finally:
            db.engine.dispose()
            product.redis.close()


def _files(product: Product) -> Finding:
    policy = product.ctx.policy
    try:
        why_no_pdf(NO_PAGES, memory=policy.pdf_look_memory, seconds=policy.pdf_look_seconds)
    except Unavailable:
        return wrong(
            "The files of quotes cannot be looked into, so none is taken. Install everything that "
            "requirements.lock names."
        )
    return Finding("Files can be looked into.")


def _database(product: Product, *, is_up: bool) -> Iterator[Finding]:
    try:
        with product.ctx.reading() as session:
            if not takes_writes(session):
                yield wrong(
                    "The database takes no writes: it is a replica, or was set read-only. No form "
                    "can be taken. Correct MARKETPLACE_DATABASE_URL, or see "
                    "config/deploy/FAILOVER.md, What you do."
                )
            if missing_migrations(session):
                yield wrong("The database lacks migrations. Run `marketplace migrate`.")
                return
    except SQLAlchemyError as error:
        reason = getattr(error, "orig", None) or error
        if FULL.search(str(reason)):
            yield wrong(
                f"PostgreSQL runs and has no connection left ({reason}). Run fewer threads and "
                "workers, put PgBouncer between, or raise max_connections "
                "(config/deploy/SCALING.md); pg_stat_activity says who has them."
            )
            return
        yield wrong(
            f"The database cannot be used ({reason}). Start it, or correct "
            "MARKETPLACE_DATABASE_URL; a system of `marketplace up` needs `up` to be running."
        )
        return
    yield Finding("The database can be reached and is in shape.")
    with product.ctx.reading() as session:
        yield _clock(product, session)
        yield from _contents(product, session)
        for findings in (log_findings, backup_findings):
            yield from _all(findings(session, product.ctx.policy, product.ctx.clock()))
        yield from _all(database_findings(session, product.ctx.clock()))
        yield from _keys(product, session)
    demo = [] if is_up else demo_accounts(product.ctx)
    if demo:
        yield wrong(
            f"{len(demo)} accounts have the passwords of the demonstration, which everybody knows "
            f"({demo[0]} and others). Use another database, or have their passwords reset."
        )


def _clock(product: Product, session: Session) -> Finding:
    before = product.ctx.clock()
    theirs = session.scalars(select(func.clock_timestamp())).one()
    skew = (theirs - before - (product.ctx.clock() - before) / 2).total_seconds()
    if abs(skew) > SKEW:
        return wrong(
            f"PostgreSQL's clock is {skew:+.1f} seconds from this machine's. Deadlines would be "
            "judged wrongly: have both keep time by NTP."
        )
    return Finding("The clocks agree.")


def _contents(product: Product, session: Session) -> Iterator[Finding]:
    if not session.scalar(select(func.count()).select_from(Standard)):
        yield wrong("The catalogue is empty. Run `marketplace seed-catalogue`.")
    admins = accounts.admins(session)
    if not admins:
        yield wrong("Nobody can administer this. Run `marketplace create-admin EMAIL`.")
    alone = sum(not each.has_second_factor for each in admins)
    if alone and product.settings.totp_for_admins == "required":
        yield wrong(
            f"{alone} of the administrators have no second factor yet, and until they set one up, "
            "whoever has the password can. Have them sign in, or run `marketplace create-admin` "
            "with the address of each."
        )
    pause = session.scalar(
        select(MailPause).where(
            MailPause.channel == Way.EMAIL, MailPause.until > product.ctx.clock()
        )
    )
    if pause is not None:
        yield wrong(
            f"No mail is sent until {pause.until:%Y-%m-%d %H:%M} UTC, since the mail service "
            f"refuses us: {pause.reason}. Look at MARKETPLACE_SENDGRID_API_KEY and the account."
        )
    else:
        yield Finding("Mail is not held up.")


def _keys(product: Product, session: Session) -> Iterator[Finding]:
    """Look whether old secrets are needed, and whether all are there that are."""
    settings = product.settings
    without_old = shut_to(session, settings.secret_keys[:1])
    lost = shut_to(session, settings.secret_keys)
    for what, count in lost.items():
        yield wrong(
            f"{count} {what} were sealed under a secret that is not named. Add it to "
            "MARKETPLACE_SECRET_KEYS_OLD."
        )
    if factors.count_plain(session):
        yield wrong("Secrets of authenticators are kept as they are. Run `marketplace reseal`.")
    if without_old and not lost:
        needed = ", ".join(f"{count} {what}" for what, count in without_old.items())
        yield wrong(f"Old secrets are still needed for {needed}. Run `marketplace reseal`.")
    elif settings.secret_keys_old:
        yield Finding(
            "Nothing that is kept needs an old secret: a day after the change "
            "MARKETPLACE_SECRET_KEYS_OLD can be emptied."
        )


def _redis(redis: Redis, now: datetime) -> Iterator[Finding]:
    try:
        redis.ping()
        found = Worker.all(connection=redis)
        workers = len(found)
        unserved = [name for name in QUEUES if not any(name in w.queue_names() for w in found)]
        schedulers = len(CronScheduler.all(redis, cleanup=False))  # which goes by our clock
        waiting = [*_all(redis_findings(redis, now))]
    except RedisError as error:
        yield wrong(
            f"Redis cannot be reached ({error}). Nothing is lost, but no invitation and no mail "
            "goes out until it is back. Start it, or correct MARKETPLACE_REDIS_URL."
        )
        return
    yield Finding("Redis can be reached.")
    if workers:
        yield Finding(f"Workers heard of in the last two minutes: {workers}.")
        if unserved:
            yield wrong(
                f"No worker serves {', '.join(unserved)}, so what is rung there waits for ever. "
                "Start one with `marketplace worker --queues` that does."
            )
    else:
        yield wrong("No worker was heard of, so nobody takes jobs. Start `marketplace worker`.")
    if schedulers:
        yield Finding(f"Schedulers heard of in the last two minutes: {schedulers}.")
    else:
        yield wrong(
            "No scheduler was heard of for two minutes, so deadlines are noticed late. Start "
            "`marketplace scheduler`."
        )
    yield from waiting
