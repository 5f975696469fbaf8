"""Let people and their software in, and out."""

from marketplace.accounts import queries
from marketplace.accounts.rules import Role
from marketplace.core.actors import Actor, Kind
from marketplace.core.context import Context


def actor_of_session(ctx: Context, token: str) -> Actor | None:
    """Return whom a session token stands for, while it is good."""
    with ctx.reading() as session:
        user = queries.user_signed_in(session, token, now=ctx.clock())
        if user is None:
            return None
        kind = Kind.ADMIN if user.role is Role.ADMIN else Kind.PROVIDER
        return Actor(kind, id=user.id, provider_id=user.provider_id)


def actor_of_api_key(ctx: Context, token: str) -> Actor | None:
    """Return whom an API key stands for, while it is good, and note its use once a minute."""
    with ctx.transaction() as tx:
        key = queries.good_api_key(tx.session, token)
        if key is None:
            return None
        if key.last_used_at is None or (tx.now - key.last_used_at).total_seconds() > 60:
            key.last_used_at = tx.now
        return Actor(Kind.API_KEY, id=key.id, provider_id=key.provider_id)
