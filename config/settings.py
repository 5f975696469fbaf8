"""The settings of an installation: environment variables, read once, all checked at once."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

import isodate
from sqlalchemy.exc import ArgumentError

from config import servers

T = TypeVar("T")

PREFIX = "MARKETPLACE_"


class SettingsError(Exception):
    """One or more settings are missing or wrong; the message names every one of them."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Settings:
    """What an operator decides. Every field is `MARKETPLACE_<NAME>` in the environment."""

    database_url: str = field(repr=False)
    migration_database_url: str = field(repr=False)
    """The same database as the role that owns the tables, where that is another: for `migrate`."""
    redis_url: str = field(repr=False)
    secret_key: str = field(repr=False)
    secret_keys_old: tuple[str, ...] = field(repr=False)
    """Secrets from before, the latest first: what they signed or sealed is still good."""
    public_url: str
    trusted_proxies: int
    """How many reverse proxies stand in front; their `X-Forwarded-*` headers are believed."""
    mail_backend: str
    mail_from: str
    sendgrid_api_key: str = field(repr=False)
    sendgrid_base_url: str
    sendgrid_webhook_public_key: str
    lead_confirmation: str
    lead_review: str
    places: int
    response_window: timedelta
    response_calendar: str
    """Whether that and the windows of invitations count all time, or business days alone."""
    open_within: timedelta
    min_response_window: timedelta
    remind_at: tuple[float, ...]
    """Shares of an invitation's window at which its holder is reminded."""
    answer_within: timedelta
    """How long a business may take over a question before windows stand still until it answers."""
    extension_at_most: timedelta
    sweep_interval: timedelta
    metrics_listen: tuple[str, int] | None
    """Where workers answer Prometheus: an address of this host, and a port."""
    rate_limits: bool
    totp_for_admins: str
    totp_for_providers: str
    sentry_dsn: str = field(repr=False)
    """Where faults are reported by Sentry's protocol; nowhere where it is empty."""
    otlp_endpoint: str
    """Where spans are sent to (OTLP over HTTP, without `/v1/traces`); nowhere if empty."""

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """Every secret that is known, the one of now first."""
        return (self.secret_key, *self.secret_keys_old)

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> "Settings":
        """Read and check every setting, or raise `SettingsError` naming all that are wrong."""
        reader = _Reader(os.environ if env is None else env)
        response_window = reader.read("RESPONSE_WINDOW", _duration, "PT24H")
        window = response_window or timedelta(hours=24)
        mail_backend = reader.read("MAIL_BACKEND", _one_of("sendgrid", "mailbox"), "sendgrid")
        by_sendgrid = mail_backend == "sendgrid"
        database_url = reader.read("DATABASE_URL", _database_url)
        values = {
            "database_url": database_url,
            "migration_database_url": reader.read(
                "MIGRATION_DATABASE_URL", _database_url, database_url or "postgresql://"
            ),
            "redis_url": reader.read("REDIS_URL", _redis_url),
            "secret_key": reader.read("SECRET_KEY", _secret),
            "secret_keys_old": reader.read("SECRET_KEYS_OLD", _secrets, ""),
            "public_url": reader.read("PUBLIC_URL", _web_address),
            "trusted_proxies": reader.read("TRUSTED_PROXIES", _whole_number(0, 10), "0"),
            "mail_backend": mail_backend,
            "mail_from": reader.read(
                "MAIL_FROM", _mail_address, None if by_sendgrid else "quotes@marketplace.example"
            ),
            "sendgrid_api_key": reader.read(
                "SENDGRID_API_KEY", _anything, None if by_sendgrid else ""
            ),
            "sendgrid_base_url": reader.read(
                "SENDGRID_BASE_URL", _web_address, "https://api.sendgrid.com"
            ),
            "sendgrid_webhook_public_key": reader.read(
                "SENDGRID_WEBHOOK_PUBLIC_KEY", _anything, ""
            ),
            "lead_confirmation": reader.read(
                "LEAD_CONFIRMATION", _one_of("required", "off"), "required"
            ),
            "lead_review": reader.read("LEAD_REVIEW", _one_of("auto", "always", "off"), "auto"),
            "places": reader.read("PLACES", _whole_number(1, 3), "3"),
            "response_window": response_window,
            "response_calendar": reader.read(
                "RESPONSE_CALENDAR", _one_of("clock_hours", "business_days"), "clock_hours"
            ),
            "open_within": reader.read("OPEN_WITHIN", _duration, _iso(window / 2)),
            "min_response_window": reader.read("MIN_RESPONSE_WINDOW", _duration, _iso(window / 3)),
            "remind_at": reader.read("REMIND_AT", _shares, "0.5,0.85"),
            "answer_within": reader.read("ANSWER_WITHIN", _duration, "PT4H"),
            "extension_at_most": reader.read("EXTENSION_AT_MOST", _duration, "PT48H"),
            "sweep_interval": reader.read("SWEEP_INTERVAL", _whole_seconds, "PT15S"),
            "metrics_listen": reader.read("METRICS_LISTEN", _listen, ""),
            "rate_limits": reader.read("RATE_LIMITS", _on_off, "on"),
            "totp_for_admins": reader.read(
                "TOTP_FOR_ADMINS", _one_of("required", "optional"), "required"
            ),
            "totp_for_providers": reader.read(
                "TOTP_FOR_PROVIDERS", _one_of("optional", "required"), "optional"
            ),
            "sentry_dsn": reader.read("SENTRY_DSN", _dsn, ""),
            "otlp_endpoint": reader.read("OTLP_ENDPOINT", _address_or_none, ""),
        }
        if reader.problems:
            raise SettingsError(reader.problems)
        return cls(**values)  # type: ignore[arg-type]  # None only beside a problem, raised above


