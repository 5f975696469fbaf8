"""A sweep finds the commitments that come to be at risk without looking at all that run."""

from alembic import op
import sqlalchemy as sa

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        'ix_commitments_at_risk', 'commitments', ['at_risk_at'],
        postgresql_where=sa.text("state = 'running'"),
    )


def downgrade() -> None:
    op.drop_index('ix_commitments_at_risk', table_name='commitments')
