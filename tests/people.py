"""People for tests: providers without coverage, and those who sign in for them."""

from uuid import UUID

from marketplace.accounts import credentials, service
from marketplace.accounts.models import User
from marketplace.core.context import Context
from marketplace.core.db import new_id
from marketplace.core.forms import Form
from marketplace.providers.models import Provider
from marketplace.providers.rules import ProviderKind, ProviderState

PASSWORD = "seven quiet herons"

_hashes: dict[str, str] = {}


def a_provider(ctx: Context, name: str = "Harbour Quality") -> UUID:
    """Write a bare verified provider down; return its id."""
    provider_id = new_id()
    with ctx.transaction() as tx:
        tx.session.add(
            Provider(
                id=provider_id,
                kind=ProviderKind.CONSULTANT,
                state=ProviderState.VERIFIED,
                name=name,
                name_key=name.casefold(),
                country="AU",
                contact_name="Kim Reyes",
                contact_email="kim@harbour.example",
                created_at=tx.now,
                verified_at=tx.now,
            )
        )
    return provider_id


def a_person(
    ctx: Context,
    email: str = "kim@harbour.example",
    *,
    name: str = "Kim Reyes",
    password: str | None = PASSWORD,
    provider_id: UUID | None = None,
) -> User:
    """Write somebody down who signs in for a provider; without one, for a new one."""
    provider_id = provider_id or a_provider(ctx)
    with ctx.transaction() as tx:
        user = service.ensure_provider_user(tx, provider_id, email, name)
        assert user is not None
        user.password_hash = hashed(password)
    return user


def an_admin(
    ctx: Context, email: str = "ada@marketplace.example", *, password: str | None = PASSWORD
) -> User:
    """Write an administrator down."""
    user = service.create_admin(ctx, email, "Ada Okoro").user
    with ctx.transaction() as tx:
        tx.session.get_one(User, user.id).password_hash = hashed(password)
    return user


def hashed(password: str | None) -> str | None:
    """Hash each password once per test run: it is slow on purpose."""
    if password is not None and password not in _hashes:
        _hashes[password] = credentials.hash_password(password)
    return None if password is None else _hashes[password]


def session_token(ctx: Context, user: User, password: str = PASSWORD) -> str:
    """Sign the user in; return the session's token."""
    return service.sign_in(ctx, Form({"email": user.email, "password": password})).token


def bearer(token: str) -> dict[str, str]:
    """Return the header that carries a token."""
    return {"Authorization": f"Bearer {token}"}
