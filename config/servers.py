"""How PostgreSQL and Redis are addressed and reached, also where each is several machines.

PostgreSQL: `postgresql://user@db-a:5432,db-b:5432/name`, as libpq has it; of several hosts the one
that takes writes is looked for (`target_session_attrs=read-write`, unless the address says
otherwise). Redis: by itself, or `redis+sentinel://:password@host:26379,host:26379/service/0`
(`rediss+sentinel://` for TLS; `sentinel_username` and `sentinel_password` behind a question mark,
where the sentinels want some), where the sentinels say which one is the primary now.

A machine that is cut off says nothing, and TCP by itself believes in it for hours. Here it is given
up within about seven seconds, on both ends of a line.
"""

import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from redis import ConnectionError, ReadOnlyError, Redis, TimeoutError
from redis.backoff import NoBackoff
from redis.connection import SSLConnection, parse_url
from redis.retry import Retry
from redis.sentinel import (
    Sentinel,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from sqlalchemy import URL, make_url

SENTINEL_SCHEMES = ("redis+sentinel", "rediss+sentinel")
SENTINEL_PORT = 26379
POSTGRES_PORT = 5432

IDLE, INTERVAL, COUNT = 3, 2, 2
"""Seconds of silence until the other end is asked whether it is there, between two such questions,
and how many may stay unanswered."""

UNACKNOWLEDGED_MS = 7_000
"""Milliseconds for which what was sent, such a question as well, may stay unacknowledged."""

ASKED_FOR = 1.0
"""Seconds that one sentinel has for its answer, before the next is asked."""

LINE_TO_POSTGRES = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": IDLE,
    "keepalives_interval": INTERVAL,
    "keepalives_count": COUNT,
    "tcp_user_timeout": UNACKNOWLEDGED_MS,
}
"""For libpq, on this end. What the address says itself counts instead."""

LINE_FROM_POSTGRES = {
    "tcp_keepalives_idle": str(IDLE),
    "tcp_keepalives_interval": str(INTERVAL),
    "tcp_keepalives_count": str(COUNT),
    "tcp_user_timeout": str(UNACKNOWLEDGED_MS),
}
"""For the server, on its end: what a machine that was cut off has locked becomes free again."""

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)(?::(\d{1,5})?)?")


@dataclass(frozen=True)
class SentinelAddress:
    """What a `redis+sentinel://` address says."""

    sentinels: tuple[tuple[str, int], ...]
    service: str
    options: dict[str, Any]
    """For the connections to Redis itself."""
    sentinel_options: dict[str, Any]


def is_sentinel(address: str) -> bool:
    """Return whether an address names sentinels."""
    return address.partition("://")[0] in SENTINEL_SCHEMES


def hosts_of(listed: str, *, port: int) -> list[tuple[str, int]]:
    """Read `host:port,host`, where IPv6 stands in brackets; raise `ValueError` for what is none."""
    found = []
    for each in listed.split(","):
        read = _HOST.fullmatch(each)
        if read is None or not read[1].strip("[]"):
            raise ValueError("no host")
        number = int(read[2] or port)
        if not 0 < number < 65536:
            raise ValueError("no port")
        found.append((read[1].strip("[]"), number))
    return found


def read_sentinel(address: str) -> SentinelAddress:
    """Take a `redis+sentinel://` address apart; raise `ValueError` where it cannot be read."""
    scheme, _, rest = address.partition("://")
    authority, _, behind = rest.partition("/")
    path, _, query = behind.partition("?")
    credentials, at, listed = authority.rpartition("@")
    service, _, number = path.partition("/")
    if not service or not (number or "0").isdecimal() or "#" in rest or "@" in behind:
        raise ValueError("it names no service")
    ours, theirs = [], {}
    for name, value in parse_qsl(query, strict_parsing=bool(query)):
        if name in ("sentinel_username", "sentinel_password"):
            theirs[name.removeprefix("sentinel_")] = value
        else:
            ours.append((name, value))
    plain = scheme.removesuffix("+sentinel")
    # Everything but the hosts is as in an address of one Redis, and read by whom it is meant for.
    parse: Any = parse_url
    options = dict(parse(f"{plain}://{credentials}{at}stands.in/{number or 0}?{urlencode(ours)}"))
    del options["host"]
    options.pop("connection_class", SSLConnection)
    if plain == "rediss":
        options["ssl"] = True
    return SentinelAddress(
        sentinels=tuple(hosts_of(listed, port=SENTINEL_PORT)),
        service=unquote(service),
        options=options,
        sentinel_options=theirs,
    )


