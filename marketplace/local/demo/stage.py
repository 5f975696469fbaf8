"""Set the stage of a demonstration: providers, and people who can sign in."""

from sqlalchemy import func, select

from marketplace.accounts import credentials, passwords
from marketplace.accounts import queries as accounts
from marketplace.accounts import service as accounting
from marketplace.bootstrap import Product
from marketplace.core.actors import OPERATOR
from marketplace.core.context import Context
from marketplace.core.errors import Conflict
from marketplace.local.demo import people
from marketplace.local.places import LocalError
from marketplace.providers.importing import import_providers
from marketplace.providers.models import Provider


def prepare(product: Product) -> None:
    """Invent providers where there are none, and let them and an administrator sign in.

    Safe to repeat: providers that are there, and passwords that were changed, stay as they are.
    """
    ctx = product.ctx
    with product.app.app_context():
        if not _has_providers(ctx):
            report = import_providers(ctx, OPERATOR, people.PROVIDERS, verified=True)
            if report.problems:
                raise LocalError(f"The invented providers are not sound: {report.problems[0]}")
            _give_passwords(ctx)
        if not _has_admin(ctx):
            try:
                accounting.create_admin(
                    ctx, people.ADMIN_EMAIL, people.ADMIN_NAME, people.ADMIN_PASSWORD
                )
            except Conflict as refused:
                raise LocalError(f"The demo administrator cannot be made: {refused}") from refused


def demo_accounts(ctx: Context) -> list[str]:
    """Return the addresses that can be signed in with by whoever has read this programme."""
    candidates = {people.ADMIN_EMAIL: people.ADMIN_PASSWORD}
    candidates |= dict.fromkeys(people.provider_emails().values(), people.PROVIDER_PASSWORD)
    with ctx.reading() as session:
        found = {email: accounts.user_by_email(session, email) for email in candidates}
    hashes = {
        email: user.password_hash
        for email, user in found.items()
        if user is not None and user.password_hash is not None and user.disabled_at is None
    }
    # Looking into a hash takes long on purpose, and most of these are the same one.
    pairs = {(candidates[email], each) for email, each in hashes.items()}
    opened = {pair for pair in pairs if credentials.is_password(*pair)}
    return sorted(email for email, each in hashes.items() if (candidates[email], each) in opened)


def _has_providers(ctx: Context) -> bool:
    with ctx.reading() as session:
        return bool(session.scalar(select(func.count()).select_from(Provider)))


def _has_admin(ctx: Context) -> bool:
    with ctx.reading() as session:
        return accounts.user_by_email(session, people.ADMIN_EMAIL) is not None


def _give_passwords(ctx: Context) -> None:
    hashed = credentials.hash_password(people.PROVIDER_PASSWORD)
    with ctx.transaction() as tx:
        for email in people.provider_emails().values():
            user = accounts.user_by_email(tx.session, email)
            if user is not None and user.password_hash is None:
                passwords.replace_password(tx, OPERATOR, user, hashed)