class _Reader:
    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self.problems: list[str] = []

    def read(self, name: str, parse: Callable[[str], T], default: str | None = None) -> T | None:
        raw = self._env.get(PREFIX + name, "").strip()
        if not raw:
            if default is None:
                self.problems.append(f"{PREFIX}{name} is not set")
                return None
            raw = default
        try:
            return parse(raw)
        except ValueError as error:
            self.problems.append(f"{PREFIX}{name} {error}")
            return None


def _anything(raw: str) -> str:
    return raw


def _secret(raw: str) -> str:
    if len(raw) < 32:
        raise ValueError("must have at least 32 characters")
    return raw


def _secrets(raw: str) -> tuple[str, ...]:
    """Read several, between them commas or spaces; a list in JSON where one holds such itself."""
    if not raw.startswith("["):
        return tuple(_secret(each) for each in raw.replace(",", " ").split())
    try:
        several = json.loads(raw)
    except ValueError:
        several = None
    if not isinstance(several, list) or not all(isinstance(each, str) for each in several):
        raise ValueError("must be secrets with commas between them, or a list of them in JSON")
    return tuple(_secret(each) for each in several)


UNREADABLE = "cannot be read as an address; in a password, %40 stands for @, %2F for /, %23 for #"
"""Said in place of what libraries say, who repeat what they take for a host or a port: where signs
of a password were not written so, that is a part of it."""


def _parts(raw: str) -> SplitResult:
    try:
        parts = urlsplit(raw)
        _ = parts.port  # read only when it is asked for
    except ValueError:
        raise ValueError(UNREADABLE) from None
    return parts


def _database_url(raw: str) -> str:
    scheme, separator, rest = raw.partition("://")
    if not separator or scheme not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise ValueError("must be a postgresql:// address")
    try:
        url = servers.database_url(raw)
    except (ArgumentError, ValueError):
        raise ValueError(UNREADABLE) from None
    if rest.count("@") > 1:
        raise ValueError(UNREADABLE)
    return url


def _redis_url(raw: str) -> str:
    if servers.is_sentinel(raw):
        try:
            servers.read_sentinel(raw)
        except ValueError:
            raise ValueError(
                "cannot be read: redis+sentinel://:password@host:26379,host:26379/service/0 is "
                "such an address; in a password, %40 stands for @, %2F for /, %23 for #"
            ) from None
        return raw
    parts = _parts(raw)
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise ValueError(
            "must be a redis://, rediss://, redis+sentinel://, rediss+sentinel:// or unix:// "
            "address"
        )
    if parts.scheme != "unix" and "@" in raw and "@" not in parts.netloc:
        raise ValueError(UNREADABLE)
    return raw


def _web_address(raw: str) -> str:
    """Read an address; that of https is one in whatever letters."""
    parts = _parts(raw)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http:// or https:// address")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("must be an address without user, question mark and hash sign")
    return parts._replace(netloc=parts.netloc.lower()).geturl().rstrip("/")


def _dsn(raw: str) -> str:
    """Read where faults are reported: an address with a public key as its user, and a project."""
    if not raw:
        return raw
    parts = _parts(raw)
    project = parts.path.rpartition("/")[2]
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not parts.username
        or not project.isdecimal()
    ):
        raise ValueError("must be a DSN, such as https://KEY@sentry.example/1")
    return raw


def _address_or_none(raw: str) -> str:
    return _web_address(raw) if raw else ""


def _mail_address(raw: str) -> str:
    if "@" not in raw.strip("@"):
        raise ValueError("must be an e-mail address")
    return raw


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(raw: str) -> str:
        if raw not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return raw

    return parse


def _on_off(raw: str) -> bool:
    return _one_of("on", "off")(raw) == "on"


def _whole_number(least: int, most: int) -> Callable[[str], int]:
    def parse(raw: str) -> int:
        if not raw.isdecimal() or not least <= int(raw) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(raw)

    return parse


def _listen(raw: str) -> tuple[str, int] | None:
    if not raw:
        return None
    host, separator, port = raw.rpartition(":")
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        separator = ""
    if not separator or not port.isdecimal() or not 1 <= int(port) <= 65_535:
        raise ValueError("must be an address of this host and a port, such as 127.0.0.1:9100")
    return str(address), int(port)


def _duration(raw: str) -> timedelta:
    try:
        parsed = isodate.parse_duration(raw, as_timedelta_if_possible=True)
    except (isodate.ISO8601Error, TypeError, OverflowError):
        parsed = None
    if not isinstance(parsed, timedelta) or parsed <= timedelta(0):
        raise ValueError("must be an ISO 8601 duration of days or less, such as PT24H or PT60S")
    return parsed


def _whole_seconds(raw: str) -> timedelta:
    interval = _duration(raw)
    if interval < timedelta(seconds=1) or interval % timedelta(seconds=1):
        raise ValueError("must be a whole number of seconds")
    return interval


def _shares(raw: str) -> tuple[float, ...]:
    try:
        shares = tuple(float(part) for part in raw.split(","))
    except ValueError:
        shares = ()
    if not shares or list(shares) != sorted(set(shares)) or not 0 < shares[0] <= shares[-1] < 1:
        raise ValueError("must be rising shares between 0 and 1, such as 0.5,0.85")
    return shares


def _iso(duration: timedelta) -> str:
    return str(isodate.duration_isoformat(duration))
