"""Whom the people of a provider have invited to sign in for it with them."""

from alembic import op
import sqlalchemy as sa

revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'team_invitations',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('provider_id', sa.Uuid(), nullable=False),
        sa.Column('email', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('invited_by', sa.Uuid(), nullable=False),
        sa.Column('invited_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['provider_id'], ['providers.id'], name=op.f('fk_team_invitations_provider_id_providers')),
        sa.ForeignKeyConstraint(['invited_by'], ['users.id'], name=op.f('fk_team_invitations_invited_by_users')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_team_invitations')),
        sa.UniqueConstraint('provider_id', 'email', name=op.f('uq_team_invitations_provider_id_email')),
    )


def downgrade() -> None:
    op.execute("DELETE FROM notifications WHERE link_purpose = 'join'")
    op.execute("DELETE FROM links WHERE purpose = 'join'")
    op.drop_table('team_invitations')
