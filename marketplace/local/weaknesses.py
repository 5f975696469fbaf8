"""What of the settings is weak, in plain words, and what to do: nothing is connected to for it."""

import math
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from sendgrid.helpers.eventwebhook import EventWebhook
from sqlalchemy import make_url

from config.servers import is_sentinel, read_sentinel
from config.settings import Settings
from marketplace.local.connection import FILE, SECRET_FILE

LOOPBACK = ("localhost", "127.0.0.1", "::1")

BITS = 100
"""What a secret has to be worth at least, by how often each of its signs comes."""

KNOWN = re.compile(
    r"change.?me|password|passwort|secret.?key|your.?secret|insecure|default|qwerty|12345678"
    r"|abcdefgh|lorem|letmein|marketplace|xxxxxxxx|00000000",
    re.IGNORECASE,
)
"""What stands in secrets that come from examples and from keyboards. Four noughts in a row stand in
one of a thousand that are drawn."""

PRIVATE = stat.S_IRWXG | stat.S_IRWXO
"""What nobody but its owner may do with a file."""


def is_guessable(secret: str) -> bool:
    """Return whether a secret looks made up by a person, or out of few signs again and again."""
    often = Counter(secret).values()
    worth = -sum(n * math.log2(n / len(secret)) for n in often)
    repeats = secret in (secret + secret)[1:-1]
    # One sign beside the next, as in 00112233 or ponmlkji: by chance that is every fifth.
    steps = sum(abs(ord(one) - ord(other)) <= 1 for one, other in pairwise(secret))
    climbs = steps > len(secret) / 2
    return repeats or climbs or worth < BITS or KNOWN.search(secret) is not None


