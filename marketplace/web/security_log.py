"""What somebody who watches for attacks looks for: a line for each, with nobody's name or address.

The line of the request follows it, with its route, status and id, and who asked. Who tries whose
account can be seen from a mark of the address, which is the same for the same address and says
nothing to whoever has not the installation's secret.
"""

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from marketplace.accounts.rules import normal_email
from marketplace.core.errors import Invalid, MarketplaceError
from marketplace.core.forms import Form
from marketplace.web.errors import slug_of
from marketplace.web.product import current_product

log = structlog.get_logger(__name__)


def mark_of(address: str) -> str:
    """Return what stands for an e-mail address in the log."""
    key = f"log\0{current_product().settings.secret_key}".encode()
    return hmac.digest(key, normal_email(address).encode(), hashlib.sha256).hex()[:16]


@contextmanager
def watched_sign_in(form: Form) -> Iterator[None]:
    """Note that somebody was not let in, and why."""
    try:
        yield
    except Invalid:
        raise
    except MarketplaceError as refused:
        address = str(form.values.get("email", ""))
        log.warning("sign_in_refused", account=mark_of(address), why=slug_of(refused))
        raise
