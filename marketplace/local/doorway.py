"""Where the web server answers, and from when on it does."""

import socket
import time
from urllib.error import URLError
from urllib.request import urlopen

from marketplace.local.children import Child
from marketplace.local.places import LocalError

HOST = "127.0.0.1"

READY_WITHIN = 90.0
"""Seconds from the start of the web processes."""


def open_door(port: int, host: str = HOST) -> socket.socket:
    """Return the socket that the web processes will answer on; 0 takes any that is free."""
    door = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((host, port))
        door.listen(2048)
    except OSError as error:
        door.close()
        raise LocalError(
            f"Port {port} of {host} cannot be used ({error.strerror}). Stop what uses it, or "
            "choose another one with --port."
        ) from error
    return door


def await_ready(url: str, web: Child) -> None:
    """Wait until requests can be served, or say why they cannot."""
    end = time.monotonic() + READY_WITHIN
    reason = "no answer"
    while time.monotonic() < end:
        try:
            with urlopen(f"{url}/readyz", timeout=5):  # nosec B310  # only ever http, to ourselves
                return
        except (URLError, OSError) as error:
            reason = str(error)
        if not web.is_running:
            raise LocalError(f"The web server ended at once: {web.last_words()}")
        time.sleep(0.05)
    raise LocalError(
        f"The web server was not ready within {READY_WITHIN:.0f} seconds ({reason}); {web.log} "
        "says what it was doing."
    )
