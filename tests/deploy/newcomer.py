"""Somebody who has only the README: `make newcomer`, some minutes, as root, with the network.

A bare Debian is made in a folder and booted with its own systemd. Every block of "One Debian
machine, by hand" in config/deploy/README.md is run there as it stands; then a business sends a form
through the proxy, confirms it by its mail, and three providers are invited. It fails past a quarter
of an hour, and at whatever else goes wrong. The machine shares this one's network, so nothing may
listen on the ports of a web server, PostgreSQL and Redis here. How packages are reached from here
is copied along (certificates, pip's configuration).
"""

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from tests.deploy.files import DEPLOY, ROOT
from tests.factories import lead_form
from tests.fleet import wait_until

SITE = "quotes.example"

AT_MOST = 15 * 60
"""Seconds, from a bare machine to the third invitation."""

BARE = "ca-certificates,dbus,iproute2,libpam-systemd,procps,systemd-sysv"

PORTS = (80, 443, 5432, 6379, 8000)

COPIED = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf")

PROVIDERS = (
    "name,kind,country,registration_number,website,contact_name,email,phone,standards,regions,"
    "sectors,headcount_min,headcount_max,remote,open_capacity,monthly_capacity,related_to,"
    "accreditations\n"
) + "".join(
    f"{name} Advice,consultant,AU,,https://{name}.example,{name} Example,us@{name}.example,,"
    "ISO 9001,AU-NSW,17,1,5000,yes,5,20,,\n"
    for name in ("alpha", "beta", "gamma", "delta")
)


def blocks() -> list[str]:
    """Return what the README says to run, block by block."""
    _, section = (DEPLOY / "README.md").read_text().split("\n## One Debian machine, by hand\n")
    return re.findall(r"^```sh\n(.*?)^```", section.split("\n## ")[0], flags=re.M | re.S)