def weaknesses(settings: Settings, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield what is weak of the settings of an installation that others can reach."""
    for check in CHECKS:
        yield from check(settings)
    if environment.get("FLASK_DEBUG", "0").lower() not in ("", "0", "false", "no"):
        yield "FLASK_DEBUG is on, which shows code and values to whoever meets a fault. Unset it."


def _secrets(settings: Settings) -> Iterator[str]:
    if is_guessable(settings.secret_key):
        yield (
            "MARKETPLACE_SECRET_KEY looks as if it could be guessed. Make one by "
            "`python3 -c 'import secrets; print(secrets.token_hex(32))'`, and name the one of now "
            "in MARKETPLACE_SECRET_KEYS_OLD for a day."
        )
    if settings.secret_key in settings.secret_keys_old:
        yield (
            "MARKETPLACE_SECRET_KEYS_OLD holds the secret of now. Set a new MARKETPLACE_SECRET_KEY."
        )
    if any(is_guessable(each) for each in settings.secret_keys_old):
        yield (
            "A secret in MARKETPLACE_SECRET_KEYS_OLD looks as if it could be guessed, and whoever "
            "signs with it is believed. Take it out as soon as `marketplace reseal` has run."
        )


def _address(settings: Settings) -> Iterator[str]:
    site = settings.public_url
    if _is_local(site):
        return
    if settings.mail_backend == "mailbox":
        yield (
            f"Mails stay in the mailbox, which anybody at {site}/mailbox can read. Set "
            "MARKETPLACE_MAIL_BACKEND=sendgrid."
        )
    if site.startswith("http://"):
        yield f"{site} is not encrypted. Serve it by https and say so in MARKETPLACE_PUBLIC_URL."
    if site.startswith("https://") and not settings.trusted_proxies:
        yield (
            f"{site} is encrypted, so a proxy stands in front, but MARKETPLACE_TRUSTED_PROXIES is "
            "0: everybody seems to come from its address, and shares its limits. Say how many "
            "there are."
        )


def _doors(settings: Settings) -> Iterator[str]:
    if _is_local(settings.public_url):
        return
    if settings.totp_for_admins == "optional":
        yield (
            "Administrators may sign in with a password alone. Set "
            "MARKETPLACE_TOTP_FOR_ADMINS=required."
        )
    if not settings.rate_limits:
        yield "Nobody is slowed down who guesses or floods. Set MARKETPLACE_RATE_LIMITS=on."


def _mail(settings: Settings) -> Iterator[str]:
    if settings.mail_backend == "sendgrid" and not settings.sendgrid_webhook_public_key:
        yield (
            "Without MARKETPLACE_SENDGRID_WEBHOOK_PUBLIC_KEY every report of the mail service is "
            "refused, and nobody learns that an address is no good. Set the key of its signed "
            "Event Webhook."
        )
    elif settings.sendgrid_webhook_public_key and not _is_key(settings.sendgrid_webhook_public_key):
        yield (
            "MARKETPLACE_SENDGRID_WEBHOOK_PUBLIC_KEY is no public key, so every report of the mail "
            "service is refused. Set the key of its signed Event Webhook, as it is shown there."
        )
    if settings.sendgrid_base_url.startswith("http://") and not _is_local(
        settings.sendgrid_base_url
    ):
        yield ("MARKETPLACE_SENDGRID_BASE_URL is not encrypted, and the key goes there. Use https.")


def _is_key(text: str) -> bool:
    try:
        EventWebhook(text)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


def _redis(settings: Settings) -> Iterator[str]:
    parts = urlsplit(settings.redis_url)
    hosts = {parts.hostname}
    if is_sentinel(settings.redis_url):
        hosts = {host for host, _ in read_sentinel(settings.redis_url).sentinels}
    if parts.scheme == "unix" or hosts <= set(LOOPBACK):
        return
    scheme = parts.scheme.removesuffix("+sentinel")
    secure = parts.scheme.replace("redis", "rediss", 1) if scheme == "redis" else parts.scheme
    if not parts.password:
        yield (
            f"Redis at {parts.hostname} is used without a password, so whoever reaches it can give "
            "jobs to the workers. Set one there (`requirepass` or an ACL) and in "
            "MARKETPLACE_REDIS_URL."
        )
    if scheme == "redis":
        yield (
            f"The line to Redis at {parts.hostname} is not encrypted. Use {secure}:// in "
            "MARKETPLACE_REDIS_URL, unless the network between is yours alone."
        )
    asked = {name: each[0].lower() for name, each in parse_qs(parts.query).items()}
    if scheme == "rediss" and (
        asked.get("ssl_cert_reqs", "required") != "required"
        or asked.get("ssl_check_hostname", "true") in ("false", "0", "no", "f", "n")
    ):
        yield (
            f"The line to Redis at {parts.hostname} is encrypted, but nobody checks who answers. "
            "Take ssl_cert_reqs and ssl_check_hostname out of MARKETPLACE_REDIS_URL."
        )


def _database(settings: Settings) -> Iterator[str]:
    addresses = {"": settings.database_url, "MIGRATION_": settings.migration_database_url}
    if settings.migration_database_url == settings.database_url:
        del addresses["MIGRATION_"]
    for which, address in addresses.items():
        url = make_url(address)
        asked = {k: v if isinstance(v, str) else v[0] for k, v in url.query.items()}
        host = url.host or asked.get("hostaddr") or asked.get("host", "")
        mode = asked.get("sslmode", "prefer")
        if not host or host.startswith("/") or host in LOOPBACK or mode == "verify-full":
            continue
        is_encrypted = mode in ("require", "verify-ca")
        how = "is encrypted, but" if is_encrypted else "may be unencrypted, and"
        yield (
            f"The line to PostgreSQL at {host} {how} nobody checks who answers. Put "
            f"`?sslmode=verify-full` into MARKETPLACE_{which}DATABASE_URL."
        )


CHECKS: tuple[Callable[[Settings], Iterator[str]], ...] = (
    _secrets, _address, _doors, _mail, _redis, _database,
)  # fmt: skip


def _is_local(address: str) -> bool:
    return urlsplit(address).hostname in LOOPBACK


def readable_by_others(data_dir: Path) -> Iterator[str]:
    """Yield which files of a data folder others can read, though secrets stand in them."""
    for name in (FILE, SECRET_FILE):
        path = data_dir.expanduser() / name
        if path.exists() and path.stat().st_mode & PRIVATE:
            yield (
                f"{path} holds the secrets of this installation, and others can read it. Run "
                f"`chmod 600 {path}`."
            )
