"""The tables of users and of what they sign in with."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, false, func, text
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.accounts.rules import Role
from marketplace.core.actors import RIGHTS_OF, Right, TeamRole
from marketplace.core.db import Base, Id, Words


class User(Base):
    """A person who signs in."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("(role = 'provider') = (provider_id IS NOT NULL)", "provider_iff_role"),
        Index(None, "provider_id"),
    )

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(unique=True)
    """In its normal form (`rules.normal_email`)."""
    name: Mapped[str]
    role: Mapped[Role]
    # By name: providers stand above accounts, so the class cannot be imported here.
    provider_id: Mapped[UUID | None] = mapped_column(ForeignKey("providers.id"))
    team_role: Mapped[TeamRole] = mapped_column(server_default=TeamRole.OWNER)
    """What they are in their provider's team; of administrators it says nothing."""
    password_hash: Mapped[str | None]
    """Argon2id; none until the person has set a password."""
    password_is_exact: Mapped[bool] = mapped_column(server_default=false(), default=False)
    """Whether it is of the password as it was typed: before migration 0026 spaces at its ends were
    left out."""
    totp_secret: Mapped[str | None]
    """The secret of an authenticator as it was kept before migration 0032, until it is used."""
    totp_sealed: Mapped[bytes | None]
    """The same, sealed for its owner (`factors.py`)."""
    totp_used_step: Mapped[int | None]
    """The 30-second step of the last code that was accepted: none is accepted twice."""
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    """Since when they are let in no more: removed by a colleague."""
    erased_at: Mapped[datetime | None]
    """Since when nobody knows who they were; what they did stays under their id."""

    @property
    def rights(self) -> frozenset[Right]:
        """What they may do for their provider, as of now."""
        is_in = self.role is Role.PROVIDER and self.disabled_at is None
        return RIGHTS_OF[self.team_role] if is_in else frozenset()

    @property
    def is_owner(self) -> bool:
        """Return whether they may let people and software in, and out."""
        return Right.TEAM in self.rights

    @property
    def can_sign_in(self) -> bool:
        return self.password_hash is not None and self.disabled_at is None

    @property
    def has_second_factor(self) -> bool:
        return self.totp_secret is not None or self.totp_sealed is not None

    @property
    def is_free(self) -> bool:
        """Return whether they signed in for a provider once, and do for nobody now."""
        return self.role is Role.PROVIDER and self.disabled_at is not None


class SignIn(Base):
    """A session: one browser or program that a user has signed in."""

    __tablename__ = "sign_ins"
    __table_args__ = (Index(None, "user_id"),)

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    id: Mapped[UUID | None] = mapped_column(unique=True, server_default=func.gen_random_uuid())
    """None of those that were over when migration 0032 gave ids."""
    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    """Written at most once a minute."""
    proved_at: Mapped[datetime | None]
    """When its owner last gave their password, and code, to sign in or to change something."""
    device: Mapped[str | None]
    """In words, such as `Firefox on Windows`."""
    network: Mapped[str | None]
    """Where from, as far as it tells a network and not a connection (`core/networks.py`)."""
    ended_at: Mapped[datetime | None]


class RecoveryCode(Base):
    """A code that signs somebody in once instead of their authenticator; only its hash is kept."""

    __tablename__ = "recovery_codes"

    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id), primary_key=True)
    code_hash: Mapped[bytes] = mapped_column(primary_key=True)
    made_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class EmailChange(Base):
    """Another address that somebody wants to sign in by; it counts once both were confirmed."""

    __tablename__ = "email_changes"
    __table_args__ = (
        Index(
            "uq_email_changes_open",
            "user_id",
            unique=True,
            postgresql_where=text("done_at IS NULL AND stopped_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id))
    email: Mapped[str]
    """The one that is wanted, in its normal form."""
    asked_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    old_confirmed_at: Mapped[datetime | None]
    new_confirmed_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]

    @property
    def is_over(self) -> bool:
        return self.done_at is not None or self.stopped_at is not None


class KnownDevice(Base):
    """A browser or program from which a user has signed in before."""

    __tablename__ = "known_devices"

    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id), primary_key=True)
    mark_hash: Mapped[bytes] = mapped_column(primary_key=True)
    first_used_at: Mapped[datetime]
    last_used_at: Mapped[datetime]


class ApiKey(Base):
    """A key for a provider's own software; its secret was shown once."""

    __tablename__ = "api_keys"
    __table_args__ = (Index(None, "provider_id"),)

    id: Mapped[Id]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    provider_id: Mapped[UUID] = mapped_column(ForeignKey("providers.id"))
    made_by: Mapped[UUID] = mapped_column(ForeignKey(User.id))
    """Who answers for it: who made it, or kept it when they left. It does no more than they may."""
    name: Mapped[str]
    scopes: Mapped[Words] = mapped_column(server_default="{read,answer,manage}")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    """From when on it is refused; none where it runs until it is revoked."""
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