class Machine:
    def __init__(self, root: Path, container: int) -> None:
        self.root = root
        self._children = Path(f"/proc/{container}/task/{container}/children")

    @property
    def pid(self) -> int:
        """Of its first process; before it has booted that may be one that only makes it."""
        return int(self._children.read_text().split()[-1])

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script in a shell of root's, where nothing of ours is in the environment."""
        return subprocess.run(
            ["nsenter", "--all", "--target", str(self.pid), "env", "--ignore-environment",
             "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
             "LANG=C.UTF-8", "SENDGRID_API_KEY=SG.made-up", "bash", "-ec", script],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False,
        )  # fmt: skip

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the site by https, as whoever trusts its certificate does."""
        trusting = ssl.create_default_context(
            cafile=str(self.root / "etc/marketplace/tls/fullchain.pem")
        )
        line = socket.create_connection(("127.0.0.1", 443), timeout=30)
        connection = HTTPConnection(SITE)
        connection.sock = trusting.wrap_socket(line, server_hostname=SITE)
        connection.request(
            method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        said = answer.read()
        connection.close()
        assert answer.status < 300, (path, answer.status, said)
        return json.loads(said)


@contextmanager
def booted(root: Path) -> Iterator[Machine]:
    """Boot the Debian in a folder, and end it afterwards."""
    with (root.parent / "console.log").open("wb") as console:
        container = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot",
             "-D", str(root)],
            stdin=subprocess.DEVNULL, stdout=console, stderr=console,
        )  # fmt: skip
    machine = Machine(root, container.pid)

    def is_up() -> bool:
        with suppress(IndexError):
            return machine.run("systemctl is-active multi-user.target").returncode == 0
        return False

    try:
        wait_until(is_up, "the machine has booted", patience=120)
        yield machine
    finally:
        with suppress(ProcessLookupError, FileNotFoundError, IndexError):
            # The first process takes all of its machine with it; nspawn alone would leave them.
            os.kill(machine.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            container.wait(30)
        container.kill()
        container.wait()


def bare_debian(folder: Path) -> Path:
    root = folder / "debian"
    command = ["debootstrap", "--variant=minbase", f"--include={BARE}", "bookworm", str(root)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout[-2_000:]
    for each in COPIED:
        if Path(each).exists():
            shutil.copy(each, root / each.lstrip("/"))
    subprocess.run(
        ["git", "clone", "--quiet", "--bare", str(ROOT), str(root / "srv/marketplace.git")],
        check=True,
    )
    return root


def follow(machine: Machine, say: Callable[[str], None]) -> None:
    """Do all that the README says, in one shell after another as a person would in one."""
    begins = f"SITE={SITE}\ncd /opt/marketplace/current/config/deploy 2>/dev/null || true\n"
    for block in blocks():
        began = time.monotonic()
        block = block.replace("REPOSITORY", "/srv/marketplace.git")
        done = machine.run(begins + block)
        say(f"{time.monotonic() - began:6.1f} s  {block.splitlines()[0]}")
        # `doctor` has something to say: SendGrid has given nobody a key.
        is_doctor = block.rstrip().endswith("marketplace doctor")
        complaints = re.findall(r"^wrong .*", done.stdout, flags=re.M)
        assert done.returncode == 0 or is_doctor, done.stdout[-3_000:]
        assert not is_doctor or len(complaints) == 1, done.stdout
        if "make-secrets" in block:  # a first try, as the README says
            settings = machine.root / "etc/marketplace/settings.env"
            settings.write_text(settings.read_text().replace("='sendgrid'", "='mailbox'"))


def kept(machine: Machine) -> dict[str, str]:
    """Return what nobody may draw or decide anew by repeating a step."""
    folder = machine.root / "etc/marketplace"
    files = [*folder.glob("*.env"), *folder.glob("tls/*")]
    assert len(files) == 7, files
    return {path.name: path.read_text() for path in files}


def back_up(machine: Machine) -> None:
    """Have a back-up taken as the timer does every night, and see `doctor` know of it."""
    taken = machine.run(
        "systemctl start marketplace-back-up && ls -ln /var/lib/marketplace-backups"
    )
    assert re.search(r"^-rw------- .*\.dump$", taken.stdout, flags=re.M), taken.stdout
    timers = machine.run("systemctl is-active marketplace-back-up.timer").stdout
    assert timers == "active\n", timers
    assert "The last back-up that was noted" in machine.run("marketplace doctor || true").stdout


def walk(machine: Machine) -> None:
    """Send a form, confirm it by its mail, and see three invited."""
    (machine.root / "srv/providers.csv").write_text(PROVIDERS)
    taken = machine.run("marketplace import-providers /srv/providers.csv --verified")
    assert taken.returncode == 0, taken.stdout
    form = lead_form(1, service="consulting", standards=["ISO 9001"], regions=["AU-NSW"])
    machine.ask("POST", "/api/v1/leads", form)

    def mails(template: str) -> list[dict[str, Any]]:
        items = machine.ask("GET", "/mailbox/messages")["items"]
        return [each for each in items if each["template"] == template]

    def token() -> list[str]:
        texts = [each["text"] for each in machine.ask("GET", "/mailbox/messages")["items"]]
        return [found for text in texts for found in re.findall(r"/requests/confirm/(\S+)", text)]

    wait_until(lambda: bool(token()), "the form is to be confirmed", patience=60)
    machine.ask("POST", "/api/v1/leads/confirmations", {"token": token()[0]})
    wait_until(lambda: len(mails("invitation")) == 3, "three are invited", patience=60)


def main() -> None:
    def say(text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    for needed in ("debootstrap", "systemd-nspawn", "nsenter"):
        if shutil.which(needed) is None:
            sys.exit("Needed: apt-get install debootstrap systemd-container util-linux")
    for port in PORTS:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            sys.exit(f"Something listens on port {port} here, and the machine would share it.")
    folder = Path(mkdtemp(prefix="newcomer-", dir="/var/tmp"))
    try:
        say("Making a bare Debian ...")
        root = bare_debian(folder)
        with booted(root) as machine:
            began = time.monotonic()
            follow(machine, say)
            walk(machine)
            took = time.monotonic() - began
            back_up(machine)
            say("And all of it once more, as somebody does who was interrupted ...")
            before = kept(machine)
            follow(machine, say)
            assert kept(machine) == before
        say(f"Three are invited, {took / 60:.1f} minutes after the first line.")
        if took > AT_MOST:
            sys.exit("That is more than a quarter of an hour.")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
