"""For which mailbox a mail counts that anybody can cause."""

from alembic import op
import sqlalchemy as sa

revision = '0029'
down_revision = '0028'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('notifications', sa.Column('mailbox', sa.Text(), nullable=True))
    op.create_index(
        'ix_notifications_mailbox', 'notifications', ['mailbox', 'created_at'],
        postgresql_where=sa.text('mailbox IS NOT NULL'),
    )


def downgrade() -> None:
    op.drop_index('ix_notifications_mailbox', 'notifications')
    op.drop_column('notifications', 'mailbox')
