"""Who acts: a signed-in person, a provider's software, a business by its link, or the product."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from marketplace.core.errors import NotAllowed


class Kind(StrEnum):
    """What sort of party acts."""

    ADMIN = "admin"
    PROVIDER = "provider"
    API_KEY = "api_key"
    BUSINESS = "business"
    ANYBODY = "anybody"
    OPERATOR = "operator"
    """Somebody at the command line."""
    SYSTEM = "system"


@dataclass(frozen=True)
class Actor:
    """Who acts, and what is theirs."""

    kind: Kind
    id: UUID | None = None
    """The user, the API key or, for a business, the lead that its request token opens."""
    provider_id: UUID | None = None
    lead_id: UUID | None = None

    @property
    def is_admin(self) -> bool:
        return self.kind in (Kind.ADMIN, Kind.OPERATOR)

    def require_admin(self) -> None:
        """Raise `NotAllowed` unless an administrator (or an operator's shell) acts."""
        if not self.is_admin:
            raise NotAllowed("this is for administrators")

    def own_provider(self) -> UUID:
        """Return the provider this actor acts for, or raise `NotAllowed`."""
        if self.provider_id is None:
            raise NotAllowed("this is for providers")
        return self.provider_id

    def own_lead(self) -> UUID:
        """Return the request this actor's link opens, or raise `NotAllowed`."""
        if self.lead_id is None:
            raise NotAllowed("this is for the business that made the request")
        return self.lead_id


SYSTEM = Actor(Kind.SYSTEM)
ANYBODY = Actor(Kind.ANYBODY)
OPERATOR = Actor(Kind.OPERATOR)
