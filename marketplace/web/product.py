"""The product behind the running application."""

from typing import cast

from flask import current_app

from marketplace.bootstrap import Product


def current_product() -> Product:
    """Return the product that this application carries."""
    return cast(Product, current_app.extensions["marketplace"])


def signing_keys() -> list[str]:
    """Return what forms and cookies are signed with: the key of now last, those before it hold."""
    return [*reversed(current_product().settings.secret_keys)]
