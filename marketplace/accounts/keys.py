"""Keys for a provider's own software: made by a person, shown once, revoked for good."""

from dataclasses import dataclass
from uuid import UUID

from marketplace.accounts.models import ApiKey
from marketplace.core import links
from marketplace.core.actors import Actor, Kind
from marketplace.core.context import Context
from marketplace.core.db import new_id
from marketplace.core.errors import NotAllowed, NotFound
from marketplace.core.events import record
from marketplace.core.forms import Form


@dataclass(frozen=True)
class KeyMade:
    """A new key, and its secret, which is told once."""

    key: ApiKey
    secret: str


def make_api_key(ctx: Context, actor: Actor, form: Form) -> KeyMade:
    """Make a key for the actor's provider. A key cannot make another: it could outlive itself."""
    provider_id = actor.own_provider()
    if actor.kind is not Kind.PROVIDER or actor.id is None:
        raise NotAllowed("keys are made by people who signed in")
    wanted = form.accept()
    secret = links.new_token("key")
    with ctx.transaction() as tx:
        key = ApiKey(
            id=new_id(),
            token_hash=links.token_hash(secret),
            provider_id=provider_id,
            made_by=actor.id,
            name=wanted["name"],
            created_at=tx.now,
        )
        tx.session.add(key)
        record(tx, actor, "api_key.made", key.id, provider=str(provider_id))
        return KeyMade(key, secret)


def revoke_api_key(ctx: Context, actor: Actor, key_id: UUID) -> None:
    """End a key of the actor's provider at once; one that was revoked before is not found."""
    provider_id = actor.own_provider()
    with ctx.transaction() as tx:
        key = tx.session.get(ApiKey, key_id, with_for_update=True)
        if key is None or key.provider_id != provider_id or key.revoked_at is not None:
            raise NotFound("no such key")
        key.revoked_at = tx.now
        record(tx, actor, "api_key.revoked", key.id, provider=str(provider_id))
