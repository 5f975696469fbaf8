"""Take the form in, and lead a lead through its life."""

from marketplace.core.actors import Actor
from marketplace.core.context import Context


def actor_of_request_token(ctx: Context, token: str) -> Actor | None:
    """Return the business whose request this token opens, while it is good."""
    raise NotImplementedError
