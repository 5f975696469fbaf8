"""`marketplace up`: everything on this machine, from empty to ready, until it is told to stop."""

import os
import signal
import socket
import subprocess  # nosec B404  # fixed commands, no shell
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

from config.settings import PREFIX, Settings
from marketplace.bootstrap import Product, build
from marketplace.catalogue.seeding import seed_catalogue
from marketplace.core.processes import tie_to_parent
from marketplace.local.children import Child
from marketplace.local.commands import (
    environment_of,
    rehearsal_command,
    scheduler_command,
    web_command,
    worker_command,
)
from marketplace.local.connection import decided, write_connection
from marketplace.local.demo import people, stage
from marketplace.local.doorway import HOST, await_ready, open_door
from marketplace.local.locks import FileLock
from marketplace.local.places import LocalError, make_data_dir
from marketplace.local.postgres import EmbeddedPostgres
from marketplace.local.processes import AlreadyRunning, EmbeddedServer
from marketplace.local.redis import EmbeddedRedis
from marketplace.local.terminal import say, step
from marketplace.migrations.schema import upgrade

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Wanted:
    """What the command line asked for."""

    data_dir: Path
    port: int
    workers: int
    demo: bool


class Up:
    """The whole system, as long as this process lives."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.data_dir = wanted.data_dir
        self.servers: list[EmbeddedServer] = []
        self.children: list[Child] = []
        self.environment: dict[str, str] = {}
        self._lock: FileLock | None = None
        self._door: socket.socket | None = None
        self._walk: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Start everything, keep it running, and stop it in order at Ctrl-C or SIGTERM."""
        for number in STOPS:
            signal.signal(number, signal.default_int_handler)
        try:
            self._start()
            while True:
                self._look_after()
                time.sleep(0.2)
        except KeyboardInterrupt:
            say("\nStopping ...")
        finally:
            self._stop()
        say("Stopped. The data are kept; the next start goes on with them.")

    def _start(self) -> None:
        began = time.monotonic()
        self._open_data_dir()
        self._door = open_door(self.wanted.port)
        port = self._door.getsockname()[1]
        url = f"http://{HOST}:{port}"
        self._settle(url, {})  # wrong settings are told before anything is started
        say(f"ISO quotes marketplace, with its data in {self.data_dir}")
        for server in self._embedded():
            self.servers.append(server)
            with step(f"Starting {server.title}", f"{server.title} runs"):
                server.start()
        self._settle(url, self._urls())
        web = self._child("web", web_command(self._door.fileno()), (self._door.fileno(),))
        web.start(environment_of(self.environment))
        product = build(Settings.from_env(self.environment))
        with step("Preparing the database", "The database is prepared"):
            prepare(product)
        if self.wanted.demo:
            with step("Inventing providers", "Invented providers are there, with demo sign-ins"):
                stage.prepare(product)
        with step("Starting the web server", "The web server answers"):
            await_ready(url, web)
        # Not before: on a small machine they would only take turns.
        environment = environment_of(self.environment)
        self._child("worker", worker_command(self.wanted.workers)).start(environment)
        self._child("scheduler", scheduler_command()).start(environment)
        say(f"  Started in {time.monotonic() - began:.1f} s")
        say(f"ready: {url}")
        self._show_addresses(url)

    def _open_data_dir(self) -> None:
        try:
            self.data_dir = make_data_dir(self.data_dir)
            self._lock = FileLock(self.data_dir / "up.lock")
        except OSError as error:
            raise LocalError(
                f"The data folder {self.data_dir} cannot be made or written to "
                f"({error.strerror}). Choose another one with --data-dir."
            ) from error
        if not self._lock.take():
            raise AlreadyRunning(
                f"The data folder {self.data_dir} is in use by process {self._lock.signature()}. "
                "Stop that one first, or choose another with --data-dir."
            )
        self._lock.sign(str(os.getpid()))

    def _embedded(self) -> list[EmbeddedServer]:
        kinds: tuple[type[EmbeddedServer], ...] = (EmbeddedPostgres, EmbeddedRedis)
        return [
            kind(self.data_dir) for kind in kinds if not os.environ.get(kind.setting, "").strip()
        ]

    def _urls(self) -> dict[str, str]:
        return {name: url for server in self.servers for name, url in server.urls.items()}

    def _settle(self, public_url: str, urls: dict[str, str]) -> None:
        """Decide all settings, check them, and write them down once the servers are there."""
        settings = decided(self.data_dir, os.environ, public_url=public_url, urls=urls)
        to_come = {
            EmbeddedPostgres.setting: "postgresql://to.come",
            EmbeddedRedis.setting: "redis://to.come",
        }
        Settings.from_env(settings if urls else {**to_come, **settings})
        self.environment = {**os.environ, **settings}
        if urls or not self._embedded():
            write_connection(self.data_dir, settings)

    def _child(self, name: str, command: Sequence[str], pass_fds: Sequence[int] = ()) -> Child:
        logs = self.data_dir / "logs"
        logs.mkdir(mode=0o700, exist_ok=True)
        child = Child(name, command, logs / f"{name}.log", say=say, pass_fds=pass_fds)
        self.children.append(child)
        return child

    def _show_addresses(self, url: str) -> None:
        mailbox = self.environment[f"{PREFIX}MAIL_BACKEND"] == "mailbox"
        addresses = {
            "The form": "/",
            "The portal": "/portal",
            "Administration": "/admin",
            **({"The mailbox": "/mailbox"} if mailbox else {}),
            "The API": "/api/docs",
        }
        for name, path in addresses.items():
            say(f"  {name + ':':<16}{url}{path}")
        if self.wanted.demo:
            for line in people.sign_ins():
                say(f"  {line}")
        say(f"  {'Logs:':<16}{self.data_dir / 'logs'}")
        say("Ctrl-C stops everything.")
        if self.wanted.demo and mailbox:
            self._walk = subprocess.Popen(  # nosec B603  # a fixed command, no shell
                rehearsal_command(url),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=partial(tie_to_parent, os.getpid()),
            )
        elif self.wanted.demo:
            say("The walk of an invented lead needs MARKETPLACE_MAIL_BACKEND=mailbox.")

    def _look_after(self) -> None:
        for server in self.servers:
            if not server.is_running():
                self._revive(server)
        for child in self.children:
            child.look_after(environment_of(self.environment))

    def _revive(self, server: EmbeddedServer) -> None:
        say(f"{server.title} ended by itself; it is started again")
        url = server.url
        server.stop()
        server.start()
        if server.url != url:  # a socket in a fresh folder: everybody has to learn of it
            self._settle(self.environment[f"{PREFIX}PUBLIC_URL"], self._urls())
            self._stop_children()

    def _stop_children(self) -> None:
        for child in self.children:
            child.ask_to_stop()
        for child in self.children:
            child.see_stopped()

    def _stop(self) -> None:
        """Stop the children first, then Redis, then PostgreSQL. A second Ctrl-C hurries."""
        for number in STOPS:
            signal.signal(number, self._hurry)
        if self._walk is not None:
            self._walk.kill()
            self._walk.wait()
        self._stop_children()
        for server in reversed(self.servers):
            server.stop()
        if self._door is not None:
            self._door.close()
        if self._lock is not None:
            self._lock.close()

    def _hurry(self, _signum: int, _frame: FrameType | None) -> None:
        for child in self.children:
            if child.process is not None and child.process.poll() is None:
                os.killpg(child.process.pid, signal.SIGKILL)


def prepare(product: Product) -> None:
    """Bring the database into shape, and add what is missing of the catalogue."""
    upgrade(product.app)
    with product.app.app_context():
        seed_catalogue(product.ctx)
