"""Since when nobody knows who a user or a contact was, and what is over found by its age."""

from alembic import op
import sqlalchemy as sa

revision = '0030'
down_revision = '0029'
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ('users', 'providers'):
        op.add_column(table, sa.Column('erased_at', sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        'ix_leads_to_forget', 'leads', ['finished_at'],
        postgresql_where=sa.text('erased_at IS NULL AND finished_at IS NOT NULL'),
    )
    op.create_index(
        'ix_leads_never_confirmed', 'leads', ['created_at'],
        postgresql_where=sa.text("erased_at IS NULL AND state = 'lapsed'"),
    )
    op.create_index(
        'ix_leads_advised', 'leads', ['finished_at'],
        postgresql_where=sa.text("business_key LIKE 'digest:%'"),
    )
    op.create_index(
        'ix_notifications_to_forget', 'notifications', ['created_at'],
        postgresql_where=sa.text("recipient NOT LIKE 'erased:%'"),
    )
    op.create_index('ix_links_expires_at', 'links', ['expires_at'])


def downgrade() -> None:
    op.drop_index('ix_links_expires_at', table_name='links')
    op.drop_index('ix_notifications_to_forget', table_name='notifications')
    op.drop_index('ix_leads_advised', table_name='leads')
    op.drop_index('ix_leads_never_confirmed', table_name='leads')
    op.drop_index('ix_leads_to_forget', table_name='leads')
    for table in ('providers', 'users'):
        op.drop_column(table, 'erased_at')
