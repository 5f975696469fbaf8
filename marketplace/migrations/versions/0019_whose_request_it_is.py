"""The requests of an address are found without looking at all of them."""

from alembic import op
import sqlalchemy as sa

revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        'ix_leads_contact', 'leads', [sa.text('lower(contact_email)')],
        postgresql_where=sa.text('erased_at IS NULL'),
    )


def downgrade() -> None:
    op.drop_index('ix_leads_contact', table_name='leads')
