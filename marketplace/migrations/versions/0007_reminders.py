"""Reminders of an invitation, decided from a column."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('invitations', sa.Column('remind_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        'invitations',
        sa.Column(
            'reminders', postgresql.ARRAY(sa.DateTime(timezone=True)), nullable=False, server_default='{}',
        ),
    )
    op.create_index(
        'ix_invitations_remind', 'invitations', ['remind_at'],
        postgresql_where=sa.text("state IN ('sent', 'opened', 'accepted')"),
    )


def downgrade() -> None:
    op.drop_index('ix_invitations_remind', table_name='invitations')
    op.drop_column('invitations', 'reminders')
    op.drop_column('invitations', 'remind_at')
