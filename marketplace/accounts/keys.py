"""Keys for a provider's own software: made by an owner, shown once, revoked for good."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from marketplace.accounts import queries
from marketplace.accounts.models import ApiKey, User
from marketplace.core import links
from marketplace.core.actors import Actor, Kind, Right, Scope
from marketplace.core.context import Context, Transaction
from marketplace.core.db import new_id
from marketplace.core.errors import FieldError, NotAllowed, NotFound
from marketplace.core.events import record
from marketplace.core.forms import Form


@dataclass(frozen=True, repr=False)
class KeyMade:
    """A new key, and its secret, which is told once."""

    key: ApiKey
    secret: str


def make_api_key(ctx: Context, actor: Actor, form: Form) -> KeyMade:
    """Make a key for the actor's provider. A key cannot make another: it could outlive itself."""
    provider_id = actor.own_provider()
    if actor.kind is not Kind.PROVIDER or actor.id is None:
        raise NotAllowed("keys are made by people who signed in")
    secret = links.new_token("key")
    with ctx.transaction() as tx:
        ends = form.values.get("expires_at")
        past = (
            [FieldError("/expires_at", "must be in the future")] if ends and ends <= tx.now else []
        )
        wanted = form.accept(past)
        _require_owner(queries.lock_user(tx.session, actor.id), provider_id)
        key = ApiKey(
            id=new_id(),
            token_hash=links.token_hash(secret),
            provider_id=provider_id,
            made_by=actor.id,
            name=wanted["name"],
            scopes=[str(each) for each in Scope if each in (wanted.get("scopes") or Scope)],
            created_at=tx.now,
            expires_at=ends,
        )
        tx.session.add(key)
        record(
            tx,
            actor,
            "api_key.made",
            key.id,
            provider=str(provider_id),
            scopes=",".join(key.scopes),
        )
        return KeyMade(key, secret)


def revoke_api_key(ctx: Context, actor: Actor, key_id: UUID) -> None:
    """End a key of the actor's provider at once; one that was revoked before is not found."""
    provider_id = actor.own_provider()
    with ctx.transaction() as tx:
        key = tx.session.get(ApiKey, key_id, with_for_update=True)
        if key is None or key.provider_id != provider_id or key.revoked_at is not None:
            raise NotFound("no such key")
        _revoke(tx, actor, key)


def keys_of_person(tx: Transaction, user: User) -> Sequence[ApiKey]:
    """Return the good keys that somebody answers for, locked."""
    return tx.session.scalars(
        select(ApiKey)
        .where(ApiKey.made_by == user.id, ApiKey.revoked_at.is_(None))
        .order_by(ApiKey.id)
        .with_for_update()
    ).all()


def let_go_of_keys(tx: Transaction, actor: Actor, user: User, *, to: User | None) -> None:
    """Let a colleague answer for the keys of somebody who leaves; without one they are revoked."""
    for key in keys_of_person(tx, user):
        if to is None:
            _revoke(tx, actor, key)
        else:
            key.made_by = to.id
            record(tx, actor, "api_key.kept", key.id, provider=str(key.provider_id), by=str(to.id))


def _revoke(tx: Transaction, actor: Actor, key: ApiKey) -> None:
    key.revoked_at = tx.now
    record(tx, actor, "api_key.revoked", key.id, provider=str(key.provider_id))


def _require_owner(user: User, provider_id: UUID) -> None:
    """Refuse somebody who was removed, or is an owner no more, since they knocked."""
    if user.provider_id != provider_id or Right.TEAM not in user.rights:
        raise NotAllowed("keys are made by owners of the team")
