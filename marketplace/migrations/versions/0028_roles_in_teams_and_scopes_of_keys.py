"""What each of a provider's people may do, and what each of its keys.

Whoever signs in for a provider could do everything until now, and can from now on: they are owners.
Who was invited and has not come yet finds a team that has one. A key did what its maker could; one
whose maker has left is answered for by the longest-standing of those who are there.
"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = '0028'
down_revision = '0027'
branch_labels = None
depends_on = None

ROLE = sa.Enum('owner', 'member', 'read_only', name='teamrole', native_enum=False, length=40)


def upgrade() -> None:
    op.add_column('users', sa.Column('team_role', ROLE, nullable=False, server_default='owner'))
    op.add_column('team_invitations', sa.Column('role', ROLE, nullable=False, server_default='member'))
    op.add_column('api_keys', sa.Column('scopes', postgresql.ARRAY(sa.Text()), nullable=False, server_default='{read,answer,manage}'))
    op.add_column('api_keys', sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True))
    op.execute(
        """
        UPDATE api_keys SET made_by = heir.id
        FROM users AS maker, (
            SELECT DISTINCT ON (provider_id) provider_id, id FROM users
            WHERE provider_id IS NOT NULL AND disabled_at IS NULL
            ORDER BY provider_id, (password_hash IS NULL), id
        ) AS heir
        WHERE maker.id = api_keys.made_by AND heir.provider_id = api_keys.provider_id
          AND (maker.disabled_at IS NOT NULL OR maker.provider_id IS DISTINCT FROM api_keys.provider_id)
        """
    )


def downgrade() -> None:
    op.drop_column('api_keys', 'expires_at')
    op.drop_column('api_keys', 'scopes')
    op.drop_column('team_invitations', 'role')
    op.drop_column('users', 'team_role')
