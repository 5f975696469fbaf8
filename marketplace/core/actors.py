"""Who acts, and what they may do: a person, a provider's software, a business by its link, ..."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from marketplace.core.errors import NotAllowed
from marketplace.core.texts import N_, Told


class Kind(StrEnum):
    """What sort of party acts."""

    ADMIN = "admin"
    PROVIDER = "provider"
    SETTING_UP = "setting_up"
    """A person who needs a second factor and has none yet: let into its set-up and nowhere else."""
    API_KEY = "api_key"
    BUSINESS = "business"
    ANYBODY = "anybody"
    OPERATOR = "operator"
    """Somebody at the command line."""
    SYSTEM = "system"


class Right(StrEnum):
    """What somebody may do for a provider. Keys have them as scopes, all but the last."""

    READ = "read"
    """Look at everything that the provider is shown."""
    ANSWER = "answer"
    """Accept, decline, quote, ask, attach, object and reply, in the provider's name."""
    MANAGE = "manage"
    """Profile, coverage, accreditations, pauses, and where its software is told."""
    TEAM = "team"
    """Let people and software in, and out."""


class Scope(StrEnum):
    """The rights that a key can be made with: no key lets anybody in."""

    READ = "read"
    ANSWER = "answer"
    MANAGE = "manage"


class TeamRole(StrEnum):
    """What a person is in the team of a provider."""

    OWNER = "owner"
    MEMBER = "member"
    READ_ONLY = "read_only"


RIGHTS_OF: Mapping[TeamRole, frozenset[Right]] = {
    TeamRole.OWNER: frozenset(Right),
    TeamRole.MEMBER: frozenset({Right.READ, Right.ANSWER, Right.MANAGE}),
    TeamRole.READ_ONLY: frozenset({Right.READ}),
}

_LACKS = {
    Right.READ: N_("your role lets you see nothing here: an owner of your team can change it"),
    Right.ANSWER: N_(
        "your role lets you look, and not answer: an owner of your team can change it"
    ),
    Right.MANAGE: N_(
        "your role lets you look, and not change this: an owner of your team can change it"
    ),
    Right.TEAM: N_("only owners of your team let people and software in, and out"),
}


@dataclass(frozen=True)
class Actor:
    """Who acts, and what is theirs."""

    kind: Kind
    id: UUID | None = None
    """The user, the API key or, for a business, the lead that its request token opens."""
    provider_id: UUID | None = None
    lead_id: UUID | None = None
    rights: frozenset[Right] = frozenset()
    """What they may do for their provider: by the person's role, or by the key's scopes."""

    @property
    def is_admin(self) -> bool:
        return self.kind in (Kind.ADMIN, Kind.OPERATOR)

    @property
    def looks_for_provider(self) -> bool:
        """Return whether what they have looked at, their provider has seen.

        That is a person who could answer it: not a program, nor somebody who only reads along.
        """
        return self.kind is Kind.PROVIDER and Right.ANSWER in self.rights

    def require(self, right: Right) -> None:
        """Raise `NotAllowed`, which says what is missing, unless they may do this."""
        if right in self.rights:
            return
        if self.kind is Kind.API_KEY:
            raise NotAllowed(Told("this key lacks the scope %(right)s", right=right))
        raise NotAllowed(_LACKS[right])

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
