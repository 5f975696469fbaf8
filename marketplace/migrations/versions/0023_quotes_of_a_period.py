"""The quotes of a period are found without looking at all of them."""

from alembic import op

revision = '0023'
down_revision = '0022'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index('ix_quotes_submitted_at', 'quotes', ['submitted_at'])


def downgrade() -> None:
    op.drop_index('ix_quotes_submitted_at', table_name='quotes')
