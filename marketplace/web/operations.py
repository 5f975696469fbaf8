"""What whoever runs this asks: is it alive, is it ready, how much is in which state."""

import time
from concurrent.futures import Future
from ipaddress import ip_address, ip_network
from typing import TypeVar

import structlog
from flask import Blueprint, Response, abort, current_app, jsonify, request
from prometheus_client.exposition import choose_encoder
from redis import RedisError
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from werkzeug.datastructures import Headers

from marketplace.bootstrap import Product
from marketplace.core import metrics
from marketplace.core.primary import follow_primary, takes_writes
from marketplace.migrations.schema import missing_migrations
from marketplace.web.auth import product
from marketplace.web.beside import beside

T = TypeVar("T")

log = structlog.get_logger(__name__)

PATIENCE = 3
"""Seconds after which whatever has not answered counts as away."""

SKEW = 1.0
"""Seconds by which this host's clock may differ from PostgreSQL's before it is named."""

INSIDE = tuple(
    map(
        ip_network,
        (
            "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16",
            "::1/128", "fc00::/7", "fe80::/10",
        ),
    )
)  # fmt: skip
"""Private networks. Among what the library calls so are ways in from outside: 6to4 and Teredo."""

pages = Blueprint("operations", __name__)


@pages.get("/healthz")
def healthz() -> Response:
    """Say that this process answers; nothing else is looked at."""
    return jsonify({"status": "alive"})


@pages.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Say whether requests can be served: 503 while the database is away, behind or shut.

    Without Redis they can: what is committed is found by the sweeps.
    """
    running = product()
    database = beside(lambda: _ask_database(running))
    redis = beside(lambda: _ask_redis(running))
    answer = {"database": "away", "migrations": "unknown", "clock": "unknown"}
    until = time.monotonic() + PATIENCE
    found = _answer_of(database, until)
    if found is not None:
        answer |= found
    answer["redis"] = _answer_of(redis, until) or "away: jobs run late, nothing is lost"
    is_ready = answer["database"] == "ok" and answer["migrations"] == "ok"
    status = "ready" if is_ready else "not ready"
    return jsonify({"status": status, **answer}), 200 if is_ready else 503


def _ask_database(running: Product) -> dict[str, str]:
    """Ask over a connection of its own: a pool in full use does not mean that anything is away."""
    engine = follow_primary(
        create_engine(
            running.settings.database_url,
            poolclass=NullPool,
            connect_args={
                "connect_timeout": PATIENCE,
                "options": f"-c timezone=UTC -c statement_timeout={PATIENCE * 1000}",
            },
        )
    )
    with Session(engine) as session:
        is_open = takes_writes(session)
        missing = missing_migrations(session)
        before = running.ctx.clock()
        theirs = session.scalars(text("SELECT clock_timestamp()")).one()
        ours = before + (running.ctx.clock() - before) / 2
        skew = (theirs - ours).total_seconds()
    return {
        "database": "ok" if is_open else "takes no writes: a replica, or set read-only",
        "migrations": "missing: run `marketplace migrate`" if missing else "ok",
        "clock": "ok" if abs(skew) <= SKEW else f"{skew:+.1f} s from PostgreSQL's",
    }


def _ask_redis(running: Product) -> str:
    running.redis.ping()
    return "ok"


def _answer_of(asked: Future[T], until: float) -> T | None:
    """Return what was found out by then; None where what was asked is away."""
    try:
        return asked.result(max(0.0, until - time.monotonic()))
    except (SQLAlchemyError, RedisError, OSError) as error:
        log.warning("not_ready", error=str(error).strip() or type(error).__name__)
        return None


def _is_inside(address: str | None, headers: Headers) -> bool:
    """Return whether somebody asks from a private network, and not through a proxy."""
    if "Forwarded" in headers or "X-Forwarded-For" in headers:
        return False
    try:
        known = ip_address(address or "")
    except ValueError:
        return False
    known = getattr(known, "ipv4_mapped", None) or known
    return any(known in each for each in INSIDE)


@pages.get("/metrics")
def show_metrics() -> Response:
    """How much there is (`figures`) and what happened on this host (`core.metrics`).

    To those inside only: outside, a count that moves would tell a provider that another has quoted.
    """
    if not _is_inside(request.remote_addr, request.headers):
        abort(404)
    write, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(
        write(metrics.registry(current_app.extensions["figures"])), content_type=content_type
    )
