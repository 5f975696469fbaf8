"""Where a server's socket lies: in a private folder, by a path that the kernel can take."""

import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from marketplace.local.places import LocalError, Place

SOCKET_PATH_LIMIT = 100
"""Bytes. The kernel takes 107 on Linux and 103 on macOS, and cuts or refuses the rest."""

OUTSIDE = "marketplace-"
"""How the name of a socket's folder begins that lies outside the server's own."""

UNQUOTED = re.compile(r"[A-Za-z0-9/._-]+")
"""Paths that need no quoting in a URL, in `unix_socket_directories` or in libpq's `host`,
where a comma would begin a second host."""


def open_socket_folder(place: Place, socket_name: str) -> Path:
    """Return a folder for the server's socket, short enough for the kernel.

    Inside the server's folder if its path allows; else a fresh private one, which
    `close_socket_folder` removes. One that a crash left behind is removed here.
    """
    close_socket_folder(place)
    inside = place.folder / "socket"
    if _fits(inside / socket_name):
        return place.make_folder(inside)
    # a folder of our own is made in it
    bases = [os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"]  # nosec B108
    for base in map(Path, bases[1:] if place.account else bases):
        usable = base.is_absolute() and os.access(base, os.W_OK | os.X_OK)
        if usable and _fits(base / f"{OUTSIDE}12345678/socket" / socket_name):
            outer = Path(tempfile.mkdtemp(prefix=OUTSIDE, dir=base))
            place.write("socket-folder", f"{outer}\n", for_server=False)
            if place.account:
                os.chown(outer, -1, place.account.gid)
                outer.chmod(0o710)
            return place.make_folder(outer / "socket")
    raise LocalError(
        f"The path {place.folder} is too long for a socket, and there is no shorter place for "
        "it. Choose a data folder with a shorter path, or make /tmp writable."
    )


def close_socket_folder(place: Place) -> None:
    """Remove the socket's folder if it was outside the server's own."""
    note = place.folder / "socket-folder"
    if note.exists():
        outer = Path(os.fsdecode(note.read_bytes().strip()))
        # A damaged note must not cost anything else: an empty one would mean the folder we are in.
        if outer.is_absolute() and outer.name.startswith(OUTSIDE):
            with suppress(OSError):  # removed already, or its name now belongs to somebody else
                if outer.lstat().st_uid == os.geteuid():
                    shutil.rmtree(outer)
        note.unlink()


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= SOCKET_PATH_LIMIT and bool(UNQUOTED.fullmatch(str(path)))
