"""The processes that `up` starts: kept running, their words kept in files of bounded size."""

import json
import os
import shutil
import signal
import subprocess  # nosec B404  # fixed commands, no shell
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from marketplace.core.metrics import counting_together
from marketplace.core.processes import BackOff, tie_to_parent

LOG_AT_MOST = 10 * 1024 * 1024
"""Bytes. What is older goes to `<name>.log.previous`, and then goes."""

STOPPED_WITHIN = 15.0
"""Seconds given to a process to finish what it is doing."""

SAID_AGAIN_AFTER = 60.0
"""Seconds in which the same warning of the same process is not shown twice."""

GRAVE = ("warning", "error", "critical")

Say = Callable[[str], None]


class Child:
    """One process, and its log."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        say: Say,
        pass_fds: Sequence[int] = (),
    ) -> None:
        """Name the process; `say` shows a line to whoever started `up`."""
        self.name, self.command, self.log, self.say = name, command, log, say
        self.pass_fds = tuple(pass_fds)
        self.process: subprocess.Popen[bytes] | None = None
        self._back_off = BackOff()
        self._not_before = 0.0
        self._read = 0
        self._said: dict[str, float] = {}

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, environment: Mapping[str, str]) -> None:
        """Start it, in a session of its own: Ctrl-C is for `up`, which then stops in order.

        Its processes count together, and hold where they do.
        """
        self._back_off.started()
        environment = {**environment}
        held = counting_together(environment)
        try:
            self._start(environment, self.pass_fds if held is None else (*self.pass_fds, held))
        finally:
            if held is not None:
                os.close(held)

    def _start(self, environment: Mapping[str, str], pass_fds: Sequence[int]) -> None:
        with open(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
            self._read = os.fstat(output.fileno()).st_size
            self.process = subprocess.Popen(  # nosec B603  # a fixed command, no shell
                self.command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=pass_fds,
                start_new_session=True,
                preexec_fn=partial(tie_to_parent, os.getpid()),
            )

    def look_after(self, environment: Mapping[str, str]) -> None:
        """Show what it says that matters, keep its log short, and start it again if it ended."""
        self._listen()
        if self.is_running:
            return
        if self.process is not None:
            how = _how_it_ended(self.process.returncode)
            self.process = None
            wait = self._back_off.ended()
            self._not_before = time.monotonic() + wait
            self.say(f"{self.name} {how}; it is started again in {wait:g} s (see {self.log})")
        elif time.monotonic() >= self._not_before:
            self.start(environment)

    def ask_to_stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)

    def see_stopped(self) -> None:
        """Wait until it has stopped; end it if it takes too long."""
        if self.process is None:
            return
        try:
            self.process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None

    def last_words(self) -> str:
        """Return the end of its log, for a message."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return " / ".join(_words(line) for line in lines[-3:])

    def _listen(self) -> None:
        with self.log.open("rb") as log:
            log.seek(self._read)
            new = log.read(LOG_AT_MOST)
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            self._show(line)
        if self._read > LOG_AT_MOST:
            shutil.copyfile(self.log, self.log.with_suffix(".log.previous"))
            self.log.with_suffix(".log.previous").chmod(0o600)
            os.truncate(self.log, 0)
            self._read = 0

    def _show(self, line: str) -> None:
        try:
            level = json.loads(line).get("level")
        except (ValueError, AttributeError):
            return
        words = _words(line)
        now = time.monotonic()
        if level in GRAVE and now - self._said.get(words, -SAID_AGAIN_AFTER) >= SAID_AGAIN_AFTER:
            self._said = {w: at for w, at in self._said.items() if now - at < SAID_AGAIN_AFTER}
            self._said[words] = now
            self.say(f"{self.name}: {words}")


def _words(line: str) -> str:
    """Return a log line as one that a person reads: its event, and the reason if it has one."""
    try:
        said = json.loads(line)
        reason = said.get("error") or said.get("reason") or ""
        words = f"{said['event']} {reason}"
    except (ValueError, KeyError, AttributeError):
        words = line
    return " ".join(words.split())[:200]


def _how_it_ended(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
