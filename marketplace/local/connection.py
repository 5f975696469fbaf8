"""What `up` decides by itself, and how the other commands find the system that it keeps."""

import re
import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path

from config.settings import PREFIX
from marketplace.local.places import LocalError, Place

FILE = "connection.env"
SECRET_FILE = "secret-key"  # nosec B105  # a name, no secret

_PLAIN = re.compile(r"[\w@%+=:,./?-]*")
"""What a shell takes as it stands, to the right of an equals sign."""

_SECRET = re.compile(r"[ -~]{32,}")


def decided(
    data_dir: Path, environment: Mapping[str, str], *, public_url: str, urls: Mapping[str, str]
) -> dict[str, str]:
    """Return every setting `up` runs with: what the environment says, else what `up` decides."""
    given = {
        name: value
        for name, value in environment.items()
        if name.startswith(PREFIX) and value.strip()
    }
    own = {
        **urls,
        f"{PREFIX}PUBLIC_URL": public_url,
        f"{PREFIX}MAIL_BACKEND": "mailbox",
        f"{PREFIX}TOTP_FOR_ADMINS": "optional",
    }
    if f"{PREFIX}SECRET_KEY" not in given:
        own[f"{PREFIX}SECRET_KEY"] = _secret_key(data_dir)
    return {**own, **given}


def _secret_key(data_dir: Path) -> str:
    """Return this data folder's secret, made on first use."""
    path = data_dir / SECRET_FILE
    if not path.exists():
        Place(data_dir, None).write(SECRET_FILE, f"{secrets.token_hex(32)}\n", for_server=False)
    secret = path.read_text(errors="replace").strip()
    if not _SECRET.fullmatch(secret):
        raise LocalError(
            f"{path} is damaged. Put it back, or delete it: then a new secret is made, everybody "
            "has to sign in again, and the mails in the mailbox can no longer be read."
        )
    return secret


def write_connection(data_dir: Path, settings: Mapping[str, str]) -> None:
    """Write the settings down for the other commands, readable by their owner only."""
    lines = [
        f"{name}={value if _PLAIN.fullmatch(value) else shlex.quote(value)}\n"
        for name, value in sorted(settings.items())
    ]
    Place(data_dir, None).write(FILE, "".join(lines), for_server=False)


def read_connection(data_dir: Path) -> dict[str, str]:
    """Return the settings of the system that `up` keeps in this folder."""
    path = data_dir.expanduser() / FILE
    try:
        words = shlex.split(path.read_text(), comments=True)
    except FileNotFoundError:
        raise LocalError(
            f"{data_dir} holds no {FILE}: `marketplace up --data-dir {data_dir}` has not been "
            "started there yet."
        ) from None
    except (OSError, ValueError) as error:
        raise LocalError(f"{path} cannot be read: {error}") from error
    return dict(word.split("=", 1) for word in words if "=" in word)
