"""The product behind the running application."""

from typing import cast

from flask import current_app

from marketplace.bootstrap import Product


def current_product() -> Product:
    """Return the product that this application carries."""
    return cast(Product, current_app.extensions["marketplace"])
