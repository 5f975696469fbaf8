"""Turn settings into a working application and context: the only wiring, and no door."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from flask import Flask
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config import servers
from config.settings import Settings
from marketplace.accounts import models as accounts_models
from marketplace.catalogue import models as catalogue_models
from marketplace.core import consents, events, idempotency, links, metrics
from marketplace.core.attempts import Attempts
from marketplace.core.calendars import CalendarKind
from marketplace.core.context import Context
from marketplace.core.db import db
from marketplace.core.jobs import RqJobQueue
from marketplace.core.policy import Policy
from marketplace.core.sealing import Seal
from marketplace.invitations import models as invitations_models
from marketplace.leads import models as leads_models
from marketplace.matching import models as matching_models
from marketplace.notifications import models as notifications_models
from marketplace.notifications.channels import Channel, MailboxChannel, SendGridChannel
from marketplace.providers import models as providers_models
from marketplace.providers import webhooks
from marketplace.providers.calling import WebhookChannel
from marketplace.quotes import models as quotes_models

TABLES = (
    accounts_models, catalogue_models, consents, events, idempotency, invitations_models,
    leads_models, links, matching_models, notifications_models, providers_models, quotes_models,
    webhooks,
)  # fmt: skip
"""Every module with tables: importing them here is how migrations and sessions know them all."""

COUNTING_PATIENCE = 1
"""Seconds to wait for Redis before knocks and wrong sign-ins are counted in memory."""

REDIS_PATIENCE = 2
"""Seconds to wait for Redis before doing without: a job not rung is found by the next sweep."""


class Application(Flask):
    """Flask's, in which no view and no hook is a coroutine: it would ask each at every request."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function as it is."""
        return func


@dataclass(frozen=True)
class Product:
    """A process' own copy of the product: the application that carries it, and the outside."""

    app: Flask
    ctx: Context
    settings: Settings
    redis: Redis


def policy_of(settings: Settings) -> Policy:
    """Return the policy with those of its numbers that are settings."""
    return Policy(
        places=settings.places,
        response_window=settings.response_window,
        calendar=CalendarKind(settings.response_calendar),
        open_within=settings.open_within,
        min_response_window=settings.min_response_window,
        remind_at=settings.remind_at,
        answer_within=settings.answer_within,
        extension_at_most=settings.extension_at_most,
        extension_step=settings.answer_within / 4,
        lead_confirmation=settings.lead_confirmation,
        lead_review=settings.lead_review,
        sweep_interval=settings.sweep_interval,
        rate_limits=settings.rate_limits,
        totp_for_admins=settings.totp_for_admins,
        totp_for_providers=settings.totp_for_providers,
    )


def channel_of(settings: Settings) -> Channel:
    """Return the way out that the settings name."""
    if settings.mail_backend == "mailbox":
        return MailboxChannel(secrets=settings.secret_keys, public_url=settings.public_url)
    return SendGridChannel(
        api_key=settings.sendgrid_api_key,
        base_url=settings.sendgrid_base_url,
        sender=settings.mail_from,
        public_url=settings.public_url,
    )


def webhook_channel_of(settings: Settings) -> WebhookChannel:
    """Return the way out to providers' own software; in development it may be on this machine."""
    return WebhookChannel(
        seal=Seal(settings.secret_keys, webhooks.WEBHOOK),
        public_url=settings.public_url,
        loopback=settings.mail_backend == "mailbox",
    )


def redis_to_count_in(settings: Settings) -> Redis:
    """Return Redis for counts that somebody waits for: asked once, and soon given up."""
    return servers.redis_at(
        settings.redis_url,
        socket_connect_timeout=COUNTING_PATIENCE,
        socket_timeout=COUNTING_PATIENCE,
        retry=Retry(NoBackoff(), 0),
    )


CONNECTIONS_KEPT = 32
"""How many connections a process keeps, if it ever needed as many: more than it has threads."""

SERVER_OPTIONS = {
    "timezone": "UTC",
    # Compiling a statement that runs for a millisecond costs a hundred.
    "jit": "off",
    # Nearly everything is looked up by key, in memory or on a disk without a moving arm.
    "random_page_cost": "1.1",
    **servers.LINE_FROM_POSTGRES,
}
"""What every connection asks of PostgreSQL."""

ALWAYS_THE_SAME = {"plan_cache_mode": "force_generic_plan"}
"""What a process asks for besides that sends the same few statements again and again: plan once."""


def build(
    settings: Settings,
    *,
    engine_options: dict[str, Any] | None = None,
    server_options: Mapping[str, str] = MappingProxyType({}),
) -> Product:
    """Return a product wired up to the database and Redis that the settings name.

    Nothing is connected to yet: that happens on first use, so a fork shares no connection.
    """
    asked_of_server = {**SERVER_OPTIONS, **server_options}
    app = Application(
        "marketplace",
        root_path=__file__.rpartition("/")[0],
        static_folder=None,
        template_folder="web/templates",
    )
    app.config["SECRET_KEY"] = settings.secret_key
    app.config["SECRET_KEY_FALLBACKS"] = list(settings.secret_keys_old)
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["MIGRATION_DATABASE_URI"] = settings.migration_database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        "poolclass": metrics.WatchedPool,
        # A connection over it is closed after each use, with all that was prepared on it.
        "pool_size": CONNECTIONS_KEPT,
        "hide_parameters": True,  # an error's text goes to the log; what people sent does not
        "connect_args": {
            **servers.line_to(settings.database_url),
            "options": " ".join(f"-c {name}={value}" for name, value in asked_of_server.items()),
        },
        **(engine_options or {}),
    }
    db.init_app(app)
    metrics.watch_connections()
    redis = servers.redis_at(
        settings.redis_url,
        socket_connect_timeout=REDIS_PATIENCE,
        socket_timeout=REDIS_PATIENCE,
    )
    ctx = Context(
        sessions=lambda: db.session(),
        queue=RqJobQueue(redis),
        clock=lambda: datetime.now(UTC),
        policy=policy_of(settings),
        seal=lambda purpose: Seal(settings.secret_keys, purpose),
        attempts=Attempts(redis_to_count_in(settings)),
    )
    product = Product(app, ctx, settings, redis)
    app.extensions["marketplace"] = product
    return product
