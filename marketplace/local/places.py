"""Where an embedded server keeps its files, and whom it runs as.

An ordinary user's server runs as that user, inside the data folder. PostgreSQL refuses
to run as root, so root's servers run as `nobody`, who cannot enter `/root` or another
home. Nothing is opened up for it: where the data folder or the programs are out of its
reach, data go below `/var/lib` (the data folder keeps a note of where) and a copy of the
programs below `/var/cache`. Root's servers also get a group number that nobody else has,
and their folder lets only that group through, so that other processes of `nobody` can
neither read the data nor trace the server.
"""

import grp
import os
import pwd
import secrets
import shutil
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT_DATA = Path("/var/lib/marketplace")
"""Where root's servers keep what they cannot keep in the data folder."""

ROOT_PROGRAMS = Path("/var/cache/marketplace")
"""Where root's servers find programs that `nobody` cannot reach where they are."""

FIRST_PRIVATE_GROUP = 59_873
"""A number in a range that distributions leave alone; taken upwards from here until free."""


class LocalError(Exception):
    """Something on this machine is in the way; the message says what, and what to do."""


@dataclass(frozen=True)
class Account:
    """The user and group that a server of root runs as."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Place:
    """A server's own folder."""

    folder: Path
    account: Account | None
    """Whom the server runs as; None: as ourselves."""

    def make_folder(self, path: Path) -> Path:
        """Make a folder that belongs to the server and that nobody else can enter."""
        path.mkdir(mode=0o700, exist_ok=True)
        owner = self.account.uid if self.account else os.geteuid()
        if self.account and path.stat().st_uid == os.geteuid():
            os.chown(path, self.account.uid, self.account.gid)
        elif path.stat().st_uid != owner:
            raise _foreign(path)
        return path

    def write(self, name: str, text: str, *, for_server: bool) -> Path:
        """Write a file that only we may change, and that the server may read if it should."""
        path = self.folder / name
        partial = path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            if self.account and for_server:
                os.fchown(file.fileno(), -1, self.account.gid)
                os.fchmod(file.fileno(), 0o640)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # else a power cut could leave the new name with nothing in it
        partial.rename(path)
        return path


def make_data_dir(data_dir: Path) -> Path:
    """Make the data folder if it is missing, and return its full path.

    What is secret in it is closed file by file. Root's may be passed through (not
    listed), so that its servers' data can stay inside it wherever its parents allow.
    """
    data_dir = data_dir.expanduser().absolute()
    data_dir.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    return data_dir.resolve()


def open_place(data_dir: Path, name: str) -> Place:
    """Return the folder of the server called `name`, made on first use."""
    inside = data_dir / name
    if os.geteuid() != 0:
        inside.mkdir(mode=0o700, exist_ok=True)
        if inside.stat().st_uid != os.geteuid():
            raise _foreign(inside)
        return Place(inside, None)

    pointer = data_dir / f"{name}.location"
    if pointer.exists():
        folder = Path(pointer.read_text().strip())
        if not folder.is_dir():
            raise LocalError(
                f"{pointer} says that the data are in {folder}, and that folder is gone. "
                "Put it back, or delete that file to begin with empty data."
            )
        return _place_of_root(folder)
    if inside.exists() or may_pass(data_dir):
        return _place_of_root(inside)

    if not ROOT_DATA.exists():
        ROOT_DATA.mkdir(exist_ok=True)
        ROOT_DATA.chmod(0o711)  # whatever the umask
    place = _place_of_root(ROOT_DATA / f"{name}-{secrets.token_hex(6)}")
    place.write("belongs-to", f"{data_dir}\n", for_server=False)
    Place(data_dir, None).write(pointer.name, f"{place.folder}\n", for_server=False)
    return place


def remove_place(data_dir: Path, name: str, place: Place) -> None:
    """Delete the server's data for good, wherever they are."""
    shutil.rmtree(place.folder)
    (data_dir / f"{name}.location").unlink(missing_ok=True)


def _place_of_root(folder: Path) -> Place:
    try:
        nobody = pwd.getpwnam("nobody").pw_uid
    except KeyError:
        raise LocalError(
            "PostgreSQL does not run as root, and this machine has no user 'nobody' to run it "
            "as. Start as an ordinary user, or set MARKETPLACE_DATABASE_URL."
        ) from None
    if not folder.exists():
        folder.mkdir(mode=0o700)
        os.chown(folder, -1, _unused_group())
        folder.chmod(0o710)
    found = folder.stat()
    if found.st_uid != 0 or found.st_gid == 0:
        raise _foreign(folder)
    if not may_pass(folder.parent):
        raise LocalError(
            f"PostgreSQL does not run as root, and no other user can reach {folder}. Let other "
            "users pass through its parent folders again, or choose another data folder."
        )
    return Place(folder, Account(nobody, found.st_gid))


def _unused_group() -> int:
    number = FIRST_PRIVATE_GROUP
    while True:
        try:
            grp.getgrgid(number)
        except KeyError:
            return number
        number += 1


def _foreign(path: Path) -> LocalError:
    uid = path.stat().st_uid
    try:
        owner = pwd.getpwuid(uid).pw_name
    except KeyError:
        owner = f"number {uid}"
    return LocalError(
        f"{path} was made by another user ({owner}). Start as that user, or choose another "
        "data folder."
    )


def may_pass(folder: Path) -> bool:
    """Return whether a user without any rights of their own can get through to `folder`."""
    folder = folder.resolve()
    return all(part.stat().st_mode & stat.S_IXOTH for part in (folder, *folder.parents))


def within_reach(root: Path, parts: list[str], *, key: str, account: Account | None) -> Path:
    """Return a folder laid out like `root` whose `parts` the account can read and run.

    That is `root` itself, or a copy that belongs to root, made once per `key`.
    """
    if all(is_within_reach(root / part, account) for part in parts):
        return root
    copy = ROOT_PROGRAMS / key
    if copy.is_dir():
        return copy
    ROOT_PROGRAMS.mkdir(exist_ok=True)
    ROOT_PROGRAMS.chmod(0o755)
    # Made under another name first, so that a copy is either whole or not there.
    with tempfile.TemporaryDirectory(dir=ROOT_PROGRAMS, prefix="partial-") as partial:
        new = Path(partial) / "new"
        for part in parts:
            (new / part).parent.mkdir(parents=True, exist_ok=True)
            if (root / part).is_dir():
                shutil.copytree(root / part, new / part)
            else:
                shutil.copy2(root / part, new / part)
        for path in (new, *new.rglob("*")):
            path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
        with suppress(OSError):  # somebody else was faster with the same
            new.rename(copy)
    return copy


def is_within_reach(path: Path, account: Account | None) -> bool:
    """Return whether the account can read, and if we can also run, what lies at `path`."""
    if account is None:
        return True
    wanted = stat.S_IROTH | (stat.S_IXOTH if os.access(path, os.X_OK) else 0)
    return may_pass(path.resolve().parent) and path.stat().st_mode & wanted == wanted
