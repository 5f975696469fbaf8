"""How an embedded server is started, guarded and ended; PostgreSQL and Redis alike.

Two locks keep one set of data from being used twice. The *keeper's* lock is held by the
process that called `start`. The *server's* lock is inherited by the server and by all its
children, so it is free only when the last of them is gone, whatever killed whom, and even
if they live in another container. Whoever has the first and not the second has found an
orphan, and ends it before going on.

A keeper that is killed cannot end its server, so a watchdog does: a shell that waits for
its input to close, which the kernel does when the keeper dies.
"""

import os
import signal
import subprocess  # nosec B404  # fixed commands, no shell
import tempfile
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, ClassVar, Self

from marketplace.local import places, sockets
from marketplace.local.locks import SIGN_AND_BECOME, FileLock
from marketplace.local.places import LocalError, Place

READY_WITHIN = 120.0
"""Seconds. Generous: after a crash PostgreSQL first repairs what it had not written out."""

STOPPED_WITHIN = 20.0
"""Seconds given to each way of stopping before the next, harder one."""

ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}
"""All that a server sees of ours: a `PGPORT` or the like of the user must not reach it."""


class AlreadyRunning(LocalError):
    """The data folder is in use by another process."""


class EmbeddedServer(ABC):
    """A server that lives as long as the process that started it."""

    name: ClassVar[str]
    title: ClassVar[str]
    setting: ClassVar[str]
    stop_signals: ClassVar[tuple[signal.Signals, ...]]

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        """Name the data folder; with `durable=False` a power cut may cost the data."""
        self.data_dir = data_dir
        self.durable = durable
        self.url = ""
        self._locks: list[FileLock] = []
        self._place: Place | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> str:
        """Start the server on its data, made on first use, and return its URL."""
        if self._locks:
            raise AlreadyRunning(f"This {self.title} has been started already; stop it first.")
        try:
            self.data_dir = places.make_data_dir(self.data_dir)
            self._take_keepers_lock(self.data_dir / f"{self.name}.lock")
            place = self._place = places.open_place(self.data_dir, self.name)
            # Once more where the data are: the data folder may have been copied with its pointer.
            self._take_keepers_lock(place.folder / "keeper.lock")
            self._take_servers_lock(place)
            self._launch(place)
        except BaseException as error:
            self.stop()
            if isinstance(error, OSError | subprocess.SubprocessError):
                raise LocalError(
                    f"The embedded {self.title} cannot be started in {self.data_dir}: {error}. "
                    f"Choose another data folder, or set {self.setting} to use your own server."
                ) from error
            raise
        return self.url

    def stop(self) -> None:
        """End the server, its data written out. Does nothing if it is not running."""
        if self._process:
            self._end(self._process)
            self._process = None
            if self._place:
                sockets.close_socket_folder(self._place)
        while self._locks:
            self._locks.pop().close()
        self.url = ""

    @property
    def urls(self) -> dict[str, str]:
        """Return the settings by which the product finds this server."""
        return {self.setting: self.url}

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def is_running(self) -> bool:
        """Return whether the server runs; one that ended by itself needs `stop`, then `start`."""
        if self._process and self._process.poll() is None:
            return True
        self._dismiss_watchdog()
        return False

    def remove_data(self) -> None:
        """Stop the server and delete its data for good."""
        self.stop()
        if self._place:
            places.remove_place(self.data_dir, self.name, self._place)
            self._place = None

    @abstractmethod
    def _launch(self, place: Place) -> None:
        """Prepare the data, `_spawn` the server, wait for it and set `url`.

        Called with all locks taken, so that no other server uses the data.
        """

    def _take_keepers_lock(self, path: Path) -> None:
        lock = FileLock(path)
        self._locks.append(lock)
        if not lock.take():
            raise AlreadyRunning(
                f"The data folder {self.data_dir} is in use by process {lock.signature()}. Stop "
                "that one first, or choose another data folder."
            )
        lock.sign(str(os.getpid()))

    def _take_servers_lock(self, place: Place) -> None:
        """Take the lock that the server will inherit; end whoever has it still."""
        lock = FileLock(place.folder / "server.lock")
        self._locks.append(lock)
        if lock.take(within=0.1):  # one that has only just been started may not have signed yet
            return
        for how in (*self.stop_signals, signal.SIGKILL):
            if orphan := lock.holder():
                with suppress(ProcessLookupError):
                    os.kill(orphan, how)
            if lock.take(within=STOPPED_WITHIN / 2):
                return
        raise AlreadyRunning(
            f"A {self.title} from an earlier start still uses {place.folder} and cannot be stopped "
            "from here. Stop it where it runs (another container?), or choose another data folder."
        )

    def _spawn(self, place: Place, command: list[str], config: bytes = b"") -> None:
        """Start the server, which inherits its lock, and the watchdog beside it."""
        lock = self._locks[-1]
        log = place.folder / "log"
        with suppress(FileNotFoundError):
            log.rename(place.folder / "log.previous")
        with (
            open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as output,
            # A file and no pipe: a server must never begin with half its settings, or without.
            tempfile.TemporaryFile() as settings,
        ):
            settings.write(config)
            settings.seek(0)
            process = as_server(place, command, settings, output, lock=lock)
            self._process = process
        self._locks.pop().close()
        how = self.stop_signals[0].name.removeprefix("SIG")
        script = ["/bin/sh", "-c", 'read -r _; kill -s "$1" "$2"', "marketplace-watchdog"]
        waiting = [*script, how, str(process.pid)]
        self._watchdog = as_server(place, waiting, subprocess.PIPE, subprocess.DEVNULL)

    def _await_ready(self, place: Place) -> None:
        end = time.monotonic() + READY_WITHIN
        while not self._is_ready():
            log = place.folder / "log"
            if self._process is None or self._process.poll() is not None:
                said = " / ".join(log.read_text(errors="replace").strip().splitlines()[-4:])
                raise LocalError(
                    f"The embedded {self.title} ended at once. Its last words, from {log}: {said}"
                )
            if time.monotonic() > end:
                raise LocalError(
                    f"The embedded {self.title} was not ready within {READY_WITHIN:.0f} seconds; "
                    f"{log} says what it was doing."
                )
            time.sleep(0.01)

    @abstractmethod
    def _is_ready(self) -> bool:
        """Return whether the server answers."""

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        for how in (*self.stop_signals, signal.SIGKILL):
            process.send_signal(how)
            self._dismiss_watchdog()
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOPPED_WITHIN)
                return

    def _dismiss_watchdog(self) -> None:
        """End the watchdog: once the server is gone, its number may become another's."""
        if self._watchdog:
            self._watchdog.kill()
            self._watchdog.communicate()
            self._watchdog = None


def as_server(
    place: Place,
    command: list[str],
    stdin: int | IO[bytes],
    output: int | IO[bytes],
    *,
    lock: FileLock | None = None,
) -> subprocess.Popen[bytes]:
    """Start a process as the server's account. It signs the lock and holds it while it lives."""
    if lock:
        lock.sign("")
        command = ["/bin/sh", "-c", SIGN_AND_BECOME, "marketplace-server", *command]
    account = place.account
    return subprocess.Popen(  # nosec B603  # a fixed command, no shell
        command,
        stdin=stdin,
        stdout=lock.fd if lock else output,
        stderr=output,
        cwd=place.folder,  # ours may be out of the server's reach
        env=ENVIRONMENT,
        pass_fds=(lock.fd,) if lock else (),
        start_new_session=True,  # Ctrl-C is for the keeper, who then stops in order
        umask=0o077,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
