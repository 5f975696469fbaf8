"""Who goes by a name."""

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.providers.models import Provider


def ids_by_name_key(session: Session, keys: Collection[str]) -> dict[str, set[UUID]]:
    """Return the providers that go by these names (`rules.name_key`), rejected ones included."""
    found: dict[str, set[UUID]] = defaultdict(set)
    for key, provider_id in session.execute(
        select(Provider.name_key, Provider.id).where(Provider.name_key.in_(keys))
    ):
        found[key].add(provider_id)
    return dict(found)