def redis_at(address: str, **options: Any) -> Redis:
    """Return a client of the Redis at an address; it connects on first use.

    Under Sentinel each new connection asks who is the primary, and a primary that has become a
    replica is left. `options`: as `Redis.from_url` has them.
    """
    options = {
        # Once more at once: what lay idle may have been ended. Silence is not asked twice.
        "retry": Retry(NoBackoff(), 1, supported_errors=(ConnectionError,)),
        # A connection to what is a replica now is of no more use.
        "retry_on_error": [ReadOnlyError],
        **options,
    }
    if urlsplit(address).scheme == "unix":
        return Redis.from_url(address, **options)
    options = {**_line_to_redis(), **options}
    if not is_sentinel(address):
        return Redis.from_url(address, **options)
    read = read_sentinel(address)
    tls = {name: value for name, value in read.options.items() if name.startswith("ssl")}
    sentinel: Any = Sentinel(  # type: ignore[no-untyped-call]  # redis-py's
        read.sentinels,
        sentinel_kwargs={
            "socket_timeout": ASKED_FOR,
            "socket_connect_timeout": ASKED_FOR,
            "retry": Retry(NoBackoff(), 0),
            **tls,
            **read.sentinel_options,
        },
    )
    kind = FollowingSSLConnection if tls else FollowingConnection
    found: Redis = sentinel.master_for(
        read.service, **{**options, **read.options, "connection_class": kind}
    )
    return found


class FollowingConnection(SentinelManagedConnection):
    """Asks the sentinels whenever it connects, also where redis-py would go back to where it was.

    One that got no answer tells of the whole pool: the others would each wait as long.
    """

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        if not self._sock:
            self.connect()  # type: ignore[no-untyped-call]  # redis-py's
        super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call]

    def read_response(self, *how: Any, **more: Any) -> Any:
        try:
            return super().read_response(*how, **more)
        except TimeoutError:
            pool = self.connection_pool.connection_pool_ref()
            if pool is not None:
                pool.disconnect(inuse_connections=False)
            raise


class FollowingSSLConnection(FollowingConnection, SentinelManagedSSLConnection):
    """The same by TLS."""


def _line_to_redis() -> dict[str, Any]:
    """Return the options by which a Redis that was cut off is noticed, where the system has any."""
    names = {
        "TCP_KEEPIDLE": IDLE,
        "TCP_KEEPINTVL": INTERVAL,
        "TCP_KEEPCNT": COUNT,
        "TCP_USER_TIMEOUT": UNACKNOWLEDGED_MS,
    }
    wanted = {getattr(socket, name): n for name, n in names.items() if hasattr(socket, name)}
    return {"socket_keepalive": True, "socket_keepalive_options": wanted}


def database_url(address: str) -> str:
    """Return a `postgresql://` address as SQLAlchemy reads it, several hosts as well.

    Raises `ValueError`, or SQLAlchemy's `ArgumentError`, where it cannot be read.
    """
    rest = address.partition("://")[2]
    plain = f"postgresql+psycopg://{rest}"
    before = re.split(r"[/?]", rest.rpartition("@")[2], maxsplit=1)[0]
    if "," not in before:
        url = make_url(plain)
        return _looking_for_writes(url) if "," in "".join(listed_hosts(url)) else plain
    if rest.count("@") > 1:
        raise ValueError("more than one at sign")
    hosts = hosts_of(before, port=POSTGRES_PORT)
    head, at, tail = rest.rpartition("@")
    url = make_url(f"postgresql+psycopg://{head}{at}{tail.removeprefix(before)}")
    if not {"host", "port", "hostaddr"}.isdisjoint(url.query):
        raise ValueError("hosts in two places")
    listed = {
        "host": ",".join(host for host, _ in hosts),
        "port": ",".join(str(port) for _, port in hosts),
    }
    return _looking_for_writes(url.update_query_dict(listed))


def _looking_for_writes(url: URL) -> str:
    if "target_session_attrs" not in url.query:
        url = url.update_query_dict({"target_session_attrs": "read-write"})
    return url.render_as_string(hide_password=False)


def listed_hosts(url: URL) -> Iterable[str]:
    """Return what a database address names as its hosts, in whichever place it does."""
    asked = url.query.get("host", "")
    return [url.host or "", asked if isinstance(asked, str) else ",".join(asked)]


def line_to(address: str) -> dict[str, Any]:
    """Return libpq's options for the line to a database, but those that its address has.

    Where there is another host to try, the first has less time to answer.
    """
    url = make_url(address)
    several = {"connect_timeout": 3} if "," in "".join(listed_hosts(url)) else {}
    wanted: dict[str, Any] = {**LINE_TO_POSTGRES, **several}
    return {name: value for name, value in wanted.items() if name not in url.query}
